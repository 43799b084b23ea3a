//! How a restored table shall be, and what has to be changed to make it so. Pure.
//!
//! A restore brings items, keys, indexes and capacity. Tags, time to live, streams, point-in-time recovery
//! and deletion protection have to be set again (DynamoDB Developer Guide: "Restoring a DynamoDB table from a backup").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::declared::Declared;
use super::ownership::copied_tags;
use super::vault_point::VAULT;
use crate::aws::dynamodb::{RestoreRequest, RestoreSource, Stream, TableChange, TableState, Tags};
use crate::verify::{Difference, Parity};

/// Settings of a table. `None` is left as the restore made it and not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSettings {
    pub billing_mode: Option<String>,
    /// Read and write capacity units; autoscaling may move them later, so that they are never compared.
    pub capacity: Option<(i64, i64)>,
    pub hash_key: Option<String>,
    pub range_key: Option<String>,
    pub ttl_attribute: Option<String>,
    pub point_in_time_recovery: Option<bool>,
    pub recovery_period_days: Option<i32>,
    pub stream: Option<Stream>,
    pub table_class: Option<String>,
    pub deletion_protection: Option<bool>,
    pub kms_key: Option<String>,
    /// Whether it is encrypted with the key that AWS keeps for DynamoDB in the account, rather than with DynamoDB's own.
    #[serde(default)]
    pub aws_managed_key: bool,
    /// Global secondary indexes: hash key and range key by name.
    pub indexes: BTreeMap<String, (Option<String>, Option<String>)>,
    pub tags: Tags,
    /// What nothing says, in Terraform's names.
    pub not_set: Vec<String>,
}

/// One change to a restored table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Tags(Tags),
    TimeToLive(String),
    PointInTimeRecovery { period_days: Option<i32> },
    Table(TableChange),
}

impl Change {
    /// For a status line.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Tags(_) => "tags",
            Self::TimeToLive(_) => "time to live",
            Self::PointInTimeRecovery { .. } => "point-in-time recovery",
            Self::Table(TableChange::Billing { .. }) => "billing mode",
            Self::Table(TableChange::Stream(_)) => "stream",
            Self::Table(TableChange::TableClass(_)) => "table class",
            Self::Table(TableChange::DeletionProtection(_)) => "deletion protection",
        }
    }
}

impl TableSettings {
    /// As the Terraform root declares them.
    pub fn declared(declared: &Declared) -> Self {
        let text = |block: Option<&serde_json::Map<String, Value>>, key: &str| {
            block.and_then(|block| block.get(key)).and_then(Value::as_str).map(str::to_owned)
        };
        let on = |block: &&serde_json::Map<String, Value>| block.get("enabled").and_then(Value::as_bool) == Some(true);
        let recovery = declared.blocks("point_in_time_recovery").next();
        let days = recovery.and_then(|block| block.get("recovery_period_in_days")).and_then(Value::as_i64);
        let view = declared.text("stream_view_type").filter(|_| declared.flag("stream_enabled") == Some(true));
        let encryption = declared.blocks("server_side_encryption").find(on);
        let kms_key = text(encryption, "kms_key_arn").filter(|key| !key.is_empty());
        let indexes = declared.blocks("global_secondary_index").filter_map(|index| {
            let key = |key: &str| text(Some(index), key).filter(|key| !key.is_empty());
            Some((key("name")?, (key("hash_key"), key("range_key"))))
        });
        Self {
            billing_mode: declared.text("billing_mode"),
            capacity: declared.integer("read_capacity").zip(declared.integer("write_capacity")),
            hash_key: declared.text("hash_key"),
            range_key: declared.text("range_key"),
            ttl_attribute: text(declared.blocks("ttl").find(on), "attribute_name"),
            point_in_time_recovery: recovery.and_then(|block| block.get("enabled")).and_then(Value::as_bool),
            recovery_period_days: days.and_then(|days| i32::try_from(days).ok()),
            stream: view.map(|view| Stream { view }),
            table_class: declared.text("table_class"),
            deletion_protection: declared.flag("deletion_protection_enabled"),
            aws_managed_key: encryption.is_some() && kms_key.is_none(),
            kms_key,
            indexes: indexes.collect(),
            tags: declared.tags(),
            not_set: Vec::new(),
        }
    }

    /// As far as the backup tells them, for a table that no root declares.
    pub fn of_backup(facts: &Value) -> Self {
        let text = |key: &str| facts.get(key).and_then(Value::as_str).map(str::to_owned);
        let mut open = vec!["point_in_time_recovery", "tags", "deletion_protection_enabled", "table_class"];
        if facts.get(VAULT).is_some() {
            // AWS Backup tells nothing of its table.
            open.extend(["ttl", "stream_enabled", "server_side_encryption"]);
        }
        Self {
            billing_mode: text("billing_mode"),
            ttl_attribute: text("ttl_attribute"),
            stream: text("stream_view").map(|view| Stream { view }),
            not_set: open.iter().map(|name| (*name).to_owned()).collect(),
            ..Self::default()
        }
    }

