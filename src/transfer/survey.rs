//! What a comparison of two buckets adds up to, with the first few names of everything that is not equal.

use std::sync::Arc;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use serde::Serialize;
use tokio::task::JoinSet;

use super::compare::{Comparer, Verdict};
use super::diff::{Difference, written_since};
use crate::aws::AwsError;
use crate::aws::archive::may_be_archived;
use crate::aws::s3::Object;

/// Names that are kept of each sort; the rest is counted.
const NAMES_KEPT: usize = 5;
/// Objects that are compared beyond their listing at once.
const COMPARED_AT_ONCE: usize = 32;

/// What bounds a survey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Keys that are looked at.
    pub keys: u64,
    /// Objects that are asked whether they are archived, where their listing does not tell.
    pub heads: u64,
}

impl Bounds {
    /// Every key, and nobody is asked about archives.
    pub const WHOLE: Self = Self { keys: u64::MAX, heads: 0 };
}

/// A count with its first few names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    pub count: u64,
    pub first: Vec<String>,
}

impl Names {
    pub fn add(&mut self, key: &str, why: &str) {
        self.count += 1;
        if self.first.len() < NAMES_KEPT {
            let key = key.escape_debug();
            self.first.push(if why.is_empty() { key.to_string() } else { format!("{key} ({why})") });
        }
    }

    /// "3 objects … : a, b, c"
    pub fn say(&self, what: &str) -> Option<String> {
        if self.count == 0 {
            return None;
        }
        let noun = if self.count == 1 { "object" } else { "objects" };
        let more = if self.count > self.first.len() as u64 { ", …" } else { "" };
        Some(format!("{} {noun} {what}: {}{more}", self.count, self.first.join(", ")))
    }
}

/// Two buckets compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// Equal objects and their bytes.
    pub same: u64,
    pub same_bytes: u64,
    pub missing: Names,
    pub missing_bytes: u64,
    /// Those of the missing ones that lie in an archive, so that they cannot be copied.
    pub archived: Names,
    /// How many missing ones were asked whether they are archived, and how many more could be.
    pub asked: u64,
    pub not_asked: u64,
    pub different: Names,
    /// Objects that only the target has, from before the run.
    pub extra: Names,
    /// Those of them that were written there since the run began; nobody takes them for somebody else's.
    pub recent: Names,
    pub not_compared: Names,
    /// When the newest object of the source was written.
    pub newest: Option<Timestamp>,
    /// How many keys were looked at.
    pub keys: u64,
    /// Whether the survey ended at its bound, before the last key.
    pub cut: bool,
}

impl Survey {
    pub fn is_equal(&self) -> bool {
        !self.cut && self.missing.count == 0 && self.foreign().is_none() && self.not_compared.count == 0
    }

    /// What the target has that is not the source's; where this is something, nothing may be written there.
    pub fn foreign(&self) -> Option<String> {
        let said = [
            self.extra.say("that the source does not have"),
            self.different.say("with other content than the source's"),
            self.not_compared.say("that could not be compared"),
        ];
        join(said)
    }

    /// Everything that is not equal, for a check that failed.
    pub fn unequal(&self) -> Option<String> {
        join([self.missing.say("missing"), self.foreign()])
    }
}

fn join<const N: usize>(said: [Option<String>; N]) -> Option<String> {
    let said: Vec<String> = said.into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// Goes through the differences of two buckets, as far as `bounds` say, comparing further what a listing does not
/// prove. What the target alone has is no difference where it was written `since`.
///
/// # Errors
/// AWS refused.
pub async fn survey(
    comparer: Arc<Comparer>,
    differences: impl Stream<Item = Result<Difference, AwsError>> + Send,
    bounds: Bounds,
    since: Option<Timestamp>,
    progress: impl Fn(u64),
) -> Result<Survey, AwsError> {
    let mut found = Survey::default();
    let mut comparing = JoinSet::new();
    let mut differences = std::pin::pin!(differences);
    while let Some(difference) = differences.next().await {
        if found.keys >= bounds.keys {
            found.cut = true;
            break;
        }
        found.keys += 1;
        if found.keys.is_multiple_of(1000) {
            progress(found.keys);
        }
        let Some(open) = found.count(difference?, bounds, since) else { continue };
        if comparing.len() >= COMPARED_AT_ONCE {
            found.settle(comparing.join_next().await)?;
        }
        let comparer = Arc::clone(&comparer);
        comparing.spawn(async move {
            match open {
                Open::Unlike { source, target } => {
                    let verdict = comparer.compare(&source, &target).await;
                    Settled::Compared(source, verdict)
                }
                Open::Archived(object) => {
                    let archived = comparer.is_archived(&object).await;
                    Settled::Archived(object, archived)
                }
            }
        });
    }
    while let Some(compared) = comparing.join_next().await {
        found.settle(Some(compared))?;
    }
    Ok(found)
}

impl Survey {
    /// Counts what a listing proves; gives back what it does not.
    fn count(&mut self, difference: Difference, bounds: Bounds, since: Option<Timestamp>) -> Option<Open> {
        if let Difference::Same(object) | Difference::Missing(object) | Difference::Unlike { source: object, .. } =
            &difference
        {
            self.newest = self.newest.max(object.modified_at);
        }
        match difference {
            Difference::Same(object) => {
                self.same += 1;
                self.same_bytes += object.size_bytes;
            }
            Difference::Missing(object) => {
                self.missing.add(&object.key, "");
                self.missing_bytes += object.size_bytes;
                if object.archived {
                    self.archived.add(&object.key, object.storage_class.as_deref().unwrap_or_default());
                } else if may_be_archived(object.storage_class.as_deref()) {
                    if self.asked < bounds.heads {
                        self.asked += 1;
                        return Some(Open::Archived(object));
                    }
                    self.not_asked += 1;
                }
            }
            Difference::Extra(object) if written_since(&object, since) => self.recent.add(&object.key, ""),
            Difference::Extra(object) => self.extra.add(&object.key, ""),
            Difference::Unlike { source, target } => return Some(Open::Unlike { source, target }),
        }
        None
    }

    fn settle(&mut self, settled: Option<Result<Settled, tokio::task::JoinError>>) -> Result<(), AwsError> {
        let Some(settled) = settled else { return Ok(()) };
        let settled = settled.map_err(|error| AwsError {
            operation: "s3:GetObject",
            code: None,
            message: format!("a comparison broke off: {error}"),
            transient: false,
        })?;
        let (object, verdict) = match settled {
            Settled::Compared(object, verdict) => (object, verdict?),
            Settled::Archived(object, archived) => {
                if archived? {
                    self.archived.add(&object.key, object.storage_class.as_deref().unwrap_or_default());
                }
                return Ok(());
            }
        };
        match verdict {
            Verdict::Equal => {
                self.same += 1;
                self.same_bytes += object.size_bytes;
            }
            Verdict::Different(why) => self.different.add(&object.key, &why),
            Verdict::NotCompared(why) => self.not_compared.add(&object.key, &why),
        }
        Ok(())
    }
}

/// What a listing leaves open.
enum Open {
    Unlike {
        source: Object,
        target: Object,
    },
    /// Whether it is archived.
    Archived(Object),
}

enum Settled {
    Compared(Object, Result<Verdict, AwsError>),
    Archived(Object, Result<bool, AwsError>),
}
