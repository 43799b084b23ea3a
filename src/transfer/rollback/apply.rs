//! Carries decisions out: versions of then are copied over what is current, many at once, and what did not exist then gets
//! delete markers, a thousand in a request.

use std::sync::Arc;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures::Stream;
use jiff::Timestamp;
use tokio::task::{JoinError, JoinSet};

use super::compare::{object, same_object};
use super::history::{Change, Decision};
use super::survey::{Known, Likeness, Proof, likeness};
use crate::aws::AwsError;
use crate::aws::refusal;
use crate::aws::s3::Version;
use crate::transfer::compare::Comparer;
use crate::transfer::copy::{Copied, Copier, CopyError};
use crate::transfer::failures::Failures;
use crate::transfer::run::TransferError;
use crate::transfer::survey::Names;
use crate::transfer::work::{self, Work};

/// The most keys that one DeleteObjects takes (S3 API: "DeleteObjects").
const KEYS_OF_A_REQUEST: usize = 1000;

/// How far the work goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounded {
    /// What is current since later than this was written after anybody was asked: it is left alone, unless it is what this
    /// work has made.
    pub until: Option<Timestamp>,
    pub known: Known,
}

/// What was done in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolledBack {
    pub kept: u64,
    pub restored: u64,
    pub restored_bytes: u64,
    pub hidden: u64,
    /// Keys that were written to after the survey; they are left alone.
    pub recent: Names,
}

enum Done {
    Restored(Decision, u64, Result<Copied, CopyError>),
    Kept,
    Recent(Decision),
    Hidden(Vec<Decision>, Result<Vec<(String, String)>, CopyError>),
}

struct Run<F> {
    copier: Arc<Copier>,
    comparer: Arc<Comparer>,
    bounded: Bounded,
    progress: F,
    /// Keys that get their delete markers together.
    hiding: Vec<Decision>,
    summary: RolledBack,
    failures: Failures,
    stopped: bool,
}

/// Carries decisions out.
///
/// # Errors
/// A listing broke off, a version could not be copied or is gone, or the operator stopped it. What was done stays, and is
/// found again.
pub async fn roll_back(
    copier: Arc<Copier>,
    comparer: Arc<Comparer>,
    decisions: impl Stream<Item = Result<Decision, AwsError>> + Send,
    bounded: Bounded,
    progress: impl Fn(&RolledBack) + Send,
) -> Result<RolledBack, TransferError> {
    let at_once = copier.limits.concurrency;
    let mut run = Run {
        copier,
        comparer,
        bounded,
        progress,
        hiding: Vec::new(),
        summary: RolledBack::default(),
        failures: Failures::default(),
        stopped: false,
    };
    work::carry_out(&mut run, decisions, at_once).await?;
    run.end()
}

impl Bounded {
    fn is_passed(self, now: &Version) -> bool {
        self.until.is_some_and(|until| now.modified_at > until)
    }
}

async fn restore(copier: Arc<Copier>, comparer: Arc<Comparer>, decision: Decision, bounded: Bounded) -> Done {
    let Change::Restore { then, now } = &decision.change else { return Done::Kept };
    let bytes = then.size_bytes;
    // The same object may have been written again with other metadata, or by an earlier attempt: that is asked in any case
    // before what is current is taken for somebody else's.
    let passed = bounded.is_passed(now) && !now.is_marker && now.size_bytes == then.size_bytes;
    if passed || matches!(likeness(then, now, Proof::Whole, bounded.known), Likeness::Asked) {
        match same_object(&copier, &comparer, then, now).await {
            Ok(None) => return Done::Kept,
            Ok(Some(_)) => {}
            Err(error) => return Done::Restored(decision, bytes, Err(error.into())),
        }
    }
    if bounded.is_passed(now) {
        return Done::Recent(decision);
    }
    let copied = copier.bring_back(&object(then)).await;
    Done::Restored(decision, bytes, copied)
}

/// Puts delete markers on keys. Gives back the keys that got none, with S3's reasons.
async fn hide(copier: Arc<Copier>, decisions: Vec<Decision>) -> Done {
    let hidden = put_markers(&copier, &decisions).await;
    Done::Hidden(decisions, hidden)
}

