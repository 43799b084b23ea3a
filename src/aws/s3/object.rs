//! Small objects, read whole.

use aws_sdk_s3::primitives::ByteStream;
use jiff::Timestamp;

use super::{broken, timestamp};
use crate::aws::{AwsError, Session, explain};

const OPERATION: &str = "s3:GetObject";

/// An object read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pub bytes: Vec<u8>,
    pub modified_at: Option<Timestamp>,
}

/// Reads an object of at most `limit_bytes`; `None` where there is none.
///
/// # Errors
/// AWS refused, or the object is larger.
pub async fn read(session: &Session, bucket: &str, key: &str, limit_bytes: u64) -> Result<Option<Content>, AwsError> {
    read_version(session, bucket, key, None, limit_bytes).await
}

/// The same of one version, where one is named.
///
/// # Errors
/// AWS refused, or the object is larger.
pub async fn read_version(
    session: &Session,
    bucket: &str,
    key: &str,
    version_id: Option<&str>,
    limit_bytes: u64,
) -> Result<Option<Content>, AwsError> {
    let request = session.s3().get_object().bucket(bucket).key(key).set_version_id(version_id.map(str::to_owned));
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => {
            let error = explain(OPERATION)(error);
            return if error.is_any(&["NoSuchKey", "NoSuchVersion", "NotFound"]) { Ok(None) } else { Err(error) };
        }
    };
    let modified_at = answer.last_modified().and_then(timestamp);
    let size = answer.content_length();
    let bytes = whole(answer.body, size, limit_bytes, &format!("s3://{bucket}/{key}")).await?;
    Ok(Some(Content { bytes, modified_at }))
}

/// A body of at most `limit_bytes`; `what` names it in errors.
pub(super) async fn whole(
    mut body: ByteStream,
    size: Option<i64>,
    limit_bytes: u64,
    what: &str,
) -> Result<Vec<u8>, AwsError> {
    let too_large = || broken(OPERATION, format!("{what} is larger than {limit_bytes} bytes"));
    let size = size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
    if size > limit_bytes {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| broken(OPERATION, format!("{what}: {error}")))?;
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > limit_bytes {
            return Err(too_large());
        }
    }
    Ok(bytes)
}
