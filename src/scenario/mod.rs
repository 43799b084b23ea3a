//! Scenarios: a manifest in, a runbook out. Pure; nothing here asks or changes anything.

mod expected;
mod failover;
mod recover;

use jiff::SignedDuration;

use crate::manifest::{Component, Manifest};
use crate::runbook::{Action, Phase, Runbook, StepId, StepSpec};

pub use failover::{FAILOVER, failover};
pub use recover::{RECOVER, recover_bucket, recover_cluster, recover_table};

/// The runbook that a run of this kind would have by the manifest as it is now.
pub fn again(then: &Runbook, manifest: &Manifest) -> Runbook {
    if then.scenario != RECOVER {
        return failover(manifest);
    }
    // What is recovered was named by the operator, and no manifest changes it.
    let region = &then.to_region;
    let made = then.steps.iter().find_map(|step| match &step.action {
        Action::RollBackBucket { rollback } => Some(recover_bucket(manifest, region, rollback)),
        Action::RestoreCluster { cluster } => Some(recover_cluster(manifest, region, cluster)),
        Action::RestoreTable { table } => Some(recover_table(manifest, region, table)),
        _ => None,
    });
    made.unwrap_or_else(|| then.clone())
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
