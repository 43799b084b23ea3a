//! Reads the `rebuild` block: what a teardown leaves standing, and what becomes of names that linger after it.

use hcl_edit::structure::Block;
use serde::{Deserialize, Serialize};

use super::guards::ADDRESSES;
use super::reader::{Fields, Reader, Schema};
use super::values::{Choice, choice, list, named};

const REBUILD: Schema =
    Schema { keys: &[("keep", "[\"aws_s3_bucket.logs\"]"), ("secrets", "force_delete")], blocks: &[] };

/// How a stack is taken down and built anew in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuild {
    /// Addresses and modules that stay, with `*` and `?`; what they depend on stays with them.
    pub keep: Vec<String>,
    #[serde(default)]
    pub secrets: LingeringSecrets,
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

pub(super) fn rebuild(reader: &mut Reader, block: &Block) -> Option<Rebuild> {
    reader.unlabelled(block);
    let before = reader.problems.len();
    let fields = Fields::new(reader, block, REBUILD);
    let keep = fields.optional(reader, "keep", list(named(ADDRESSES)));
    let secrets =
        fields.optional(reader, "secrets", choice("what becomes of secrets", &["restore", "force_delete"], &[]));
    let secrets = match secrets {
        Some(Choice::Word("force_delete")) => LingeringSecrets::ForceDelete,
        _ => LingeringSecrets::Restore,
    };
    (reader.problems.len() == before).then(|| Rebuild { keep: keep.unwrap_or_default(), secrets })
}
