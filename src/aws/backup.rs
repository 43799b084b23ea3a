//! AWS Backup: recovery points in the vaults of a region, and jobs that restore them.
//!
//! A copy from another region lists by the ARN of the resource that it was taken of, so that only the region where the copy
//! stands is asked (AWS Backup API: "ListRecoveryPointsByResource").

use std::collections::BTreeMap;

use aws_sdk_backup::primitives::DateTime;
use aws_sdk_backup::types::RestoreJobsListMember;
use jiff::Timestamp;

use super::{AwsError, Session, explain, timestamp};

/// What DynamoDB's tables are called here (AWS Backup API: "ListRestoreJobs", `ByResourceType`).
pub const TABLES: &str = "DynamoDB";

/// A recovery point (AWS Backup API: "RecoveryPointByResource", "DescribeRecoveryPoint").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryPoint {
    pub arn: String,
    /// The vault that it stands in.
    pub vault: String,
    /// `COMPLETED`, `CREATING`, `PARTIAL`, …
    pub status: String,
    pub status_message: Option<String>,
    pub created_at: Option<Timestamp>,
    pub size_bytes: Option<u64>,
    /// ARN of the key that it is encrypted with.
    pub kms_key: Option<String>,
}

/// A recovery point with what only its description tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PointDetail {
    pub point: RecoveryPoint,
    /// ARN of what it was taken of.
    pub resource: Option<String>,
    /// When the backup job began that made it.
    pub initiated_at: Option<Timestamp>,
    /// `WARM`, `COLD` or `DELETED`.
    pub storage_class: Option<String>,
}

/// A job that restores a recovery point (AWS Backup API: "DescribeRestoreJob").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreJob {
    pub id: String,
    pub recovery_point: String,
    /// `PENDING`, `RUNNING`, `COMPLETED`, `ABORTED` or `FAILED`.
    pub status: String,
    pub status_message: Option<String>,
    /// How far it is, in AWS's words: `30.00%`.
    pub percent: Option<String>,
    pub created_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    /// ARN of what it has made.
    pub created: Option<String>,
}

/// What a restore is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreRequest {
    pub recovery_point: String,
    /// ARN of the role that AWS Backup assumes for it.
    pub role: String,
    /// Asked again with the same token, AWS Backup begins no second job.
    pub token: String,
    /// What the resource shall be, in the words of its type.
    pub metadata: BTreeMap<String, String>,
}

/// Whether an ARN is that of a recovery point which AWS Backup alone can restore.
pub fn is_recovery_point(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("backup")
}

/// All recovery points of a resource, by its ARN, in all vaults of the region. The resource itself need not exist.
///
/// # Errors
/// A page could not be read: then nothing is returned, rather than a part.
pub async fn recovery_points(session: &Session, resource: &str) -> Result<Vec<RecoveryPoint>, AwsError> {
    let mut points = Vec::new();
    let mut next = None;
    loop {
        let page = session.backup().list_recovery_points_by_resource().resource_arn(resource).set_next_token(next);
        let page = match page.send().await.map_err(explain("backup:ListRecoveryPointsByResource")) {
            Ok(page) => page,
            // Nothing was ever backed up of it here.
            Err(error) if points.is_empty() && error.is("ResourceNotFoundException") => return Ok(points),
            Err(error) => return Err(error),
        };
        points.extend(page.recovery_points().iter().map(|point| RecoveryPoint {
            arn: text(point.recovery_point_arn()),
            vault: text(point.backup_vault_name()),
            status: text(point.status().map(|status| status.as_str())),
            status_message: point.status_message().map(str::to_owned),
            created_at: point.creation_date().and_then(timestamp),
            size_bytes: point.backup_size_bytes().and_then(|bytes| u64::try_from(bytes).ok()),
            kms_key: point.encryption_key_arn().map(str::to_owned),
        }));
        next = page.next_token().map(str::to_owned);
        if next.is_none() {
            return Ok(points);
        }
    }
}

