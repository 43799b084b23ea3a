//! Takes a bucket back to how it was at a time. The bucket must keep versions: then nothing is lost by it, and going back to
//! the time before undoes it. An interrupted one is gone on with: what is as it was already is left alone.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::restore_bucket::{CONTENT_BYTES, Pace, is_archived};
use super::{Blocked, Checked, Compensation, Cx, Output, Portion, Progress, Seen, Standing, Step, StepError};
use crate::aws::s3::{BucketPlace, Versioning, etags_are_md5, find_bucket, versioning, versions_expire_after};
use crate::aws::{AwsError, Session};
use crate::manifest::Manifest;
use crate::runbook::BucketRollback;
use crate::terraform::stage::hex;
use crate::transfer::{
    Bounded, Change, Copier, Decision, Known, Limits, Proof, RollbackSurvey, RolledBack, TransferError, changes,
    roll_back, survey_rollback,
};

const AGAIN: &str = "retry the step: what is as it was is left alone";
const THAW: &str = "restore those versions first: from GLACIER in 1–5 minutes (Expedited, the dearest), 3–5 hours (Standard) or \
                    5–12 hours (Bulk), from DEEP_ARCHIVE in 12 or 48 hours (S3 User Guide: \"Understanding archive retrieval \
                    options\"): aws s3api restore-object --version-id; or leave them out with --prefix";

/// The step `recover.bucket.NAME`.
pub struct RollBackBucket {
    pub rollback: BucketRollback,
}

#[async_trait]
impl Step for RollBackBucket {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let (world, pace) = (&cx.world, Pace::new(cx.clone()));
        let path = cx.world.run_dir.join(format!("{}.jsonl", cx.step));
        let mut list = Listing::new(&path).map_err(|error| unwritable(&path, &error))?;
        let tell = |keys| pace.tell(|| looked_at(keys));
        let each = |decision: &Decision| list.add(decision);
        let found = may_roll_back(&world.aws, &world.manifest, &self.rollback, each, tell).await?;
        let list_sha256 = list.finish().map_err(|error| unwritable(&path, &error))?;
        let standing = if found.survey.is_settled() { Standing::InPlace } else { Standing::Unknown };
        Ok(Checked { facts: facts(&self.rollback, &found, &list_sha256), standing })
    }

    /// A run that has not begun it has just looked, in its check.
    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        if !cx.begun() {
            return Ok(Seen::Absent);
        }
        let found = todo_unless_stopped(cx, &self.rollback, Proof::Whole, known(cx)).await?;
        Ok(match found.is_settled() {
            true => Seen::Done(output(&RolledBack { kept: found.kept, ..RolledBack::default() }, known(cx))),
            false => Seen::Absent,
        })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let BucketRollback { bucket, prefix, to, .. } = &self.rollback;
        let (pace, stop, session) = (Pace::new(cx.clone()), cx.clone(), &cx.world.aws);
        let number = |name: &str| cx.facts().get(name).and_then(Value::as_u64);
        let (objects, bytes) = (number("to_do"), number("restore_bytes"));
        let until = cx.facts().get("newest").and_then(Value::as_str).and_then(|at| at.parse().ok());
        let copier = Arc::new(Copier::over_current(session, bucket, Limits::default(), move || stop.stopping()));
        let comparer = Arc::new(copier.comparer(CONTENT_BYTES));
        let decisions = changes(session.s3(), bucket, prefix, *to);
        let tell = |done: &RolledBack| {
            pace.tell(|| Progress::Copy {
                objects: Portion { done: done.restored + done.hidden, total: objects },
                bytes: Portion { done: done.restored_bytes, total: bytes },
            });
        };
        let done = roll_back(copier, comparer, decisions, Bounded { until, known: known(cx) }, tell).await;
        Ok(output(&done.map_err(explain)?, known(cx)))
    }

    async fn verify(&self, _: &Cx, _: &Output) -> Result<(), StepError> {
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("nothing is gone: the same command with --to a time right before this run".to_owned())
    }
}

fn output(done: &RolledBack, known: Known) -> Output {
    json!({
        "restored": done.restored,
        "restored_bytes": done.restored_bytes,
        "hidden": done.hidden,
        "kept": done.kept,
        "recent": done.recent,
        "hides": known.hides,
    })
}

/// What the check found out beside the listing.
fn known(cx: &Cx) -> Known {
    let flag = |name: &str| cx.facts().get(name).and_then(Value::as_bool).unwrap_or_default();
    Known { hides: flag("hides"), etags_tell: flag("etags_tell") }
}

fn looked_at(keys: u64) -> Progress {
    Progress::Status { text: format!("{keys} keys looked at") }
}

