//! Restoring tables and changing their settings.

use aws_sdk_dynamodb::primitives::DateTime;
use aws_sdk_dynamodb::types::{
    BillingMode, PointInTimeRecoverySpecification, ProvisionedThroughput, SseSpecification, SseType,
    StreamSpecification, StreamViewType, TableClass, Tag, TimeToLiveSpecification,
};

use jiff::Timestamp;

use super::{Stream, Tags};
use crate::aws::{AwsError, Session, explain};

/// What a table is restored from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreSource {
    /// ARN of the backup.
    Backup(String),
    /// A table of the same region.
    PointInTime { table: String, at: Timestamp },
}

/// What a restore is asked for. `None` leaves a setting as the source has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreRequest {
    /// Name of the new table.
    pub table: String,
    pub source: RestoreSource,
    /// `PROVISIONED` or `PAY_PER_REQUEST`.
    pub billing_mode: Option<String>,
    /// Read and write capacity units; both or none.
    pub capacity: Option<(i64, i64)>,
    /// ARN of a customer managed key.
    pub kms_key: Option<String>,
}

/// One change that UpdateTable makes; it takes one of these at a time (DynamoDB API: "UpdateTable").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableChange {
    /// Billing mode, with read and write capacity units where it is `PROVISIONED`.
    Billing {
        mode: String,
        capacity: Option<(i64, i64)>,
    },
    Stream(Option<Stream>),
    TableClass(String),
    DeletionProtection(bool),
}

/// Begins to restore a table (DynamoDB API: "RestoreTableFromBackup", "RestoreTableToPointInTime").
///
/// # Errors
/// `TableAlreadyExistsException` also where an earlier request was accepted and its reply lost.
pub async fn restore_table(session: &Session, request: RestoreRequest) -> Result<(), AwsError> {
    let operation = match request.source {
        RestoreSource::Backup(_) => "dynamodb:RestoreTableFromBackup",
        RestoreSource::PointInTime { .. } => "dynamodb:RestoreTableToPointInTime",
    };
    let capacity = request.capacity.map(throughput).transpose().map_err(|error| invalid(operation, &error))?;
    let encryption = request
        .kms_key
        .map(|key| SseSpecification::builder().enabled(true).sse_type(SseType::Kms).kms_master_key_id(key).build());
    let billing = request.billing_mode.as_deref().map(BillingMode::from);
    match request.source {
        RestoreSource::Backup(arn) => session
            .dynamodb()
            .restore_table_from_backup()
            .target_table_name(request.table)
            .backup_arn(arn)
            .set_billing_mode_override(billing)
            .set_provisioned_throughput_override(capacity)
            .set_sse_specification_override(encryption)
            .send()
            .await
            .map(drop)
            .map_err(explain(operation)),
        RestoreSource::PointInTime { table, at } => session
            .dynamodb()
            .restore_table_to_point_in_time()
            .target_table_name(request.table)
            .source_table_name(table)
            .restore_date_time(DateTime::from_nanos(at.as_nanosecond()).map_err(|error| invalid(operation, &error))?)
            .set_billing_mode_override(billing)
            .set_provisioned_throughput_override(capacity)
            .set_sse_specification_override(encryption)
            .send()
            .await
            .map(drop)
            .map_err(explain(operation)),
    }
}

/// Makes one change (DynamoDB API: "UpdateTable"); the table is `UPDATING` until it is in force.
///
/// # Errors
/// `ResourceInUseException` while another change goes on.
pub async fn change_table(session: &Session, table: &str, change: TableChange) -> Result<(), AwsError> {
    let operation = "dynamodb:UpdateTable";
    let request = session.dynamodb().update_table().table_name(table);
    let request = match change {
        TableChange::Billing { mode, capacity } => {
            let capacity = capacity.map(throughput).transpose().map_err(|error| invalid(operation, &error))?;
            request.billing_mode(BillingMode::from(mode.as_str())).set_provisioned_throughput(capacity)
        }
        TableChange::Stream(stream) => {
            let specification = StreamSpecification::builder()
                .stream_enabled(stream.is_some())
                .set_stream_view_type(stream.map(|stream| StreamViewType::from(stream.view.as_str())))
                .build()
                .map_err(|error| invalid(operation, &error))?;
            request.stream_specification(specification)
        }
        TableChange::TableClass(class) => request.table_class(TableClass::from(class.as_str())),
        TableChange::DeletionProtection(on) => request.deletion_protection_enabled(on),
    };
    request.send().await.map_err(explain(operation))?;
    Ok(())
}

/// Lets items expire by an attribute (DynamoDB API: "UpdateTimeToLive").
///
/// # Errors
/// DynamoDB allows one change in an hour, and refuses one that changes nothing.
pub async fn set_time_to_live(session: &Session, table: &str, attribute: &str) -> Result<(), AwsError> {
    let operation = "dynamodb:UpdateTimeToLive";
    let specification = TimeToLiveSpecification::builder()
        .enabled(true)
        .attribute_name(attribute)
        .build()
        .map_err(|error| invalid(operation, &error))?;
    session
        .dynamodb()
        .update_time_to_live()
        .table_name(table)
        .time_to_live_specification(specification)
        .send()
        .await
        .map_err(explain(operation))?;
    Ok(())
}

/// Switches point-in-time recovery on (DynamoDB API: "UpdateContinuousBackups").
///
/// # Errors
/// `ContinuousBackupsUnavailableException` for a while after a table was made.
pub async fn set_point_in_time_recovery(
    session: &Session,
    table: &str,
    period_days: Option<i32>,
) -> Result<(), AwsError> {
    let operation = "dynamodb:UpdateContinuousBackups";
    let specification = PointInTimeRecoverySpecification::builder()
        .point_in_time_recovery_enabled(true)
        .set_recovery_period_in_days(period_days)
        .build()
        .map_err(|error| invalid(operation, &error))?;
    session
        .dynamodb()
        .update_continuous_backups()
        .table_name(table)
        .point_in_time_recovery_specification(specification)
        .send()
        .await
        .map_err(explain(operation))?;
    Ok(())
}

/// Adds or overwrites tags (DynamoDB API: "TagResource").
///
/// # Errors
/// `ResourceInUseException` while the table is being created.
pub async fn tag_table(session: &Session, arn: &str, tags: &Tags) -> Result<(), AwsError> {
    let operation = "dynamodb:TagResource";
    let tags: Result<Vec<Tag>, _> =
        tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let tags = tags.map_err(|error| invalid(operation, &error))?;
    session
        .dynamodb()
        .tag_resource()
        .resource_arn(arn)
        .set_tags(Some(tags))
        .send()
        .await
        .map_err(explain(operation))?;
    Ok(())
}

fn throughput(
    (read, write): (i64, i64),
) -> Result<ProvisionedThroughput, aws_smithy_types::error::operation::BuildError> {
    ProvisionedThroughput::builder().read_capacity_units(read).write_capacity_units(write).build()
}

/// A request that the SDK would not build.
fn invalid(operation: &'static str, error: &dyn std::error::Error) -> AwsError {
    AwsError { operation, code: None, message: error.to_string(), transient: false }
}
