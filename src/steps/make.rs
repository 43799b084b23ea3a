//! Which file carries out which kind of step.

use std::sync::Arc;

use super::*;
use crate::runbook::{Action, StepSpec};

/// The step for a specification.
pub fn make(spec: &StepSpec) -> Arc<dyn Step> {
    match &spec.action {
        Action::TerraformPrepare => Arc::new(TerraformPrepare),
        Action::TerraformPlan { scope } => Arc::new(TerraformPlan { scope: *scope }),
        Action::TerraformApply { scope } => Arc::new(TerraformApply { scope: *scope }),
        Action::TerraformDeclare => Arc::new(TerraformDeclare),
        Action::TerraformSettled => Arc::new(TerraformSettled),
        Action::RestoreCluster { cluster } => Arc::new(RestoreCluster { cluster: cluster.clone() }),
        Action::RestoreTable { table } => Arc::new(RestoreTable { table: table.clone() }),
        Action::RestoreBucket { bucket } => Arc::new(RestoreBucket::new(bucket.clone())),
        Action::RestoreCatalog { catalog } => Arc::new(RestoreCatalog::new(catalog.clone())),
        Action::VerifyCluster { cluster } => Arc::new(VerifyCluster { cluster: cluster.clone() }),
        Action::VerifyTable { table } => Arc::new(VerifyTable { table: table.clone() }),
        Action::VerifyBucket { bucket } => Arc::new(VerifyBucket::new(bucket.clone())),
        Action::VerifyCatalog { catalog } => Arc::new(VerifyCatalog::new(catalog.clone())),
        Action::Probe { check } => Arc::new(Probe::new(check.clone())),
        Action::Cutover { cutover } => Arc::new(CutoverStep::new(cutover.clone())),
    }
}
