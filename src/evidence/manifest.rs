//! `evidence.json`: what was kept, with the SHA-256 of each object, the end of the run's journal, and the manifest's own hash.
//!
//! The own hash is that of the file's bytes with the 64 digits of the hash itself written as zeros: each byte counts, blanks
//! too, and `sed` and `sha256sum` are enough to prove it. The hash stands on the second line, where both find it.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::aws::s3::Lock;
use crate::terraform::stage::hex;

/// The manifest's name beside what it is about.
pub const FILE: &str = "evidence.json";
/// What tells it from other JSON.
pub const KIND: &str = "lifeboat-evidence";
/// The form that this version writes. A newer one is refused rather than half understood.
pub const SCHEMA_VERSION: u64 = 1;

const BEFORE_THE_HASH: &[u8] = b"{\n  \"sha256\": \"";
const DIGITS: usize = 64;
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A sealed manifest. The order of the fields is that of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Of the file with these digits as zeros.
    pub sha256: String,
    pub kind: String,
    pub schema_version: u64,
    #[serde(flatten)]
    pub draft: Draft,
}

/// What is sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    pub run: String,
    pub environment: String,
    pub account: String,
    /// ARN of whoever ran it, as STS says.
    pub caller: String,
    /// Of the evidence bucket.
    pub region: String,
    pub bucket: String,
    /// What the keys of the items follow in the bucket; ends with a slash, or is empty.
    pub prefix: String,
    /// Whether the bucket was made with Object Lock. Without it whoever may write there may also delete.
    pub object_lock: bool,
    pub sealed_at: Timestamp,
    pub journal: JournalEnd,
    pub items: Vec<Item>,
    /// What stays in AWS and cannot be hashed.
    pub snapshots: Vec<Snapshot>,
    pub not_collected: Vec<NotCollected>,
}

/// Where the run's journal stood when the evidence was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEnd {
    /// The item that is a copy of the journal up to there.
    pub key: String,
    /// How many records it has.
    pub records: u64,
    /// SHA-256 of its last line without the newline: what the next record would have named as `prev`.
    pub last_sha256: String,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Below the prefix: `iam/credential-report.csv`.
    pub key: String,
    /// `None` where the bucket keeps no versions.
    pub version_id: Option<String>,
    /// Until when it can be neither deleted nor overwritten, as S3 said when it was written; `None` where it can.
    pub lock: Option<Lock>,
    pub size_bytes: u64,
    /// Of its content, in hexadecimal.
    pub sha256: String,
    /// For people: "IAM credential report".
    pub what: String,
    pub taken_at: Timestamp,
    /// What it is the answer of, as IAM names it: `iam:GetCredentialReport`.
    pub request: String,
}

/// A snapshot or backup that was made for the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub arn: String,
    /// "cluster streaming-logs-aurora-prod"
    pub what: String,
    pub created_at: Timestamp,
}

/// What is not among the evidence, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCollected {
    pub what: String,
    pub why: String,
}

/// Why nothing can be sealed so.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsealable {
    #[error("{0:?} is no path below a folder")]
    Key(String),
    #[error("two items are called {0:?}")]
    Twice(String),
    #[error("{0:?} has no SHA-256 of 64 small hexadecimal digits")]
    Hash(String),
    #[error("the journal's copy {0:?} is not among the items")]
    NoJournal(String),
    #[error("it cannot be written as JSON: {0}")]
    Json(String),
}

/// Why a file is no manifest of evidence.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAManifest {
    #[error("it does not begin with its own hash")]
    Beginning,
    #[error("it is not understood: {0}")]
    Json(String),
    #[error("it is a {0:?}, not a {KIND:?}")]
    Kind(String),
    #[error("its schema version is {0}; this lifeboat reads {SCHEMA_VERSION}")]
    Schema(u64),
    #[error(transparent)]
    Content(#[from] Unsealable),
}

/// The bytes of `evidence.json`.
///
/// # Errors
/// A key that leads elsewhere or stands twice, a hash that is none, or no copy of the journal among the items.
pub fn seal(draft: Draft) -> Result<Vec<u8>, Unsealable> {
    sound(&draft)?;
    let manifest = Manifest { sha256: ZEROS.into(), kind: KIND.into(), schema_version: SCHEMA_VERSION, draft };
    let mut bytes = serde_json::to_vec_pretty(&manifest).map_err(|error| Unsealable::Json(error.to_string()))?;
    bytes.push(b'\n');
    let own = hex(&Sha256::digest(&bytes));
    let from = BEFORE_THE_HASH.len();
    bytes[from..from + DIGITS].copy_from_slice(own.as_bytes());
    Ok(bytes)
}

