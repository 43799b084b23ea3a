//! Deleting versions of objects for good, many at a time.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::{Version, broken, in_bucket};
use crate::aws::{AwsError, Session, explain};

const OPERATION: &str = "s3:DeleteObjectVersion";

/// As many as one request takes (S3 API: "DeleteObjects").
pub const DELETED_AT_ONCE: usize = 1000;

/// A version that S3 would not delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undeleted {
    pub key: String,
    pub version_id: String,
    /// S3's own: `AccessDenied`, also of what is locked.
    pub code: String,
    pub message: String,
}

/// Deletes versions and delete markers for good, at most [`DELETED_AT_ONCE`] (S3 API: "DeleteObjects"). One that is gone
/// already counts as deleted. Returns what S3 would not delete.
///
/// # Errors
/// AWS refused the request as a whole.
pub async fn delete_versions(client: &Client, bucket: &str, versions: &[Version]) -> Result<Vec<Undeleted>, AwsError> {
    let identifier = |it: &Version| ObjectIdentifier::builder().key(&it.key).version_id(&it.version_id).build();
    let objects: Result<Vec<ObjectIdentifier>, _> = versions.iter().map(identifier).collect();
    let invalid = |error: aws_sdk_s3::error::BuildError| broken(OPERATION, error.to_string());
    let delete = Delete::builder().set_objects(Some(objects.map_err(invalid)?)).quiet(true).build().map_err(invalid)?;
    let answer = client.delete_objects().bucket(bucket).delete(delete).send().await;
    let answer = answer.map_err(explain(OPERATION)).map_err(in_bucket(bucket))?;
    let undeleted = answer.errors().iter().map(|error| Undeleted {
        key: error.key().unwrap_or_default().to_owned(),
        version_id: error.version_id().unwrap_or_default().to_owned(),
        code: error.code().unwrap_or_default().to_owned(),
        message: error.message().unwrap_or_default().to_owned(),
    });
    Ok(undeleted.collect())
}

/// Whether a bucket holds neither a version nor a delete marker (S3 API: "ListObjectVersions").
///
/// # Errors
/// AWS refused, or there is no such bucket (`NoSuchBucket`).
pub async fn is_empty(session: &Session, bucket: &str) -> Result<bool, AwsError> {
    let answer = session.s3().list_object_versions().bucket(bucket).max_keys(1).send().await;
    let answer = answer.map_err(explain("s3:ListBucketVersions")).map_err(in_bucket(bucket))?;
    Ok(answer.versions().is_empty() && answer.delete_markers().is_empty())
}
