//! What a run met on its way, and what became of Terraform's state: folded from the journal. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::journal::{Disturbed, Event, KeptState, Record};
use crate::runbook::StepId;
use crate::steps::STATE_BEFORE;

/// How often something had to be asked or done again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Retries {
    /// Steps' own retries, each after an observation.
    pub steps: u64,
    /// Lifeboat's own requests; Terraform does not tell of its.
    pub requests: Disturbed,
    /// The same by service.
    pub services: BTreeMap<String, Disturbed>,
}

/// A state before and after an apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AppliedState {
    pub step: StepId,
    /// Empty where there was no state yet, or where the apply found everything done.
    pub lineage_before: String,
    pub serial_before: Option<u64>,
    /// `None` where the apply has no end.
    pub lineage: Option<String>,
    pub serial: Option<u64>,
}

/// A state that Terraform could not save and that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnsavedState {
    #[serde(flatten)]
    pub kept: KeptState,
    /// The command that gives it to the backend.
    pub push: String,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trouble {
    pub retries: Retries,
    pub applied: Vec<AppliedState>,
    pub unsaved: Vec<UnsavedState>,
}

impl Retries {
    /// `requests retried 12, throttled 9 (dynamodb 4, s3 5)`; `None` where there is nothing to tell.
    pub(super) fn words(&self) -> Option<String> {
        let mut words = Vec::new();
        if self.requests.retried > 0 {
            let throttled = self.services.iter().filter(|(_, it)| it.throttled > 0);
            let services: Vec<String> = throttled.map(|(service, it)| format!("{service} {}", it.throttled)).collect();
            let services = if services.is_empty() { String::new() } else { format!(" ({})", services.join(", ")) };
            let Disturbed { retried, throttled } = self.requests;
            words.push(format!("requests retried {retried}, throttled {throttled}{services}"));
        }
        if self.steps > 0 {
            words.push(format!("steps retried {}", self.steps));
        }
        (!words.is_empty()).then(|| words.join("; "))
    }
}

impl AppliedState {
    /// `lineage 6b56a75b, serial 3 → 9`
    pub(super) fn words(&self) -> String {
        let before = self.serial_before.map_or_else(|| "none".to_owned(), |serial| serial.to_string());
        let (lineage, after) = match (&self.lineage, self.serial) {
            (Some(lineage), Some(serial)) => (lineage, serial.to_string()),
            _ => (&self.lineage_before, "not known".to_owned()),
        };
        let changed = !self.lineage_before.is_empty() && *lineage != self.lineage_before;
        let was = if changed { format!(" (before: {})", self.lineage_before) } else { String::new() };
        format!("lineage {lineage}{was}, serial {before} → {after}")
    }
}

/// Folds a journal.
pub(super) fn fold(records: &[Record], run: &str) -> Trouble {
    let mut trouble = Trouble::default();
    for record in records {
        match &record.event {
            Event::StepRetrying { .. } => trouble.retries.steps += 1,
            Event::RequestsDisturbed { services } => {
                for (service, more) in services {
                    trouble.retries.requests.add(*more);
                    trouble.retries.services.entry(service.clone()).or_default().add(*more);
                }
            }
            Event::StateKept(kept) => {
                let push = format!("lifeboat state push {run}");
                trouble.unsaved.push(UnsavedState { kept: kept.clone(), push });
            }
            Event::StatePushed { sha256, .. } | Event::StateDiscarded { sha256, .. } => {
                trouble.unsaved.retain(|it| it.kept.sha256 != *sha256);
            }
            Event::StepNoted { step, name, value } if name == STATE_BEFORE => trouble.before(step, value),
            Event::StepApplied { step, output } | Event::StepReconciled { step, output } => {
                trouble.after(step, output);
            }
            _ => {}
        }
    }
    trouble
}

impl Trouble {
    /// Of an apply that was begun more than once, what counts is the state before the first.
    fn before(&mut self, step: &StepId, value: &Value) {
        if !self.applied.iter().any(|it| it.step == *step) {
            self.applied.push(AppliedState {
                step: step.clone(),
                lineage_before: text(value, "lineage").unwrap_or_default(),
                serial_before: value.get("serial").and_then(Value::as_u64),
                lineage: None,
                serial: None,
            });
        }
    }

    fn after(&mut self, step: &StepId, output: &Value) {
        if let Some(applied) = self.applied.iter_mut().find(|it| it.step == *step) {
            applied.lineage = text(output, "lineage");
            applied.serial = output.get("serial").and_then(Value::as_u64);
        }
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}
