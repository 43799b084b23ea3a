//! Copies what a bucket of the recovery region has to the bucket that the recovered service uses.
//!
//! The source is a replica or backup bucket in the recovery region; the target is usually made by Terraform. Objects
//! that the target has already are compared, never overwritten, and nothing is ever deleted. Objects that the target
//! alone has are somebody else's, a conflict, but for those written since the run began: the stack that Terraform has
//! just built may deliver to its bucket at once. Those are left alone and counted. S3 writes objects whole,
//! so an interrupted copy leaves only fewer objects, and the next one goes on with those that are missing.

use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::{Stream, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::batch_copy;
use super::{Blocked, Checked, Compensation, Cx, Output, Portion, Progress, Seen, Standing, Step, StepError};
use crate::aws::s3::{BucketPlace, Object, find_bucket};
use crate::aws::{AwsError, Session};
use crate::manifest::Bucket;
use crate::transfer::{Bounds, Copier, Limits, Summary, Survey, TransferError, copy_missing, diff, list, survey};

/// Bytes that one comparison of buckets may read where neither ETags nor checksums tell.
pub(super) const CONTENT_BYTES: u64 = 2 << 30;
/// Keys that a check looks at: enough for an honest recovery point of most buckets, and it ends in a minute or two.
const KEYS_OF_A_CHECK: u64 = 200_000;
const OF_A_CHECK: Bounds = Bounds { keys: KEYS_OF_A_CHECK, heads: 20_000 };

/// How far this machine's clock, which tells when the run began, may be ahead of S3's, which tells when an object was
/// written.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);
/// The fact that tells when the step was checked.
const CHECKED_AT: &str = "checked_at";

/// The step `restore.bucket.NAME`.
pub struct RestoreBucket {
    pub bucket: Bucket,
}

#[async_trait]
impl Step for RestoreBucket {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let checked = check_bucket(&cx.world.aws, &self.bucket, Timestamp::now()).await?;
        batch_copy::check(&cx.world.aws, &self.bucket, checked).await
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let pace = Pace::new(cx.clone());
        observe_bucket(&cx.world.aws, &self.bucket, began(cx), |keys| pace.tell(|| compared(keys))).await
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let (pace, stop) = (Pace::new(cx.clone()), cx.clone());
        let known = |name: &str| cx.facts().get(name).and_then(Value::as_u64);
        let (objects, bytes) = (known("objects"), known("bytes_to_copy"));
        let tell = |summary: &Summary, moved_bytes: u64| {
            pace.tell(|| Progress::Copy {
                objects: Portion { done: summary.copied + summary.skipped, total: objects },
                bytes: Portion { done: moved_bytes, total: bytes },
            });
        };
        // What the job has copied the rest finds equal, and what it could not copy it finds missing.
        let job = batch_copy::run(cx, &self.bucket).await?;
        let output = restore_bucket(&cx.world.aws, &self.bucket, began(cx), move || stop.stopping(), tell).await?;
        Ok(match job {
            Some(job) => job.counted_in(output),
            None => output,
        })
    }

    async fn verify(&self, cx: &Cx, output: &Output) -> Result<(), StepError> {
        let count = |name| output.get(name).and_then(Value::as_u64).unwrap_or_default();
        let expected = (count("objects"), count("bytes"));
        let held = count_objects(&cx.world.aws, &self.bucket).await?;
        if held.0 < expected.0 || held.1 < expected.1 {
            let text = format!(
                "bucket {} holds {} objects of {} bytes, after {} of {} bytes were copied",
                self.bucket.target, held.0, held.1, expected.0, expected.1
            );
            return Err(StepError::check_failed(text).hint("something else deletes there: look at lifecycle rules"));
        }
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        let (target, source) = (&self.bucket.target, &self.bucket.source);
        Compensation::Manual(format!("the objects in {target} are copies of those in {source}: delete them by hand"))
    }
}

/// The fact from which a run's steps tell what was written before the run.
pub(super) fn check_time(now: Timestamp) -> Value {
    json!({ CHECKED_AT: now.to_string() })
}

/// The time that the step's check recorded, before the run's first effect. `None` tolerates nothing.
pub(super) fn began(cx: &Cx) -> Option<Timestamp> {
    cx.facts().get(CHECKED_AT)?.as_str()?.parse().ok()
}

