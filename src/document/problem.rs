//! A mistake in a file, shown with its line and a caret: all of a file's mistakes at once.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde_json::{Value, json};

use super::Document;

/// More are counted, not shown: whoever has so many has one reason for them.
const SHOWN: usize = 30;

/// Beyond these nobody counts either: a file of a megabyte can hold a quarter of a million.
const KEPT: usize = 200;

/// A longer line would fill the screen with what the caret is not about.
const LONGEST_LINE: usize = 400;

/// Everything that is wrong with a file, or with several that belong together. Never empty; the first 200 of more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    pub problems: Vec<Problem>,
}

/// One mistake: what, where, what next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub document: Arc<Document>,
    pub message: String,
    /// What stands at the caret.
    pub label: String,
    /// Bytes in the document; `None` where the problem is the file itself.
    pub span: Option<Range<usize>>,
    pub hint: Option<String>,
}

impl Problem {
    /// A problem at a place in a document.
    pub fn at(
        document: &Arc<Document>,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        let span = Some(first_line(&document.text, span));
        Self { document: Arc::clone(document), message: message.into(), label: label.into(), span, hint: None }
    }

    /// A problem with the file as a whole.
    pub fn about(document: &Arc<Document>, message: impl Into<String>) -> Self {
        let document = Arc::clone(document);
        Self { document, message: message.into(), label: String::new(), span: None, hint: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// Line and column, both from 1.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        self.span.as_ref().map(|span| self.document.position(span.start))
    }

    /// The problem with the lines around it. `width` is the terminal's, in columns.
    pub fn render(&self, color: bool, width: usize) -> String {
        let theme = if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(width.max(20));
        let mut text = String::new();
        if handler.render_report(&mut text, &Shown::new(self)).is_err() {
            text = format!("{self}\n");
        }
        text
    }

    /// `{file, line, column, message, label, hint}`; line and column are null where the file itself is the problem.
    pub fn to_json(&self) -> Value {
        let (line, column) = self.line_and_column().unzip();
        json!({
            "file": self.document.path,
            "line": line,
            "column": column,
            "message": self.message,
            "label": self.label,
            "hint": self.hint,
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", shown_path(&self.document.path))?;
        if let Some((line, column)) = self.line_and_column() {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Problem {}

impl Invalid {
    /// Orders the problems by file, as they come, and by place; `None` where there are none.
    pub fn of(mut problems: Vec<Problem>) -> Option<Self> {
        let mut files: Vec<Arc<Document>> = Vec::new();
        for problem in &problems {
            if !files.contains(&problem.document) {
                files.push(Arc::clone(&problem.document));
            }
        }
        problems.sort_by_key(|problem| {
            let file = files.iter().position(|file| *file == problem.document);
            (file, problem.span.as_ref().map_or(0, |span| span.start))
        });
        problems.dedup();
        problems.truncate(KEPT);
        (!problems.is_empty()).then_some(Self { problems })
    }

    /// All problems, one below the other, with a line that counts them.
    pub fn render(&self, color: bool, width: usize) -> String {
        let mut text = String::new();
        for problem in self.problems.iter().take(SHOWN) {
            text.push_str(&problem.render(color, width));
            text.push('\n');
        }
        let count = self.problems.len();
        match count.saturating_sub(SHOWN) {
            0 if count == 1 => text.push_str("1 problem\n"),
            0 => _ = writeln!(text, "{count} problems"),
            hidden => _ = writeln!(text, "{count} problems, {hidden} of them not shown"),
        }
        text
    }

    /// `{"problems": [{file, line, column, message, label, hint}…]}`
    pub fn to_json(&self) -> Value {
        json!({ "problems": self.problems.iter().map(Problem::to_json).collect::<Vec<_>>() })
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut problems = self.problems.iter();
        if let Some(first) = problems.next() {
            write!(f, "{first}")?;
        }
        match problems.count() {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl std::error::Error for Invalid {}

impl From<Problem> for Invalid {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

/// The part of a span on its first line: a caret under a whole block helps nobody.
fn first_line(text: &str, span: Range<usize>) -> Range<usize> {
    let start = floor(text, span.start);
    let end = floor(text, span.end).max(start);
    let line_end = text[start..end].find('\n').map_or(end, |at| start + at);
    start..line_end
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn shown_path(path: &Path) -> String {
    path.to_string_lossy().chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}

/// What miette is given of a problem.
#[derive(Debug)]
struct Shown<'a> {
    problem: &'a Problem,
    message: String,
    source: Option<NamedSource<String>>,
}

impl<'a> Shown<'a> {
    fn new(problem: &'a Problem) -> Self {
        let text = &problem.document.text;
        let shown = !problem.document.private;
        let fits = shown
            && problem.span.as_ref().is_some_and(|span| {
                let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
                let before = text[..start.saturating_sub(1)].rfind('\n').map_or(0, |at| at + 1);
                text[before..].lines().take(3).all(|line| line.len() <= LONGEST_LINE)
            });
        let source = fits.then(|| NamedSource::new(shown_path(&problem.document.path), printable(text)));
        let message = if fits { problem.message.clone() } else { Self::in_words(problem) };
        Self { problem, message, source }
    }

    fn in_words(problem: &Problem) -> String {
        if problem.label.is_empty() { problem.to_string() } else { format!("{problem}: {}", problem.label) }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.problem.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.problem.span.clone()?;
        self.source.as_ref()?;
        let label = (!self.problem.label.is_empty()).then(|| self.problem.label.clone());
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(label, span))))
    }
}

/// The text without what would move a terminal's cursor, each byte still in its place.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => printable.push(character),
            '\r' => printable.push(' '),
            _ if character.is_control() => printable.extend(std::iter::repeat_n('?', character.len_utf8())),
            _ => printable.push(character),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_shows_its_line_and_what_to_do() {
        let document = Document::new("environments/prod/lifeboat.hcl", "service = \"x\"\naccont = \"1\"\n");
        let problem = Problem::at(&document, 14..20, "unknown key `accont`", "not known here").hint("write `account`");
        insta::assert_snapshot!(problem.render(false, 80), @r#"
             × unknown key `accont`
              ╭─[environments/prod/lifeboat.hcl:2:1]
            1 │ service = "x"
            2 │ accont = "1"
              · ───┬──
              ·    ╰── not known here
              ╰────
             help: write `account`
        "#);
        assert_eq!(problem.to_json()["line"], 2);
        assert!(problem.render(true, 80).contains('\u{1b}'));
    }

    #[test]
    fn control_characters_of_a_file_do_not_reach_the_terminal() {
        let document = Document::new("x\u{1b}.hcl", "a = \"\u{1b}[2J\u{9b}\" # é\n");
        let text = Problem::at(&document, 4..9, "wrong", "here").render(false, 80);
        assert!(!text.chars().any(|character| character.is_control() && character != '\n'), "{text:?}");
    }

    #[test]
    fn an_endless_line_is_not_shown() {
        let document = Document::new("x.hcl", "{".repeat(100_000));
        let text = Problem::at(&document, 64..65, "wrong", "here").render(false, 80);
        insta::assert_snapshot!(text, @r#"  × x.hcl:1:65: wrong: here"#);
    }

    #[test]
    fn problems_stand_in_the_order_of_the_file_and_are_counted() {
        let document = Document::new("x.hcl", "a\nb\nc\n");
        let at = |start: usize| Problem::at(&document, start..start + 1, "wrong", "");
        let invalid = Invalid::of(vec![at(4), at(0), at(0)]).unwrap();
        assert_eq!(invalid.problems.len(), 2);
        assert_eq!(invalid.to_string(), "x.hcl:1:1: wrong (and 1 more)");
        assert!(Invalid::of(Vec::new()).is_none());
    }
}
