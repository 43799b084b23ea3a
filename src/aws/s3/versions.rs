//! The versions of a bucket's objects, delete markers among them, in the order in which S3 tells them: by key, and of one
//! key the newest first (S3 API: "ListObjectVersions").
//!
//! The SDK hands versions and delete markers over as two lists. Times have whole seconds, so that what of two entries of one
//! second was the later one only the order of the answer tells; it is read from the answer itself.

use std::cmp::{Ordering, Reverse};

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{DeleteMarkerEntry, EncodingType, ObjectVersion, OptionalObjectAttributes};
use jiff::Timestamp;

use super::list::decoded;
use super::{broken, in_bucket, timestamp};
use crate::aws::archive::is_version_archived;
use crate::aws::{Answer, AwsError, explain};

const OPERATION: &str = "s3:ListBucketVersions";

/// One version of an object, or a delete marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub key: String,
    /// `null` where it was written while the bucket kept no versions.
    pub version_id: String,
    pub is_marker: bool,
    /// Whether it is the current one.
    pub is_latest: bool,
    /// In whole seconds. Of an upload in parts: when the upload was begun (S3 User Guide: "Working with object metadata").
    pub modified_at: Timestamp,
    /// 0 for a delete marker, as are the rest.
    pub size_bytes: u64,
    /// Without its quotes.
    pub etag: String,
    /// `None` is `STANDARD`.
    pub storage_class: Option<String>,
    /// Lies in an archive, where it cannot be read.
    pub archived: bool,
}

/// Where a page of versions begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    key: String,
    version_id: Option<String>,
}

