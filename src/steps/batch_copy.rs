//! Hands a bucket with very many objects to S3 Batch Operations before this machine copies what is left of it.
//!
//! A job copies in one piece and into one storage class, and overwrites: it gets what fits, of a target that keeps versions. What
//! it leaves out or fails at is found missing by the comparison that follows, and copied from here. One job whatever happens: its list
//! and its token are noted before it is asked for, and S3 makes no second job of a token (Amazon S3 API: "CreateJob").

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::batch_choice::{Choice, choose};
use super::restore_bucket::listed;
use super::{APPEARS, Blocked, Checked, Cx, Output, Ready, StepError, deadline, wait_until};
use crate::aws::s3::{BucketPlace, Object, Upload, Versioning, find_bucket, versioning};
use crate::aws::s3_batch::{self, CopyJob, JobState};
use crate::aws::{AwsError, Session};
use crate::manifest::{Batch, Bucket, Component, CopyEngine};
use crate::transfer::{Difference, diff, fits_a_job};

/// What is noted of the job.
const JOB: &str = "batch_job";
/// Why there is none where one could have been expected.
const NO_JOB: &str = "no_batch_job";

/// What is known of the job of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    /// Which job of this step it is: part of its token.
    ordinal: u32,
    list_key: String,
    list_etag: String,
    objects: u64,
    /// Its id, once S3 has told it.
    job: Option<String>,
    end: Option<End>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum End {
    Complete(JobDone),
    /// It came to nothing, which the operator was told.
    Failed,
}

/// What a job has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct JobDone {
    id: String,
    succeeded: u64,
    failed: u64,
    /// Codes of the first failures, with how many of them have it.
    codes: BTreeMap<String, u64>,
}

impl JobDone {
    /// What the copy that followed gives back, with what the job copied as copied.
    pub fn counted_in(self, mut output: Output) -> Output {
        let count = |name: &str| output[name].as_u64().unwrap_or_default();
        let of_job = self.succeeded.min(count("skipped"));
        let (copied, skipped) = (count("copied") + of_job, count("skipped") - of_job);
        output["copied"] = json!(copied);
        output["skipped"] = json!(skipped);
        output["batch"] = json!(self);
        output
    }
}

/// Adds to what the restore was checked for whether a job could be made, where one may be.
///
/// # Errors
/// A job is wanted, and cannot be.
pub(super) async fn check(session: &Session, bucket: &Bucket, mut checked: Checked) -> Result<Checked, Blocked> {
    let objects = checked.facts["objects"].as_u64();
    // A target that is yet to be made may keep versions once it is.
    let keeps = match find_bucket(session, &bucket.target).await? {
        BucketPlace::Here => versioning(session, &bucket.target).await? == Versioning::Enabled,
        _ => true,
    };
    let warning = match (choose(bucket, objects, keeps)?, &bucket.batch) {
        (Choice::Batch, Some(Batch { reports, role, .. })) => {
            if find_bucket(session, reports).await? != BucketPlace::Here {
                return Err(Blocked {
                    cause: format!(
                        "there is no bucket {reports} in {} for the lists of S3 Batch Operations",
                        session.region()
                    ),
                    hint: Some("name a bucket of the recovery region in batch_reports".to_owned()),
                });
            }
            format!("S3 Batch Operations copies as {role}, which is not asked whether it may; a job costs by object")
        }
        (Choice::LocalBecause(why), _) => why,
        _ => return Ok(checked),
    };
    if let Some(warnings) = checked.facts["warnings"].as_array_mut() {
        warnings.push(json!(warning));
    }
    Ok(checked)
}

/// Lets a job copy what fits, where the bucket is for one, and waits for its end. `None` where no job was needed.
///
/// # Errors
/// The job failed, or AWS refused. A request to stop parks here; the job goes on.
pub(super) async fn run(cx: &Cx, bucket: &Bucket) -> Result<Option<JobDone>, StepError> {
    let Some(batch) = &bucket.batch else { return Ok(None) };
    let noted = noted(cx)?;
    let asked = match noted {
        Some(Asked { end: Some(End::Complete(done)), .. }) => return Ok(Some(done)),
        Some(asked) if asked.end.is_none() => asked,
        before => {
            if !is_for_a_job(cx, bucket).await? {
                return Ok(None);
            }
            let ordinal = before.map_or(1, |it| it.ordinal + 1);
            match listing(cx, bucket, batch, ordinal).await? {
                Some(asked) => asked,
                None => return Ok(None),
            }
        }
    };
    note(cx, &asked).await?;
    let asked = match asked.job {
        Some(_) => asked,
        None => Asked { job: Some(create(cx, bucket, batch, &asked).await?), ..asked },
    };
    note(cx, &asked).await?;
    ended(cx, batch, asked).await.map(Some)
}

