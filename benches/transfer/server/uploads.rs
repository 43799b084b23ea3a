//! Uploads in parts. A part is the range of a content that it was copied from.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer::{Answer, Refusal, bare, empty, no_content, xml};
use super::objects::{copied, found, may_write};
use super::request::{Asked, Source};
use super::serve::Server;
use super::store::{Object, Store, id_text, mixed};
use super::text::escaped;

pub struct Upload {
    bucket: String,
    key: String,
    parts: BTreeMap<u32, Part>,
}

struct Part {
    fill: u64,
    /// Where the part lies in the content that it was copied from.
    first: u64,
    bytes: u64,
}

pub fn create(server: &Server, asked: &Asked) -> Result<Answer, Refusal> {
    let mut store = server.store();
    store.bucket(&asked.bucket)?;
    let id = id_text(store.new_id());
    let (bucket, key) = (asked.bucket.to_string(), asked.key.to_string());
    let answer = format!(
        "<InitiateMultipartUploadResult><Bucket>{}</Bucket><Key>{}</Key><UploadId>{id}</UploadId>\
         </InitiateMultipartUploadResult>",
        escaped(&bucket),
        escaped(&key)
    );
    store.uploads.insert(id, Upload { bucket, key, parts: BTreeMap::new() });
    Ok(xml(answer))
}

pub fn part(server: &Server, asked: &Asked, bytes: u64, fill: u64) -> Result<Answer, Refusal> {
    let etag = Object::new(bytes, fill).etag();
    add(&mut server.store(), asked, Part { fill, first: 0, bytes })?;
    Ok(empty(bare().header("etag", format!("\"{etag}\""))))
}

pub fn part_copy(server: &Server, asked: &Asked, source: &Source) -> Result<Answer, Refusal> {
    let mut store = server.store();
    let object = found(store.bucket(&source.bucket)?, source, asked)?;
    let (first, bytes) = match asked.source_range() {
        Some((first, last)) if first <= last && last < object.size => (first, last + 1 - first),
        Some(_) => return Err(Refusal { status: 416, code: "InvalidRange" }),
        None => (0, object.size),
    };
    let part = Part { fill: object.fill, first, bytes };
    let etag = Object::new(bytes, mixed(part.fill ^ first)).etag();
    add(&mut store, asked, part)?;
    Ok(xml(copied("CopyPartResult", &etag)))
}

fn add(store: &mut Store, asked: &Asked, part: Part) -> Result<(), Refusal> {
    let number = asked.number("partNumber").ok_or(Refusal::INVALID)?;
    let id = upload_id(asked);
    store.uploads.get_mut(&id).ok_or(Refusal::NO_SUCH_UPLOAD)?.parts.insert(number, part);
    Ok(())
}

fn upload_id(asked: &Asked) -> String {
    asked.param("uploadId").unwrap_or_default().into_owned()
}

/// The parts that `body` names become an object.
pub fn complete(server: &Server, asked: &Asked, body: &str) -> Result<Answer, Refusal> {
    let mut store = server.store();
    may_write(store.bucket(&asked.bucket)?, asked)?;
    let id = upload_id(asked);
    let upload = store.uploads.get(&id).ok_or(Refusal::NO_SUCH_UPLOAD)?;
    if body.matches("<PartNumber>").count() != upload.parts.len() || upload.parts.is_empty() {
        return Err(Refusal { status: 400, code: "InvalidPart" });
    }
    let object = upload.whole();
    let (bucket, key) = (upload.bucket.clone(), upload.key.clone());
    let answer = format!(
        "<CompleteMultipartUploadResult><Bucket>{}</Bucket><Key>{}</Key><ETag>&quot;{}&quot;</ETag>\
         </CompleteMultipartUploadResult>",
        escaped(&bucket),
        escaped(&key),
        object.etag()
    );
    store.uploads.remove(&id);
    store.write(&bucket, &key, Some(object))?;
    Ok(xml(answer))
}

impl Upload {
    /// The same content as the source's, where every part is at the place that it came from.
    fn whole(&self) -> Object {
        let mut at = 0;
        let mut fill = self.parts.values().next().map_or(0, |part| part.fill);
        for part in self.parts.values() {
            if part.first != at || part.fill != fill {
                fill = mixed(fill ^ mixed(part.fill ^ part.first));
            }
            at += part.bytes;
        }
        let parts: Arc<[u64]> = self.parts.values().map(|part| part.bytes).collect();
        Object { size: at, fill, parts: Some(parts) }
    }
}

pub fn abort(server: &Server, asked: &Asked) -> Result<Answer, Refusal> {
    server.store().uploads.remove(&upload_id(asked)).ok_or(Refusal::NO_SUCH_UPLOAD)?;
    Ok(no_content())
}
