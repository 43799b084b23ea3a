//! Carries decisions out: versions of then are copied over what is current, many at once, and what did not exist then gets
//! delete markers, a thousand in a request.

use std::sync::Arc;

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures::{Stream, StreamExt};
use tokio::task::{JoinError, JoinSet};

use super::compare::{object, same_object};
use super::history::{Change, Decision};
use crate::aws::AwsError;
use crate::transfer::compare::Comparer;
use crate::transfer::copy::{Copied, Copier, CopyError};
use crate::transfer::limiter::refusal;
use crate::transfer::run::TransferError;
use crate::transfer::survey::Names;

/// The most keys that one DeleteObjects takes (S3 API: "DeleteObjects").
const KEYS_OF_A_REQUEST: usize = 1000;
/// So many failures are not a few bad objects: the work ends early.
const MOST_FAILURES: u64 = 20;

/// What was done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Its version of then was copied over what was current.
    Restored,
    /// It was the same object already.
    FoundRight,
    /// It got a delete marker.
    Hidden,
}

/// What was done in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolledBack {
    pub kept: u64,
    pub restored: u64,
    pub restored_bytes: u64,
    pub hidden: u64,
}

enum Done {
    Restored(Decision, u64, Result<Copied, CopyError>),
    Found(Decision),
    Hidden(Vec<Decision>, Result<Vec<(String, String)>, AwsError>),
}

struct Run<'a> {
    summary: RolledBack,
    failed: Names,
    first_error: Option<AwsError>,
    stopped: bool,
    each: &'a mut (dyn FnMut(&Decision, Deed) + Send),
}

/// Carries decisions out. `careful`: part of it may be done already, so that versions of equal size are compared before one
/// is copied. `each` is told what was done with every key that needed something.
///
/// # Errors
/// A listing broke off, a version could not be copied or is gone, or the operator stopped it. What was done stays, and is
/// found again.
pub async fn roll_back(
    copier: Arc<Copier>,
    comparer: Arc<Comparer>,
    decisions: impl Stream<Item = Result<Decision, AwsError>> + Send,
    careful: bool,
    each: &mut (dyn FnMut(&Decision, Deed) + Send),
    progress: impl Fn(&RolledBack) + Send,
) -> Result<RolledBack, TransferError> {
    let mut run =
        Run { summary: RolledBack::default(), failed: Names::default(), first_error: None, stopped: false, each };
    let (mut tasks, mut hiding) = (JoinSet::new(), Vec::new());
    let mut decisions = std::pin::pin!(decisions);
    let mut listing = Ok(());
    while !run.stopped && run.failed.count < MOST_FAILURES {
        if tasks.len() >= copier.limits.concurrency * 2 {
            run.settle(tasks.join_next().await);
            progress(&run.summary);
            continue;
        }
        match decisions.next().await {
            None => break,
            Some(Err(error)) => {
                listing = Err(error);
                break;
            }
            Some(Ok(decision)) => match &decision.change {
                Change::Keep => run.summary.kept += 1,
                Change::Hide { .. } => {
                    hiding.push(decision);
                    if hiding.len() >= KEYS_OF_A_REQUEST {
                        tasks.spawn(hide(Arc::clone(&copier), std::mem::take(&mut hiding)));
                    }
                }
                Change::Restore { .. } => {
                    tasks.spawn(restore(Arc::clone(&copier), Arc::clone(&comparer), decision, careful));
                }
            },
        }
        while let Some(done) = tasks.try_join_next() {
            run.settle(Some(done));
        }
        progress(&run.summary);
    }
    if !run.stopped && !hiding.is_empty() {
        tasks.spawn(hide(Arc::clone(&copier), hiding));
    }
    // What is under way is waited for, so that no upload is left unfinished.
    while let Some(done) = tasks.join_next().await {
        run.settle(Some(done));
        progress(&run.summary);
    }
    listing?;
    run.end()
}

async fn restore(copier: Arc<Copier>, comparer: Arc<Comparer>, decision: Decision, careful: bool) -> Done {
    let Change::Restore { then, now, .. } = &decision.change else { return Done::Found(decision) };
    let bytes = then.size_bytes;
    // Equal ETags are equal contents, which may have been written again with other metadata, or by an earlier attempt.
    let maybe_same = !now.is_marker && now.size_bytes == bytes && (careful || now.etag == then.etag);
    if maybe_same {
        match same_object(&copier, &comparer, then, now).await {
            Ok(None) => return Done::Found(decision),
            Ok(Some(_)) => {}
            Err(error) => return Done::Restored(decision, bytes, Err(error.into())),
        }
    }
    let copied = copier.bring_back(&object(then)).await;
    Done::Restored(decision, bytes, copied)
}

/// Puts delete markers on keys. Gives back the keys that got none, with S3's reasons.
async fn hide(copier: Arc<Copier>, decisions: Vec<Decision>) -> Done {
    let hidden = put_markers(&copier, &decisions).await;
    Done::Hidden(decisions, hidden)
}

async fn put_markers(copier: &Copier, decisions: &[Decision]) -> Result<Vec<(String, String)>, AwsError> {
    let operation = "s3:DeleteObject";
    // XML cannot carry control characters, and reads a carriage return as a line feed.
    let (plain, odd): (Vec<&Decision>, Vec<&Decision>) = decisions
        .iter()
        .partition(|it| !it.key.chars().any(|it| it.is_control() || it == '\u{fffe}' || it == '\u{ffff}'));
    for decision in odd {
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

impl Run<'_> {
    fn settle(&mut self, done: Option<Result<Done, JoinError>>) {
        match done {
            None => {}
            Some(Err(error)) => self.failed.add("a copy", &error.to_string()),
            Some(Ok(Done::Found(decision))) => {
                self.summary.kept += 1;
                (self.each)(&decision, Deed::FoundRight);
            }
            Some(Ok(Done::Restored(decision, bytes, copied))) => match copied {
                Ok(Copied::Made | Copied::Found) => {
                    self.summary.restored += 1;
                    self.summary.restored_bytes += bytes;
                    (self.each)(&decision, Deed::Restored);
                }
                Ok(Copied::Vanished) => self.failed.add(&decision.key, "its version of then is gone by now"),
                Err(CopyError::Stopped) => self.stopped = true,
                Err(CopyError::Aws(error)) => self.fail(&decision.key, error),
                Err(error) => self.failed.add(&decision.key, &error.to_string()),
            },
            Some(Ok(Done::Hidden(decisions, Ok(refused)))) => {
                for decision in decisions {
                    match refused.iter().find(|(key, _)| *key == decision.key) {
                        Some((key, why)) => self.failed.add(key, why),
                        None => {
                            self.summary.hidden += 1;
                            (self.each)(&decision, Deed::Hidden);
                        }
                    }
                }
            }
            Some(Ok(Done::Hidden(decisions, Err(error)))) => {
                let first = decisions.first().map_or("", |it| it.key.as_str());
                self.fail(first, error);
            }
        }
    }

    fn fail(&mut self, key: &str, error: AwsError) {
        self.failed.add(key, &error.to_string());
        self.first_error.get_or_insert(error);
    }

    fn end(self) -> Result<RolledBack, TransferError> {
        if let Some(said) = self.failed.say("could not be taken back") {
            return Err(match self.first_error {
                // One refusal for all, such as a denied permission, keeps its own hint.
                Some(error) if self.failed.count >= MOST_FAILURES => TransferError::Aws(error),
                first => TransferError::Failed { said, first },
            });
        }
        if self.stopped {
            return Err(TransferError::Stopped(self.summary.restored + self.summary.hidden));
        }
        Ok(self.summary)
    }
}
