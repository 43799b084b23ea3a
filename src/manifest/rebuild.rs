//! Reads the `rebuild` block: what a teardown leaves standing, what it may take down although it is protected, which
//! buckets and workgroups it empties, and what becomes of names that linger after it.

use hcl_edit::structure::Block;
use serde::{Deserialize, Serialize};

use super::guards::ADDRESSES;
use super::names::{BUCKET, WORKGROUP};
use super::reader::{Fields, Reader, Schema};
use super::values::{Choice, choice, list, named};

const REBUILD: Schema = Schema {
    keys: &[
        ("keep", "[\"aws_s3_bucket.logs\"]"),
        ("replace", "[\"module.database\"]"),
        ("buckets", "[\"my-logs\"]"),
        ("empty", "[\"query-results\"]"),
        ("workgroups", "[\"logs\"]"),
        ("secrets", "force_delete"),
        ("commit", "signed"),
    ],
    blocks: &[],
};

/// How a stack is taken down and built anew in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuild {
    /// Addresses and modules that stay, with `*` and `?`; what they were made with stays with them.
    pub keep: Vec<String>,
    /// Addresses and modules that `guard.protect` and `guard.protect_types` protect on an ordinary day, and that a teardown
    /// may destroy all the same, with `*` and `?`.
    #[serde(default)]
    pub replace: Vec<String>,
    /// Buckets of the primary region that stay, and whose objects are taken back to before the breach where they are.
    #[serde(default)]
    pub buckets: Vec<String>,
    /// Buckets whose objects, all versions of them, a teardown deletes: by name, never by pattern.
    #[serde(default)]
    pub empty: Vec<String>,
    /// Athena workgroups that a teardown deletes with their saved queries and their history, by name.
    #[serde(default)]
    pub workgroups: Vec<String>,
    #[serde(default)]
    pub secrets: LingeringSecrets,
    #[serde(default)]
    pub commit: CommitRule,
    /// Buckets whose data is recovered in place. Not written: a manifest of the primary region has them from its bucket
    /// blocks.
    #[serde(default)]
    pub data: Vec<String>,
}

/// What becomes of a secret that the teardown has scheduled for deletion, and whose name the root needs again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LingeringSecrets {
    /// It is restored with all its versions, and Terraform imports it instead of making a new one.
    #[default]
    Restore,
    /// It is deleted without a recovery window: its values are gone for good.
    ForceDelete,
}

/// What the root has to be of, so that it may be built from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitRule {
    /// A commit of git, without any change.
    #[default]
    Clean,
    /// The same, and the commit has a good signature.
    Signed,
    /// Whatever is on this machine.
    Any,
}

pub(super) fn rebuild(reader: &mut Reader, block: &Block) -> Option<Rebuild> {
    reader.unlabelled(block);
    let before = reader.problems.len();
    let fields = Fields::new(reader, block, REBUILD);
    let keep = fields.optional(reader, "keep", list(named(ADDRESSES)));
    let replace = fields.optional(reader, "replace", list(named(ADDRESSES)));
    let buckets = fields.optional(reader, "buckets", list(named(BUCKET)));
    let empty = fields.optional(reader, "empty", list(named(BUCKET)));
    let workgroups = fields.optional(reader, "workgroups", list(named(WORKGROUP)));
    let secrets =
        fields.optional(reader, "secrets", choice("what becomes of secrets", &["restore", "force_delete"], &[]));
    let secrets = match secrets {
        Some(Choice::Word("force_delete")) => LingeringSecrets::ForceDelete,
        _ => LingeringSecrets::Restore,
    };
    let commit =
        fields.optional(reader, "commit", choice("what commit is asked for", &["clean", "signed", "any"], &[]));
    let commit = match commit {
        Some(Choice::Word("signed")) => CommitRule::Signed,
        Some(Choice::Word("any")) => CommitRule::Any,
        _ => CommitRule::Clean,
    };
    (reader.problems.len() == before).then(|| Rebuild {
        keep: keep.unwrap_or_default(),
        replace: replace.unwrap_or_default(),
        buckets: buckets.unwrap_or_default(),
        empty: empty.unwrap_or_default(),
        workgroups: workgroups.unwrap_or_default(),
        secrets,
        commit,
        data: Vec::new(),
    })
}
