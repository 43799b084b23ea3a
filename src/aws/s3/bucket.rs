//! Where a bucket is. A bucket of another region is recognised by the region header of the answer and never followed
//! there.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{ExpirationStatus, ServerSideEncryption};

use crate::aws::{AwsError, Session, explain};

/// Where a bucket is, seen from the session's region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketPlace {
    Here,
    /// In this region, which was not asked.
    Elsewhere(String),
    Missing,
}

/// Asks where a bucket is (S3 API: "HeadBucket").
///
/// # Errors
/// The bucket is here and may not be used, or AWS could not be asked.
pub async fn find_bucket(session: &Session, bucket: &str) -> Result<BucketPlace, AwsError> {
    let (region, answer) = match session.s3().head_bucket().bucket(bucket).send().await {
        Ok(answer) => (answer.bucket_region().map(str::to_owned), Ok(BucketPlace::Here)),
        Err(error) => {
            let raw = error.raw_response();
            let status = raw.map(|raw| raw.status().as_u16());
            let region = raw.and_then(|raw| raw.headers().get("x-amz-bucket-region")).map(str::to_owned);
            (region, refused(bucket, status, error))
        }
    };
    match region {
        Some(region) if region != session.region() => Ok(BucketPlace::Elsewhere(region)),
        _ => answer,
    }
}

/// Whether a bucket keeps older versions of its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioning {
    Enabled,
    /// It did; what is written now overwrites the version `null` (S3 User Guide: "Adding objects to versioning-suspended
    /// buckets").
    Suspended,
    Never,
}

/// Asks for it (S3 API: "GetBucketVersioning").
///
/// # Errors
/// AWS refused.
pub async fn versioning(session: &Session, bucket: &str) -> Result<Versioning, AwsError> {
    let status = match session.s3().get_bucket_versioning().bucket(bucket).send().await {
        Ok(answer) => answer.status().map(|status| status.as_str().to_owned()),
        // An emulator's answer begins with an empty line, which is no XML to the SDK.
        Err(error) if error.raw_response().is_some_and(|raw| raw.status().is_success()) => {
            error.raw_response().and_then(|raw| raw.body().bytes()).and_then(status_in)
        }
        Err(error) => return Err(explain("s3:GetBucketVersioning")(error)),
    };
    Ok(match status.as_deref() {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        _ => Versioning::Never,
    })
}

/// After how many days a lifecycle rule of the bucket removes older versions, the soonest of them; `None` where none does
/// (S3 API: "GetBucketLifecycleConfiguration", `NoncurrentVersionExpiration`).
///
/// # Errors
/// AWS refused.
pub async fn versions_expire_after(session: &Session, bucket: &str) -> Result<Option<i32>, AwsError> {
    let answer = session.s3().get_bucket_lifecycle_configuration().bucket(bucket).send().await;
    let answer = match answer.map_err(explain("s3:GetLifecycleConfiguration")) {
        Ok(answer) => answer,
        Err(error) if error.is("NoSuchLifecycleConfiguration") => return Ok(None),
        Err(error) => return Err(error),
    };
    let enabled = answer.rules().iter().filter(|rule| *rule.status() == ExpirationStatus::Enabled);
    let expirations = enabled.filter_map(|rule| rule.noncurrent_version_expiration());
    // A rule that only counts versions removes them as soon as there are more.
    Ok(expirations.map(|it| it.noncurrent_days().unwrap_or(0)).min())
}

/// Whether an object of one piece that the bucket's default encrypts has its content's MD5 for an ETag: not under a key of
/// KMS (S3 API: "GetBucketEncryption", "Object").
///
/// # Errors
/// AWS could not be asked. Where it may not be, nothing is promised.
pub async fn etags_are_md5(session: &Session, bucket: &str) -> Result<bool, AwsError> {
    let answer = session.s3().get_bucket_encryption().bucket(bucket).send().await;
    let answer = match answer.map_err(explain("s3:GetEncryptionConfiguration")) {
        Ok(answer) => answer,
        Err(error) if error.is("ServerSideEncryptionConfigurationNotFoundError") => return Ok(true),
        Err(error) if error.is("AccessDenied") => return Ok(false),
        Err(error) => return Err(error),
    };
    let rules = answer.server_side_encryption_configuration().map(|it| it.rules()).unwrap_or_default();
    let mut defaults = rules.iter().filter_map(|rule| rule.apply_server_side_encryption_by_default());
    Ok(defaults.all(|default| *default.sse_algorithm() == ServerSideEncryption::Aes256))
}

/// The text of `<Status>` in an answer.
fn status_in(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<Status>")?;
    Some(rest.split_once("</Status>")?.0.to_owned())
}

/// A HEAD answer has no body, so S3's reason has to be told from the status.
fn refused<E>(bucket: &str, status: Option<u16>, error: SdkError<E>) -> Result<BucketPlace, AwsError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let operation = "s3:ListBucket";
    match status {
        Some(404) => Ok(BucketPlace::Missing),
        Some(403) => Err(AwsError {
            operation,
            code: Some("AccessDenied".to_owned()),
            message: format!("AccessDenied: bucket {bucket} may not be used"),
            transient: false,
        }),
        _ => Err(explain(operation)(error)),
    }
}