async fn is_for_a_job(cx: &Cx, bucket: &Bucket) -> Result<bool, StepError> {
    let session = &cx.world.aws;
    if find_bucket(session, &bucket.target).await? != BucketPlace::Here {
        return Ok(false);
    }
    let keeps = versioning(session, &bucket.target).await? == Versioning::Enabled;
    let objects = match (bucket.engine, &bucket.batch) {
        (CopyEngine::Auto, Some(batch)) => Some(missing_up_to(session, bucket, batch.above.saturating_add(1)).await?),
        _ => None,
    };
    match choose(bucket, objects, keeps) {
        Ok(Choice::LocalBecause(why)) => {
            cx.status(why.clone());
            cx.note_if_journalled(NO_JOB, json!(why)).await?;
            Ok(false)
        }
        Ok(choice) => Ok(choice == Choice::Batch),
        Err(blocked) => Err(StepError::failed(blocked.cause).hint(blocked.hint.unwrap_or_default())),
    }
}

/// What is to be copied.
fn missing(session: &Session, bucket: &Bucket) -> impl futures::Stream<Item = Result<Object, AwsError>> + Send + use<> {
    let differences = diff(listed(session, &bucket.source, bucket), listed(session, &bucket.target, bucket));
    differences.try_filter_map(async |difference| match difference {
        Difference::Missing(object) => Ok(Some(object)),
        _ => Ok(None),
    })
}

async fn missing_up_to(session: &Session, bucket: &Bucket, most: u64) -> Result<u64, AwsError> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    missing(session, bucket).take(most).try_fold(0, async |count, _| Ok(count + 1)).await
}

/// Writes the list of what fits a job; `None` where nothing does.
async fn listing(cx: &Cx, bucket: &Bucket, batch: &Batch, ordinal: u32) -> Result<Option<Asked>, StepError> {
    let session = &cx.world.aws;
    let list_key = format!("{}/objects-{ordinal}.csv", prefix(cx));
    cx.status(format!("listing what S3 Batch Operations shall copy to {}", bucket.target));
    let mut upload = Upload::to(session, &batch.reports, &list_key);
    let count = match write_list(cx, bucket, &mut upload).await {
        Ok(0) => return Ok(None),
        Ok(count) => count,
        Err(error) => {
            upload.give_up().await;
            return Err(error);
        }
    };
    let list_etag = upload.finish().await?;
    Ok(Some(Asked { ordinal, list_key, list_etag, objects: count, job: None, end: None }))
}

async fn write_list(cx: &Cx, bucket: &Bucket, upload: &mut Upload) -> Result<u64, StepError> {
    let mut objects = std::pin::pin!(missing(&cx.world.aws, bucket));
    let mut count = 0;
    while let Some(object) = objects.next().await {
        let object = object?;
        if cx.stopping() {
            return Err(StepError::interrupted("stopped while it was listed what is to be copied; nothing was begun"));
        }
        if fits_a_job(&object) {
            upload.write(s3_batch::line(&bucket.source, &object.key).as_bytes()).await?;
            count += 1;
        }
    }
    Ok(count)
}

async fn create(cx: &Cx, bucket: &Bucket, batch: &Batch, asked: &Asked) -> Result<String, StepError> {
    let world = &cx.world;
    let job = CopyJob {
        account: &world.manifest.account,
        token: &token(&world.run, cx.step.as_str(), asked),
        role: &batch.role,
        target: &bucket.target,
        description: &format!("lifeboat {} {}", world.run, cx.step),
        reports: &batch.reports,
        list_key: &asked.list_key,
        list_etag: &asked.list_etag,
        report_prefix: &prefix(cx),
    };
    s3_batch::create(&world.aws, job).await.map_err(|error| {
        let hint = error.is("AccessDenied").then(|| {
            format!("allow s3:CreateJob, and iam:PassRole of {}, for the role that runs lifeboat", batch.role)
        });
        let error = StepError::from(error);
        StepError { hint: hint.or(error.hint), ..error }
    })
}