/// May the bucket be restored, and to which point in time? `now` is what the run's own time is told by from here on.
///
/// # Errors
/// The source is missing, unreadable, archived, or in another region than the recovery region; the target is in another
/// region, or has what nothing may be copied over.
pub async fn check_bucket(session: &Session, bucket: &Bucket, now: Timestamp) -> Result<Checked, Blocked> {
    let Bucket { source, target, .. } = bucket;
    let reading = reading(session, bucket).await;
    match find_bucket(&reading, source).await.map_err(|error| unreadable(bucket, error))? {
        BucketPlace::Here => {}
        BucketPlace::Missing => {
            return Err(Blocked {
                cause: format!("source bucket {source} does not exist"),
                hint: Some("name the replica or backup bucket of the recovery region".to_owned()),
            });
        }
        BucketPlace::Elsewhere(region) => {
            return Err(Blocked {
                cause: format!("source bucket {source} is only in {region}, not in {}", session.region()),
                hint: Some(format!("replicate it to a bucket in {} and name that as the source", session.region())),
            });
        }
    }
    let place = find_bucket(session, target).await?;
    match &place {
        // Usually Terraform makes it first.
        BucketPlace::Here | BucketPlace::Missing => {}
        BucketPlace::Elsewhere(region) => {
            return Err(Blocked {
                cause: format!("target bucket {target} is in {region}, not in {}", session.region()),
                hint: Some("bucket names are taken across all regions: choose another target".to_owned()),
            });
        }
    }
    let found = match place {
        BucketPlace::Here => survey_buckets(session, bucket, OF_A_CHECK, Some(now), |_| {}).await?,
        _ => survey_source(&reading, bucket).await?,
    };
    if let Some(foreign) = found.foreign() {
        // Nothing in the run could clear it: better now than when the infrastructure stands.
        return Err(Blocked { cause: format!("target bucket {target} has {foreign}"), hint: Some(KEEP.to_owned()) });
    }
    if let Some(archived) = found.archived.say("in an archive, where they cannot be copied") {
        return Err(Blocked { cause: format!("source bucket {source} has {archived}"), hint: Some(THAW.to_owned()) });
    }
    let mut facts = facts(&found, now);
    if let (Some(role), Some(warnings)) = (&bucket.source_role, facts["warnings"].as_array_mut()) {
        let way = "S3 copies nothing by itself where another reads than writes";
        warnings
            .push(json!(format!("{source} is read as {role}: every byte goes through this machine, because {way}")));
    }
    Ok(Checked { facts, standing: standing(&place, &found) })
}

/// Clients for whoever reads the source.
async fn reading(session: &Session, bucket: &Bucket) -> Session {
    match &bucket.source_role {
        Some(role) => session.assuming(role).await,
        None => session.clone(),
    }
}

/// What one of the two buckets holds, of the keys that are copied.
pub(super) fn listed(
    session: &Session,
    name: &str,
    bucket: &Bucket,
) -> impl Stream<Item = Result<Object, AwsError>> + Send + use<> {
    let bucket = bucket.clone();
    list(session.s3(), name).try_filter(move |object| ready(bucket.takes(&object.key)))
}

/// What copies from the source to the target.
fn copier(
    session: &Session,
    reading: &Session,
    bucket: &Bucket,
    stopping: impl Fn() -> bool + Send + Sync + 'static,
) -> Copier {
    let copier = Copier::new(session, &bucket.source, &bucket.target, Limits::default(), stopping);
    if bucket.source_role.is_some() { copier.read_by(reading) } else { copier }
}

/// The source does not answer, or not to the role that shall read it.
fn unreadable(bucket: &Bucket, error: AwsError) -> Blocked {
    let Some(role) = &bucket.source_role else { return error.into() };
    Blocked {
        cause: format!("source bucket {} cannot be read as {role}: {error}", bucket.source),
        hint: Some(
            "the role's trust policy must name whoever runs this (sts:AssumeRole), and its own policy allow s3:ListBucket, \
             s3:GetObject and s3:GetObjectTagging"
                .to_owned(),
        ),
    }
}

