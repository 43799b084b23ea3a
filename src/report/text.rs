//! Text for people: what comes from outside made harmless, cut or wrapped to a width, and times in words.
//!
//! Names, statuses and error messages come from a cloud that may be in other hands. [`escape`] stands between them and
//! every terminal, file and table; nothing in `report` shows outside text without it.

use console::{Style, measure_text_width, truncate_str};
use jiff::Timestamp;

/// How text is laid out: columns, and whether colours may be used. `cli` decides (`NO_COLOR`, terminal or not).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub width: usize,
    pub color: bool,
}

/// Narrower than this, nothing useful fits: lines are laid out as if it were so.
const NARROWEST: usize = 40;

/// A colour with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Doubtful,
    Active,
    Heading,
    Quiet,
}

impl Look {
    /// No colours, 80 columns: what files and pipes get.
    pub const PLAIN: Self = Self { width: 80, color: false };

    pub(super) fn columns(self) -> usize {
        self.width.max(NARROWEST)
    }

    /// Colours text that was already cut to its width.
    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        let style = match tone {
            Tone::Good => Style::new().green(),
            Tone::Bad => Style::new().red().bold(),
            Tone::Doubtful => Style::new().yellow(),
            Tone::Active => Style::new().cyan(),
            Tone::Heading => Style::new().bold(),
            Tone::Quiet => Style::new().dim(),
        };
        style.force_styling(self.color).apply_to(text).to_string()
    }
}

/// The regions of a run; one alone where it stays in its own.
pub(super) fn regions(from: &str, to: &str, between: &str) -> String {
    match from == to {
        true => escape(to),
        false => format!("{} {between} {}", escape(from), escape(to)),
    }
}

/// Makes outside text safe to show: everything that is not a visible character (control characters, line breaks,
/// invisible and direction-changing characters, unassigned code points, stray combining marks) becomes `\u{…}`, `\n`,
/// `\t`, `\r` or `\0`. Quotes and backslashes stay as they are.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\'' | '\\' => safe.push(character),
            _ => safe.extend(character.escape_debug()),
        }
    }
    safe
}

/// Cuts text to a width in terminal columns; what was cut shows as `…`.
pub(super) fn fit(text: &str, columns: usize) -> String {
    truncate_str(text, columns, "…").into_owned()
}

/// Text and filling up to the width; cut where it is too long.
pub(super) fn pad(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let fill = columns.saturating_sub(measure_text_width(&text));
    text + &" ".repeat(fill)
}

/// `left`, a gap, `right` at the right edge. The left side is cut first; the right takes half the width at most.
pub(super) fn edges(left: &str, right: &str, columns: usize) -> String {
    let right = fit(right, columns / 2);
    let room = columns.saturating_sub(measure_text_width(&right) + 1);
    format!("{} {right}", pad(left, room))
}

/// Breaks escaped text into lines of at most `columns`; the first begins with `first`, the others with as many spaces.
/// Words longer than a line, such as ARNs, are broken.
pub(super) fn wrap(first: &str, text: &str, columns: usize) -> Vec<String> {
    let indent = measure_text_width(first);
    let room = columns.saturating_sub(indent).max(10);
    let mut rows = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word;
        loop {
            let row = rows.last_mut().map_or(0, |row| measure_text_width(row));
            let gap = usize::from(row > 0);
            if row + gap + measure_text_width(word) <= room {
                push(&mut rows, gap, word);
                break;
            }
            if row > 0 {
                rows.push(String::new());
                continue;
            }
            let cut = cut_at(word, room);
            push(&mut rows, 0, &word[..cut]);
            word = &word[cut..];
            rows.push(String::new());
        }
    }
    let margin = " ".repeat(indent);
    rows.iter().enumerate().map(|(nr, row)| format!("{}{row}", if nr == 0 { first } else { &margin })).collect()
}

fn push(rows: &mut [String], gap: usize, word: &str) {
    if let Some(row) = rows.last_mut() {
        row.push_str(&" ".repeat(gap));
        row.push_str(word);
    }
}

/// The byte up to which a word fills a row; at least one character.
fn cut_at(word: &str, room: usize) -> usize {
    let mut width = 0;
    for (at, character) in word.char_indices() {
        width += measure_text_width(character.encode_utf8(&mut [0; 4]));
        if width > room && at > 0 {
            return at;
        }
    }
    word.len()
}

/// A duration in words: `420ms`, `4.2s`, `42s`, `1m 08s`, `2h 03m`, `3d 04h`.
pub(super) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        _ if ms < 1000 => format!("{ms}ms"),
        0..10 => format!("{seconds}.{}s", ms % 1000 / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A point in time to the second: `2026-11-22T03:12:07Z`.
pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An amount with its unit; bytes in binary units: `4.2 GiB`.
pub(super) fn amount(value: u64, unit: &str) -> String {
    if unit == "bytes" { bytes_in_words(value) } else { format!("{value} {}", escape(unit)) }
}

fn bytes_in_words(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = None;
    for name in UNITS {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        unit = Some(name);
    }
    match unit {
        None => format!("{bytes} B"),
        Some(unit) => format!("{}.{} {unit}", tenths / 10, tenths % 10),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn terminal_commands_from_the_cloud_are_shown_not_obeyed() {
        assert_eq!(
            escape("a\x1b[2Jb\r\n\u{9b}c\u{202e}d\u{200b}\u{7f}\0"),
            r"a\u{1b}[2Jb\r\n\u{9b}c\u{202e}d\u{200b}\u{7f}\0"
        );
        assert_eq!(escape(r#"größe "x" C:\y 東京"#), r#"größe "x" C:\y 東京"#);
    }

    proptest! {
        #[test]
        fn escaped_text_holds_only_visible_characters_and_is_stable(text in any::<String>()) {
            let safe = escape(&text);
            prop_assert!(!safe.chars().any(char::is_control));
            let hidden = ['\u{200b}', '\u{200e}', '\u{200f}', '\u{202d}', '\u{202e}', '\u{2028}', '\u{2066}', '\u{feff}'];
            prop_assert!(!safe.contains(hidden), "{}", safe);
            prop_assert_eq!(escape(&safe), safe);
        }

        #[test]
        fn nothing_is_wider_than_it_may_be(text in any::<String>(), columns in 20usize..100) {
            let safe = escape(&text);
            prop_assert!(measure_text_width(&fit(&safe, columns)) <= columns);
            prop_assert_eq!(measure_text_width(&pad(&safe, columns)), columns);
            prop_assert!(measure_text_width(&edges(&safe, &safe, columns)) <= columns);
            for line in wrap("  cause: ", &safe, columns) {
                prop_assert!(measure_text_width(&line) <= columns.max(19 + 1));
            }
        }

        #[test]
        fn wrapping_loses_nothing(text in "[a-zé東 ]{0,200}") {
            let joined: String = wrap("", &text, 20).concat();
            prop_assert_eq!(joined.replace(' ', ""), text.replace(' ', ""));
        }
    }

    #[test]
    fn durations_and_amounts_are_short() {
        let words: Vec<String> =
            [420, 4_250, 42_000, 68_000, 7_380_000, 273_600_000].into_iter().map(duration).collect();
        assert_eq!(words, ["420ms", "4.2s", "42s", "1m 08s", "2h 03m", "3d 04h"]);
        assert_eq!(amount(4_509_715_660, "bytes"), "4.1 GiB");
        assert_eq!(amount(17, "bytes"), "17 B");
        assert_eq!(amount(17, "objects"), "17 objects");
    }
}
