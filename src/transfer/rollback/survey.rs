//! What a bucket still needs to be as it was at a time, added up, with the first few names of everything that stands out.

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

/// Goes through all decisions. `each` is told every one whose key needs something, in the order in which that is known.
///
/// # Errors
/// AWS refused.
pub async fn survey_rollback(
    copier: Arc<Copier>,
    comparer: Arc<Comparer>,
    decisions: impl Stream<Item = Result<Decision, AwsError>> + Send,
    (proof, known): (Proof, Known),
    mut each: impl FnMut(&Decision) + Send,
    progress: impl Fn(u64) + Send,
) -> Result<RollbackSurvey, AwsError> {
    let mut found = RollbackSurvey::default();
    let mut comparing = JoinSet::new();
    let mut decisions = std::pin::pin!(decisions);
    while let Some(decision) = decisions.next().await {
        let decision = decision?;
        found.keys += 1;
        if found.keys.is_multiple_of(1000) {
            progress(found.keys);
        }
        if decision.uncertain {
            found.uncertain.add(&decision.key, "");
        }
        if let Change::Restore { now, .. } | Change::Hide { now } | Change::Unknown { now } = &decision.change {
            found.newest = found.newest.max(Some(now.modified_at));
        }
        found.current.add(decision.current_bytes);
        found.afterwards.add(match &decision.change {
            Change::Restore { then, .. } => Some(then.size_bytes),
            Change::Hide { .. } if known.hides => None,
            Change::Keep | Change::Hide { .. } | Change::Unknown { .. } => decision.current_bytes,
        });
        match &decision.change {
            Change::Keep => found.kept += 1,
            Change::Unknown { .. } => found.unknown.add(&decision.key, ""),
            Change::Hide { .. } if !known.hides => found.unknown.add(&decision.key, ""),
            Change::Hide { .. } => {
                found.hide.add(&decision.key, "");
                each(&decision);
            }
            Change::Restore { then, now } => match likeness(then, now, proof, known) {
                Likeness::Same => found.kept += 1,
                Likeness::Different => {
                    found.restore(then, "");
                    each(&decision);
                }
                Likeness::Asked => {
                    if comparing.len() >= COMPARED_AT_ONCE {
                        settle(&mut found, proof, &mut each, comparing.join_next().await)?;
                    }
                    let (copier, comparer) = (Arc::clone(&copier), Arc::clone(&comparer));
                    comparing.spawn(compared(copier, comparer, decision));
                }
            },
        }
    }
    while let Some(compared) = comparing.join_next().await {
        settle(&mut found, proof, &mut each, Some(compared))?;
    }
    Ok(found)
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

type Compared = (Decision, Result<Option<Unlike>, AwsError>);

async fn compared(copier: Arc<Copier>, comparer: Arc<Comparer>, decision: Decision) -> Compared {
    let unlike = match &decision.change {
        Change::Restore { then, now } => same_object(&copier, &comparer, then, now).await,
        Change::Keep | Change::Hide { .. } | Change::Unknown { .. } => Ok(None),
    };
    (decision, unlike)
}

fn settle(
    found: &mut RollbackSurvey,
    proof: Proof,
    each: &mut impl FnMut(&Decision),
    compared: Option<Result<Compared, tokio::task::JoinError>>,
) -> Result<(), AwsError> {
    let Some(compared) = compared else { return Ok(()) };
    let (decision, unlike) = compared.map_err(|error| AwsError {
        operation: "s3:GetObjectVersion",
        code: None,
        message: format!("a comparison broke off: {error}"),
        transient: false,
    })?;
    let unlike = unlike?;
    if unlike.is_some() {
        each(&decision);
    }
    if let Change::Restore { then, .. } = &decision.change {
        found.settle(then, unlike, proof);
    }
    Ok(())
}
