//! Tables as they stand, with the settings that other calls tell.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{
    KeySchemaElement, KeyType, PointInTimeRecoveryStatus, StreamSpecification, TableDescription, TimeToLiveDescription,
    TimeToLiveStatus,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Tags;
use crate::aws::{AwsError, RecoveryWindow, Session, explain, timestamp};

/// What a stream shows (DynamoDB API: "StreamSpecification"): `NEW_AND_OLD_IMAGES`, `KEYS_ONLY`, ….
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    pub view: String,
}

impl Stream {
    pub(super) fn from_sdk(stream: &StreamSpecification) -> Option<Self> {
        let view = stream.stream_view_type().map(|view| view.as_str().to_owned()).unwrap_or_default();
        stream.stream_enabled().then_some(Self { view })
    }
}

/// A global secondary index as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexState {
    /// `CREATING`, `ACTIVE`, …
    pub status: String,
    pub hash_key: Option<String>,
    pub range_key: Option<String>,
}

/// A table as it stands, put together from DescribeTable, DescribeTimeToLive, DescribeContinuousBackups and
/// ListTagsOfResource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableState {
    pub name: String,
    pub arn: String,
    /// `CREATING`, `ACTIVE`, `UPDATING`, …
    pub status: String,
    pub hash_key: Option<String>,
    pub range_key: Option<String>,
    /// `PROVISIONED` or `PAY_PER_REQUEST`.
    pub billing_mode: String,
    pub read_capacity: Option<i64>,
    pub write_capacity: Option<i64>,
    pub stream: Option<Stream>,
    /// `STANDARD` or `STANDARD_INFREQUENT_ACCESS`.
    pub table_class: String,
    pub deletion_protection: bool,
    /// ARN of the KMS key, where that is not DynamoDB's own.
    pub kms_key: Option<String>,
    /// Regions of a global table's replicas.
    pub replicas: Vec<String>,
    pub indexes: BTreeMap<String, IndexState>,
    /// ARN of the backup or of the table that it was restored from, if it was.
    pub restored_from: Option<String>,
    /// When that was asked for; whole seconds, as DynamoDB tells it.
    pub restored_at: Option<Timestamp>,
    pub restore_in_progress: bool,
    /// DynamoDB updates it about every six hours.
    pub approximate_bytes: u64,
    /// The attribute that items expire by, where time to live is on or being switched on.
    pub ttl_attribute: Option<String>,
    pub point_in_time_recovery: bool,
    pub recovery_period_days: Option<i32>,
    pub tags: Tags,
}

/// Whether there is a table of that name.
///
/// # Errors
/// Any answer but the table or "not found".
pub async fn has_table(session: &Session, name: &str) -> Result<bool, AwsError> {
    let answer = session.dynamodb().describe_table().table_name(name).send().await;
    match answer.map_err(explain("dynamodb:DescribeTable")) {
        Ok(_) => Ok(true),
        Err(error) if error.is("ResourceNotFoundException") => Ok(false),
        Err(error) => Err(error),
    }
}

/// The table of that name, or `None` if there is none. While it is being created the settings that only other calls
/// tell are left empty.
///
/// # Errors
/// Any answer but the table or "not found".
pub async fn table(session: &Session, name: &str) -> Result<Option<TableState>, AwsError> {
    let client = session.dynamodb();
    let answer = client.describe_table().table_name(name).send().await;
    let answer = match answer.map_err(explain("dynamodb:DescribeTable")) {
        Ok(answer) => answer,
        Err(error) if error.is("ResourceNotFoundException") => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(mut state) = answer.table().map(from_description) else { return Ok(None) };
    if state.status == "CREATING" {
        return Ok(Some(state));
    }
    let arn = state.arn.clone();
    let (ttl, recovery, tags) = futures::try_join!(
        async {
            let ttl = client.describe_time_to_live().table_name(name).send().await;
            ttl.map_err(explain("dynamodb:DescribeTimeToLive"))
        },
        async {
            let recovery = client.describe_continuous_backups().table_name(name).send().await;
            recovery.map_err(explain("dynamodb:DescribeContinuousBackups"))
        },
        tags(session, &arn),
    )?;
    let ttl = ttl.time_to_live_description().filter(|ttl| is_on(ttl));
    state.ttl_attribute = ttl.and_then(|ttl| ttl.attribute_name().map(str::to_owned));
    if let Some(recovery) = recovery
        .continuous_backups_description()
        .and_then(|backups| backups.point_in_time_recovery_description())
        .filter(|recovery| recovery.point_in_time_recovery_status() == Some(&PointInTimeRecoveryStatus::Enabled))
    {
        state.point_in_time_recovery = true;
        state.recovery_period_days = recovery.recovery_period_in_days();
    }
    state.tags = tags;
    Ok(Some(state))
}

/// The window of a table's point-in-time recovery (DynamoDB API: "DescribeContinuousBackups"); `None` where that is off.
///
/// # Errors
/// Any answer but the window.
pub async fn recovery_window(session: &Session, name: &str) -> Result<Option<RecoveryWindow>, AwsError> {
    let answer = session.dynamodb().describe_continuous_backups().table_name(name).send().await;
    let answer = answer.map_err(explain("dynamodb:DescribeContinuousBackups"))?;
    let recovery = answer.continuous_backups_description().and_then(|it| it.point_in_time_recovery_description());
    Ok(recovery.filter(|it| it.point_in_time_recovery_status() == Some(&PointInTimeRecoveryStatus::Enabled)).and_then(
        |recovery| {
            let earliest = recovery.earliest_restorable_date_time().and_then(timestamp)?;
            Some(RecoveryWindow { earliest, latest: recovery.latest_restorable_date_time().and_then(timestamp)? })
        },
    ))
}

async fn tags(session: &Session, arn: &str) -> Result<Tags, AwsError> {
    let mut tags = Tags::new();
    let mut next = None;
    loop {
        let page = session
            .dynamodb()
            .list_tags_of_resource()
            .resource_arn(arn)
            .set_next_token(next)
            .send()
            .await
            .map_err(explain("dynamodb:ListTagsOfResource"))?;
        tags.extend(page.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())));
        next = page.next_token().map(str::to_owned);
        if next.is_none() {
            return Ok(tags);
        }
    }
}