/// A manifest, and the hash that its bytes have: the manifest is unchanged where that is the one it names.
///
/// # Errors
/// The file is no manifest of evidence, a newer one, or damaged so that it cannot be read.
pub fn read(bytes: &[u8]) -> Result<(Manifest, String), NotAManifest> {
    let from = BEFORE_THE_HASH.len();
    if !bytes.starts_with(BEFORE_THE_HASH) || bytes.get(from + DIGITS) != Some(&b'"') {
        return Err(NotAManifest::Beginning);
    }
    #[derive(Deserialize)]
    struct Head {
        kind: String,
        schema_version: u64,
    }
    let json = |error: serde_json::Error| NotAManifest::Json(error.to_string());
    let head: Head = serde_json::from_slice(bytes).map_err(json)?;
    if head.kind != KIND {
        return Err(NotAManifest::Kind(head.kind));
    }
    if head.schema_version != SCHEMA_VERSION {
        return Err(NotAManifest::Schema(head.schema_version));
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(json)?;
    sound(&manifest.draft)?;
    let (before, after) = (&bytes[..from], &bytes[from + DIGITS..]);
    let own = Sha256::new().chain_update(before).chain_update(ZEROS).chain_update(after).finalize();
    Ok((manifest, hex(&own)))
}

fn sound(draft: &Draft) -> Result<(), Unsealable> {
    let mut keys = BTreeSet::new();
    for item in &draft.items {
        if !is_below(&item.key) {
            return Err(Unsealable::Key(item.key.clone()));
        }
        if !keys.insert(item.key.as_str()) {
            return Err(Unsealable::Twice(item.key.clone()));
        }
        if !is_sha256(&item.sha256) {
            return Err(Unsealable::Hash(item.key.clone()));
        }
    }
    match keys.contains(draft.journal.key.as_str()) {
        true => Ok(()),
        false => Err(Unsealable::NoJournal(draft.journal.key.clone())),
    }
}

/// Whether a key stays below the folder that it is put into, and is written in one way only.
fn is_below(key: &str) -> bool {
    let plain = !key.contains('\\') && !key.chars().any(char::is_control) && key != FILE;
    let parts = key.split('/').all(|part| !matches!(part, "" | "." | ".."));
    plain && parts && Path::new(key).components().all(|part| matches!(part, Component::Normal(_)))
}

fn is_sha256(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub fn item(key: &str, content: &[u8]) -> Item {
        Item {
            key: key.into(),
            version_id: Some("v1".into()),
            lock: None,
            size_bytes: content.len() as u64,
            sha256: hex(&Sha256::digest(content)),
            what: "a test".into(),
            taken_at: Timestamp::UNIX_EPOCH,
            request: "s3:GetObject".into(),
        }
    }

    pub fn draft(items: Vec<Item>) -> Draft {
        Draft {
            run: "r1".into(),
            environment: "prod".into(),
            account: "123456789012".into(),
            caller: "arn:aws:iam::123456789012:user/a".into(),
            region: "eu-west-2".into(),
            bucket: "evidence".into(),
            prefix: "r1/".into(),
            object_lock: false,
            sealed_at: Timestamp::UNIX_EPOCH,
            journal: JournalEnd { key: "journal.jsonl".into(), records: 0, last_sha256: ZEROS.into() },
            items,
            snapshots: vec![],
            not_collected: vec![NotCollected { what: "flow logs".into(), why: "none are kept".into() }],
        }
    }

    fn sealed() -> Vec<u8> {
        seal(draft(vec![item("journal.jsonl", b""), item("iam/a.json", b"{}")])).expect("a manifest")
    }

    #[test]
    fn what_is_sealed_is_read_again_with_the_hash_that_it_names() {
        let (manifest, own) = read(&sealed()).expect("a manifest");
        assert_eq!(manifest.sha256, own);
        assert_eq!(manifest.draft.items.len(), 2);
    }

    #[test]
    fn keys_that_lead_elsewhere_or_stand_twice_and_hashes_that_are_none_are_not_sealed() {
        for key in ["", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/", "a\\b", "a\nb", FILE] {
            let sealed = seal(draft(vec![item("journal.jsonl", b""), item(key, b"")]));
            assert_eq!(sealed, Err(Unsealable::Key(key.into())), "{key:?}");
        }
        let twice = seal(draft(vec![item("journal.jsonl", b""), item("journal.jsonl", b"")]));
        assert_eq!(twice, Err(Unsealable::Twice("journal.jsonl".into())));
        let wrong = Item { sha256: "A".repeat(64), ..item("journal.jsonl", b"") };
        assert_eq!(seal(draft(vec![wrong])), Err(Unsealable::Hash("journal.jsonl".into())));
        assert_eq!(seal(draft(vec![])), Err(Unsealable::NoJournal("journal.jsonl".into())));
    }

    #[test]
    fn other_files_and_newer_manifests_are_refused() {
        let text = String::from_utf8(sealed()).expect("text");
        assert_eq!(read(b"{}"), Err(NotAManifest::Beginning));
        let newer = text.replace("\"schema_version\": 1", "\"schema_version\": 2");
        assert_eq!(read(newer.as_bytes()), Err(NotAManifest::Schema(2)));
        let other = text.replace(KIND, "lifeboat-bundle");
        assert_eq!(read(other.as_bytes()), Err(NotAManifest::Kind("lifeboat-bundle".into())));
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_always_noticed(at in any::<prop::sample::Index>(), by in 1_u8..=255) {
            let mut bytes = sealed();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            if let Ok((manifest, own)) = read(&bytes) {
                prop_assert_ne!(manifest.sha256, own);
            }
        }
    }
}
