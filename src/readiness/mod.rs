//! Could the environment fail over now, and what would be lost: what a check found, judged. Pure.
//!
//! What was not looked at is said as such, and is never taken for good.

mod forecast;
mod records;

pub use forecast::{Forecast, Store};
pub use records::{LONG_TTL_SECONDS, long_ttls};

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::manifest::ObjectiveKind;
use crate::runbook::{GraphError, NotChecked, Runbook, StepId};

/// The version of the JSON form.
pub const SCHEMA_VERSION: u32 = 1;

/// The answer, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ready,
    /// Nothing stands in the way, but an objective would be missed.
    ObjectiveMissed,
    NotReady,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about: a step of the runbook, or `credentials`, `state bucket`, `lease`, `terraform`, `runs`.
    pub about: String,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    pub fn new(about: &str, text: impl Into<String>) -> Self {
        Self { about: about.to_owned(), text: text.into(), hint: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// What was found, by what it means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// What each step's check settled.
    pub facts: BTreeMap<StepId, Value>,
    /// Whether the environment is failed over already.
    pub in_place: bool,
    pub obstacles: Vec<Finding>,
    pub warnings: Vec<Finding>,
    pub in_order: Vec<Finding>,
    pub not_checked: Vec<NotChecked>,
    /// When the credentials end, where that is known.
    pub credentials_until: Option<Timestamp>,
}

impl Found {
    /// Says that something was not looked at.
    pub fn unasked(&mut self, what: &str, why: &str) {
        self.not_checked.push(NotChecked { what: what.to_owned(), why: why.to_owned() });
    }

    /// Adds what was found elsewhere.
    pub fn add(&mut self, other: Self) {
        self.facts.extend(other.facts);
        self.in_place |= other.in_place;
        self.obstacles.extend(other.obstacles);
        self.warnings.extend(other.warnings);
        self.in_order.extend(other.in_order);
        self.not_checked.extend(other.not_checked);
        self.credentials_until = self.credentials_until.or(other.credentials_until);
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Readiness {
    pub schema_version: u32,
    pub environment: String,
    pub service: String,
    pub account: String,
    pub from_region: String,
    pub to_region: String,
    pub checked_at: Timestamp,
    pub took_ms: u64,
    pub verdict: Verdict,
    pub in_place: bool,
    /// What would be restored, from which recovery points.
    pub stores: Vec<Store>,
    /// What of the objectives a failover now would meet.
    pub objectives: Vec<Forecast>,
    pub obstacles: Vec<Finding>,
    pub warnings: Vec<Finding>,
    pub in_order: Vec<Finding>,
    pub not_checked: Vec<NotChecked>,
    pub credentials_until: Option<Timestamp>,
}

impl Readiness {
    /// # Errors
    /// The runbook is not sound.
    pub fn of(runbook: &Runbook, found: Found, checked_at: Timestamp, took_ms: u64) -> Result<Self, GraphError> {
        let Found { facts, in_place, obstacles, mut warnings, in_order, mut not_checked, credentials_until } = found;
        let stores = forecast::stores(runbook, &facts, checked_at);
        let objectives = forecast::objectives(runbook, &stores)?;
        for (step, facts) in &facts {
            let told = facts["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
            warnings.extend(told.map(|text| Finding::new(step.as_str(), text)));
            warnings.extend(records::long_ttls(facts).into_iter().map(|text| Finding::new(step.as_str(), text)));
        }
        not_checked.extend(objectives.iter().filter_map(Forecast::unknown));
        not_checked.extend(runbook.not_checked.iter().cloned());
        let missed = objectives.iter().any(|it| it.met == Some(false));
        let verdict = match (obstacles.is_empty(), missed) {
            (false, _) => Verdict::NotReady,
            // What would be lost is decided: there is nothing left to do.
            (true, true) if !in_place => Verdict::ObjectiveMissed,
            (true, _) => Verdict::Ready,
        };
        Ok(Self {
            schema_version: SCHEMA_VERSION,
            environment: runbook.environment.clone(),
            service: runbook.service.clone(),
            account: runbook.account.clone(),
            from_region: runbook.from_region.clone(),
            to_region: runbook.to_region.clone(),
            checked_at,
            took_ms,
            verdict,
            in_place,
            stores,
            objectives,
            obstacles,
            warnings,
            in_order,
            not_checked,
            credentials_until,
        })
    }

    /// The objectives that would be missed.
    pub fn missed(&self) -> impl Iterator<Item = &Forecast> {
        self.objectives.iter().filter(|it| it.met == Some(false))
    }

    /// What is expected of a kind of objective.
    pub fn forecasts(&self, kind: ObjectiveKind) -> impl Iterator<Item = &Forecast> {
        self.objectives.iter().filter(move |it| it.kind == kind)
    }
}

#[cfg(test)]
mod tests;