fn standing(place: &BucketPlace, found: &Survey) -> Standing {
    match place {
        BucketPlace::Here if found.is_equal() => Standing::InPlace,
        BucketPlace::Missing => Standing::Absent,
        _ => Standing::Unknown,
    }
}

/// The newest object tells the recovery point only where all were looked at.
fn facts(found: &Survey, now: Timestamp) -> Value {
    let mut warnings = Vec::new();
    let mut facts = check_time(now);
    if found.cut {
        warnings.push(format!("only the first {KEYS_OF_A_CHECK} keys were looked at: the recovery point is unknown"));
    } else {
        facts["objects"] = json!(found.same + found.missing.count + found.different.count + found.not_compared.count);
        facts["bytes_to_copy"] = json!(found.missing_bytes);
        if let Some(newest) = found.newest {
            facts["recovery_point"] = json!("newest object of the source bucket");
            facts["recovery_point_at"] = json!(newest.to_string());
        }
    }
    if facts["objects"] == 0 {
        warnings
            .push("the source bucket is empty: nothing is brought back; see whether its replication works".to_owned());
    }
    if found.not_asked > 0 {
        let count = found.not_asked;
        warnings.push(format!("{count} objects of Intelligent-Tiering were not asked whether they are archived"));
    }
    facts["warnings"] = json!(warnings);
    facts
}

/// What of the source is in the target. `began` is when the run began, as its check recorded it.
///
/// # Errors
/// AWS refused.
pub async fn observe_bucket(
    session: &Session,
    bucket: &Bucket,
    began: Option<Timestamp>,
    tell: impl Fn(u64),
) -> Result<Seen, StepError> {
    match find_bucket(session, &bucket.target).await? {
        BucketPlace::Here => {}
        BucketPlace::Missing => return Ok(Seen::Absent),
        BucketPlace::Elsewhere(region) => {
            let cause = format!("target bucket {} is in {region}, not in {}", bucket.target, session.region());
            return Ok(Seen::Conflict { cause, hint: None });
        }
    }
    let found = survey_buckets(session, bucket, Bounds::WHOLE, began, tell).await?;
    if let Some(foreign) = found.foreign() {
        return Ok(Seen::Conflict {
            cause: format!("bucket {} has {foreign}", bucket.target),
            hint: Some(KEEP.to_owned()),
        });
    }
    if found.is_equal() {
        let (objects, bytes, extra) = (found.same, found.same_bytes, found.recent);
        return Ok(Seen::Done(json!({
            "objects": objects, "bytes": bytes, "copied": 0, "skipped": objects, "extra": extra.count,
        })));
    }
    Ok(Seen::Absent)
}

const THAW: &str = "restore them first, which takes minutes to two days by class and tier (S3 User Guide: \"Restoring an \
                    archived object\"): aws s3api restore-object; or keep the recovery region's copies in a class that \
                    is read at once";
const AGAIN: &str = "retry the step: what was copied is not copied again";
const KEEP: &str = "nothing was overwritten: move these objects away, also those that the stack of an abandoned run has \
                    delivered, or choose an empty target bucket; then retry";

/// Copies what is missing. Gives back `objects`, `bytes`, `copied`, `skipped`, `extra` (the
/// objects that the target alone has, written since `began`), and `vanished` where the source lost objects meanwhile. `tell` is
/// told what is done, and the bytes of all finished requests, also of objects that are not whole yet.
///
/// # Errors
/// The target is missing or has something else, an object could not be copied, or `stopping` said so.
pub async fn restore_bucket(
    session: &Session,
    bucket: &Bucket,
    began: Option<Timestamp>,
    stopping: impl Fn() -> bool + Send + Sync + 'static,
    tell: impl Fn(&Summary, u64) + Send + Sync,
) -> Result<Output, StepError> {
    let Bucket { source, target, .. } = bucket;
    if find_bucket(session, target).await? != BucketPlace::Here {
        let text = format!("target bucket {target} does not exist in {}", session.region());
        return Err(StepError::failed(text).hint("declare it in the Terraform root, or create it, then retry"));
    }
    let reading = reading(session, bucket).await;
    let copier = Arc::new(copier(session, &reading, bucket, stopping));
    let comparer = Arc::new(copier.comparer(CONTENT_BYTES));
    let source = listed(&reading, source, bucket);
    let differences = diff(source, listed(session, target, bucket));
    let moving = Arc::clone(&copier);
    let tell = |summary: &Summary| tell(summary, moving.moved_bytes());
    let done = copy_missing(copier, comparer, differences, began.map(tolerated_from), tell)
        .await
        .map_err(|error| explain(error, target))?;
    let mut output = json!({
        "objects": done.copied + done.skipped,
        "bytes": done.copied_bytes + done.skipped_bytes,
        "copied": done.copied,
        "skipped": done.skipped,
        "extra": done.extra.count,
    });
    if done.vanished.count > 0 {
        output["vanished"] = json!(done.vanished);
    }
    Ok(output)
}

