//! Scenarios: a manifest in, a runbook out. Pure; nothing here asks or changes anything.

mod clean;
mod contain;
mod evidence;
mod expected;
mod failover;
mod rebuild;
mod recover;
mod rotate;
mod teardown;

use jiff::SignedDuration;

use crate::manifest::{Bucket, Catalog, Cluster, Component, CopyEngine, Manifest};
use crate::runbook::{Action, NotChecked, Phase, Runbook, StepId, StepSpec};

pub use clean::{clean_bucket, clean_clusters, clean_tables, preserve_point};
pub use contain::{CONTAIN, RELEASE, contain, contain_not_checked, contain_steps, release};
pub use evidence::{EVIDENCE, evidence, evidence_not_checked, evidence_steps};
pub use failover::{FAILOVER, failover};
pub use rebuild::{REBUILD, Rebuilding};
pub use recover::{RECOVER, recover_bucket, recover_catalog, recover_cluster, recover_table};
pub use rotate::{ROTATE, rotate, rotate_not_checked, rotate_steps};
pub use teardown::{TEARDOWN_PROOF, teardown_not_checked, teardown_steps};

/// The runbook that a run of this kind would have by the manifest as it is now.
pub fn again(then: &Runbook, manifest: &Manifest) -> Runbook {
    // Whom to shut out and in which region to rotate was said when the run began, what to put back was read from another journal,
    // and a breach has its time.
    if [CONTAIN, RELEASE, ROTATE, EVIDENCE, REBUILD].contains(&then.scenario.as_str()) {
        return then.clone();
    }
    if then.scenario != RECOVER {
        return failover(&copied_by(manifest, then.copy_engine()));
    }
    // What is recovered was named by the operator, and no manifest changes it.
    let region = &then.to_region;
    let made = then.steps.iter().find_map(|step| match &step.action {
        Action::RollBackBucket { rollback } => Some(recover_bucket(manifest, region, rollback)),
        Action::RestoreCluster { cluster } => Some(recover_cluster(manifest, region, cluster)),
        Action::RestoreTable { table } => Some(recover_table(manifest, region, table)),
        Action::RestoreCatalog { catalog } => Some(recover_catalog(manifest, region, catalog)),
        _ => None,
    });
    made.unwrap_or_else(|| then.clone())
}

/// The manifest with what the operator has chosen to copy its buckets.
pub fn copied_by(manifest: &Manifest, engine: CopyEngine) -> Manifest {
    let buckets = manifest.buckets.iter().map(|bucket| Bucket { engine, ..bucket.clone() });
    Manifest { buckets: buckets.collect(), ..manifest.clone() }
}

/// What is not proven of a cluster's rows.
fn rows_not_checked(cluster: &Cluster) -> Option<NotChecked> {
    let target = &cluster.target;
    let (what, why) = match &cluster.rows {
        None => (format!("rows of cluster {target}"), "no query is sent to the database"),
        Some(rows) if rows.verify.is_empty() => {
            (format!("rows of cluster {target}"), "no question is asked, only the login")
        }
        Some(rows) if rows.ca.is_none() => (
            format!("whether what answers is cluster {target}"),
            "the certificate is not looked at: `ca` names no authorities",
        ),
        Some(_) => return None,
    };
    Some(NotChecked { what, why: why.into() })
}

/// What is not proven of what a catalog's tables lead to.
fn answers_not_checked(catalog: &Catalog, why: &str) -> Option<NotChecked> {
    let what = format!("whether the tables of catalog {} can be read", catalog.target);
    catalog.athena.is_none().then(|| NotChecked { what, why: why.into() })
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
