//! The files of a bundle that lifeboat itself writes, as data.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::route53::RecordSet;
use crate::runbook::{NotChecked, Runbook, StepId};
use crate::steps::{CANDIDATES, Weighed};

/// `runbook.json`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Steps {
    pub runbook: Runbook,
    pub critical_path: Vec<StepId>,
    pub expected_rto: SignedDuration,
}

/// `found.json`: what the steps' checks settled, by step, where no plan of Terraform's says what will be done.
pub type Found = BTreeMap<StepId, Value>;

/// What a check tells that becomes another by itself, and binds nobody.
/// Of candidates for a clean recovery point the one that is taken
/// binds, as the recovery point.
const PASSING: [&str; 4] = ["bytes", "approximate_items", "warnings", CANDIDATES];

/// A step's facts without what is passing.
pub fn lasting(facts: &Value) -> Value {
    let mut facts = facts.clone();
    if let Value::Object(facts) = &mut facts {
        facts.retain(|name, _| !PASSING.contains(&name.as_str()));
    }
    facts
}

/// An entry of `recovery-points.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub step: StepId,
    pub recovery_point: Option<String>,
    pub at: Option<Timestamp>,
    /// When the bundle was made: the RPO that a failover at that moment would have reached.
    pub age: Option<SignedDuration>,
    /// Where a clean one was sought: all that there are, each with the reason why it was taken or was not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Weighed>,
}

/// An entry of `records.json`: the change batch of one cutover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutoverMoves {
    pub cutover: String,
    /// `None` where Route 53 did not tell.
    pub zone_id: Option<String>,
    pub records: Vec<Move>,
    /// Why the records could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_read: Option<String>,
}

/// One record set, as it stands and as it shall be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub set_identifier: Option<String>,
    pub before: Option<RecordSet>,
    /// With the manifest's references (`aurora.logs.endpoint`) in place of what the run is yet to make.
    pub after: RecordSet,
    /// Whether there are such references in it.
    pub known: bool,
}

/// `checks.json`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checks {
    /// The steps that check, with what they check.
    pub made: Vec<(StepId, String)>,
    pub blocked: Vec<Obstacle>,
    pub warnings: Vec<Warning>,
    /// Whether the scenario's result stands already.
    pub in_place: bool,
    pub not_checked: Vec<NotChecked>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    pub step: StepId,
    pub cause: String,
    pub hint: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    pub step: StepId,
    pub text: String,
}

impl Point {
    /// What a step's check settled, if it chose a recovery point.
    pub fn of(step: &StepId, facts: &Value, now: Timestamp) -> Option<Self> {
        let recovery_point = facts["recovery_point"].as_str().map(str::to_owned);
        // One that moves on by itself would make a bundle stale as soon as it is made.
        let moves = facts["recovery_point_moves"] == Value::Bool(true);
        let at = facts["recovery_point_at"].as_str().filter(|_| !moves).and_then(|at| at.parse::<Timestamp>().ok());
        let age = at.map(|at| now.duration_since(at));
        (recovery_point.is_some() || at.is_some()).then(|| Self {
            step: step.clone(),
            recovery_point,
            at,
            age,
            candidates: Weighed::of_facts(facts),
        })
    }
}

impl Move {
    /// `ingest.example.com CNAME (recovery)`
    pub fn label(&self) -> String {
        let set = self.set_identifier.as_ref().map_or_else(String::new, |set| format!(" ({set})"));
        format!("{} {}{set}", self.name, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_recovery_point_that_moves_on_by_itself_has_no_time_that_could_become_another() {
        let now = Timestamp::UNIX_EPOCH;
        let step = StepId::new("restore.aurora.logs");
        let facts = json!({ "recovery_point": "secondary", "recovery_point_at": "2026-11-22T03:00:00Z" });
        assert!(Point::of(&step, &facts, now).is_some_and(|point| point.at.is_some()));
        let moves = json!({ "recovery_point": "secondary", "recovery_point_at": "2026-11-22T03:00:00Z",
            "recovery_point_moves": true });
        assert!(Point::of(&step, &moves, now).is_some_and(|point| point.at.is_none()));
    }
}
