//! A whole bucket: every missing object copied, many at once, the first failures named.

use std::sync::Arc;

use futures::Stream;
use jiff::Timestamp;
use tokio::task::{JoinError, JoinSet};

use super::compare::{Comparer, Verdict};
use super::copy::{Copied, Copier, CopyError};
use super::diff::{Difference, written_since};
use super::failures::Failures;
use super::survey::Names;
use super::work::{self, Work};
use crate::aws::AwsError;
use crate::aws::s3::Object;

/// What a copy did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub copied: u64,
    pub copied_bytes: u64,
    /// Objects that the target had already, equal.
    pub skipped: u64,
    pub skipped_bytes: u64,
    /// Objects that the target alone has, written there since the run began; they are left alone.
    pub extra: Names,
    /// Objects that the source lost after they were listed.
    pub vanished: Names,
}

/// Why a bucket was not copied whole. What was copied stays and is found again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("the target has {0}")]
    Conflict(String),
    #[error("{said}")]
    Failed { said: String, first: Option<AwsError> },
    #[error("stopped after {0} objects")]
    Stopped(u64),
}

/// What one task did.
enum Done {
    Copied(Object, Result<Copied, CopyError>),
    Compared(Object, Result<Verdict, AwsError>),
}

struct Run<F> {
    copier: Arc<Copier>,
    comparer: Arc<Comparer>,
    since: Option<Timestamp>,
    progress: F,
    summary: Summary,
    foreign: Names,
    failures: Failures,
    stopped: bool,
}

/// Copies what is missing. Nothing is overwritten: what the target has otherwise ends the copy, but for objects that
/// the source lacks and that were written `since`.
///
/// # Errors
/// A listing broke off, the target holds something else, an object could not be copied, or the operator stopped it.
pub async fn copy_missing(
    copier: Arc<Copier>,
    comparer: Arc<Comparer>,
    differences: impl Stream<Item = Result<Difference, AwsError>> + Send,
    since: Option<Timestamp>,
    progress: impl Fn(&Summary),
) -> Result<Summary, TransferError> {
    let at_once = copier.limits.concurrency;
    let mut run = Run {
        copier,
        comparer,
        since,
        progress,
        summary: Summary::default(),
        foreign: Names::default(),
        failures: Failures::default(),
        stopped: false,
    };
    work::carry_out(&mut run, differences, at_once).await?;
    run.end()
}

impl<F: Fn(&Summary)> Work for Run<F> {
    type Entry = Difference;
    type Done = Done;

    fn may_go_on(&self) -> bool {
        !self.stopped && self.foreign.count == 0 && !self.failures.are_too_many()
    }

    fn begin(&mut self, difference: Difference, pieces: &mut JoinSet<Done>) {
        match difference {
            Difference::Same(object) => self.skip(&object),
            Difference::Extra(object) if written_since(&object, self.since) => self.summary.extra.add(&object.key, ""),
            Difference::Extra(object) => self.foreign.add(&object.key, "not in the source"),
            Difference::Missing(object) => {
                let copier = Arc::clone(&self.copier);
                pieces.spawn(async move {
                    let copied = copier.copy(object.clone()).await;
                    Done::Copied(object, copied)
                });
            }
            Difference::Unlike { source, target } => {
                let comparer = Arc::clone(&self.comparer);
                pieces.spawn(async move {
                    let verdict = comparer.compare(&source, &target).await;
                    Done::Compared(source, verdict)
                });
            }
        }
    }

    fn begin_rest(&mut self, _: &mut JoinSet<Done>) {}

    fn settle(&mut self, done: Result<Done, JoinError>) {
        match done {
            Err(error) => self.failures.add("a copy", &error.to_string()),
            Ok(Done::Copied(object, copied)) => self.settle_copy(&object, copied),
            Ok(Done::Compared(object, verdict)) => match verdict {
                Ok(Verdict::Equal) => self.skip(&object),
                Ok(Verdict::Different(why) | Verdict::NotCompared(why)) => self.foreign.add(&object.key, &why),
                Err(error) => self.failures.refused(&object.key, error),
            },
        }
    }

    fn tell(&self) {
        (self.progress)(&self.summary);
    }
}

impl<F> Run<F> {
    fn skip(&mut self, object: &Object) {
        self.summary.skipped += 1;
        self.summary.skipped_bytes += object.size_bytes;
    }

    fn settle_copy(&mut self, object: &Object, copied: Result<Copied, CopyError>) {
        match copied {
            Ok(Copied::Made) => {
                self.summary.copied += 1;
                self.summary.copied_bytes += object.size_bytes;
            }
            Ok(Copied::Found) => self.skip(object),
            Ok(Copied::Vanished) => self.summary.vanished.add(&object.key, ""),
            Err(CopyError::Occupied(why)) => self.foreign.add(&object.key, &why),
            Err(CopyError::Stopped) => self.stopped = true,
            Err(CopyError::Aws(error)) => self.failures.refused(&object.key, error),
            Err(error @ CopyError::Unsettled) => self.failures.add(&object.key, &error.to_string()),
        }
    }

    fn end(self) -> Result<Summary, TransferError> {
        if let Some(said) = self.foreign.say("that are not the source's") {
            return Err(TransferError::Conflict(said));
        }
        self.failures.none("could not be copied")?;
        if self.stopped {
            return Err(TransferError::Stopped(self.summary.copied + self.summary.skipped));
        }
        Ok(self.summary)
    }
}
