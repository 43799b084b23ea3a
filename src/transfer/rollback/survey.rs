//! What a bucket still needs to be as it was at a time, added up, with the first few names of everything that stands out.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::compare::{Unlike, same_object};
use super::history::{Change, Decision};
use crate::aws::AwsError;
use crate::aws::s3::Version;
use crate::transfer::compare::Comparer;
use crate::transfer::copy::{Copier, Limits};
use crate::transfer::parts::parts_of_etag;
use crate::transfer::survey::Names;

const COMPARED_AT_ONCE: usize = 32;
/// Decisions that one comparison may hold up.
const MOST_WAITING: usize = 4096;

/// How far two versions of equal size and ETag are trusted to be the same object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Their content is the same, which is all that is asked.
    Content,
    /// Metadata, headers and tags are asked for, two requests or more each.
    Whole,
}

/// What is known of a bucket beside its listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Keys without a version of then were not there then: none of their versions can be gone.
    pub hides: bool,
    /// Other ETags of objects of one piece are other content. Where they are not, two versions of equal size are asked for
    /// their checksums.
    pub etags_tell: bool,
}

/// Current objects and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub objects: u64,
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: Option<u64>) {
        if let Some(bytes) = bytes {
            self.objects += 1;
            self.bytes += bytes;
        }
    }
}

/// What is left to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RollbackSurvey {
    pub keys: u64,
    /// What is current now.
    pub current: Amount,
    /// What is current once all that is left is done, and nobody writes meanwhile.
    pub afterwards: Amount,
    /// Keys that are as they were.
    pub kept: u64,
    /// Keys whose version of that time is to become current again.
    pub restore: Names,
    pub restore_bytes: u64,
    /// Keys that did not exist then.
    pub hide: Names,
    /// Those of `restore` that lie in an archive, so that they cannot be copied.
    pub archived: Names,
    /// Those that nobody knows whether they are as they were; they are among `restore` where work is planned.
    pub not_compared: Names,
    /// Keys of which nobody knows what they were; they are left alone.
    pub unknown: Names,
    /// When the newest of what is not as it was, or not known, was written: what is newer came after the survey.
    pub newest: Option<Timestamp>,
    /// Keys where an upload in parts was under way, so that the version that is taken may have come later.
    pub uncertain: Names,
}

impl RollbackSurvey {
    /// Whether everything is as it was.
    pub fn is_settled(&self) -> bool {
        self.restore.count == 0 && self.hide.count == 0 && self.not_compared.count == 0
    }

    /// What is not as it was, for a check that failed.
    pub fn unsettled(&self) -> Option<String> {
        let said = [
            self.restore.say("not as they were"),
            self.hide.say("that did not exist then"),
            self.not_compared.say("that could not be compared"),
        ];
        let said: Vec<String> = said.into_iter().flatten().collect();
        (!said.is_empty()).then(|| said.join("; "))
    }

    fn restore(&mut self, then: &Version, why: &str) {
        self.restore.add(&then.key, why);
        self.restore_bytes += then.size_bytes;
        if then.archived {
            self.archived.add(&then.key, then.storage_class.as_deref().unwrap_or_default());
        }
    }

    fn settle(&mut self, then: &Version, unlike: Option<Unlike>, proof: Proof) {
        match unlike {
            None => self.kept += 1,
            Some(Unlike::Different(why)) => self.restore(then, &why),
            Some(Unlike::NotCompared(why)) => {
                if proof == Proof::Whole {
                    self.restore(then, &why);
                }
                self.not_compared.add(&then.key, &why);
            }
        }
    }
}

/// Goes through all decisions. `each` is told every one whose key needs something, in the order of the keys.
///
/// # Errors
/// AWS refused.
pub async fn survey_rollback(
    copier: Arc<Copier>,
    comparer: Arc<Comparer>,
    decisions: impl Stream<Item = Result<Decision, AwsError>> + Send,
    (proof, known): (Proof, Known),
    each: impl FnMut(&Decision) + Send,
    progress: impl Fn(u64) + Send,
) -> Result<RollbackSurvey, AwsError> {
    let mut queue = Queue { waiting: VecDeque::new(), first: 0, comparing: JoinSet::new() };
    let mut settling = Settling { found: RollbackSurvey::default(), proof, known, each };
    let mut decisions = std::pin::pin!(decisions);
    let mut keys = 0_u64;
    while let Some(decision) = decisions.next().await {
        let decision = decision?;
        keys += 1;
        if keys.is_multiple_of(1000) {
            progress(keys);
        }
        match &decision.change {
            Change::Restore { then, now } if matches!(likeness(then, now, proof, known), Likeness::Asked) => {
                let (copier, comparer) = (Arc::clone(&copier), Arc::clone(&comparer));
                queue.compare(copier, comparer, decision);
            }
            _ => queue.waiting.push_back(Some((decision, None))),
        }
        while queue.is_full() {
            queue.one_more().await?;
            queue.settled(&mut settling);
        }
        queue.settled(&mut settling);
    }
    while !queue.waiting.is_empty() {
        queue.one_more().await?;
        queue.settled(&mut settling);
    }
    Ok(settling.found)
}

