//! Single objects: read, written, copied.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::http::response::Builder;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::answer::{Answer, Refusal, bare, empty, xml};
use super::request::{Asked, Source};
use super::serve::Server;
use super::store::{Bucket, Object, Version, id_text, now};

/// What one answer may hold of content.
const LARGEST_ANSWER: u64 = 16 << 20;

pub fn head(server: &Server, asked: &Asked) -> Result<Answer, Refusal> {
    let store = server.store();
    let bucket = store.bucket(&asked.bucket)?;
    let (version, object) = bucket.find(&asked.key, asked.param("versionId").as_deref())?;
    let headers = described(bucket, version, object);
    let number: Option<usize> = asked.number("partNumber");
    let (headers, size) = match (number, &object.parts) {
        (None, _) | (Some(1), None) => (headers, object.size),
        (Some(number), Some(parts)) => {
            let size = number.checked_sub(1).and_then(|index| parts.get(index)).ok_or(INVALID_PART)?;
            let headers = headers.status(206).header("x-amz-mp-parts-count", parts.len());
            (headers, *size)
        }
        (Some(_), None) => return Err(INVALID_PART),
    };
    let (headers, size) = match asked.range(size) {
        Some((first, last)) => {
            let headers = headers.status(206).header("content-range", format!("bytes {first}-{last}/{size}"));
            (headers, last + 1 - first)
        }
        None => (headers, size),
    };
    let headers = if asked.header("x-amz-checksum-mode").is_some() {
        headers.header("x-amz-checksum-crc64nvme", object.checksum()).header("x-amz-checksum-type", "FULL_OBJECT")
    } else {
        headers
    };
    // The length of a body that is not sent.
    Ok(empty(headers.header("content-length", size)))
}

const INVALID_PART: Refusal = Refusal { status: 416, code: "InvalidPartNumber" };

/// The content, of which every byte is the same.
pub fn get(server: &Server, asked: &Asked) -> Result<Answer, Refusal> {
    let store = server.store();
    let bucket = store.bucket(&asked.bucket)?;
    let (version, object) = bucket.find(&asked.key, asked.param("versionId").as_deref())?;
    if object.size > LARGEST_ANSWER {
        return Err(Refusal::NOT_IMPLEMENTED);
    }
    let length = usize::try_from(object.size).unwrap_or_default();
    let content = vec![object.fill.to_le_bytes()[0]; length];
    Ok(described(bucket, version, object).body(Full::new(Bytes::from(content))).expect("sound headers"))
}

fn described(bucket: &Bucket, version: &Version, object: &Object) -> Builder {
    let modified = Timestamp::from_second(version.at).unwrap_or_default();
    let modified = DateTimePrinter::new().timestamp_to_rfc9110_string(&modified).unwrap_or_default();
    let headers = bare()
        .header("etag", format!("\"{}\"", object.etag()))
        .header("last-modified", modified)
        .header("accept-ranges", "bytes")
        .header("content-type", "binary/octet-stream");
    if bucket.keeps_versions { headers.header("x-amz-version-id", version.id_text()) } else { headers }
}

/// `fill` is the content's first byte: what is kept of it.
pub fn put(server: &Server, asked: &Asked, size: u64, fill: u64) -> Result<Answer, Refusal> {
    let object = Object::new(size, fill);
    let etag = object.etag();
    let mut store = server.store();
    may_write(store.bucket(&asked.bucket)?, asked)?;
    let id = store.write(&asked.bucket, &asked.key, Some(object))?;
    Ok(empty(bare().header("etag", format!("\"{etag}\"")).header("x-amz-version-id", id_text(id))))
}

pub fn copy(server: &Server, asked: &Asked, source: &Source) -> Result<Answer, Refusal> {
    let mut store = server.store();
    let object = found(store.bucket(&source.bucket)?, source, asked)?.clone();
    may_write(store.bucket(&asked.bucket)?, asked)?;
    let etag = object.etag();
    let id = store.write(&asked.bucket, &asked.key, Some(object))?;
    drop(store);
    let mut answer = xml(copied("CopyObjectResult", &etag));
    answer.headers_mut().insert("x-amz-version-id", id_text(id).parse().expect("a sound id"));
    Ok(answer)
}

/// What a copy answers.
pub fn copied(element: &str, etag: &str) -> String {
    let modified = Timestamp::from_second(now()).unwrap_or_default();
    format!("<{element}><LastModified>{modified}</LastModified><ETag>&quot;{etag}&quot;</ETag></{element}>")
}

/// The source of a copy, where it is still as the copy's conditions say.
pub fn found<'a>(bucket: &'a Bucket, source: &Source, asked: &Asked) -> Result<&'a Object, Refusal> {
    let (_, object) = bucket.find(&source.key, source.version_id.as_deref())?;
    match asked.header("x-amz-copy-source-if-match") {
        Some(etag) if etag.trim_matches('"') != object.etag() => Err(Refusal::PRECONDITION_FAILED),
        _ => Ok(object),
    }
}

/// `If-None-Match: *` writes nothing over what is there.
pub fn may_write(bucket: &Bucket, asked: &Asked) -> Result<(), Refusal> {
    let occupied = asked.header("if-none-match") == Some("*") && bucket.current(&asked.key).is_some();
    if occupied { Err(Refusal::PRECONDITION_FAILED) } else { Ok(()) }
}

/// How many bytes a copy moves; 0 where there is nothing to copy.
pub fn copied_bytes(server: &Arc<Server>, asked: &Asked) -> u64 {
    if let Some((first, last)) = asked.source_range() {
        return (last + 1).saturating_sub(first);
    }
    let Ok(source) = asked.source() else { return 0 };
    let store = server.store();
    let Ok(bucket) = store.bucket(&source.bucket) else { return 0 };
    bucket.find(&source.key, source.version_id.as_deref()).map_or(0, |(_, object)| object.size)
}
