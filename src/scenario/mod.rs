//! Scenarios: a manifest in, a runbook out. Pure; nothing here asks or changes anything.

mod expected;
mod failover;
mod recover;

use jiff::SignedDuration;

use crate::manifest::{Component, Manifest};
use crate::runbook::{Action, Phase, Runbook, StepId, StepSpec};

pub use failover::failover;
pub use recover::{RECOVER, recover_bucket};

/// The runbook that a run of this kind would have by the manifest as it is now.
pub fn again(then: &Runbook, manifest: &Manifest) -> Runbook {
    let rollback = then.steps.iter().find_map(|step| match &step.action {
        Action::RollBackBucket { rollback } => Some(rollback),
        _ => None,
    });
    match rollback {
        Some(rollback) => recover_bucket(manifest, &then.to_region, rollback),
        None => failover(manifest),
    }
}

fn step(
    id: &str,
    phase: Phase,
    after: &[&str],
    title: String,
    component: Option<Component>,
    expected: SignedDuration,
    action: Action,
) -> StepSpec {
    let after = after.iter().map(|id| StepId::new(*id)).collect();
    StepSpec { id: StepId::new(id), phase, title, after, component, expected, action }
}