/// The answers of UploadPartCopy and of CopyObject.
pub(super) fn is_archived(error: &AwsError) -> bool {
    error.is_any(&["InvalidObjectState", "ObjectNotInActiveTierError"])
}

fn explain(error: TransferError, target: &str) -> StepError {
    match error {
        TransferError::Aws(error) if is_archived(&error) => StepError::from(error).hint(THAW),
        TransferError::Aws(error) => error.into(),
        TransferError::Conflict(what) => StepError::conflict(format!("bucket {target} has {what}")).hint(KEEP),
        TransferError::Failed { said, first } => {
            let archived = first.as_ref().is_some_and(is_archived);
            let hint = first.and_then(|error| StepError::from(error).hint);
            let other = if archived { format!("{THAW}; then {AGAIN}") } else { AGAIN.to_owned() };
            StepError::failed(said).hint(hint.unwrap_or(other))
        }
        error @ TransferError::Stopped(_) => StepError::interrupted(error.to_string()),
    }
}

/// Objects and bytes of the target, by its listing alone.
async fn count_objects(session: &Session, bucket: &Bucket) -> Result<(u64, u64), AwsError> {
    let objects = listed(session, &bucket.target, bucket);
    objects.try_fold((0, 0), async |(count, bytes), object| Ok((count + 1, bytes + object.size_bytes))).await
}

fn tolerated_from(began: Timestamp) -> Timestamp {
    began.checked_sub(CLOCK_SKEW).unwrap_or(began)
}

/// Compares the two buckets, as far as `bounds` say. `began` is when the run began.
///
/// # Errors
/// AWS refused.
pub async fn survey_buckets(
    session: &Session,
    bucket: &Bucket,
    bounds: Bounds,
    began: Option<Timestamp>,
    tell: impl Fn(u64),
) -> Result<Survey, AwsError> {
    let Bucket { source, target, .. } = bucket;
    let reading = reading(session, bucket).await;
    let comparer = Arc::new(copier(session, &reading, bucket, || false).comparer(CONTENT_BYTES));
    let source = listed(&reading, source, bucket);
    let differences = diff(source, listed(session, target, bucket));
    survey(comparer, differences, bounds, began.map(tolerated_from), tell).await
}

async fn survey_source(reading: &Session, bucket: &Bucket) -> Result<Survey, AwsError> {
    let source = &bucket.source;
    let copier = Copier::new(reading, source, source, Limits::default(), || false);
    let differences = diff(listed(reading, source, bucket), futures::stream::empty());
    survey(Arc::new(copier.comparer(0)), differences, OF_A_CHECK, None, |_| {}).await
}

/// What a comparison tells while it goes on.
pub(super) fn compared(keys: u64) -> Progress {
    Progress::Status { text: format!("{keys} keys compared") }
}

/// Tells progress at a pace that people can read, however often it is asked to.
pub(super) struct Pace {
    cx: Cx,
    told_at: Mutex<Instant>,
}

impl Pace {
    const EVERY: Duration = Duration::from_millis(500);

    pub(super) fn new(cx: Cx) -> Self {
        Self { cx, told_at: Mutex::new(Instant::now()) }
    }

    pub(super) fn tell(&self, progress: impl FnOnce() -> Progress) {
        let mut told_at = self.told_at.lock().unwrap_or_else(PoisonError::into_inner);
        if told_at.elapsed() >= Self::EVERY {
            *told_at = Instant::now();
            self.cx.progress(progress());
        }
    }
}
