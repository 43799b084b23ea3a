//! Whether S3 Batch Operations may copy a bucket: the keys `batch_role`, `batch_reports` and `batch_above` of a `bucket` block.

use serde::{Deserialize, Serialize};

use super::names::{BUCKET, ROLE};
use super::reader::{Fields, Reader};
use super::values::{integer, named};

/// Objects to copy above which a bucket goes to S3 Batch Operations, unless the manifest says another number.
pub const BATCH_ABOVE: u64 = 5_000_000;

/// What a job of S3 Batch Operations needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// ARN of the role that copies.
    pub role: String,
    /// The bucket of the recovery region that its list of objects and its report are written to.
    pub reports: String,
    /// With more objects than this to copy, the job is made.
    pub above: u64,
}

/// What copies a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyEngine {
    /// By the number of objects, where the manifest has what a job needs.
    #[default]
    Auto,
    /// This machine asks S3 for each copy.
    Local,
    /// A job of S3 Batch Operations, and this machine what a job cannot.
    Batch,
}

impl CopyEngine {
    pub fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// Reads the three keys. Without a role and a bucket for reports there is no job.
pub(super) fn batch(reader: &mut Reader, fields: &Fields<'_>) -> Option<Batch> {
    let role = fields.optional(reader, "batch_role", named(ROLE));
    let reports = fields.optional(reader, "batch_reports", named(BUCKET));
    let above = fields.optional(reader, "batch_above", integer(0, u64::MAX));
    const ROLE_IS_WRITTEN: &str =
        "batch_role = \"arn:aws:iam::ACCOUNT:role/NAME\", a role that S3 Batch Operations may assume";
    const REPORTS_ARE_WRITTEN: &str = "batch_reports = \"BUCKET\", a bucket of the recovery region";
    let given = ["batch_role", "batch_reports", "batch_above"].into_iter().find(|key| fields.has(key))?;
    let label = match (fields.has("batch_role"), fields.has("batch_reports")) {
        (true, true) => None,
        (false, true) => Some(("batch_role is missing", ROLE_IS_WRITTEN.to_owned())),
        (true, false) => Some(("batch_reports is missing", REPORTS_ARE_WRITTEN.to_owned())),
        (false, false) => {
            Some(("batch_role and batch_reports are missing", format!("{ROLE_IS_WRITTEN}; and {REPORTS_ARE_WRITTEN}")))
        }
    };
    if let Some((label, write)) = label {
        let message = "S3 Batch Operations needs a role and a bucket for reports";
        reader.hinted(fields.span(given), message, label, format!("write {write}"));
    }
    if fields.has("source_role") {
        let hint =
            "a job copies as one role, which must be allowed to read the source itself: leave one of the two out";
        reader.hinted(fields.span("source_role"), "a job of S3 Batch Operations reads as no other role", "", hint);
    }
    Some(Batch { role: role?, reports: reports?, above: above.unwrap_or(BATCH_ABOVE) })
}
