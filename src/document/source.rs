//! Reads one HCL file, bounded in size, and knows where in it everything stands.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use hcl_edit::structure::Body;

use super::Problem;

/// How large a manifest, var file or Terraform file may be. What people write is a thousandth of it. The parser bounds
/// nesting itself (64 levels), this bounds its time and memory.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// The parser recurses up to its 64 levels, with frames of up to 100 kB where it is compiled without optimization: more
/// than the 2 MiB of an ordinary thread. Only what is used of it costs memory.
const PARSER_STACK: usize = 32 << 20;

/// A text file, as it was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Document {
    pub path: PathBuf,
    pub text: String,
    /// Whether it may hold secrets, so that its lines are not shown with a problem.
    pub private: bool,
}

impl Document {
    /// A document that was not read from a file.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { path: path.into(), text: text.into(), private: false })
    }

    /// As [`Document::read`], for a file that may hold secrets.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub fn read_private(path: &Path) -> Result<Arc<Self>, Problem> {
        let hide = |document: &Self| {
            Arc::new(Self { path: document.path.clone(), text: document.text.clone(), private: true })
        };
        match Self::read(path) {
            Ok(document) => Ok(hide(&document)),
            Err(problem) => Err(Problem { document: hide(&problem.document), ..problem }),
        }
    }

    /// Reads a file of at most [`MAX_BYTES`] bytes of UTF-8. A byte order mark is dropped, as Terraform does.
    ///
    /// # Errors
    /// The file cannot be read, is too large, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Arc<Self>, Problem> {
        let bytes = match read_bounded(path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                let message = format!("the file is larger than {} MiB", MAX_BYTES >> 20);
                return Err(Problem::about(&Self::new(path, ""), message)
                    .hint("is it the right file? what people write here is a few kilobytes"));
            }
            Err(error) => return Err(Problem::about(&Self::new(path, ""), format!("cannot read the file: {error}"))),
        };
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(path, text.strip_prefix('\u{feff}').unwrap_or(&text))),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let document = Self::new(path, String::from_utf8_lossy(error.as_bytes()));
                Err(Problem::at(&document, at..at + 1, "the file is not UTF-8", "this byte is not")
                    .hint("save the file as UTF-8"))
            }
        }
    }

    /// Parses the document.
    ///
    /// # Errors
    /// It is not HCL, or is nested deeper than 64 levels.
    pub fn body(self: &Arc<Self>) -> Result<Body, Problem> {
        let parsed = thread::scope(|scope| {
            let parser = thread::Builder::new().stack_size(PARSER_STACK);
            let parser = parser.spawn_scoped(scope, || hcl_edit::parser::parse_body(&self.text));
            parser.ok().and_then(|parser| parser.join().ok())
        });
        match parsed {
            Some(Ok(body)) => Ok(body),
            Some(Err(error)) => {
                let at = error.location().offset();
                Err(Problem::at(self, at..at + 1, "this is not HCL", error.message()))
            }
            None => Err(Problem::about(self, "the parser could not be run on this file")),
        }
    }

    /// Line and column of a byte offset, both from 1, the column in characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The text of a span.
    pub fn slice(&self, span: Range<usize>) -> &str {
        self.text.get(span).unwrap_or_default()
    }
}

fn read_bounded(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_BYTES).then_some(bytes))
}

/// A name from a file as it may be shown on a terminal: in backticks, without control characters, not endless.
pub fn quoted(name: &str) -> String {
    const SHOWN: usize = 120;
    let mut shown = String::from("`");
    for (index, character) in name.chars().enumerate() {
        if index == SHOWN {
            shown.push('…');
            break;
        }
        if character.is_control() {
            _ = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown.push('`');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::{Duration, Instant};

    use rustix::time::{ClockId, clock_gettime};

    fn read(bytes: &[u8]) -> Result<Arc<Document>, Problem> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.hcl");
        fs::write(&path, bytes).unwrap();
        Document::read(&path)
    }

    #[test]
    fn ten_megabytes_of_braces_are_refused_unread() {
        let started = Instant::now();
        let problem = read(&b"{".repeat(10_000_000)).unwrap_err();
        assert_eq!(problem.message, "the file is larger than 1 MiB");
        assert!(started.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn text_in_another_encoding_is_refused_where_it_starts() {
        let problem = read(b"service = \"caf\xe9\"\n").unwrap_err();
        assert_eq!(problem.message, "the file is not UTF-8");
        assert_eq!(problem.line_and_column(), Some((1, 15)));
    }

    #[test]
    fn a_byte_order_mark_is_dropped() {
        assert_eq!(read(b"\xef\xbb\xbfa = 1\n").unwrap().text, "a = 1\n");
    }

    #[test]
    fn names_are_shown_without_control_characters() {
        assert_eq!(quoted("a\u{1b}[31mb"), "`a\\u{1b}[31mb`");
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), 123);
    }

    /// Whatever nests, up to the largest file that is read at all, must neither overflow the stack of a worker thread
    /// nor take long: the parser is recursive.
    /// Seconds that this thread has worked, whatever else the machine does.
    fn worked() -> i64 {
        clock_gettime(ClockId::ThreadCPUTime).tv_sec
    }

    #[test]
    fn the_deepest_nesting_is_an_error_not_a_crash() {
        let units = [
            "{",
            "[",
            "(",
            "a {\n",
            "a = {",
            "a = [",
            "a = (",
            "a = !",
            "a = -",
            "a = \"${",
            "a = x ? ",
            "a = f(",
            "a = x[",
            "a = <<E\n${",
            "a = \"%{if ",
            "a = [for x in ",
            "a = {for x in ",
            "a = 1 +",
            "a = a.",
            "a \"b\" ",
            "a = x ? y : ",
            "a = {x = ",
            "a = {(",
            "a = \"%{ if x }",
            "a = <<E\n%{ for x in y }",
        ];
        let worker = thread::Builder::new().stack_size(2 << 20).spawn(move || {
            for unit in units {
                // The opening once, then what repeats.
                let (head, tail) = unit.split_once("= ").map_or(("", unit), |(_, tail)| ("a = ", tail));
                let text = format!("{head}{}", tail.repeat(MAX_BYTES as usize / tail.len()));
                let started = worked();
                let problem = Document::new("x.hcl", text).body().expect_err(unit);
                assert!(problem.render(false, 80).len() < 2000, "{unit}");
                let seconds = worked() - started;
                assert!(seconds < 5, "{unit}: {seconds} s");
            }
        });
        worker.unwrap().join().unwrap();
    }
}
