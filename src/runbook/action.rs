//! What a step does, as data: one variant per kind of step, each carried out by the file of its name in `steps/`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::StepId;
use crate::containment::{Containment, Release};
use crate::evidence::{Evidence, EvidenceStep};
use crate::manifest::{Bucket, Catalog, Check, Cluster, Cutover, Expectation, LingeringSecrets, Table};
use crate::rotation::Rotation;

/// The kinds of steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Action {
    /// Stage the root, generate its inputs, init, select or create the workspace.
    TerraformPrepare,
    /// Plan, guard and save a plan for the scope.
    TerraformPlan {
        scope: ApplyScope,
    },
    /// Apply the plan that was saved for the scope.
    TerraformApply {
        scope: ApplyScope,
    },
    /// Read from a fresh plan what the root declares for the resources that are restored.
    TerraformDeclare,
    /// Prove that nothing is left to change.
    TerraformSettled,
    /// Keep the snapshot that a cluster is restored from, where it would go away with the cluster.
    PreservePoint {
        cluster: Cluster,
    },
    RestoreCluster {
        cluster: Cluster,
    },
    RestoreTable {
        table: Table,
    },
    RestoreBucket {
        bucket: Bucket,
    },
    RestoreCatalog {
        catalog: Catalog,
    },
    VerifyCluster {
        cluster: Cluster,
    },
    VerifyTable {
        table: Table,
    },
    VerifyBucket {
        bucket: Bucket,
    },
    VerifyCatalog {
        catalog: Catalog,
    },
    /// An HTTP or command check from the manifest.
    Probe {
        check: Check,
    },
    Cutover {
        cutover: Cutover,
    },
    /// Take a bucket back to how it was at a time.
    RollBackBucket {
        rollback: BucketRollback,
    },
    VerifyRollback {
        rollback: BucketRollback,
    },
    /// Shut somebody or something out.
    Contain {
        what: Containment,
    },
    /// Let it in again, as it was before.
    Release {
        what: Release,
    },
    /// Replace what may have been read.
    Rotate {
        what: Rotation,
    },
    /// Keep something of what a breach has left, or seal or prove what is kept.
    Evidence {
        evidence: EvidenceStep,
    },
    /// Plan what of the stack is destroyed.
    TeardownPlan,
    /// Delete every version in a bucket that goes with the stack.
    EmptyBucket {
        bucket: String,
    },
    /// Delete an Athena workgroup that goes with the stack, with all that it holds.
    DeleteWorkGroup {
        workgroup: String,
    },
    /// Destroy what was planned.
    TeardownDestroy,
    /// See to names that AWS still holds.
    TeardownNames {
        secrets: LingeringSecrets,
    },
    /// Prove that nothing is left but what stays.
    TeardownProof,
}

/// A bucket, and the time that it is taken back to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BucketRollback {
    pub bucket: String,
    /// Only keys that begin so; empty for all.
    pub prefix: String,
    pub to: Timestamp,
    /// What is current under the prefix afterwards: `objects` and `bytes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<Expectation>,
}

impl BucketRollback {
    /// The step that does it; what it found and did is known by this name.
    pub fn step(&self) -> StepId {
        StepId::new(format!("recover.bucket.{}", self.bucket))
    }
}

impl Action {
    /// Whether Terraform does it, so that only a plan tells what of it is there.
    pub fn is_terraform(&self) -> bool {
        matches!(
            self,
            Self::TerraformPrepare
                | Self::TerraformPlan { .. }
                | Self::TerraformApply { .. }
                | Self::TerraformDeclare
                | Self::TerraformSettled
                | Self::TeardownPlan
                | Self::TeardownDestroy
        )
    }

    /// Whether Terraform is asked for it.
    pub fn asks_terraform(&self) -> bool {
        let of_state = |what: &Evidence| matches!(what, Evidence::TerraformState | Evidence::TerraformPlan);
        self.is_terraform() || matches!(self, Self::Evidence { evidence } if of_state(&evidence.what))
    }

    /// Why a run cannot go on without a step of this kind; `None` where the operator may leave it out.
    pub fn indispensable(&self) -> Option<&'static str> {
        const MADE: &str = "what comes after it works with what it makes";
        const KNOWN: &str = "nothing is taken away but what it has planned";
        const STANDS: &str = "a rebuild over what still stands would keep what an intruder has changed";
        const EMPTY: &str = "Terraform adopts what it restores; without it an empty one would be created";
        const KEPT: &str = "without it the recovery point may go away with its cluster";
        match self {
            Self::TerraformPrepare
            | Self::TerraformDeclare
            | Self::TerraformPlan { scope: ApplyScope::Base }
            | Self::TerraformApply { scope: ApplyScope::Base } => Some(MADE),
            Self::PreservePoint { .. } => Some(KEPT),
            Self::TeardownPlan => Some(KNOWN),
            Self::TeardownDestroy => Some(STANDS),
            Self::RestoreCluster { cluster } => cluster.adopt.is_some().then_some(EMPTY),
            Self::RestoreTable { table } => table.adopt.is_some().then_some(EMPTY),
            Self::Evidence { evidence } => match &evidence.what {
                Evidence::Place { .. } => Some("evidence needs a place"),
                Evidence::Seal { .. } => Some("what is not sealed is no evidence"),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a step of this kind that returned `output`, and was not found done already, changed anything in AWS.
    pub fn changed(&self, output: &Value) -> bool {
        let any = |counts: &[&str]| counts.iter().any(|count| output[*count].as_u64() != Some(0));
        match self {
            Self::TerraformPrepare => output["created"] != Value::Bool(false),
            Self::TerraformApply { .. } => any(&["added", "changed", "destroyed"]),
            Self::PreservePoint { .. } => output["copied"] == Value::Bool(true),
            Self::TeardownDestroy => any(&["destroyed"]),
            Self::EmptyBucket { .. } => any(&["deleted"]),
            Self::DeleteWorkGroup { .. } => output["left"] == Value::Null,
            Self::RestoreBucket { .. } => any(&["copied"]),
            Self::RollBackBucket { .. } => any(&["restored", "hidden"]),
            Self::Rotate { .. } => output["rotated"] == Value::Bool(true),
            Self::Contain { .. } | Self::Release { .. } => output["changed"] != Value::Bool(false),
            Self::RestoreCluster { .. }
            | Self::RestoreTable { .. }
            | Self::RestoreCatalog { .. }
            | Self::TeardownNames { .. }
            | Self::Cutover { .. } => true,
            Self::Evidence { evidence } => evidence.what != Evidence::Verify,
            Self::TerraformPlan { .. }
            | Self::TerraformDeclare
            | Self::TerraformSettled
            | Self::TeardownPlan
            | Self::TeardownProof
            | Self::VerifyCluster { .. }
            | Self::VerifyTable { .. }
            | Self::VerifyBucket { .. }
            | Self::VerifyCatalog { .. }
            | Self::VerifyRollback { .. }
            | Self::Probe { .. } => false,
        }
    }
}

/// Which part of the root an apply covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyScope {
    /// Everything but the adopted resources and what depends on them.
    Base,
    /// The rest, with import blocks for what was restored.
    Adoption,
}