/// Whether a bucket may be taken back, and what that would do.
///
/// # Errors
/// It is not there or keeps no versions, the time is yet to come, or what would have to be copied is archived.
async fn may_roll_back(
    session: &Session,
    manifest: &Manifest,
    rollback: &BucketRollback,
    each: impl FnMut(&Decision) + Send,
    progress: impl Fn(u64) + Send,
) -> Result<Looked, Blocked> {
    let BucketRollback { bucket, to, .. } = rollback;
    let blocked = |cause: String, hint: &str| Blocked { cause, hint: Some(hint.to_owned()) };
    let now = Timestamp::now();
    if *to > now {
        let hint = "name a time in the past";
        return Err(blocked(format!("{to} is in the future: it is {now} now"), hint));
    }
    let backends = [&manifest.primary.backend.bucket, &manifest.recovery.backend.bucket];
    if backends.contains(&bucket) {
        let hint = "Terraform has commands for its state; what a run holds there must not become older";
        return Err(blocked(format!("{bucket} holds Terraform's state, leases, journals and approvals"), hint));
    }
    match find_bucket(session, bucket).await? {
        BucketPlace::Here => {}
        BucketPlace::Missing => {
            return Err(blocked(format!("bucket {bucket} does not exist"), "look at its name: aws s3api list-buckets"));
        }
        BucketPlace::Elsewhere(region) => {
            let hint = "a bucket is taken back in its own region, which must be one of the manifest's";
            return Err(blocked(format!("bucket {bucket} is in {region}, not in {}", session.region()), hint));
        }
    }
    match versioning(session, bucket).await? {
        Versioning::Enabled => {}
        Versioning::Suspended => {
            let hint = "switch versioning on again: what is written then no longer overwrites the versions named null";
            return Err(blocked(format!("{bucket} keeps no new versions: what is written to it now overwrites"), hint));
        }
        Versioning::Never => {
            let hint = "it cannot be taken back: restore it from a replica or a backup, and switch versioning on";
            return Err(blocked(format!("{bucket} has never kept versions: nothing of then is left"), hint));
        }
    }
    let days = versions_expire_after(session, bucket).await?;
    let hides = days.is_none_or(|days| SignedDuration::from_hours(i64::from(days) * 24) > now.duration_since(*to));
    let known = Known { hides, etags_tell: etags_are_md5(session, bucket).await? };
    let found = todo(session, rollback, Proof::Whole, known, each, progress).await?;
    if let Some(archived) = found.archived.say("in an archive, where they cannot be copied") {
        return Err(blocked(format!("{bucket} has {archived}"), THAW));
    }
    Ok(Looked { survey: found, known })
}

/// What a check has found.
struct Looked {
    survey: RollbackSurvey,
    known: Known,
}

/// What a bucket needs to be as it was; `each` is told every key that needs something.
///
/// # Errors
/// AWS refused.
async fn todo(
    session: &Session,
    rollback: &BucketRollback,
    proof: Proof,
    known: Known,
    each: impl FnMut(&Decision) + Send,
    progress: impl Fn(u64) + Send,
) -> Result<RollbackSurvey, AwsError> {
    let BucketRollback { bucket, prefix, to, .. } = rollback;
    let copier = Arc::new(Copier::over_current(session, bucket, Limits::default(), || false));
    let comparer = Arc::new(copier.comparer(CONTENT_BYTES));
    let decisions = changes(session.s3(), bucket, prefix, *to);
    survey_rollback(copier, comparer, decisions, (proof, known), each, progress).await
}

/// The same for a step, as long as nobody asks it to stop.
pub(super) async fn todo_unless_stopped(
    cx: &Cx,
    rollback: &BucketRollback,
    proof: Proof,
    known: Known,
) -> Result<RollbackSurvey, StepError> {
    let pace = Pace::new(cx.clone());
    let tell = |keys| pace.tell(|| looked_at(keys));
    tokio::select! {
        found = todo(&cx.world.aws, rollback, proof, known, |_| {}, tell) => Ok(found?),
        () = cx.stopped() => Err(StepError::interrupted(format!("stopped while looking at {}", rollback.bucket))),
    }
}

/// The same for a dry run: every key that needs something, in words and JSON.
///
/// # Errors
/// As the step's check.
pub async fn list_todo(
    session: &Session,
    manifest: &Manifest,
    rollback: &BucketRollback,
    mut each: impl FnMut(Todo) + Send,
) -> Result<RollbackSurvey, Blocked> {
    let each = |decision: &Decision| Todo::of(decision).into_iter().for_each(&mut each);
    Ok(may_roll_back(session, manifest, rollback, each, |_| {}).await?.survey)
}