impl Marker {
    /// Behind all versions of a key.
    pub fn after(key: &str) -> Self {
        Self { key: key.to_owned(), version_id: None }
    }
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionPage {
    pub versions: Vec<Version>,
    pub next: Option<Marker>,
}

/// One page of the versions under `prefix`, in S3's order.
///
/// # Errors
/// AWS refused, or the answer is cut short or lacks what every version has.
pub async fn list_versions(
    client: &Client,
    bucket: &str,
    prefix: &str,
    from: Option<Marker>,
) -> Result<VersionPage, AwsError> {
    let (key_marker, version_id_marker) = from.map_or((None, None), |from| (Some(from.key), from.version_id));
    let told = Answer::default();
    let answer = client
        .list_object_versions()
        .bucket(bucket)
        .set_prefix((!prefix.is_empty()).then(|| prefix.to_owned()))
        .encoding_type(EncodingType::Url)
        .optional_object_attributes(OptionalObjectAttributes::RestoreStatus)
        .set_key_marker(key_marker)
        .set_version_id_marker(version_id_marker)
        .customize()
        .interceptor(told.clone())
        .send()
        .await
        .map_err(explain(OPERATION))
        .map_err(in_bucket(bucket))?;
    let unreadable = |what: &str| broken(OPERATION, format!("the listing of versions of {bucket} {what}"));
    let decode = |raw: Option<&str>| {
        let raw = raw.unwrap_or_default();
        decoded(raw, answer.encoding_type() == Some(&EncodingType::Url))
            .ok_or_else(|| unreadable(&format!("has the unreadable key {raw}")))
    };
    let next = match (answer.is_truncated() == Some(true), answer.next_key_marker()) {
        (true, None) => return Err(unreadable("is cut short without a marker of what comes next")),
        (true, Some(raw)) => {
            let version_id = answer.next_version_id_marker().map(str::to_owned).filter(|id| !id.is_empty());
            Some(Marker { key: decode(Some(raw))?, version_id })
        }
        (false, _) => None,
    };
    let timed = |version: Option<Version>| version.ok_or_else(|| unreadable("has an entry without a time"));
    let objects = answer.versions().iter().map(|it| timed(of_object(it, decode(it.key())?)));
    let markers = answer.delete_markers().iter().map(|it| timed(of_marker(it, decode(it.key())?)));
    let (objects, markers) = (objects.collect::<Result<Vec<_>, _>>()?, markers.collect::<Result<Vec<_>, _>>()?);
    Ok(VersionPage { versions: merged(objects, markers, &order_of(&told.body())), next })
}

fn of_object(found: &ObjectVersion, key: String) -> Option<Version> {
    let class = found.storage_class().map(|class| class.as_str().to_owned());
    Some(Version {
        key,
        version_id: found.version_id().unwrap_or("null").to_owned(),
        is_marker: false,
        is_latest: found.is_latest() == Some(true),
        modified_at: found.last_modified().and_then(timestamp)?,
        size_bytes: found.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        etag: found.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
        archived: is_version_archived(found, class.as_deref()),
        storage_class: class.filter(|class| class != "STANDARD"),
    })
}

fn of_marker(found: &DeleteMarkerEntry, key: String) -> Option<Version> {
    Some(Version {
        key,
        version_id: found.version_id().unwrap_or("null").to_owned(),
        is_marker: true,
        is_latest: found.is_latest() == Some(true),
        modified_at: found.last_modified().and_then(timestamp)?,
        size_bytes: 0,
        etag: String::new(),
        storage_class: None,
        archived: false,
    })
}

/// Both lists as one. `order` says of each entry of the answer whether it is a delete marker. An emulator that tells all
/// markers after all versions has its order made from the times.
fn merged(objects: Vec<Version>, markers: Vec<Version>, order: &[bool]) -> Vec<Version> {
    let told = order.len() == objects.len() + markers.len()
        && order.iter().filter(|is_marker| **is_marker).count() == markers.len();
    if told {
        let (mut left_objects, mut left_markers) = (objects.iter(), markers.iter());
        let in_order: Vec<Version> = order
            .iter()
            .filter_map(|is_marker| if *is_marker { left_markers.next() } else { left_objects.next() })
            .cloned()
            .collect();
        // Of each key the current one is told first.
        let follows = |pair: &[Version]| match pair[0].key.as_bytes().cmp(pair[1].key.as_bytes()) {
            Ordering::Less => pair[1].is_latest,
            Ordering::Equal => !pair[1].is_latest,
            Ordering::Greater => false,
        };
        if in_order.windows(2).all(follows) {
            return in_order;
        }
    }
    let mut all: Vec<Version> = markers.into_iter().chain(objects).collect();
    all.sort_by(|a, b| {
        let newest_first = |it: &Version| (Reverse(it.is_latest), Reverse(it.modified_at));
        a.key.as_bytes().cmp(b.key.as_bytes()).then_with(|| newest_first(a).cmp(&newest_first(b)))
    });
    all
}

/// For each entry of the answer, whether it is a delete marker. In text a `<` is always written as an entity.
fn order_of(body: &[u8]) -> Vec<bool> {
    let tag = |from: &[u8]| {
        [(&b"Version>"[..], false), (b"DeleteMarker>", true)]
            .into_iter()
            .find_map(|(name, is_marker)| from.starts_with(name).then_some(is_marker))
    };
    memchr::memchr_iter(b'<', body).filter_map(|at| tag(&body[at + 1..])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(key: &str, id: &str, is_marker: bool, second: i64) -> Version {
        Version {
            key: key.into(),
            version_id: id.into(),
            is_marker,
            is_latest: false,
            modified_at: Timestamp::new(second, 0).expect("a time"),
            size_bytes: 1,
            etag: "e".into(),
            storage_class: None,
            archived: false,
        }
    }

    #[test]
    fn within_a_second_the_answers_own_order_counts() {
        let body =
            b"<ListVersionsResult><DeleteMarker><Key>a</Key></DeleteMarker><Version><Key>a&lt;Version></Key></Version>\
                     <DeleteMarker><Key>a</Key></DeleteMarker><Version/></ListVersionsResult>";
        assert_eq!(order_of(body), [true, false, true]);
        let objects = vec![version("a", "2", false, 7)];
        let markers = vec![version("a", "3", true, 7), version("a", "1", true, 7)];
        let ids = |versions: Vec<Version>| versions.into_iter().map(|it| it.version_id).collect::<Vec<_>>();
        assert_eq!(ids(merged(objects.clone(), markers.clone(), &[true, false, true])), ["3", "2", "1"]);
        assert_eq!(ids(merged(objects, markers, &[])), ["3", "1", "2"], "nothing is lost where no order is told");
    }

    #[test]
    fn markers_that_are_told_after_all_versions_are_put_in_their_place_by_their_times() {
        let objects = vec![version("a", "1", false, 1), version("b", "4", false, 4), version("b", "2", false, 2)];
        let markers = vec![version("a", "5", true, 5), version("b", "3", true, 3)];
        let order = [false, false, false, true, true];
        let ids = |objects, markers, order: &[bool]| -> Vec<String> {
            merged(objects, markers, order).into_iter().map(|it| it.version_id).collect()
        };
        assert_eq!(ids(objects, markers, &order), ["5", "1", "4", "3", "2"]);
        // Also where the keys alone would not give it away.
        let marker = Version { is_latest: true, ..version("b", "2", true, 2) };
        assert_eq!(ids(vec![version("b", "1", false, 1)], vec![marker], &[false, true]), ["2", "1"]);
    }
}
