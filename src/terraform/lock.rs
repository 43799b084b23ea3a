//! Who holds a state's lock: from Terraform's own words, or from the lock object of the S3 backend. Pure.

use std::fmt;

use async_trait::async_trait;
use serde::Deserialize;

use crate::aws::AwsError;

/// Where a backend keeps the lock of a state, for what Terraform itself does not do: it cannot take a lock away from a
/// state that is yet to be made.
#[async_trait]
pub trait LockStore: Send + Sync {
    /// # Errors
    /// AWS refused, or what is there is no lock.
    async fn held(&self) -> Result<Option<LockInfo>, AwsError>;

    /// Takes the lock away if it has that id; says whether it had.
    ///
    /// # Errors
    /// AWS refused.
    async fn remove(&self, id: &str) -> Result<bool, AwsError>;
}

/// A lock of a state (Terraform: "State: Locking"; its fields as `statemgr.LockInfo` writes them).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LockInfo {
    #[serde(rename = "ID")]
    pub id: String,
    /// Where the state lies in the backend.
    pub path: String,
    /// `OperationTypeApply`, `OperationTypePlan`, …
    pub operation: String,
    /// `user@host`.
    pub who: String,
    /// Of the Terraform that took it.
    pub version: String,
    /// When it was taken.
    pub created: String,
    pub info: String,
}

/// The names in Terraform's text, in the order in which it writes them.
const NAMES: [&str; 7] = ["ID:", "Path:", "Operation:", "Who:", "Version:", "Created:", "Info:"];

impl LockInfo {
    /// Reads the block `Lock Info:` of an error message, with its line breaks or without. `None` where there is none, or
    /// one without an id.
    pub fn from_text(text: &str) -> Option<Self> {
        let (_, block) = text.split_once("Lock Info:")?;
        let mut values: [Vec<&str>; 7] = Default::default();
        let mut current = None;
        let mut next = 0;
        for word in block.split_whitespace() {
            // Names come in order, each once: a value cannot bring in another field.
            match NAMES.iter().skip(next).position(|name| *name == word) {
                Some(ahead) => {
                    current = Some(next + ahead);
                    next += ahead + 1;
                }
                // After the last field Terraform explains what locks are for.
                None if word == "Terraform" || word == "OpenTofu" => break,
                None => {
                    if let Some(current) = current {
                        values[current].push(word);
                    }
                }
            }
        }
        let [id, path, operation, who, version, created, info] = values.map(|words| words.join(" "));
        (!id.is_empty()).then_some(Self { id, path, operation, who, version, created, info })
    }

    /// Reads the lock object that the S3 backend keeps beside the state (Terraform: "Backend Type: s3",
    /// `use_lockfile`).
    pub fn from_json(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().filter(|lock: &Self| !lock.id.is_empty())
    }
}

impl fmt::Display for LockInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |text: &str| match text {
            "" => "not told".to_owned(),
            // The object can hold anything.
            text => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        };
        let operation = self.operation.strip_prefix("OperationType").unwrap_or(&self.operation);
        let (who, since) = (told(&self.who), told(&self.created));
        write!(f, "by {who} since {since}, operation {}, lock ID {}", told(operation), told(&self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Terraform 1.11 writes it, from an S3 backend with `use_lockfile`.
    const TEXT: &str = "Error message: operation error S3: PutObject, https response error\nStatusCode: 412, RequestID: X, api error \
        PreconditionFailed: At least one of\nthe pre-conditions you specified did not hold\nLock Info:\n  ID:        \
        c2a1f5d4-6a43-7f1d-3c85-7d9a2d3f4e5b\n  Path:      state/env:/prod-dr/key\n  Operation: OperationTypeApply\n  \
        Who:       ana@bastion\n  Version:   1.11.4\n  Created:   2026-11-22 03:12:09.123 +0000 UTC\n  Info:      \n\n\n\
        Terraform acquires a state lock to protect the state from being written\nby multiple users at the same time.";

    #[test]
    fn the_block_is_read_with_and_without_its_line_breaks() {
        let lock = LockInfo::from_text(TEXT).expect("a lock");
        assert_eq!(
            lock.to_string(),
            "by ana@bastion since 2026-11-22 03:12:09.123 +0000 UTC, operation Apply, lock ID \
             c2a1f5d4-6a43-7f1d-3c85-7d9a2d3f4e5b"
        );
        assert_eq!((lock.path.as_str(), lock.info.as_str()), ("state/env:/prod-dr/key", ""));
        let flat = TEXT.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(LockInfo::from_text(&flat), Some(lock));
    }

    #[test]
    fn text_without_a_lock_is_none() {
        assert_eq!(LockInfo::from_text("Error: Error acquiring the state lock: denied"), None);
        assert_eq!(LockInfo::from_text("Lock Info: Path: a Who: b"), None);
    }

    #[test]
    fn the_lock_object_is_read_and_its_words_cannot_draw() {
        let json =
            br#"{"ID":"c2a1","Operation":"OperationTypePlan","Info":"","Who":"ana\u001b[2J@b","Version":"1.11.4",
            "Created":"2026-11-22T03:12:09Z","Path":"state/key"}"#;
        let lock = LockInfo::from_json(json).expect("a lock");
        assert_eq!(lock.to_string(), "by ana [2J@b since 2026-11-22T03:12:09Z, operation Plan, lock ID c2a1");
        assert_eq!(LockInfo::from_json(b"{}"), None);
        assert_eq!(LockInfo::from_json(b"not JSON"), None);
    }
}
