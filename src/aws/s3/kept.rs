//! Objects that are kept as evidence: written with their SHA-256, which S3 compares, and read back by version.

use std::time::Duration;

use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ChecksumAlgorithm, ObjectLockMode};
use aws_smithy_types::base64;
use aws_smithy_types::timeout::TimeoutConfig;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{broken, in_bucket, timestamp};
use crate::aws::{AwsError, Session, explain};
use crate::terraform::stage::hex;

const PUT: &str = "s3:PutObject";
const GET: &str = "s3:GetObject";

/// The slowest way to S3 that a large object is still written over.
const SLOWEST_BYTES_PER_SECOND: u64 = 512 * 1024;

/// Until when nobody may delete or overwrite a version (Amazon S3 User Guide: "Locking objects with Object Lock").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// `GOVERNANCE` or `COMPLIANCE`.
    pub mode: String,
    pub until: Timestamp,
}

/// A version as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// `None` where the bucket keeps no versions.
    pub version_id: Option<String>,
    /// In hexadecimal.
    pub sha256: String,
}

/// A version as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashed {
    pub version_id: Option<String>,
    pub size_bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}

/// Writes an object whose content S3 compares with the SHA-256 that is sent along (S3 API: "PutObject",
/// `x-amz-checksum-sha256`), under a lock where one is given.
///
/// # Errors
/// AWS refused, or has another hash.
pub async fn keep(
    session: &Session,
    bucket: &str,
    key: &str,
    body: Bytes,
    content_type: &str,
    lock: Option<&Lock>,
) -> Result<Written, AwsError> {
    let digest = Sha256::digest(&body);
    let (sha256, sent) = (hex(&digest), base64::encode(digest));
    let seconds = Duration::from_secs(30 + body.len() as u64 / SLOWEST_BYTES_PER_SECOND);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(seconds)
        .operation_timeout(seconds * 4);
    let until = lock.map(|lock| DateTime::from_secs(lock.until.as_second()));
    let answer = session
        .s3()
        .put_object()
        .bucket(bucket)
        .key(key)
        .content_type(content_type)
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .checksum_sha256(&sent)
        .set_object_lock_mode(lock.map(|lock| ObjectLockMode::from(lock.mode.as_str())))
        .set_object_lock_retain_until_date(until)
        .body(body.into())
        .customize()
        .config_override(Builder::new().timeout_config(timeouts.build()))
        .send()
        .await
        .map_err(explain(PUT))
        .map_err(in_bucket(bucket))?;
    match answer.checksum_sha256() {
        Some(has) if has != sent => {
            Err(broken(PUT, format!("s3://{bucket}/{key} was written with SHA-256 {has} in base64, not {sent}")))
        }
        _ => Ok(Written { version_id: real(answer.version_id()), sha256 }),
    }
}

/// Reads an object, or one version of it, to its end; `None` where there is none. Nothing of it is held.
///
/// # Errors
/// AWS refused, or its answer broke off.
pub async fn hashed(
    session: &Session,
    bucket: &str,
    key: &str,
    version_id: Option<&str>,
) -> Result<Option<Hashed>, AwsError> {
    let asked = session.s3().get_object().bucket(bucket).key(key).set_version_id(version_id.map(str::to_owned)).send();
    let mut answer = match asked.await.map_err(explain(GET)) {
        Ok(answer) => answer,
        // A delete marker that is asked for by its version is answered with 405.
        Err(error) if error.is_any(&["NoSuchKey", "NoSuchVersion", "NotFound", "MethodNotAllowed"]) => return Ok(None),
        Err(error) => return Err(in_bucket(bucket)(error)),
    };
    let (mut digest, mut size_bytes) = (Sha256::new(), 0);
    while let Some(chunk) = answer.body.next().await {
        let chunk = chunk.map_err(|error| AwsError {
            transient: true,
            ..broken(GET, format!("s3://{bucket}/{key} broke off: {error}"))
        })?;
        size_bytes += chunk.len() as u64;
        digest.update(&chunk);
    }
    Ok(Some(Hashed { version_id: real(answer.version_id()), size_bytes, sha256: hex(&digest.finalize()) }))
}

/// Whether a bucket was made with Object Lock (S3 API: "GetObjectLockConfiguration").
///
/// # Errors
/// AWS refused.
pub async fn has_object_lock(session: &Session, bucket: &str) -> Result<bool, AwsError> {
    let operation = "s3:GetBucketObjectLockConfiguration";
    match session.s3().get_object_lock_configuration().bucket(bucket).send().await.map_err(explain(operation)) {
        Ok(answer) => {
            let enabled = answer.object_lock_configuration().and_then(|it| it.object_lock_enabled());
            Ok(enabled.is_some_and(|it| it.as_str() == "Enabled"))
        }
        Err(error) if error.is("ObjectLockConfigurationNotFoundError") => Ok(false),
        Err(error) => Err(in_bucket(bucket)(error)),
    }
}

/// The lock of a version, where it has one (S3 API: "HeadObject").
///
/// # Errors
/// AWS refused.
pub async fn lock_of(
    session: &Session,
    bucket: &str,
    key: &str,
    version_id: Option<&str>,
) -> Result<Option<Lock>, AwsError> {
    let asked = session.s3().head_object().bucket(bucket).key(key).set_version_id(version_id.map(str::to_owned));
    let answer = asked.send().await.map_err(explain(GET)).map_err(in_bucket(bucket))?;
    let until = answer.object_lock_retain_until_date().and_then(timestamp);
    Ok(answer.object_lock_mode().zip(until).map(|(mode, until)| Lock { mode: mode.as_str().to_owned(), until }))
}

/// Locks a version that another has written (S3 API: "PutObjectRetention").
///
/// # Errors
/// AWS refused.
pub async fn lock(
    session: &Session,
    bucket: &str,
    key: &str,
    version_id: Option<&str>,
    lock: &Lock,
) -> Result<(), AwsError> {
    let retention = aws_sdk_s3::types::ObjectLockRetention::builder()
        .mode(aws_sdk_s3::types::ObjectLockRetentionMode::from(lock.mode.as_str()))
        .retain_until_date(DateTime::from_secs(lock.until.as_second()))
        .build();
    let asked = session.s3().put_object_retention().bucket(bucket).key(key);
    let asked = asked.set_version_id(version_id.map(str::to_owned)).retention(retention);
    asked.send().await.map_err(explain("s3:PutObjectRetention")).map_err(in_bucket(bucket))?;
    Ok(())
}

/// `null` is no version: the bucket keeps none.
fn real(version_id: Option<&str>) -> Option<String> {
    version_id.filter(|id| !id.is_empty() && *id != "null").map(str::to_owned)
}
