//! S3: buckets, listings, small objects, and the Terraform state that an S3 backend keeps.
//!
//! Every request goes to the recovery region's endpoint. A bucket of another region is recognised by the region header
//! of the answer and never followed there.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{EncodingType, OptionalObjectAttributes};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::archive::is_listed_archived;
use super::{AwsError, Session, explain};
use crate::manifest::Region;
use crate::terraform::state::State;

/// The largest state object that is read; Terraform's own states of tens of thousands of resources are smaller.
const STATE_LIMIT_BYTES: u64 = 256 * 1024 * 1024;

/// Where a bucket is, seen from the session's region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketPlace {
    Here,
    /// In this region, which was not asked.
    Elsewhere(String),
    Missing,
}

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub key: String,
    pub size_bytes: u64,
    /// Without its quotes: an MD5, `…-N` for N parts, or an opaque word under SSE-KMS.
    pub etag: String,
    /// `None` is `STANDARD`.
    pub storage_class: Option<String>,
    /// Known to lie in an archive, where it cannot be read.
    pub archived: bool,
    pub modified_at: Option<Timestamp>,
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub objects: Vec<Object>,
    /// Continuation token of the page after it.
    pub next: Option<String>,
}

/// An object read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pub bytes: Vec<u8>,
    pub modified_at: Option<Timestamp>,
}

/// The part of a Terraform state (format version 4) that lifeboat reads.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TerraformState {
    pub version: u64,
    pub serial: u64,
    pub lineage: String,
    #[serde(default)]
    pub outputs: BTreeMap<String, StateOutput>,
}

/// A root output as a Terraform state keeps it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct StateOutput {
    pub value: Value,
    #[serde(default)]
    pub sensitive: bool,
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

/// One page of a bucket's objects in the order of their keys' UTF-8 bytes (S3 API: "ListObjectsV2"). Keys are asked for
/// URL-encoded, because XML cannot carry every byte that a key may have.
///
/// # Errors
/// AWS refused, or the answer is cut short.
pub async fn list_page(client: &Client, bucket: &str, token: Option<String>) -> Result<Page, AwsError> {
    let operation = "s3:ListBucket";
    let answer = client
        .list_objects_v2()
        .bucket(bucket)
        .encoding_type(EncodingType::Url)
        .optional_object_attributes(OptionalObjectAttributes::RestoreStatus)
        .set_continuation_token(token)
        .send()
        .await
        .map_err(explain(operation))?;
    let encoded = answer.encoding_type() == Some(&EncodingType::Url);
    let next = answer.next_continuation_token().map(str::to_owned);
    if answer.is_truncated() == Some(true) && next.is_none() {
        return Err(broken(operation, format!("the listing of {bucket} is cut short without a continuation token")));
    }
    let mut objects = Vec::with_capacity(answer.contents().len());
    for found in answer.contents() {
        let raw = found.key().unwrap_or_default();
        let key = if encoded { decode_key(raw) } else { Some(raw.to_owned()) };
        let Some(key) = key else {
            return Err(broken(operation, format!("the listing of {bucket} has the unreadable key {raw}")));
        };
        objects.push(Object {
            key,
            size_bytes: found.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            etag: found.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
            storage_class: found.storage_class().map(|class| class.as_str().to_owned()).filter(|c| c != "STANDARD"),
            archived: is_listed_archived(found),
            modified_at: found.last_modified().and_then(timestamp),
        });
    }
    Ok(Page { objects, next })
}

fn broken(operation: &'static str, message: String) -> AwsError {
    AwsError { operation, code: None, message, transient: false }
}

/// Undoes `encoding-type=url`, in which a space may also be a plus sign.
fn decode_key(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// `bucket/key` as the header `x-amz-copy-source` wants it: percent-encoded but for `/` and the unreserved characters.
pub fn copy_source(bucket: &str, key: &str) -> String {
    let mut source = format!("{bucket}/");
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => source.push(byte.into()),
            byte => source.push_str(&format!("%{byte:02X}")),
        }
    }
    source
}

/// Splits `s3://bucket/key`.
pub fn parse_uri(uri: &str) -> Option<(&str, &str)> {
    let (bucket, key) = uri.strip_prefix("s3://")?.split_once('/')?;
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
}

