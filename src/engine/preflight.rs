//! Asks every step, before the first effect, whether it may start. Read-only.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::Value;

use super::Engine;
use crate::runbook::{Phase, StepId, StepSpec};
use crate::steps::{Blocked, Checked, Cx, Outputs, Standing};

/// What the checks of all steps found.
#[derive(Debug, Default)]
pub struct Preflight {
    pub checked: BTreeMap<StepId, Checked>,
    /// In the order of the runbook.
    pub blocked: Vec<(StepId, Blocked)>,
    /// Whether the scenario's result stands already, so that there is nothing to do.
    pub in_place: bool,
}

impl Preflight {
    /// What a step's check settled; null where it settled nothing.
    pub fn facts(&self, step: &StepId) -> Value {
        self.checked.get(step).map_or(Value::Null, |checked| checked.facts.clone())
    }
}

/// Runs all checks side by side.
pub async fn preflight(engine: &Engine) -> Preflight {
    let checks: FuturesUnordered<_> = engine.runbook.steps.iter().map(|spec| check(engine, spec)).collect();
    let answers: BTreeMap<StepId, Result<Checked, Blocked>> = checks.collect().await;
    let mut found = Preflight::default();
    let mut refused = BTreeMap::new();
    for (step, answer) in answers {
        match answer {
            Ok(checked) => drop(found.checked.insert(step, checked)),
            Err(blocked) => drop(refused.insert(step, blocked)),
        }
    }
    found.blocked = engine.runbook.steps.iter().filter_map(|spec| refused.remove_entry(&spec.id)).collect();
    found.in_place = in_place(&engine.runbook.steps, &found.checked);
    found
}

async fn check(engine: &Engine, spec: &StepSpec) -> (StepId, Result<Checked, Blocked>) {
    let cx = Cx {
        step: spec.id.clone(),
        world: engine.world.clone(),
        facts: Value::Null,
        outputs: Outputs::default(),
        journal: None,
        begun: false,
        notices: engine.notices.clone(),
        stop: engine.stop.clone(),
    };
    let step: Arc<_> = (engine.make)(spec);
    (spec.id.clone(), step.check(&cx).await)
}

/// A scenario stands in place when the traffic goes where it would send it, and nothing that it would restore is
/// missing there: records alone may have been moved by hand. Without a cutover there is nothing that could say so before
/// the run; its steps then find one by one what is done.
fn in_place(steps: &[StepSpec], checked: &BTreeMap<StepId, Checked>) -> bool {
    let standing = |spec: &StepSpec| checked.get(&spec.id).map_or(Standing::Unknown, |found| found.standing);
    let mut cutovers = steps.iter().filter(|spec| spec.phase == Phase::Cutover).peekable();
    cutovers.peek().is_some()
        && cutovers.all(|spec| standing(spec) == Standing::InPlace)
        && steps.iter().all(|spec| standing(spec) != Standing::Absent)
}
