//! What S3 takes over by itself in a CopyObject, named for the requests that have to be told: metadata, content headers, tags,
//! storage class, checksum algorithm.

use std::collections::BTreeMap;

use aws_sdk_s3::config::http::HttpRequest;
use aws_sdk_s3::operation::create_multipart_upload::builders::CreateMultipartUploadFluentBuilder;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, StorageClass};

use super::compare::{checksum_of, is_crc};
use crate::aws::s3::Object;

/// Both builders have the same setters, and no trait for them.
macro_rules! alike {
    ($request:expr, $object:expr, $head:expr) => {
        $request
            .set_metadata($head.metadata().cloned())
            .set_content_type($head.content_type().map(str::to_owned))
            .set_content_encoding($head.content_encoding().map(str::to_owned))
            .set_content_language($head.content_language().map(str::to_owned))
            .set_content_disposition($head.content_disposition().map(str::to_owned))
            .set_cache_control($head.cache_control().map(str::to_owned))
            .set_website_redirect_location($head.website_redirect_location().map(str::to_owned))
            .set_storage_class($object.storage_class.as_deref().map(StorageClass::from))
    };
}

/// An upload in parts with the checksum that its parts can give.
pub(super) fn upload_alike(
    request: CreateMultipartUploadFluentBuilder,
    object: &Object,
    head: &HeadObjectOutput,
    checksum: Option<(ChecksumAlgorithm, Option<ChecksumType>)>,
) -> CreateMultipartUploadFluentBuilder {
    let (algorithm, kind) = checksum.unzip();
    alike!(request, object, head).set_checksum_algorithm(algorithm).set_checksum_type(kind.flatten())
}

/// An upload in one piece.
pub(super) fn put_alike(
    request: PutObjectFluentBuilder,
    object: &Object,
    head: &HeadObjectOutput,
) -> PutObjectFluentBuilder {
    alike!(request, object, head).set_checksum_algorithm(checksum_of(head).map(|(algorithm, _)| algorithm))
}

/// `Expires` may be any text; the typed field would only carry a date.
pub(super) fn expiring(head: &HeadObjectOutput) -> impl Fn(&mut HttpRequest) + Send + Sync + 'static {
    let expires = head.expires_string().map(str::to_owned);
    move |request| {
        if let Some(expires) = &expires {
            request.headers_mut().insert("expires", expires.clone());
        }
    }
}

/// The checksum of an upload in parts. Parts never give a SHA of the whole object: only a composite one, by which the two
/// cannot be compared.
pub(super) fn checksum_in_parts(head: &HeadObjectOutput) -> Option<(ChecksumAlgorithm, Option<ChecksumType>)> {
    let (algorithm, _) = checksum_of(head)?;
    let kind =
        head.checksum_type().cloned().map(|kind| if is_crc(&algorithm) { kind } else { ChecksumType::Composite });
    Some((algorithm, kind))
}

/// Tags in the form of the header `x-amz-tagging`; `None` where there are none.
pub(super) fn tagging(tags: &BTreeMap<String, String>) -> Option<String> {
    let pairs: Vec<String> = tags.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    (!pairs.is_empty()).then(|| pairs.join("&"))
}

fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
