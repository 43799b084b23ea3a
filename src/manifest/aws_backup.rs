//! Whether, and as whom, AWS Backup restores a table: the keys `backup_role` and `backup_vault` of a `table` block.

use serde::{Deserialize, Serialize};

use super::TableSource;
use super::names::{ROLE, VAULT, arn};
use super::reader::{Fields, Reader};
use super::values::named;

/// How AWS Backup restores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwsBackup {
    /// ARN of the role that it assumes.
    pub role: String,
    /// The vault whose recovery points alone count.
    pub vault: Option<String>,
}

/// What AWS Backup restores with. Without a role it restores nothing.
pub(super) fn aws_backup(reader: &mut Reader, fields: &Fields<'_>, from: Option<&TableSource>) -> Option<AwsBackup> {
    const ROLE_IS_WRITTEN: &str =
        "write backup_role = \"arn:aws:iam::ACCOUNT:role/NAME\", a role that AWS Backup may assume";
    let role = fields.optional(reader, "backup_role", named(ROLE));
    let vault = fields.optional(reader, "backup_vault", named(VAULT));
    let has_role = fields.has("backup_role");
    match from {
        Some(TableSource::Replica) => {
            for key in ["backup_role", "backup_vault"].into_iter().filter(|key| fields.has(key)) {
                let hint = "a global table's replica stands already: leave it out";
                reader.hinted(fields.span(key), "AWS Backup restores nothing for a replica", "", hint);
            }
        }
        Some(TableSource::Backup(point)) if !has_role && arn(point).is_some_and(|it| it.service == "backup") => {
            let message = "AWS Backup needs a role to restore this recovery point with";
            reader.hinted(fields.value_span("from"), message, "backup_role is missing", ROLE_IS_WRITTEN);
        }
        _ if fields.has("backup_vault") && !has_role => {
            let message = "without a role AWS Backup restores nothing from a vault";
            reader.hinted(fields.span("backup_vault"), message, "backup_role is missing", ROLE_IS_WRITTEN);
        }
        _ => {}
    }
    Some(AwsBackup { role: role?, vault })
}
