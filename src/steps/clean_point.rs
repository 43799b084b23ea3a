//! Choosing a clean recovery point: the newest of before the breach, less a margin, that can be restored and that nobody made
//! who is shut out. Every other one is told with the reason why it was not taken. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Blocked;
use super::recovery_point::{Candidate, CandidateState};
use crate::aws::cloudtrail_makers::{Maker, Makers};
use crate::manifest::CleanBefore;

/// The fact that lists all candidates.
pub const CANDIDATES: &str = "candidates";

/// Who made a recovery point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// AWS itself, by a schedule: what says so.
    Service(String),
    /// The identities that CloudTrail names for it, and for what it was copied from.
    By(Vec<Maker>),
    /// Nobody knows, and why: to be signed off by a person.
    Unknown(String),
}

/// One recovery point with all that its cleanness is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub candidate: Candidate,
    /// `manual`, `automated`, `awsbackup`, …
    pub kind: String,
    pub key: Option<String>,
    /// Why its key cannot be used.
    pub key_fault: Option<String>,
    pub made: Made,
}

/// A candidate as journals, bundles and reports have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weighed {
    pub recovery_point: String,
    pub at: Option<Timestamp>,
    pub kind: String,
    pub key: Option<String>,
    pub made_by: String,
    pub made_at: Option<Timestamp>,
    pub taken: bool,
    /// Why it was taken, or was not.
    pub why: String,
}

impl Weighed {
    /// Those that a step's check has listed.
    pub fn of_facts(facts: &Value) -> Vec<Self> {
        serde_json::from_value(facts[CANDIDATES].clone()).unwrap_or_default()
    }

    /// In words, with nothing in them that was made safe to show.
    pub fn words(&self) -> String {
        let at = self.at.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string());
        let key = self.key.as_ref().map_or_else(|| "no key told".to_owned(), |key| format!("key {key}"));
        let made_at = self.made_at.map_or_else(String::new, |at| format!(" at {at}"));
        format!("of {at}, {}, {key}, made by {}{made_at}: {}", self.kind, self.made_by, self.why)
    }
}

impl Made {
    /// By what is known of a point: names of it, and of what it was copied from.
    pub fn of(names: &[&str], makers: &Makers) -> Self {
        let found: Vec<Maker> = names.iter().flat_map(|name| makers.get(name)).cloned().collect();
        if !found.is_empty() {
            return Self::By(found);
        }
        Self::Unknown(match makers.gaps.is_empty() {
            true => "unknown: CloudTrail's event history of 90 days does not tell".to_owned(),
            false => format!("unknown: {}", makers.gaps.join("; ")),
        })
    }

    fn words(&self) -> (String, Option<Timestamp>) {
        match self {
            Self::Service(who) | Self::Unknown(who) => (who.clone(), None),
            Self::By(makers) => {
                let mut who: Vec<&str> = Vec::new();
                makers.iter().filter(|it| !it.who.is_empty()).for_each(|it| {
                    if !who.contains(&it.who.as_str()) {
                        who.push(&it.who);
                    }
                });
                (who.join(", "), makers.iter().filter_map(|it| it.at).max())
            }
        }
    }

    /// Who of the refused is among the makers.
    fn refused<'a>(&self, refused: &'a [String]) -> Option<&'a str> {
        let Self::By(makers) = self else { return None };
        let names: Vec<&String> = makers.iter().flat_map(|maker| &maker.names).collect();
        refused.iter().find(|refused| names.iter().any(|name| same(refused, name))).map(String::as_str)
    }
}

/// Whether two words name one identity. A bare name is that of any user or role of it; of two ARNs a session's is of its role. IAM
/// knows no two names that differ in capitals alone (IAM User Guide: "IAM and AWS STS quotas").
fn same(refused: &str, name: &str) -> bool {
    let bare = |word: &str| {
        let (kind, path) = word.rsplit_once(':').unwrap_or(("", word)).1.split_once('/')?;
        let mut parts = path.split('/');
        let last = if kind == "assumed-role" { parts.next() } else { parts.next_back() };
        last.map(str::to_owned)
    };
    let plain = |word: &str| bare(word).unwrap_or_else(|| word.to_owned());
    let both_arns = refused.starts_with("arn:") && name.starts_with("arn:");
    refused.eq_ignore_ascii_case(name)
        || (!both_arns || name.contains(":assumed-role/")) && plain(refused).eq_ignore_ascii_case(&plain(name))
}

/// Why a point is not clean, or cannot be restored.
fn fault(point: &Point, rule: &CleanBefore) -> Option<String> {
    let Candidate { at, state, .. } = &point.candidate;
    if let Some(who) = point.made.refused(&rule.refused_makers) {
        return Some(format!("made by {who}, who is shut out"));
    }
    match at {
        None => return Some("the time of its data is not told".to_owned()),
        Some(at) if *at > rule.cutoff() => return Some(format!("newer than {}", rule.cutoff())),
        Some(_) => {}
    }
    match state {
        CandidateState::Pending(word) | CandidateState::Unusable(word) => Some(word.clone()),
        CandidateState::Usable => point.key_fault.clone(),
    }
}

/// The newest clean point, if there is one, and what is to be said of each, newest first.
pub fn weigh(points: &[Point], rule: &CleanBefore) -> (Option<usize>, Vec<Weighed>) {
    let mut order: Vec<usize> = (0..points.len()).collect();
    let key = |index: &usize| (points[*index].candidate.at, points[*index].candidate.arn.as_str());
    order.sort_by(|a, b| key(b).cmp(&key(a)));
    let faults: Vec<Option<String>> = points.iter().map(|point| fault(point, rule)).collect();
    let taken = order.iter().copied().find(|index| faults[*index].is_none());
    let weighed = order.into_iter().map(|index| {
        let Point { candidate, kind, key, made, .. } = &points[index];
        let (made_by, made_at) = made.words();
        let is_taken = taken == Some(index);
        let why = match &faults[index] {
            Some(fault) => fault.clone(),
            None if is_taken => format!("the newest clean one up to {}", rule.cutoff()),
            None => "clean, and older than the one that is taken".to_owned(),
        };
        let (recovery_point, at) = (candidate.arn.clone(), candidate.at);
        Weighed { recovery_point, at, kind: kind.clone(), key: key.clone(), made_by, made_at, taken: is_taken, why }
    });
    (taken, weighed.collect())
}

/// What is to be signed off of the chosen one: that nobody knows who made it.
pub fn doubt(point: &Point) -> Option<String> {
    let Made::Unknown(why) = &point.made else { return None };
    Some(format!("who made {} is {why}: look at it before you approve", point.candidate.arn))
}

/// What to say where a store has no clean point.
pub fn none(what: &str, rule: &CleanBefore, weighed: &[Weighed]) -> Blocked {
    let cutoff = rule.cutoff();
    let each = weighed.iter().map(|it| {
        let at = it.at.map_or_else(|| "an unknown time".to_owned(), |at| at.to_string());
        format!("{}, of {at}: {}", it.recovery_point, it.why)
    });
    let each: Vec<String> = each.collect();
    let there = if each.is_empty() { "there are no recovery points at all".to_owned() } else { each.join("; ") };
    Blocked {
        cause: format!("{what} has no clean recovery point of {cutoff} or before: {there}"),
        hint: Some("name a later --clean-before or a smaller margin, if that is right; nothing was changed".to_owned()),
    }
}

#[cfg(test)]
#[path = "clean_point_tests.rs"]
mod tests;
