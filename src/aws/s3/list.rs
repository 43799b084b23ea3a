//! Listings. What lies in a bucket is told whole or not at all: a page that is cut short is an error.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{EncodingType, OptionalObjectAttributes};
use jiff::Timestamp;

use super::{broken, in_bucket, timestamp};
use crate::aws::archive::is_listed_archived;
use crate::aws::{AwsError, Session, explain};

const OPERATION: &str = "s3:ListBucket";
/// A listing of ours that is longer than this is not ours.
const MOST_PAGES: usize = 100;

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub key: String,
    /// The version that is meant; `None` is the current one.
    pub version_id: Option<String>,
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

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageStart {
    /// Where an answer has said.
    Token(String),
    /// Behind a key.
    After(String),
}

/// What to list.
#[derive(Clone, Copy, Debug, Default)]
struct Asked<'a> {
    bucket: &'a str,
    prefix: Option<&'a str>,
    delimiter: Option<&'a str>,
}

/// One page of a bucket's objects in the order of their keys' UTF-8 bytes (S3 API: "ListObjectsV2"). Keys are asked for
/// URL-encoded, because XML cannot carry every byte that a key may have.
///
/// # Errors
/// AWS refused, or the answer is cut short.
pub async fn list_page(client: &Client, bucket: &str, from: Option<PageStart>) -> Result<Page, AwsError> {
    page(client, Asked { bucket, ..Asked::default() }, from).await.map(|(page, _)| page)
}

/// All objects whose keys begin with `prefix`, in the order of their keys' UTF-8 bytes.
///
/// # Errors
/// AWS refused, an answer is cut short, or there are more than a hundred pages.
pub async fn list_under(session: &Session, bucket: &str, prefix: &str) -> Result<Vec<Object>, AwsError> {
    let asked = Asked { bucket, prefix: Some(prefix), delimiter: None };
    all(session, asked, |page, _| page.objects).await
}

/// The names between `prefix` and the next `/`, in their order: what a shell would show as folders.
///
/// # Errors
/// As [`list_under`].
pub async fn list_folders(session: &Session, bucket: &str, prefix: &str) -> Result<Vec<String>, AwsError> {
    let asked = Asked { bucket, prefix: Some(prefix), delimiter: Some("/") };
    let folders = all(session, asked, |_, folders| folders).await?;
    let name = |folder: &String| Some(folder.strip_prefix(prefix)?.trim_end_matches('/').to_owned());
    Ok(folders.iter().filter_map(name).collect())
}

async fn all<T>(
    session: &Session,
    asked: Asked<'_>,
    take: impl Fn(Page, Vec<String>) -> Vec<T>,
) -> Result<Vec<T>, AwsError> {
    let client = session.s3();
    let (mut found, mut from) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let (mut page, folders) = page(&client, asked, from).await?;
        let next = page.next.take();
        found.extend(take(page, folders));
        if next.is_none() {
            return Ok(found);
        }
        from = next.map(PageStart::Token);
    }
    Err(broken(OPERATION, format!("the listing of {} does not end", asked.bucket)))
}

async fn page(client: &Client, asked: Asked<'_>, from: Option<PageStart>) -> Result<(Page, Vec<String>), AwsError> {
    let bucket = asked.bucket;
    let (token, after) = match from {
        Some(PageStart::Token(token)) => (Some(token), None),
        Some(PageStart::After(key)) => (None, Some(key)),
        None => (None, None),
    };
    let answer = client
        .list_objects_v2()
        .bucket(bucket)
        .set_prefix(asked.prefix.map(str::to_owned))
        .set_delimiter(asked.delimiter.map(str::to_owned))
        .encoding_type(EncodingType::Url)
        .optional_object_attributes(OptionalObjectAttributes::RestoreStatus)
        .set_continuation_token(token)
        .set_start_after(after)
        .send()
        .await
        .map_err(explain(OPERATION))
        .map_err(in_bucket(bucket))?;
    let next = answer.next_continuation_token().map(str::to_owned);
    if answer.is_truncated() == Some(true) && next.is_none() {
        return Err(broken(OPERATION, format!("the listing of {bucket} is cut short without a continuation token")));
    }
    let mut objects = Vec::with_capacity(answer.contents().len());
    for found in answer.contents() {
        objects.push(Object {
            key: key(&answer, bucket, found.key())?,
            version_id: None,
            size_bytes: found.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            etag: found.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
            storage_class: found.storage_class().map(|class| class.as_str().to_owned()).filter(|c| c != "STANDARD"),
            archived: is_listed_archived(found),
            modified_at: found.last_modified().and_then(timestamp),
        });
    }
    let folders = answer.common_prefixes().iter().map(|found| key(&answer, bucket, found.prefix()));
    let folders = folders.collect::<Result<_, _>>()?;
    Ok((Page { objects, next }, folders))
}

/// A key as it is, from how the answer spells it.
fn key(answer: &ListObjectsV2Output, bucket: &str, raw: Option<&str>) -> Result<String, AwsError> {
    let raw = raw.unwrap_or_default();
    decoded(raw, answer.encoding_type() == Some(&EncodingType::Url))
        .ok_or_else(|| broken(OPERATION, format!("the listing of {bucket} has the unreadable key {raw}")))
}

/// A key as an answer spells it, URL-encoded or not; `None` where it cannot be read.
pub(super) fn decoded(raw: &str, url_encoded: bool) -> Option<String> {
    if url_encoded { decode_key(raw) } else { Some(raw.to_owned()) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_keys_are_decoded_with_both_spellings_of_a_space() {
        assert_eq!(decode_key("a+b%20c%2Bd/%C3%BC%01").as_deref(), Some("a b c+d/ü\u{1}"));
        assert_eq!(decode_key("%G0"), None);
        assert_eq!(decode_key("%C3"), None);
    }
}
