//! What a comparison of two buckets adds up to, with the first few names of everything that is not equal.

use std::sync::Arc;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use serde::Serialize;
use tokio::task::JoinSet;

use super::compare::{Comparer, Verdict};
use super::diff::{Difference, written_since};
use crate::aws::AwsError;
use crate::aws::s3::Object;

/// Names that are kept of each sort; the rest is counted.
const NAMES_KEPT: usize = 5;
/// Objects that are compared beyond their listing at once.
const COMPARED_AT_ONCE: usize = 32;

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

/// Goes through the differences of two buckets, at most `most_keys` of them, comparing further what a listing does not
/// prove. What the target alone has is no difference where it was written `since`.
///
/// # Errors
/// AWS refused.
pub async fn survey(
    comparer: Arc<Comparer>,
    differences: impl Stream<Item = Result<Difference, AwsError>> + Send,
    most_keys: u64,
    since: Option<Timestamp>,
    progress: impl Fn(u64),
) -> Result<Survey, AwsError> {
    let mut found = Survey::default();
    let mut comparing = JoinSet::new();
    let mut differences = std::pin::pin!(differences);
    while let Some(difference) = differences.next().await {
        if found.keys >= most_keys {
            found.cut = true;
            break;
        }
        found.keys += 1;
        if found.keys.is_multiple_of(1000) {
            progress(found.keys);
        }
        if let Some((source, target)) = found.count(difference?, since) {
            if comparing.len() >= COMPARED_AT_ONCE {
                found.settle(comparing.join_next().await)?;
            }
            let comparer = Arc::clone(&comparer);
            comparing.spawn(async move {
                let verdict = comparer.compare(&source, &target).await;
                (source, verdict)
            });
        }
    }
    while let Some(compared) = comparing.join_next().await {
        found.settle(Some(compared))?;
    }
    Ok(found)
}

impl Survey {
    /// Counts what a listing proves; gives back what it does not.
    fn count(&mut self, difference: Difference, since: Option<Timestamp>) -> Option<(Object, Object)> {
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
            }
            Difference::Extra(object) if written_since(&object, since) => self.recent.add(&object.key, ""),
            Difference::Extra(object) => self.extra.add(&object.key, ""),
            Difference::Unlike { source, target } => return Some((source, target)),
        }
        None
    }

    fn settle(&mut self, compared: Option<Result<Compared, tokio::task::JoinError>>) -> Result<(), AwsError> {
        let Some(compared) = compared else { return Ok(()) };
        let (object, verdict) = compared.map_err(|error| AwsError {
            operation: "s3:GetObject",
            code: None,
            message: format!("a comparison broke off: {error}"),
            transient: false,
        })?;
        match verdict? {
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

type Compared = (Object, Result<Verdict, AwsError>);
