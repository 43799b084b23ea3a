//! The place where evidence is kept: found, proven writable before anything is made, and told what is going to be kept.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::evidence::Found;
use super::evidence_keep::{About, Keeper, OPENED_AT, output, pretty, session};
use super::{Cx, Output, StepError};
use crate::aws::Session;
use crate::aws::s3::{self, BucketPlace, Condition, Put, Versioning};
use crate::evidence::{Collected, EvidencePlace};
use crate::runbook::StepId;

/// No object has it.
const NO_ETAG: &str = "\"00000000000000000000000000000000\"";
const ELSEWHERE: &str =
    "nothing was collected and nothing else was changed; correct the evidence block of the manifest";

/// Whether evidence can be kept there. Nothing is written: a write that is carried out only where an object has an ETag that
/// none has is refused for want of permission before it is refused for that (Amazon S3 User Guide: "Conditional writes").
///
/// # Errors
/// It cannot.
async fn usable(session: &Session, place: &EvidencePlace, run: &str) -> Result<(), StepError> {
    let bucket = &place.bucket;
    match s3::find_bucket(session, bucket).await.map_err(|error| unusable(bucket, error.into()))? {
        BucketPlace::Here => {}
        BucketPlace::Missing => {
            return Err(StepError::conflict(format!("there is no evidence bucket {bucket}")).hint(ELSEWHERE));
        }
        BucketPlace::Elsewhere(region) => {
            let told = format!("evidence bucket {bucket} is in {region}, not in {}", place.region);
            return Err(StepError::conflict(told).hint(format!("write region = \"{region}\" into the evidence block")));
        }
    }
    let key = format!("{}collection.json", place.under(run));
    let condition = Condition::Unchanged(NO_ETAG.to_owned());
    match s3::put_if(session, bucket, &key, bytes::Bytes::new(), &condition).await {
        Ok(Put::Unmet | Put::Conflict) => Ok(()),
        Ok(Put::Done(_)) => Err(StepError::failed(format!(
            "s3://{bucket}/{key} was written although a condition was not met: this is no S3"
        ))),
        Err(error) => Err(unusable(bucket, error.into())),
    }
}

fn unusable(bucket: &str, error: StepError) -> StepError {
    let cause = format!("evidence cannot be kept in bucket {bucket}: {}", error.cause);
    let hint = error.hint.clone().unwrap_or_else(|| ELSEWHERE.to_owned());
    StepError { cause, hint: Some(hint), ..error }
}

pub(super) async fn check(cx: &Cx, place: &EvidencePlace) -> Result<Found, StepError> {
    let session = session(cx, place).await;
    usable(&session, place, &cx.world.run).await?;
    let (bucket, under) = (&place.bucket, place.under(&cx.world.run));
    let mut found = Found::to_write(format!("s3://{bucket}/{under}collection.json: what is going to be collected"));
    let object_lock = s3::has_object_lock(&session, bucket).await?;
    if !object_lock {
        found.warnings.push(format!(
            "bucket {bucket} has no Object Lock: whoever may write there may delete what is kept as evidence"
        ));
    }
    if s3::versioning(&session, bucket).await? != Versioning::Enabled {
        found.warnings.push(format!("bucket {bucket} keeps no versions: what is kept as evidence can be overwritten"));
    }
    Ok(found)
}

pub(super) async fn open(
    cx: &Cx,
    place: &EvidencePlace,
    breach_at: Timestamp,
    steps: &[StepId],
) -> Result<Output, StepError> {
    let session = session(cx, place).await;
    usable(&session, place, &cx.world.run).await?;
    let object_lock = s3::has_object_lock(&session, &place.bucket).await?;
    // Fixed once, so that all that a run keeps is locked until the same time.
    let noted = cx.noted(UNTIL).and_then(|time| time.as_str()?.parse().ok());
    let until = match (noted, place.retention) {
        (Some(noted), _) => Some(noted),
        (None, Some(retention)) if object_lock => {
            let length = SignedDuration::from_hours(24 * i64::from(retention.days));
            let until = Timestamp::now().checked_add(length).map_err(|error| StepError::failed(error.to_string()))?;
            cx.note_if_journalled(UNTIL, json!(until)).await?;
            Some(until)
        }
        (None, _) => None,
    };
    let keeper = Keeper::opening(cx, place, object_lock, until).await;
    let manifest = &cx.world.manifest;
    let about = json!({
        "kind": "lifeboat-evidence-collection",
        "schema_version": 1,
        "run": cx.world.run,
        "environment": manifest.environment,
        "service": manifest.service,
        "account": manifest.account,
        "region": cx.world.aws.region(),
        "caller": cx.world.aws.caller().await?.arn,
        "breach_at": breach_at,
        "steps": steps,
    });
    let item = keeper
        .put("collection.json", pretty(&about)?, About { what: "what was going to be collected", request: "lifeboat" })
        .await?;
    let mut output = output(&Collected { items: vec![item], ..Collected::default() });
    output[OPENED_AT] = json!(Timestamp::now());
    output["object_lock"] = json!(object_lock);
    output["locked_until"] = json!(until);
    Ok(output)
}

/// The name under which it is noted until when what is kept is locked.
const UNTIL: &str = "locked_until";
