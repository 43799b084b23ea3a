//! The journal's copy in the recovery region's state bucket, from which another machine goes on. Here are its keys and
//! the pure comparison of two copies; `reader` fetches a copy, `writer` adds to it.
//!
//! Lines are copied byte for byte, so that the chain of hashes holds there as well. One object holds the lines of one
//! batch and is named by the number of the first; it is written only where there is none. Two copies that conflict are
//! refused, never merged.

mod reader;
mod writer;

use super::lease::prefix;
use crate::aws::Session;

pub use reader::{ReplicaError, runs};
pub use writer::Replica;

/// How many digits a sequence number has in a key: keys sort as numbers do.
const DIGITS: usize = 10;

/// Where a run's copy is.
#[derive(Clone)]
pub struct ReplicaPlace {
    session: Session,
    bucket: String,
    /// Ends with `/`.
    prefix: String,
}

impl ReplicaPlace {
    pub fn new(session: Session, bucket: &str, service: &str, environment: &str, run: &str) -> Self {
        let prefix = format!("{}{run}/journal/", runs_prefix(service, environment));
        Self { session, bucket: bucket.to_owned(), prefix }
    }

    /// The object of the batch that begins with line `first`, from 0.
    fn key(&self, first: u64) -> String {
        format!("{}{first:0DIGITS$}.jsonl", self.prefix)
    }

    /// The first line's number in a key of ours.
    fn first(&self, key: &str) -> Option<u64> {
        let digits = key.strip_prefix(&self.prefix)?.strip_suffix(".jsonl")?;
        let plain = digits.len() >= DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|first| plain && self.key(*first) == key)
    }

    /// Names it for people.
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }
}

/// The folder of all runs of an environment.
pub fn runs_prefix(service: &str, environment: &str) -> String {
    format!("{}runs/", prefix(service, environment))
}

/// How two copies of one journal stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Same,
    /// The replica goes on after the local copy, from this byte: another machine went on.
    ReplicaAhead {
        from_byte: usize,
    },
    /// The local copy goes on after the replica, from this byte and line.
    LocalAhead {
        from_byte: usize,
        from_line: u64,
    },
    /// From this line on (from 0) they say different things.
    Diverged {
        line: u64,
    },
}

/// Compares two copies, both of whole lines.
pub fn compare(local: &[u8], replica: &[u8]) -> Standing {
    let (mut ours, mut theirs) = (lines(local), lines(replica));
    let (mut line, mut byte) = (0, 0);
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return Standing::Same,
            (None, Some(_)) => return Standing::ReplicaAhead { from_byte: byte },
            (Some(_), None) => return Standing::LocalAhead { from_byte: byte, from_line: line },
            (Some(one), Some(other)) if one != other => return Standing::Diverged { line },
            (Some(one), Some(_)) => {
                line += 1;
                byte += one.len();
            }
        }
    }
}

/// Lines with their newlines.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_copies_the_longer_goes_on_and_what_differs_is_named() {
        assert_eq!(compare(b"", b""), Standing::Same);
        assert_eq!(compare(b"a\nb\n", b"a\nb\n"), Standing::Same);
        assert_eq!(compare(b"a\n", b"a\nb\n"), Standing::ReplicaAhead { from_byte: 2 });
        assert_eq!(compare(b"", b"a\n"), Standing::ReplicaAhead { from_byte: 0 });
        assert_eq!(compare(b"a\nbc\nd\n", b"a\nbc\n"), Standing::LocalAhead { from_byte: 5, from_line: 2 });
        assert_eq!(compare(b"a\nb\nc\n", b"a\nx\n"), Standing::Diverged { line: 1 });
        assert_eq!(compare(b"a\nb", b"a\nb\n"), Standing::Diverged { line: 1 }, "a torn line is no prefix");
    }

    #[test]
    fn keys_sort_as_their_numbers_and_only_ours_are_read() {
        let session = Session::emulated("us-east-1", "http://127.0.0.1:9");
        let place = ReplicaPlace::new(session, "b", "logs", "prod", "20261122T0312-prod-7f3a");
        let key = place.key(42);
        assert_eq!(key, "lifeboat/logs/prod/runs/20261122T0312-prod-7f3a/journal/0000000042.jsonl");
        assert_eq!(place.first(&key), Some(42));
        assert_eq!(place.first(&place.key(12_345_678_901)), Some(12_345_678_901));
        for strange in ["x", "+000000042.jsonl", "42.jsonl", "0000000042.json", "00000000042.jsonl"] {
            assert_eq!(place.first(&format!("{}{strange}", place.prefix)), None, "{strange}");
        }
    }
}