/// At most 64 characters (Amazon S3 API: "CreateJob", `ClientRequestToken`), and another for every job of every run.
fn token(run: &str, step: &str, asked: &Asked) -> String {
    let of = format!("{run}\n{step}\n{}\n{}", asked.ordinal, asked.list_etag);
    Sha256::digest(of.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits for the end of the job.
async fn ended(cx: &Cx, batch: &Batch, asked: Asked) -> Result<JobDone, StepError> {
    let (session, account) = (&cx.world.aws, &cx.world.manifest.account);
    let id = asked.job.clone().unwrap_or_default();
    let what = format!("job {id} of S3 Batch Operations");
    let began = std::time::Instant::now();
    let state = wait_until(cx, &what, deadline(cx, Component::Bucket), async || {
        match s3_batch::describe(session, account, &id).await? {
            Some(state) if is_over(&state.status) => Ok(Ready::Yes(state)),
            // None of ours needs a confirmation; one that waits for it could still begin at any time.
            Some(state) if state.status == "Suspended" => Err(StepError::failed(format!("{what} waits for a confirmation"))
                .hint(format!(
                    "confirm or cancel it (aws s3control update-job-status --account-id {account} --job-id {id} …), then retry \
                     the step"
                ))),
            Some(state) => Ok(Ready::NotYet(far(&state, asked.objects))),
            None if began.elapsed() < APPEARS => Ok(Ready::NotYet("not told of yet".to_owned())),
            None => Err(StepError::failed(format!("{what} is not known there any more"))),
        }
    })
    .await?;
    if state.status != "Complete" {
        note(cx, &Asked { end: Some(End::Failed), ..asked }).await?;
        let why = if state.reasons.is_empty() { "S3 says no reason".to_owned() } else { state.reasons.join("; ") };
        return Err(StepError::failed(format!("{what} is {}: {why}", state.status)).hint(format!(
            "see that {} may read and write what it shall copy and S3 Batch Operations may assume it, then retry the step, \
             which makes another job of what is missing; nothing is needed from one whose bucket block has no batch_role",
            batch.role
        )));
    }
    let mut done = JobDone { id, succeeded: state.succeeded, failed: state.failed, codes: BTreeMap::new() };
    note(cx, &Asked { end: Some(End::Complete(done.clone())), ..asked }).await?;
    // The comparison that follows is the proof; why some failed is only worth knowing.
    if done.failed > 0 {
        match s3_batch::failures(session, &batch.reports, &prefix(cx), &done.id).await {
            Ok(codes) => done.codes = codes,
            Err(error) => done.codes = BTreeMap::from([(format!("its report cannot be read: {error}"), done.failed)]),
        }
    }
    Ok(done)
}

/// Amazon S3 User Guide: "S3 Batch Operations job status".
fn is_over(status: &str) -> bool {
    matches!(status, "Complete" | "Failed" | "Cancelled")
}

fn far(state: &JobState, objects: u64) -> String {
    let done = state.succeeded + state.failed;
    format!("{}, {done} of {} objects", state.status, state.tasks.max(objects))
}

/// Where list and report are in their bucket.
fn prefix(cx: &Cx) -> String {
    format!("lifeboat/{}/{}", cx.world.run, cx.step)
}

fn noted(cx: &Cx) -> Result<Option<Asked>, StepError> {
    let noted: Option<Value> = cx.noted(JOB);
    noted
        .map(serde_json::from_value)
        .transpose()
        .map_err(|error| StepError::failed(format!("what the journal says of the job is not understood: {error}")))
}

async fn note(cx: &Cx, asked: &Asked) -> Result<(), StepError> {
    if noted(cx)?.as_ref() == Some(asked) {
        return Ok(());
    }
    cx.note_if_journalled(JOB, json!(asked)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_short_enough_and_tells_jobs_and_runs_apart() {
        let step = format!("restore.bucket.{}", "a".repeat(63));
        let asked = |ordinal| Asked {
            ordinal,
            list_key: "list".into(),
            list_etag: "etag".into(),
            objects: 1,
            job: None,
            end: None,
        };
        let first = token("20261127T1705-prod-7f3a", &step, &asked(1));
        assert_eq!(first.len(), 64);
        assert_eq!(first, token("20261127T1705-prod-7f3a", &step, &asked(1)));
        assert_ne!(first, token("20261127T1705-prod-7f3a", &step, &asked(2)));
        assert_ne!(first, token("20261127T1705-prod-7f3b", &step, &asked(1)));
    }

    #[test]
    fn a_job_gets_what_it_copies_as_this_machine_would() {
        let plain = Object {
            key: "k".into(),
            version_id: None,
            size_bytes: 5 << 30,
            etag: "0cc175b9c0f1b6a831c399e269772661".into(),
            storage_class: None,
            archived: false,
            modified_at: None,
        };
        assert!(fits_a_job(&plain));
        assert!(!fits_a_job(&Object { size_bytes: (5 << 30) + 1, ..plain.clone() }), "larger than one copy may be");
        assert!(!fits_a_job(&Object { etag: format!("{}-2", plain.etag), ..plain.clone() }), "in parts");
        assert!(!fits_a_job(&Object { storage_class: Some("STANDARD_IA".into()), ..plain }), "of another class");
    }

    #[test]
    fn what_a_job_copied_counts_as_copied() {
        let done = JobDone { id: "1".into(), succeeded: 7, failed: 1, codes: BTreeMap::new() };
        let output = done.counted_in(json!({ "objects": 10, "copied": 2, "skipped": 8 }));
        assert_eq!(
            (&output["copied"], &output["skipped"], &output["batch"]["failed"]),
            (&json!(9), &json!(1), &json!(1))
        );
    }
}
