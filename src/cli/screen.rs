//! A bundle's screen: what `plan` prints and `approve` shows, from the bundle alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::bundling::unsound;
use super::error::CliError;
use super::prospect::{Prospect, prospect};
use crate::aws::route53::RecordSet;
use crate::bundle::{self, Bundle, Found, Move, Point};
use crate::report::{self, Adopted, Foreseen, Obstacle, PlanView, RecordMove};
use crate::review::Review;
use crate::runbook::{Phase, StepId};
use crate::steps::CANDIDATES;
use crate::terraform::Source;
use crate::terraform::graph::configured;

/// The view that a bundle holds, with its recovery points as old as they are now.
///
/// # Errors
/// Its runbook is not sound.
pub fn view_of(bundle: &Bundle, now: Timestamp) -> Result<PlanView, CliError> {
    let mut facts: BTreeMap<StepId, Value> = BTreeMap::new();
    for Point { step, recovery_point, at, candidates, .. } in &bundle.points {
        let point = json!({ "recovery_point": recovery_point, "recovery_point_at": at, (CANDIDATES): candidates });
        facts.insert(step.clone(), point);
    }
    for bundle::Warning { step, text } in &bundle.checks.warnings {
        let facts = facts.entry(step.clone()).or_insert_with(|| json!({}));
        match facts["warnings"].as_array_mut() {
            Some(warnings) => warnings.push(json!(text)),
            None => facts["warnings"] = json!([text]),
        }
    }
    let blocked = bundle.checks.blocked.iter().cloned();
    let blocked = blocked.map(|bundle::Obstacle { step, cause, hint }| Obstacle { step, cause, hint }).collect();
    PlanView::of(&bundle.steps.runbook, &facts, blocked, bundle.checks.in_place, now).map_err(unsound)
}

/// A bundle's screen, with what it borrows.
pub struct Screen {
    view: PlanView,
    review: Option<Review>,
    adopted: Vec<Adopted>,
    records: Vec<RecordMove>,
    /// What a recovery comes to.
    prospect: Option<String>,
    found: Found,
    /// Where the root comes from, in words.
    source: Option<String>,
    sha256: Option<String>,
}

impl Screen {
    pub fn of(bundle: Option<&Bundle>, view: PlanView) -> Self {
        let mut screen = Self {
            view,
            review: None,
            adopted: Vec::new(),
            records: Vec::new(),
            prospect: None,
            found: Found::default(),
            source: None,
            sha256: None,
        };
        let Some(bundle) = bundle else { return screen };
        screen.sha256 = Some(bundle.sha256.clone());
        screen.source = bundle.index.source.as_ref().map(Source::words);
        screen.found.clone_from(&bundle.found);
        screen.records = bundle.records.iter().flat_map(|cutover| cutover.records.iter().map(record)).collect();
        screen.prospect = prospect(&bundle.steps.runbook, bundle.facts()).map(|it| match it {
            Prospect::ToDo(words) | Prospect::InPlace(words) | Prospect::Unexpected { words, .. } => words,
        });
        let Some(plan) = &bundle.plan else { return screen };
        let targets: BTreeMap<String, String> =
            bundle.adopted().into_iter().map(|(address, target)| (configured(&address), target)).collect();
        let mut plan = plan.clone();
        // What is restored is adopted, not created.
        plan.resources.retain(|change| match targets.get(&configured(&change.address)) {
            Some(target) if change.creates() && !change.is_replaced() => {
                screen.adopted.push(Adopted { address: change.address.clone(), restored: target.clone() });
                false
            }
            _ => true,
        });
        screen.review = Some(Review::of(&plan));
        screen
    }

    pub fn foreseen(&self) -> Foreseen<'_> {
        Foreseen {
            plan: &self.view,
            terraform: self.review.as_ref(),
            adopted: &self.adopted,
            records: &self.records,
            prospect: self.prospect.as_deref(),
            found: &self.found,
            source: self.source.as_deref(),
            bundle: self.sha256.as_deref(),
        }
    }

    pub fn is_blocked(&self) -> bool {
        !self.view.blocked.is_empty()
    }

    /// Whether anything would be done at all.
    pub fn changes(&self) -> bool {
        let acts = |step: &report::PlannedStep| matches!(step.phase, Phase::Restore | Phase::Cutover);
        let acting = !self.view.in_place && self.view.steps.iter().any(acts);
        acting || self.review.as_ref().is_none_or(|review| !review.is_empty())
    }
}

fn record(record: &Move) -> RecordMove {
    let words = |set: &RecordSet| {
        let values: Vec<&str> = set.resource_records.iter().map(|it| it.value.as_str()).collect();
        let alias = set.alias_target.as_ref().map(|it| format!("alias of {}", it.dns_name));
        let weight = set.weight.map(|weight| format!(" (weight {weight})")).unwrap_or_default();
        format!("{}{weight}", alias.unwrap_or_else(|| values.join(", ")))
    };
    let before = record.before.as_ref().map_or_else(|| "nothing".to_owned(), words);
    RecordMove { record: record.label(), before, after: words(&record.after) }
}