pub(super) fn is_on(ttl: &TimeToLiveDescription) -> bool {
    matches!(ttl.time_to_live_status(), Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
}

fn key(schema: &[KeySchemaElement], kind: &KeyType) -> Option<String> {
    schema.iter().find(|key| key.key_type() == kind).map(|key| key.attribute_name().to_owned())
}

fn from_description(table: &TableDescription) -> TableState {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let billing = table.billing_mode_summary().and_then(|summary| summary.billing_mode());
    let class = table.table_class_summary().and_then(|summary| summary.table_class());
    let capacity = table.provisioned_throughput();
    let restore = table.restore_summary();
    let indexes = table.global_secondary_indexes().iter().map(|index| {
        let state = IndexState {
            status: text(index.index_status().map(|status| status.as_str())),
            hash_key: key(index.key_schema(), &KeyType::Hash),
            range_key: key(index.key_schema(), &KeyType::Range),
        };
        (text(index.index_name()), state)
    });
    TableState {
        name: text(table.table_name()),
        arn: text(table.table_arn()),
        status: text(table.table_status().map(|status| status.as_str())),
        hash_key: key(table.key_schema(), &KeyType::Hash),
        range_key: key(table.key_schema(), &KeyType::Range),
        // DynamoDB tells no mode for a table that was always provisioned, and no class for a standard one.
        billing_mode: billing.map_or("PROVISIONED", |mode| mode.as_str()).to_owned(),
        read_capacity: capacity.and_then(|capacity| capacity.read_capacity_units()),
        write_capacity: capacity.and_then(|capacity| capacity.write_capacity_units()),
        stream: table.stream_specification().and_then(Stream::from_sdk),
        table_class: class.map_or("STANDARD", |class| class.as_str()).to_owned(),
        deletion_protection: table.deletion_protection_enabled().unwrap_or_default(),
        replicas: table.replicas().iter().filter_map(|it| it.region_name().map(str::to_owned)).collect(),
        indexes: indexes.collect(),
        restored_from: restore
            .and_then(|restore| restore.source_backup_arn().or(restore.source_table_arn()).map(str::to_owned)),
        kms_key: table.sse_description().and_then(|encryption| encryption.kms_master_key_arn().map(str::to_owned)),
        restored_at: restore.and_then(|restore| timestamp(restore.restore_date_time())),
        restore_in_progress: restore.is_some_and(|restore| restore.restore_in_progress()),
        approximate_bytes: table.table_size_bytes().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
        ..TableState::default()
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::ReplicaDescription;

    use super::*;

    /// As DescribeTable tells a global table; the emulator knows none.
    #[test]
    fn a_global_tables_replicas_are_told_by_their_regions() {
        let replica = |region: &str| ReplicaDescription::builder().region_name(region).build();
        let table = TableDescription::builder().table_name("logs").replicas(replica("eu-west-2"));
        let state = from_description(&table.replicas(replica("us-east-1")).build());
        assert_eq!(state.replicas, ["eu-west-2", "us-east-1"]);
    }
}
