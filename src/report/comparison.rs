//! What differs between two bundles, for people and programs.

use super::plan::section;
use super::text::{Look, Tone, escape, wrap};
use crate::bundle::{Comparison, Difference};

/// So many differences of a kind are shown.
const SHOWN: usize = 40;
/// A value that is longer says nothing at a glance.
const LONGEST: usize = 240;

/// The differences as text, none of its lines wider than the look.
pub fn comparison(comparison: &Comparison, look: Look) -> String {
    if comparison.is_empty() {
        return "nothing differs\n".to_owned();
    }
    let mut lines = Vec::new();
    for (heading, differences) in comparison.sections() {
        let mut body: Vec<String> = differences.iter().take(SHOWN).flat_map(|it| shown(it, look)).collect();
        if differences.len() > SHOWN {
            body.push(look.paint(Tone::Quiet, &format!("  … {} more, in the JSON form", differences.len() - SHOWN)));
        }
        section(&mut lines, look, heading, body);
    }
    lines.join("\n").trim_start_matches('\n').to_owned() + "\n"
}

fn shown(difference: &Difference, look: Look) -> Vec<String> {
    let Difference { what, then, now } = difference;
    let mut lines = wrap("  ", &escape(what), look.columns());
    lines.extend(wrap("      then  ", &cut(then), look.columns()));
    lines.extend(wrap("      now   ", &cut(now), look.columns()));
    lines
}

fn cut(text: &str) -> String {
    let text = escape(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The differences as JSON, ended by a line break.
///
/// # Errors
/// None in practice: they hold nothing that JSON could not.
pub fn comparison_json(comparison: &Comparison) -> Result<String, serde_json::Error> {
    Ok(super::json::visible(&serde_json::to_string_pretty(comparison)?) + "\n")
}
