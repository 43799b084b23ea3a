//! What Terraform says went wrong: from its JSON messages where a command has them, else from its text.

use std::fmt;

use serde::Deserialize;

/// The most diagnostics that an error quotes; the log has all of them.
const QUOTED: usize = 5;

/// One message of Terraform (Terraform: "Machine-Readable UI", "validate", JSON diagnostics).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Diagnostic {
    pub severity: Severity,
    pub summary: String,
    #[serde(default)]
    pub detail: String,
    /// The resource that it is about.
    pub address: Option<String>,
    pub range: Option<Range>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    #[serde(other)]
    Warning,
}

/// Where in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Range {
    pub filename: String,
    pub start: Position,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Position {
    pub line: u64,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = &self.address {
            write!(f, "{address}: ")?;
        }
        f.write_str(&one_line(&self.summary))?;
        if !self.detail.is_empty() {
            write!(f, ": {}", one_line(&self.detail))?;
        }
        if let Some(range) = &self.range {
            write!(f, " ({}:{})", range.filename, range.start.line)?;
        }
        Ok(())
    }
}

/// The errors among the diagnostics as one text, or `None` where there are none.
pub fn errors(diagnostics: &[Diagnostic]) -> Option<String> {
    let errors: Vec<String> =
        diagnostics.iter().filter(|it| it.severity == Severity::Error).map(Diagnostic::to_string).collect();
    if errors.is_empty() {
        return None;
    }
    let mut text = errors.iter().take(QUOTED).cloned().collect::<Vec<_>>().join("\n");
    if errors.len() > QUOTED {
        text.push_str(&format!("\nand {} more", errors.len() - QUOTED));
    }
    Some(text)
}

/// Reads diagnostics from text that is meant for people: `Error: …` blocks with or without their box.
///
/// Terraform does not promise this form, so that what is not understood is kept as it stands: text without any
/// `Error:` becomes one diagnostic.
pub fn from_text(text: &str) -> Vec<Diagnostic> {
    let mut found: Vec<Diagnostic> = Vec::new();
    let mut rest: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = unboxed(line);
        if let Some((severity, summary)) = heading(&line) {
            found.push(Diagnostic {
                severity,
                summary: summary.to_owned(),
                detail: String::new(),
                address: None,
                range: None,
            });
        } else if let Some(last) = found.last_mut() {
            if last.range.is_none()
                && last.detail.is_empty()
                && let Some(range) = position(&line)
            {
                last.range = Some(range);
                last.address = subject(&line);
            } else if !is_snippet(&line) && !line.is_empty() {
                if !last.detail.is_empty() {
                    last.detail.push(' ');
                }
                last.detail.push_str(&line);
            }
        } else if !line.is_empty() {
            rest.push(line);
        }
    }
    if !found.iter().any(|it| it.severity == Severity::Error) && !rest.is_empty() {
        found.push(Diagnostic {
            severity: Severity::Error,
            summary: rest.join(" "),
            detail: String::new(),
            address: None,
            range: None,
        });
    }
    found
}

/// Words in one line, without control characters: the text can hold what a cloud or a provider answered.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A line without colours and without the box that Terraform draws.
fn unboxed(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else if !matches!(c, '╷' | '│' | '╵' | '\r') {
            plain.push(c);
        }
    }
    plain.trim().to_owned()
}

fn heading(line: &str) -> Option<(Severity, &str)> {
    if let Some(summary) = line.strip_prefix("Error: ") {
        return Some((Severity::Error, summary));
    }
    line.strip_prefix("Warning: ").map(|summary| (Severity::Warning, summary))
}

/// `on main.tf line 3, in terraform:`
fn position(line: &str) -> Option<Range> {
    let (filename, rest) = line.strip_prefix("on ")?.split_once(" line ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(Range { filename: filename.to_owned(), start: Position { line: digits.parse().ok()? } })
}

/// The resource in `… line 3, in resource "aws_vpc" "main":`
fn subject(line: &str) -> Option<String> {
    let (_, block) = line.split_once("in resource ")?;
    let mut labels = block.split('"').skip(1).step_by(2);
    Some(format!("{}.{}", labels.next()?, labels.next()?))
}

/// `3: backend "s3" {`
fn is_snippet(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < line.len() && rest.starts_with(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_failed_init_is_told_with_file_and_line() {
        let text = "\u{1b}[31m╷\u{1b}[0m\n│ \u{1b}[31mError: \u{1b}[0mArgument definition required\n│ \n│   on main.tf line 1, \
                    in terraform:\n│    1: terraform { backend \"local\" {} }\n│ \n│ A single-line block definition can \
                    contain only a single\n│ argument.\n╵\n";
        let found = from_text(text);
        assert_eq!(
            errors(&found).as_deref(),
            Some(
                "Argument definition required: A single-line block definition can contain only a single argument. \
                 (main.tf:1)"
            )
        );
    }

    #[test]
    fn text_without_a_heading_is_quoted_as_it_stands() {
        let found = from_text("\nWorkspace \"nope\" doesn't exist.\n\nYou can create it\n");
        assert_eq!(errors(&found).as_deref(), Some("Workspace \"nope\" doesn't exist. You can create it"));
    }

    #[test]
    fn warnings_alone_are_no_error() {
        let found = from_text("╷\n│ Warning: Value for undeclared variable\n│ \n│ It is ignored.\n╵\n");
        assert_eq!(errors(&found), None);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_resource_is_named() {
        let found = from_text(
            "Error: creating VPC\n\n  with aws_vpc.main,\n  on n.tf line 7, in resource \"aws_vpc\" \"main\":\n",
        );
        assert_eq!(found[0].summary, "creating VPC");
    }

    #[test]
    fn many_errors_are_cut_and_counted() {
        let text = (0..9).map(|n| format!("Error: number {n}\n")).collect::<String>();
        let told = errors(&from_text(&text)).unwrap_or_default();
        assert!(told.ends_with("and 4 more"), "{told}");
    }

    #[test]
    fn control_characters_of_an_answer_do_not_reach_the_terminal() {
        let told = Diagnostic {
            severity: Severity::Error,
            summary: "bad\u{1b}[2Jname".into(),
            detail: "two\nlines".into(),
            address: Some("aws_vpc.main".into()),
            range: None,
        };
        assert_eq!(told.to_string(), "aws_vpc.main: bad [2Jname: two lines");
    }
}
