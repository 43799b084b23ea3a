//! Objects taken away: by a delete marker where the bucket keeps versions, for ever where a version is named.

use super::answer::{Answer, Refusal, bare, empty, xml};
use super::request::Asked;
use super::serve::Server;
use super::store::{Store, id_text};
use super::text::{element, escaped};

pub fn one(server: &Server, asked: &Asked) -> Result<Answer, Refusal> {
    let mut store = server.store();
    let marker = remove(&mut store, &asked.bucket, &asked.key, asked.param("versionId").as_deref())?;
    let headers = bare().status(204);
    Ok(empty(match marker {
        Some(id) => headers.header("x-amz-delete-marker", "true").header("x-amz-version-id", id_text(id)),
        None => headers,
    }))
}

pub fn many(server: &Server, asked: &Asked, body: &str) -> Result<Answer, Refusal> {
    let quiet = element(body, "Quiet").is_some_and(|it| it == "true");
    let mut answer = String::from("<DeleteResult>");
    let mut store = server.store();
    for object in body.split("<Object>").skip(1) {
        let key = element(object, "Key").ok_or(Refusal::INVALID)?;
        let marker = remove(&mut store, &asked.bucket, &key, element(object, "VersionId").as_deref())?;
        if quiet {
            continue;
        }
        answer.push_str(&format!("<Deleted><Key>{}</Key>", escaped(&key)));
        if let Some(id) = marker {
            let id = id_text(id);
            answer.push_str("<DeleteMarker>true</DeleteMarker>");
            answer.push_str(&format!("<DeleteMarkerVersionId>{id}</DeleteMarkerVersionId>"));
        }
        answer.push_str("</Deleted>");
    }
    answer.push_str("</DeleteResult>");
    Ok(xml(answer))
}

/// Gives back the id of the delete marker, where there is one now.
fn remove(store: &mut Store, bucket: &str, key: &str, version_id: Option<&str>) -> Result<Option<u64>, Refusal> {
    let found = store.bucket_mut(bucket)?;
    if let Some(id) = version_id {
        if let Some(versions) = found.keys.get_mut(key) {
            versions.retain(|it| it.id_text() != id);
            if versions.is_empty() {
                found.keys.remove(key);
            }
        }
        return Ok(None);
    }
    if found.keeps_versions {
        return store.write(bucket, key, None).map(Some);
    }
    found.keys.remove(key);
    Ok(None)
}
