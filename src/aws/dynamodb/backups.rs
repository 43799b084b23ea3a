//! On-demand backups of the region.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::types::BackupTypeFilter;
use aws_smithy_types::retry::RetryConfig;
use jiff::Timestamp;
use serde_json::Value;

use super::Stream;
use crate::aws::{Answer, AwsError, Session, explain, timestamp};

/// A backup as a list shows it (DynamoDB API: "BackupSummary").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// `arn:aws:dynamodb:…` for DynamoDB's own, `arn:aws:backup:…` for those in a vault of AWS Backup.
    pub arn: String,
    pub name: String,
    pub table: String,
    /// `CREATING`, `AVAILABLE` or `DELETED`.
    pub status: String,
    pub created_at: Option<Timestamp>,
    pub size_bytes: Option<u64>,
}

/// A backup with what it says about its table (DynamoDB API: "BackupDescription").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupDetail {
    pub backup: Backup,
    /// DynamoDB updates it about every six hours, so that it is only near the truth.
    pub approximate_items: Option<u64>,
    /// `PROVISIONED` or `PAY_PER_REQUEST`.
    pub billing_mode: Option<String>,
    pub stream: Option<Stream>,
    /// The attribute that items expire by, where time to live was on.
    pub ttl_attribute: Option<String>,
    /// ARN of the KMS key that its table was encrypted with, where that is not DynamoDB's own.
    pub kms_key: Option<String>,
}

/// All backups of the table that stand in the region, of every type. The table itself need not exist.
///
/// # Errors
/// A page could not be read: then nothing is returned, rather than a part.
pub async fn backups(session: &Session, table: &str) -> Result<Vec<Backup>, AwsError> {
    let mut found = BTreeMap::new();
    // "ALL" is documented as USER and SYSTEM.
    for kind in [BackupTypeFilter::All, BackupTypeFilter::AwsBackup] {
        let mut start = None;
        loop {
            let page = session
                .dynamodb()
                .list_backups()
                .table_name(table)
                .backup_type(kind.clone())
                .set_exclusive_start_backup_arn(start)
                .send()
                .await
                .map_err(explain("dynamodb:ListBackups"))?;
            for summary in page.backup_summaries() {
                let backup = from_summary(summary);
                found.insert(backup.arn.clone(), backup);
            }
            start = page.last_evaluated_backup_arn().map(str::to_owned);
            if start.is_none() {
                break;
            }
        }
    }
    Ok(found.into_values().collect())
}

/// The backup of that ARN, or `None` if there is none (DynamoDB API: "DescribeBackup").
///
/// # Errors
/// Any answer but the backup or "not found".
pub async fn backup(session: &Session, arn: &str) -> Result<Option<BackupDetail>, AwsError> {
    let answer = session.dynamodb().describe_backup().backup_arn(arn).send().await;
    match answer.map_err(explain("dynamodb:DescribeBackup")) {
        Ok(answer) => Ok(answer.backup_description().and_then(from_description)),
        Err(error) if error.is("BackupNotFoundException") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Begins a backup of a table (DynamoDB API: "CreateBackup"); its ARN. It is sent once: DynamoDB takes the same name twice, so
/// that after a lost answer it is to be looked for.
///
/// # Errors
/// DynamoDB refuses, or its answer is lost.
pub async fn create_backup(session: &Session, table: &str, name: &str) -> Result<String, AwsError> {
    let created = session
        .dynamodb()
        .create_backup()
        .table_name(table)
        .backup_name(name)
        .customize()
        .config_override(Builder::new().retry_config(RetryConfig::disabled()))
        .send()
        .await
        .map_err(explain("dynamodb:CreateBackup"))?;
    Ok(created.backup_details().map(|details| details.backup_arn().to_owned()).unwrap_or_default())
}

/// What DynamoDB tells of a backup, all of it (DynamoDB API: "DescribeBackup").
///
/// # Errors
/// AWS refused.
pub async fn backup_answer(session: &Session, arn: &str) -> Result<Value, AwsError> {
    let answer = Answer::default();
    let asked = session.dynamodb().describe_backup().backup_arn(arn).customize().interceptor(answer.clone());
    asked.send().await.map_err(explain("dynamodb:DescribeBackup"))?;
    answer.json("dynamodb:DescribeBackup")
}

/// What DynamoDB tells of a table, all of it (DynamoDB API: "DescribeTable").
///
/// # Errors
/// AWS refused.
pub async fn table_answer(session: &Session, table: &str) -> Result<Value, AwsError> {
    let answer = Answer::default();
    let asked = session.dynamodb().describe_table().table_name(table).customize().interceptor(answer.clone());
    asked.send().await.map_err(explain("dynamodb:DescribeTable"))?;
    answer.json("dynamodb:DescribeTable")
}

fn from_summary(summary: &aws_sdk_dynamodb::types::BackupSummary) -> Backup {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    Backup {
        arn: text(summary.backup_arn()),
        name: text(summary.backup_name()),
        table: text(summary.table_name()),
        status: text(summary.backup_status().map(|status| status.as_str())),
        created_at: summary.backup_creation_date_time().and_then(timestamp),
        size_bytes: summary.backup_size_bytes().and_then(|bytes| u64::try_from(bytes).ok()),
    }
}

fn from_description(description: &aws_sdk_dynamodb::types::BackupDescription) -> Option<BackupDetail> {
    let details = description.backup_details()?;
    let source = description.source_table_details();
    let features = description.source_table_feature_details();
    let ttl = features.and_then(|features| features.time_to_live_description());
    Some(BackupDetail {
        backup: Backup {
            arn: details.backup_arn().to_owned(),
            name: details.backup_name().to_owned(),
            table: source.map(|source| source.table_name().to_owned()).unwrap_or_default(),
            status: details.backup_status().as_str().to_owned(),
            created_at: timestamp(details.backup_creation_date_time()),
            size_bytes: details.backup_size_bytes().and_then(|bytes| u64::try_from(bytes).ok()),
        },
        approximate_items: source.and_then(|source| source.item_count()).and_then(|items| u64::try_from(items).ok()),
        billing_mode: source.and_then(|source| source.billing_mode()).map(|mode| mode.as_str().to_owned()),
        stream: features.and_then(|features| features.stream_description()).and_then(Stream::from_sdk),
        ttl_attribute: ttl
            .filter(|ttl| super::tables::is_on(ttl))
            .and_then(|ttl| ttl.attribute_name().map(str::to_owned)),
        kms_key: features
            .and_then(|features| features.sse_description())
            .and_then(|encryption| encryption.kms_master_key_arn().map(str::to_owned)),
    })
}
