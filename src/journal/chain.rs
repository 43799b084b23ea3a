//! The chain of a journal's lines: every hash, sequence number and transition is checked. Pure.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::{FORMAT_VERSION, JournalError, Record, RunState};

/// A journal as read back.
#[derive(Debug)]
pub struct Loaded {
    pub records: Vec<Record>,
    pub state: RunState,
    /// The torn last line that was left out, where there is one.
    pub torn: Option<String>,
    /// Bytes up to the end of the last whole record.
    pub(super) whole_bytes: u64,
    pub(super) prev: String,
}

/// Reads the lines of a journal and checks every link of their chain. `path` names them in errors.
///
/// # Errors
/// A line other than the last is damaged, or its format is newer.
pub fn check(bytes: &[u8], path: &Path) -> Result<Loaded, JournalError> {
    let mut loaded =
        Loaded { records: Vec::new(), state: RunState::default(), torn: None, whole_bytes: 0, prev: digest(b"") };
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(body) = line.strip_suffix(b"\n") else {
            loaded.torn = Some(String::from_utf8_lossy(line).into_owned());
            break;
        };
        let number = loaded.records.len() as u64 + 1;
        let damaged = |why: String| JournalError::Damaged { path: path.to_owned(), line: number, why };
        let record = parse(body, path).map_err(|error| match error {
            ParseError::Newer(error) => error,
            ParseError::Damaged(why) => damaged(why),
        })?;
        if record.prev != loaded.prev {
            return Err(damaged("its hash of the line before does not match".into()));
        }
        if record.seq != number - 1 {
            return Err(damaged(format!("sequence {} stands where {} should", record.seq, number - 1)));
        }
        loaded.state.apply(&record.event).map_err(|error| damaged(error.to_string()))?;
        loaded.prev = digest(body);
        loaded.whole_bytes += line.len() as u64;
        loaded.records.push(record);
    }
    Ok(loaded)
}

enum ParseError {
    Newer(JournalError),
    Damaged(String),
}

fn parse(body: &[u8], path: &Path) -> Result<Record, ParseError> {
    let damaged = |error: serde_json::Error| ParseError::Damaged(error.to_string());
    #[derive(serde::Deserialize)]
    struct Version {
        v: u64,
    }
    let Version { v } = serde_json::from_slice(body).map_err(damaged)?;
    if v > u64::from(FORMAT_VERSION) {
        return Err(ParseError::Newer(JournalError::Newer { path: path.to_owned(), version: v }));
    }
    serde_json::from_slice(body).map_err(damaged)
}

/// SHA-256 in hexadecimal.
pub(super) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