/// Decisions in the order of their keys; those of which S3 is still asked hold up what comes after them.
struct Queue {
    /// `None`: S3 is still asked.
    waiting: VecDeque<Option<Answered>>,
    /// The number of the first of them.
    first: usize,
    comparing: JoinSet<(usize, Decision, Result<Option<Unlike>, AwsError>)>,
}

/// A decision, and what S3 said of its versions where it was asked.
type Answered = (Decision, Option<Option<Unlike>>);

impl Queue {
    fn compare(&mut self, copier: Arc<Copier>, comparer: Arc<Comparer>, decision: Decision) {
        let number = self.first + self.waiting.len();
        self.waiting.push_back(None);
        self.comparing.spawn(async move {
            let unlike = match &decision.change {
                Change::Restore { then, now } => same_object(&copier, &comparer, then, now).await,
                Change::Keep | Change::Hide { .. } | Change::Unknown { .. } => Ok(None),
            };
            (number, decision, unlike)
        });
    }

    fn is_full(&self) -> bool {
        self.comparing.len() >= COMPARED_AT_ONCE || (self.waiting.len() >= MOST_WAITING && !self.comparing.is_empty())
    }

    /// Waits for one answer.
    async fn one_more(&mut self) -> Result<(), AwsError> {
        let Some(answer) = self.comparing.join_next().await else { return Ok(()) };
        let (number, decision, unlike) = answer.map_err(|error| AwsError {
            operation: "s3:GetObjectVersion",
            code: None,
            message: format!("a comparison broke off: {error}"),
            transient: false,
        })?;
        self.waiting[number - self.first] = Some((decision, Some(unlike?)));
        Ok(())
    }

    /// Settles what nothing before it holds up any more.
    fn settled(&mut self, settling: &mut Settling<impl FnMut(&Decision)>) {
        while let Some(answered) = self.waiting.front_mut().and_then(Option::take) {
            self.waiting.pop_front();
            self.first += 1;
            settling.settle(answered);
        }
    }
}

struct Settling<F> {
    found: RollbackSurvey,
    proof: Proof,
    known: Known,
    each: F,
}

impl<F: FnMut(&Decision)> Settling<F> {
    fn settle(&mut self, (decision, asked): Answered) {
        let found = &mut self.found;
        found.keys += 1;
        if decision.uncertain {
            found.uncertain.add(&decision.key, "");
        }
        if let Change::Restore { now, .. } | Change::Hide { now } | Change::Unknown { now } = &decision.change {
            found.newest = found.newest.max(Some(now.modified_at));
        }
        found.current.add(decision.current_bytes);
        found.afterwards.add(match &decision.change {
            Change::Restore { then, .. } => Some(then.size_bytes),
            Change::Hide { .. } if self.known.hides => None,
            Change::Keep | Change::Hide { .. } | Change::Unknown { .. } => decision.current_bytes,
        });
        match (&decision.change, asked) {
            (Change::Keep, _) => found.kept += 1,
            (Change::Unknown { .. }, _) => found.unknown.add(&decision.key, ""),
            (Change::Hide { .. }, _) if !self.known.hides => found.unknown.add(&decision.key, ""),
            (Change::Hide { .. }, _) => {
                found.hide.add(&decision.key, "");
                (self.each)(&decision);
            }
            (Change::Restore { then, .. }, Some(unlike)) => {
                let differs = unlike.is_some();
                found.settle(then, unlike, self.proof);
                if differs {
                    (self.each)(&decision);
                }
            }
            (Change::Restore { then, now }, None) => match likeness(then, now, self.proof, self.known) {
                Likeness::Different => {
                    found.restore(then, "");
                    (self.each)(&decision);
                }
                Likeness::Same | Likeness::Asked => found.kept += 1,
            },
        }
    }
}

/// What a listing says of two versions.
pub(super) enum Likeness {
    Same,
    Different,
    Asked,
}

pub(super) fn likeness(then: &Version, now: &Version, proof: Proof, known: Known) -> Likeness {
    let told = known.etags_tell && then.etag != now.etag && is_of_one_piece(then) && is_of_one_piece(now);
    if now.is_marker || then.size_bytes != now.size_bytes || told {
        return Likeness::Different;
    }
    match (then.etag == now.etag, proof) {
        (true, Proof::Content) => Likeness::Same,
        // An ETag under SSE-KMS says nothing of the content.
        _ => Likeness::Asked,
    }
}

/// Whether an object was written in one piece, and a copy of it is.
fn is_of_one_piece(version: &Version) -> bool {
    parts_of_etag(&version.etag).is_none() && version.size_bytes <= Limits::default().parallel_above_bytes
}
