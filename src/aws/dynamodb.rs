//! Amazon DynamoDB: backups, tables and their settings, counting. Thin calls, no decisions.
//!
//! What is read comes back as plain data with names that do not depend on the SDK. Nothing here deletes anything, and
//! no item is ever read but for a small sample (`items`): counts only.

mod backups;
mod changes;
mod count;
mod items;
mod policy;
mod tables;

use std::collections::BTreeMap;

pub use backups::{Backup, BackupDetail, backup, backup_answer, backups, create_backup, table_answer};
pub use changes::{
    RestoreRequest, RestoreSource, TableChange, change_table, restore_table, set_point_in_time_recovery,
    set_time_to_live, tag_table,
};
pub use count::{CountPage, PageCounter, ScanKey};
pub use items::{first_items, items};
pub use policy::{put_resource_policy, resource_policy};
pub use tables::{IndexState, Stream, TableState, has_table, recovery_window, table};

/// Tags by key.
pub type Tags = BTreeMap<String, String>;