    /// As a table has them that stands.
    pub fn of_table(state: &TableState) -> Self {
        let indexes = state.indexes.iter();
        let indexes = indexes.map(|(name, it)| (name.clone(), (it.hash_key.clone(), it.range_key.clone())));
        Self {
            billing_mode: Some(state.billing_mode.clone()),
            capacity: state.read_capacity.zip(state.write_capacity),
            hash_key: state.hash_key.clone(),
            range_key: state.range_key.clone(),
            ttl_attribute: state.ttl_attribute.clone(),
            point_in_time_recovery: Some(state.point_in_time_recovery),
            recovery_period_days: state.recovery_period_days,
            stream: state.stream.clone(),
            table_class: Some(state.table_class.clone()),
            deletion_protection: Some(state.deletion_protection),
            // A restore in the same region keeps the source's key by itself.
            kms_key: None,
            aws_managed_key: false,
            indexes: indexes.collect(),
            tags: copied_tags(&state.tags),
            not_set: Vec::new(),
        }
    }

    /// What to ask a restore for.
    pub fn restore(&self, table: &str, source: RestoreSource) -> RestoreRequest {
        RestoreRequest {
            table: table.to_owned(),
            source,
            billing_mode: self.billing_mode.clone(),
            capacity: self.provisioned(),
            kms_key: self.kms_key.clone(),
        }
    }

    /// The next change that is needed, one at a time: a table takes no second one before the first is in force. Tags
    /// come first, because they say whose the table is.
    pub fn next_change(&self, actual: &TableState) -> Option<Change> {
        let tags = self.tags.iter().filter(|(key, value)| actual.tags.get(*key) != Some(*value));
        let tags: Tags = tags.map(|(key, value)| (key.clone(), value.clone())).collect();
        if !tags.is_empty() {
            return Some(Change::Tags(tags));
        }
        if let (Some(attribute), None) = (&self.ttl_attribute, &actual.ttl_attribute) {
            return Some(Change::TimeToLive(attribute.clone()));
        }
        let period = self.recovery_period_days.is_some() && self.recovery_period_days != actual.recovery_period_days;
        if self.point_in_time_recovery == Some(true) && (!actual.point_in_time_recovery || period) {
            return Some(Change::PointInTimeRecovery { period_days: self.recovery_period_days });
        }
        self.next_table_change(actual).map(Change::Table)
    }

    fn next_table_change(&self, actual: &TableState) -> Option<TableChange> {
        if let Some(mode) = self.billing_mode.as_ref().filter(|mode| **mode != actual.billing_mode) {
            return Some(TableChange::Billing { mode: mode.clone(), capacity: self.provisioned() });
        }
        match (&self.stream, &actual.stream) {
            (Some(stream), None) => return Some(TableChange::Stream(Some(stream.clone()))),
            // The view of a stream cannot be changed: a new stream has to be made.
            (Some(stream), Some(actual)) if stream != actual => return Some(TableChange::Stream(None)),
            _ => {}
        }
        if let Some(class) = self.table_class.as_ref().filter(|class| **class != actual.table_class) {
            return Some(TableChange::TableClass(class.clone()));
        }
        let protection = self.deletion_protection.filter(|on| *on != actual.deletion_protection);
        protection.map(TableChange::DeletionProtection)
    }

    fn provisioned(&self) -> Option<(i64, i64)> {
        self.capacity.filter(|_| self.billing_mode.as_deref() == Some("PROVISIONED"))
    }

    /// Everything about the table that is not as it shall be, its indexes apart.
    pub fn differences(&self, actual: &TableState) -> Vec<Difference> {
        let mut parity = Parity::default();
        parity.value("billing_mode", self.billing_mode.as_ref(), Some(&actual.billing_mode));
        parity.value("hash_key", self.hash_key.as_ref(), actual.hash_key.as_ref());
        parity.value("range_key", self.range_key.as_ref(), actual.range_key.as_ref());
        let off = "off".to_owned();
        let ttl = actual.ttl_attribute.as_ref().or(Some(&off));
        parity.value("ttl", self.ttl_attribute.as_ref(), ttl);
        parity.value(
            "point_in_time_recovery",
            self.point_in_time_recovery.as_ref(),
            Some(&actual.point_in_time_recovery),
        );
        let days = "recovery_period_in_days";
        parity.value(days, self.recovery_period_days.as_ref(), actual.recovery_period_days.as_ref());
        let view = |stream: &Stream| stream.view.clone();
        let stream = actual.stream.as_ref().map_or(off.clone(), view);
        parity.value("stream_view_type", self.stream.as_ref().map(view).as_ref(), Some(&stream));
        parity.value("table_class", self.table_class.as_ref(), Some(&actual.table_class));
        let protection = "deletion_protection_enabled";
        parity.value(protection, self.deletion_protection.as_ref(), Some(&actual.deletion_protection));
        parity.tags(&self.tags, &actual.tags);
        parity.differences
    }

    /// Declared indexes that are missing or different. A restore brings those of the backup; others are made by the
    /// adopting apply.
    pub fn index_differences(&self, actual: &TableState) -> Vec<Difference> {
        let mut parity = Parity::default();
        for (name, (hash, range)) in &self.indexes {
            let setting = format!("global_secondary_index {name}");
            let Some(index) = actual.indexes.get(name) else {
                parity.differ(&setting, "there", "missing");
                continue;
            };
            parity.value(&setting, Some(&keys(hash, range)), Some(&keys(&index.hash_key, &index.range_key)));
        }
        parity.differences
    }
}

fn keys(hash: &Option<String>, range: &Option<String>) -> String {
    [hash, range].into_iter().flatten().cloned().collect::<Vec<_>>().join(" + ")
}

#[cfg(test)]
mod tests;