/// One key that needs something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Todo {
    pub key: String,
    /// `restore`: its version of then becomes current again; `hide`: it gets a delete marker.
    #[serde(rename = "do")]
    pub what: &'static str,
    /// The version that becomes current.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The version or delete marker that is current until then.
    pub over: String,
    pub over_at: Timestamp,
    /// An upload in parts was under way: that version may have come later.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub uncertain: bool,
}

impl Todo {
    /// `None` of a key that is left alone.
    fn of(decision: &Decision) -> Option<Self> {
        let (what, then, now) = match &decision.change {
            Change::Restore { then, now } => ("restore", Some(then), now),
            Change::Hide { now } => ("hide", None, now),
            Change::Unknown { .. } | Change::Keep => return None,
        };
        Some(Self {
            key: decision.key.clone(),
            what,
            version_id: then.map(|it| it.version_id.clone()),
            version_at: then.map(|it| it.modified_at),
            bytes: then.map(|it| it.size_bytes),
            over: now.version_id.clone(),
            over_at: now.modified_at,
            uncertain: decision.uncertain,
        })
    }
}

/// The list of what is to be done, in the order of the keys, kept in the run's folder. Keys may be secrets.
struct Listing {
    file: BufWriter<std::fs::File>,
    sha256: Sha256,
    /// A full disk is told once; the rest of the survey says what stands in the way of the recovery itself.
    failed: Option<io::Error>,
}

impl Listing {
    fn new(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        Ok(Self { file: BufWriter::new(file), sha256: Sha256::new(), failed: None })
    }

    fn add(&mut self, decision: &Decision) {
        let Some(todo) = Todo::of(decision) else { return };
        if self.failed.is_none() {
            self.failed = self.write(&todo).err();
        }
    }

    fn write(&mut self, todo: &Todo) -> io::Result<()> {
        let mut line = serde_json::to_vec(todo)?;
        line.push(b'\n');
        self.sha256.update(&line);
        self.file.write_all(&line)
    }

    /// The SHA-256 of the list, in hexadecimal.
    fn finish(mut self) -> io::Result<String> {
        let flushed = self.file.flush();
        match self.failed {
            Some(error) => Err(error),
            None => flushed.map(|()| hex(&self.sha256.finalize())),
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Blocked {
    Blocked {
        cause: format!("the list of what is to be done cannot be kept: {}: {error}", path.display()),
        hint: Some("make room, or give another folder with --home or LIFEBOAT_HOME".to_owned()),
    }
}

fn facts(rollback: &BucketRollback, Looked { survey: found, known }: &Looked, list_sha256: &str) -> Value {
    let uncertain = found.uncertain.say(
        "with an upload in parts that was begun before then and finished nobody knows when: which version was there is \
         not certain",
    );
    let unknown = found.unknown.say(
        "of which nobody knows whether they were there then, because older versions may have been removed or overwritten: \
         they are left alone",
    );
    let nothing = (found.afterwards.objects == 0 && found.hide.count > 0).then(|| {
        let what = if rollback.prefix.is_empty() {
            "nothing".to_owned()
        } else {
            format!("nothing under {}", rollback.prefix)
        };
        format!(
            "{what} stood in {} at {}: all of it would be hidden; is another time meant?",
            rollback.bucket, rollback.to
        )
    });
    json!({
        "keys": found.keys,
        "current": found.current,
        "afterwards": found.afterwards,
        "hides": known.hides,
        "etags_tell": known.etags_tell,
        "newest": found.newest.map(|at| at.to_string()),
        "unknown": found.unknown,
        "kept": found.kept,
        "restore": found.restore,
        "restore_bytes": found.restore_bytes,
        "hide": found.hide,
        "list_sha256": list_sha256,
        "to_do": found.restore.count + found.hide.count,
        "recovery_point": "object versions",
        "recovery_point_at": rollback.to.to_string(),
        "warnings": nothing.into_iter().chain(uncertain).chain(unknown).collect::<Vec<_>>(),
    })
}

fn explain(error: TransferError) -> StepError {
    match error {
        TransferError::Aws(error) if is_archived(&error) => StepError::from(error).hint(THAW),
        TransferError::Aws(error) => error.into(),
        TransferError::Conflict(what) => StepError::conflict(what),
        TransferError::Failed { said, first } if first.as_ref().is_some_and(is_archived) => {
            StepError::failed(said).hint(format!("{THAW}; then {AGAIN}"))
        }
        TransferError::Failed { said, first } => {
            let hint = first.and_then(|error| StepError::from(error).hint);
            StepError::failed(said).hint(hint.unwrap_or_else(|| AGAIN.to_owned()))
        }
        error @ TransferError::Stopped(_) => StepError::interrupted(error.to_string()),
    }
}
