//! Lists a bucket: every version and delete marker of every key, as lines of JSON, and how the bucket is set. The objects themselves
//! are not copied.

use serde_json::{Map, Value, json};

use super::evidence::Found;
use super::evidence_keep::{About, Keeper, output, pretty};
use super::{Cx, Output, Progress, StepError};
use crate::aws::Session;
use crate::aws::s3::{self, BucketPlace, Setting, Version, list_versions};
use crate::evidence::{Collected, EvidencePlace, NotCollected, folder};

/// The bucket in the region where it is; `None` where there is none.
async fn find(cx: &Cx, bucket: &str) -> Result<Option<Session>, StepError> {
    Ok(match s3::find_bucket(&cx.world.aws, bucket).await? {
        BucketPlace::Here => Some(cx.world.aws.clone()),
        BucketPlace::Elsewhere(region) => Some(cx.world.aws.in_region(&region)),
        BucketPlace::Missing => None,
    })
}

/// What the keys of a bucket's list begin with.
pub(super) fn stem(bucket: &str) -> String {
    format!("buckets/{}.versions", folder(bucket))
}

pub(super) async fn check(cx: &Cx, bucket: &str) -> Result<Found, StepError> {
    Ok(match find(cx, bucket).await? {
        Some(_) => Found::to_write(format!("a list of every version in bucket {bucket}, and how it is set")),
        None => Found::missing(format!("there is no bucket {bucket}: nothing of it is kept")),
    })
}

pub(super) async fn collect(cx: &Cx, place: &EvidencePlace, bucket: &str) -> Result<Output, StepError> {
    let keeper = Keeper::of(cx, place).await?;
    let Some(session) = find(cx, bucket).await? else {
        return Ok(output(&Collected::nothing(format!("bucket {bucket}"), "there is no such bucket")));
    };
    let what = format!("every version in bucket {bucket}");
    let about = About { what: &what, request: "s3:ListBucketVersions" };
    let mut lines = keeper.lines(&stem(bucket), about);
    let (client, mut from) = (session.s3(), None);
    loop {
        if cx.stopping() {
            return Err(StepError::interrupted(format!("stopped while listing bucket {bucket}")));
        }
        let page = list_versions(&client, bucket, "", from).await?;
        for version in &page.versions {
            lines.push(&line(version)).await?;
        }
        cx.progress(Progress::Count { done: lines.count(), total: None, unit: "versions".into() });
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    let count = lines.count();
    let mut items = lines.finish().await?;
    let (settings, not_collected) = settings(&session, bucket).await?;
    let what = format!("how bucket {bucket} is set");
    let about = About { what: &what, request: "s3:GetBucketPolicy and others" };
    items.push(keeper.put(&format!("buckets/{}.json", folder(bucket)), pretty(&settings)?, about).await?);
    let mut output = output(&Collected { items, not_collected, ..Collected::default() });
    output["versions"] = json!(count);
    Ok(output)
}

/// How a bucket is set, `null` where it has no such setting; and what S3 did not say.
async fn settings(session: &Session, bucket: &str) -> Result<(Value, Vec<NotCollected>), StepError> {
    let (mut told, mut not_collected) = (Map::new(), Vec::new());
    for Setting { name, value } in s3::settings(session, bucket).await {
        match value {
            Ok(value) => drop(told.insert(name.to_owned(), value.unwrap_or(Value::Null))),
            // Whatever else there is to ask, newer credentials come first.
            Err(error) if error.credentials_expired() || error.transient => return Err(error.into()),
            Err(error) => {
                not_collected.push(NotCollected { what: format!("{name} of bucket {bucket}"), why: error.to_string() });
            }
        }
    }
    Ok((Value::Object(told), not_collected))
}

fn line(version: &Version) -> String {
    let Version { key, version_id, is_marker, is_latest, modified_at, size_bytes, etag, storage_class, .. } = version;
    let mut told = json!({
        "key": key,
        "version_id": version_id,
        "is_latest": is_latest,
        "last_modified": modified_at,
    });
    match is_marker {
        true => told["delete_marker"] = json!(true),
        false => {
            told["size"] = json!(size_bytes);
            told["etag"] = json!(etag);
            told["storage_class"] = json!(storage_class.as_deref().unwrap_or("STANDARD"));
        }
    }
    told.to_string()
}
