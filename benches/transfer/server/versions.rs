//! The listing of a bucket's versions and delete markers: by key, and of one key the newest first (S3 API:
//! "ListObjectVersions").

use std::fmt::Write;
use std::ops::Bound;

use jiff::Timestamp;

use super::answer::{Answer, Refusal, xml};
use super::listing::{Page, describe};
use super::request::Asked;
use super::serve::Server;
use super::store::Version;

pub fn list(server: &Server, asked: &Asked) -> Result<Answer, Refusal> {
    let page = Page::of(asked);
    let after_key = asked.param("key-marker").unwrap_or_default();
    let after_version = asked.param("version-id-marker").filter(|it| !it.is_empty());
    let mut body = page.begin("ListVersionsResult", &asked.bucket);
    let store = server.store();
    let bucket = store.bucket(&asked.bucket)?;
    // With a version's id, the key's older versions are still to be told.
    let from = if after_version.is_some() { Bound::Included(&*after_key) } else { Bound::Excluded(&*after_key) };
    let (mut count, mut last, mut cut) = (0, None, false);
    'keys: for (key, versions) in page.keys(bucket, from) {
        let marker = after_version.as_deref().filter(|_| **key == *after_key);
        let told = marker.and_then(|id| versions.iter().position(|it| it.id_text() == id));
        let left = told.unwrap_or(versions.len());
        for (index, version) in versions[..left].iter().enumerate().rev() {
            if count == page.most {
                cut = page.most > 0;
                break 'keys;
            }
            count += 1;
            entry(&mut body, &page.shown(key), version, index + 1 == versions.len());
            last = Some((key, version));
        }
    }
    write!(body, "<IsTruncated>{cut}</IsTruncated>").expect("memory");
    if let (true, Some((key, version))) = (cut, last) {
        let (key, id) = (page.shown(key), version.id_text());
        write!(body, "<NextKeyMarker>{key}</NextKeyMarker><NextVersionIdMarker>{id}</NextVersionIdMarker>")
            .expect("memory");
    }
    body.push_str("</ListVersionsResult>");
    Ok(xml(body))
}

fn entry(body: &mut String, key: &str, version: &Version, latest: bool) {
    let id = version.id_text();
    let element = if version.object.is_some() { "Version" } else { "DeleteMarker" };
    write!(body, "<{element}><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>").expect("memory");
    match &version.object {
        Some(object) => describe(body, key, version.at, object),
        None => {
            let modified = Timestamp::from_second(version.at).unwrap_or_default();
            write!(body, "<Key>{key}</Key><LastModified>{modified}</LastModified>").expect("memory");
        }
    }
    write!(body, "</{element}>").expect("memory");
}