/// Reads an object of at most `limit_bytes`; `None` where there is none.
///
/// # Errors
/// AWS refused, or the object is larger.
pub async fn read(session: &Session, bucket: &str, key: &str, limit_bytes: u64) -> Result<Option<Content>, AwsError> {
    let operation = "s3:GetObject";
    let answer = match session.s3().get_object().bucket(bucket).key(key).send().await {
        Ok(answer) => answer,
        Err(error) => {
            let error = explain(operation)(error);
            return if error.is_any(&["NoSuchKey", "NotFound"]) { Ok(None) } else { Err(error) };
        }
    };
    let too_large = || broken(operation, format!("s3://{bucket}/{key} is larger than {limit_bytes} bytes"));
    let size = answer.content_length().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
    if size > limit_bytes {
        return Err(too_large());
    }
    let modified_at = answer.last_modified().and_then(timestamp);
    let mut body = answer.body;
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| broken(operation, format!("s3://{bucket}/{key}: {error}")))?;
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > limit_bytes {
            return Err(too_large());
        }
    }
    Ok(Some(Content { bytes, modified_at }))
}

/// The object that Terraform's S3 backend keeps a workspace's state in (Terraform: "Backend Type: s3").
pub fn state_key(region: &Region) -> String {
    if region.workspace == "default" {
        return region.backend.key.clone();
    }
    let prefix = region.backend.extra.get("workspace_key_prefix").and_then(Value::as_str).unwrap_or("env:");
    format!("{prefix}/{}/{}", region.workspace, region.backend.key)
}

async fn state_object(session: &Session, region: &Region) -> Result<Option<Content>, AwsError> {
    match read(session, &region.backend.bucket, &state_key(region), STATE_LIMIT_BYTES).await {
        Err(error) if error.is("NoSuchBucket") => Ok(None),
        answer => answer,
    }
}

/// The managed resources of a workspace's state, address to id; none where nothing was applied yet.
///
/// # Errors
/// As [`recovery_state`].
pub async fn recovery_resources(session: &Session, region: &Region) -> Result<BTreeMap<String, String>, AwsError> {
    let Some(content) = state_object(session, region).await? else { return Ok(BTreeMap::new()) };
    let state = State::read(content.bytes.as_slice()).map_err(|error| {
        broken("s3:GetObject", format!("s3://{}/{}: {error}", region.backend.bucket, state_key(region)))
    })?;
    Ok(state.resources)
}

/// Reads a workspace's state from its S3 backend; `None` where nothing was applied yet. Resources are not kept.
///
/// # Errors
/// AWS refused, or the object is not a Terraform state of format version 4.
pub async fn recovery_state(session: &Session, region: &Region) -> Result<Option<TerraformState>, AwsError> {
    let (bucket, key) = (&region.backend.bucket, state_key(region));
    let Some(content) = state_object(session, region).await? else { return Ok(None) };
    let state: TerraformState = serde_json::from_slice(&content.bytes)
        .map_err(|error| broken("s3:GetObject", format!("s3://{bucket}/{key} is not a Terraform state: {error}")))?;
    if state.version != 4 {
        let message = format!("s3://{bucket}/{key} is a Terraform state of format version {}, not 4", state.version);
        return Err(broken("s3:GetObject", message));
    }
    Ok(Some(state))
}

/// An SDK time as ours.
pub(crate) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Backend;

    #[test]
    fn listed_keys_are_decoded_with_both_spellings_of_a_space() {
        assert_eq!(decode_key("a+b%20c%2Bd/%C3%BC%01").as_deref(), Some("a b c+d/ü\u{1}"));
        assert_eq!(decode_key("%G0"), None);
        assert_eq!(decode_key("%C3"), None);
    }

    #[test]
    fn a_copy_source_keeps_only_slashes_and_unreserved_characters() {
        assert_eq!(copy_source("b", "a b+c/ü?%&#~"), "b/a%20b%2Bc/%C3%BC%3F%25%26%23~");
        assert_eq!(copy_source("b", "/lead//double"), "b//lead//double");
    }

    #[test]
    fn the_state_of_a_workspace_is_where_terraform_puts_it() {
        let backend =
            Backend { bucket: "b".into(), key: "x/l.tfstate".into(), use_lockfile: true, extra: BTreeMap::new() };
        let mut region = Region { name: "r".into(), workspace: "default".into(), backend, variables: BTreeMap::new() };
        assert_eq!(state_key(&region), "x/l.tfstate");
        region.workspace = "prod-dr".into();
        assert_eq!(state_key(&region), "env:/prod-dr/x/l.tfstate");
        region.backend.extra.insert("workspace_key_prefix".into(), "ws".into());
        assert_eq!(state_key(&region), "ws/prod-dr/x/l.tfstate");
    }
}