/// The recovery point of that ARN in a vault, or `None` if it is not there.
///
/// # Errors
/// Any answer but the recovery point or "not found".
pub async fn recovery_point(session: &Session, vault: &str, arn: &str) -> Result<Option<PointDetail>, AwsError> {
    let answer =
        session.backup().describe_recovery_point().backup_vault_name(vault).recovery_point_arn(arn).send().await;
    let found = match answer.map_err(explain("backup:DescribeRecoveryPoint")) {
        Ok(found) => found,
        Err(error) if error.is("ResourceNotFoundException") => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(PointDetail {
        point: RecoveryPoint {
            arn: text(found.recovery_point_arn()),
            vault: text(found.backup_vault_name()),
            status: text(found.status().map(|status| status.as_str())),
            status_message: found.status_message().map(str::to_owned),
            created_at: found.creation_date().and_then(timestamp),
            size_bytes: found.backup_size_in_bytes().and_then(|bytes| u64::try_from(bytes).ok()),
            kms_key: found.encryption_key_arn().map(str::to_owned),
        },
        resource: found.resource_arn().map(str::to_owned),
        initiated_at: found.initiation_date().and_then(timestamp),
        storage_class: found.storage_class().map(|class| class.as_str().to_owned()),
    }))
}

/// Begins to restore a table; the id of the job (AWS Backup API: "StartRestoreJob").
///
/// # Errors
/// `ResourceNotFoundException` where the recovery point is gone; or AWS refused.
pub async fn restore_table(session: &Session, request: RestoreRequest) -> Result<String, AwsError> {
    let operation = "backup:StartRestoreJob";
    let answer = session
        .backup()
        .start_restore_job()
        .recovery_point_arn(request.recovery_point)
        .iam_role_arn(request.role)
        .idempotency_token(request.token)
        .set_metadata(Some(request.metadata.into_iter().collect()))
        .resource_type(TABLES)
        .send()
        .await
        .map_err(explain(operation))?;
    let id = answer.restore_job_id().filter(|id| !id.is_empty());
    id.map(str::to_owned).ok_or_else(|| AwsError {
        operation,
        code: None,
        message: "AWS Backup took the request and named no job".to_owned(),
        transient: false,
    })
}

/// The restore job of that id, or `None` if there is none.
///
/// # Errors
/// Any answer but the job or "not found".
pub async fn restore_job(session: &Session, id: &str) -> Result<Option<RestoreJob>, AwsError> {
    let answer = session.backup().describe_restore_job().restore_job_id(id).send().await;
    let found = match answer.map_err(explain("backup:DescribeRestoreJob")) {
        Ok(found) => found,
        Err(error) if error.is("ResourceNotFoundException") => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(RestoreJob {
        id: id.to_owned(),
        recovery_point: text(found.recovery_point_arn()),
        status: text(found.status().map(|status| status.as_str())),
        status_message: found.status_message().map(str::to_owned),
        percent: found.percent_done().map(str::to_owned),
        created_at: found.creation_date().and_then(timestamp),
        completed_at: found.completion_date().and_then(timestamp),
        created: found.created_resource_arn().map(str::to_owned),
    }))
}

/// The jobs of the region that restore tables and were created after that time.
///
/// # Errors
/// A page could not be read.
pub async fn table_restores(session: &Session, after: Timestamp) -> Result<Vec<RestoreJob>, AwsError> {
    let mut jobs = Vec::new();
    let mut next = None;
    loop {
        let page = session
            .backup()
            .list_restore_jobs()
            .by_resource_type(TABLES)
            .by_created_after(DateTime::from_secs(after.as_second()))
            .set_next_token(next)
            .send()
            .await
            .map_err(explain("backup:ListRestoreJobs"))?;
        jobs.extend(page.restore_jobs().iter().map(from_list));
        next = page.next_token().map(str::to_owned);
        if next.is_none() {
            return Ok(jobs);
        }
    }
}

/// What a restore job was asked for, its keys in small letters: AWS Backup takes them in any (AWS Backup API:
/// "GetRestoreJobMetadata").
///
/// # Errors
/// AWS refused, or there is no such job.
pub async fn job_metadata(session: &Session, id: &str) -> Result<BTreeMap<String, String>, AwsError> {
    let answer = session.backup().get_restore_job_metadata().restore_job_id(id).send().await;
    let answer = answer.map_err(explain("backup:GetRestoreJobMetadata"))?;
    let metadata = answer.metadata().into_iter().flatten();
    Ok(metadata.map(|(key, value)| (key.to_lowercase(), value.clone())).collect())
}

fn from_list(job: &RestoreJobsListMember) -> RestoreJob {
    RestoreJob {
        id: text(job.restore_job_id()),
        recovery_point: text(job.recovery_point_arn()),
        status: text(job.status().map(|status| status.as_str())),
        status_message: job.status_message().map(str::to_owned),
        percent: job.percent_done().map(str::to_owned),
        created_at: job.creation_date().and_then(timestamp),
        completed_at: job.completion_date().and_then(timestamp),
        created: job.created_resource_arn().map(str::to_owned),
    }
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}