async fn put_markers(copier: &Copier, decisions: &[Decision]) -> Result<Vec<(String, String)>, CopyError> {
    let operation = "s3:DeleteObject";
    // XML cannot carry control characters, and reads a carriage return as a line feed.
    let (plain, odd): (Vec<&Decision>, Vec<&Decision>) = decisions
        .iter()
        .partition(|it| !it.key.chars().any(|it| it.is_control() || it == '\u{fffe}' || it == '\u{ffff}'));
    for decision in odd {
        if (copier.stopping)() {
            return Err(CopyError::Stopped);
        }
        copier
            .limiter
            .run(|| {
                let request = copier.client.delete_object().bucket(&copier.target).key(&decision.key);
                async move { request.send().await.map_err(refusal(operation)) }
            })
            .await?;
    }
    if plain.is_empty() {
        return Ok(Vec::new());
    }
    if (copier.stopping)() {
        return Err(CopyError::Stopped);
    }
    let broken = |error: aws_sdk_s3::error::BuildError| AwsError {
        operation,
        code: None,
        message: error.to_string(),
        transient: false,
    };
    let keys: Result<Vec<ObjectIdentifier>, _> =
        plain.iter().map(|it| ObjectIdentifier::builder().key(&it.key).build()).collect();
    let delete = Delete::builder().set_objects(Some(keys.map_err(broken)?)).quiet(true).build().map_err(broken)?;
    let answer = copier
        .limiter
        .run(|| {
            let request = copier.client.delete_objects().bucket(&copier.target).delete(delete.clone());
            async move { request.send().await.map_err(refusal(operation)) }
        })
        .await?;
    let refused = answer.errors().iter().map(|error| {
        let why = error.message().or(error.code()).unwrap_or("it was refused without a word");
        (error.key().unwrap_or_default().to_owned(), why.to_owned())
    });
    Ok(refused.collect())
}

impl<F: Fn(&RolledBack)> Work for Run<F> {
    type Entry = Decision;
    type Done = Done;

    fn may_go_on(&self) -> bool {
        !self.stopped && !self.failures.are_too_many() && !(self.copier.stopping)()
    }

    fn begin(&mut self, decision: Decision, pieces: &mut JoinSet<Done>) {
        match &decision.change {
            Change::Keep | Change::Unknown { .. } => self.summary.kept += 1,
            Change::Hide { .. } if !self.bounded.known.hides => self.summary.kept += 1,
            Change::Hide { now } if self.bounded.is_passed(now) => self.summary.recent.add(&decision.key, ""),
            Change::Hide { .. } => {
                self.hiding.push(decision);
                if self.hiding.len() >= KEYS_OF_A_REQUEST {
                    self.begin_rest(pieces);
                }
            }
            Change::Restore { .. } => {
                let (copier, comparer) = (Arc::clone(&self.copier), Arc::clone(&self.comparer));
                pieces.spawn(restore(copier, comparer, decision, self.bounded));
            }
        }
    }

    fn begin_rest(&mut self, pieces: &mut JoinSet<Done>) {
        if !self.hiding.is_empty() {
            pieces.spawn(hide(Arc::clone(&self.copier), std::mem::take(&mut self.hiding)));
        }
    }

    fn settle(&mut self, done: Result<Done, JoinError>) {
        match done {
            Err(error) => self.failures.add("a copy", &error.to_string()),
            Ok(Done::Kept) => self.summary.kept += 1,
            Ok(Done::Recent(decision)) => self.summary.recent.add(&decision.key, ""),
            Ok(Done::Restored(decision, bytes, copied)) => match copied {
                Ok(Copied::Made | Copied::Found) => {
                    self.summary.restored += 1;
                    self.summary.restored_bytes += bytes;
                }
                Ok(Copied::Vanished) => self.failures.add(&decision.key, "its version of then is gone by now"),
                Err(error) => self.fail(&decision.key, error),
            },
            Ok(Done::Hidden(decisions, Ok(refused))) => {
                self.summary.hidden += decisions.len().saturating_sub(refused.len()) as u64;
                refused.iter().for_each(|(key, why)| self.failures.add(key, why));
            }
            Ok(Done::Hidden(decisions, Err(error))) => {
                self.fail(decisions.first().map_or("", |it| it.key.as_str()), error);
            }
        }
    }

    fn tell(&self) {
        (self.progress)(&self.summary);
    }
}

impl<F> Run<F> {
    fn fail(&mut self, key: &str, error: CopyError) {
        match error {
            CopyError::Stopped => self.stopped = true,
            CopyError::Aws(error) => self.failures.refused(key, error),
            error => self.failures.add(key, &error.to_string()),
        }
    }

    fn end(self) -> Result<RolledBack, TransferError> {
        self.failures.none("could not be taken back")?;
        match self.stopped || (self.copier.stopping)() {
            true => Err(TransferError::Stopped(self.summary.restored + self.summary.hidden)),
            false => Ok(self.summary),
        }
    }
}
