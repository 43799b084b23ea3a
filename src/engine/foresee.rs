//! What a resume would find: every step that was in hand when its process ended is observed, before anything is done.
//! Read-only, and bounded: an operator waits for the answer.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesOrdered;

use super::Engine;
use super::execute::known_outputs;
use crate::journal::{RunState, StepPhase, StepState};
use crate::runbook::{StepId, StepSpec};
use crate::steps::{Cx, Outputs, Seen, StepError};

/// How long the answers are waited for. A bucket with millions of objects takes longer to be looked at.
const LONGEST: Duration = Duration::from_secs(20);

/// What was found of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// Its effect is there; what is left is to prove it.
    Applied,
    Seen(Seen),
    /// It is told only by a plan, which the step itself makes.
    ByPlan,
    NotSaid(StepError),
    /// No answer in time.
    Unknown,
}

/// Observes the steps that the journal has in hand, and those of `retry`, side by side; in the order of the runbook.
pub async fn foresee(engine: &Engine, state: &RunState, retry: &[StepId]) -> Vec<(StepId, Found)> {
    let outputs = known_outputs(state);
    let in_hand = |spec: &&StepSpec| {
        state.steps.get(&spec.id).is_some_and(|step| match step.phase {
            StepPhase::Taken | StepPhase::Started | StepPhase::Applied { .. } => true,
            StepPhase::Failed(_) | StepPhase::Verified { .. } => retry.contains(&spec.id),
            StepPhase::Waiting | StepPhase::Skipped(_) => false,
        })
    };
    let looks = engine.runbook.steps.iter().filter(in_hand).map(async |spec| {
        let look = look(engine, spec, &state.steps[&spec.id], outputs.clone());
        (spec.id.clone(), tokio::time::timeout(LONGEST, look).await.unwrap_or(Found::Unknown))
    });
    looks.collect::<FuturesOrdered<_>>().collect().await
}

async fn look(engine: &Engine, spec: &StepSpec, state: &StepState, outputs: Outputs) -> Found {
    if matches!(state.phase, StepPhase::Applied { .. }) {
        return Found::Applied;
    }
    if spec.action.is_terraform() {
        return Found::ByPlan;
    }
    let cx = Cx {
        step: spec.id.clone(),
        world: engine.world.clone(),
        facts: state.facts.clone(),
        outputs,
        journal: None,
        begun: state.attempts > 0,
        notices: engine.notices.clone(),
        stop: engine.stop.clone(),
    };
    let step: Arc<_> = (engine.make)(spec);
    match step.observe(&cx).await {
        Ok(seen) => Found::Seen(seen),
        Err(error) => Found::NotSaid(error),
    }
}
