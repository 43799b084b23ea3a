//! The steps of collecting evidence, as the engine knows them; what each does is in the file of its name.
//!
//! What is written may be written again: it is another version of the same object, and the manifest names the version that
//! counts. What may not be made twice (snapshots, backups, exports) is noted before and looked for by its name.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use super::{
    evidence_bucket, evidence_cluster, evidence_identities, evidence_logs, evidence_network, evidence_place,
    evidence_seal, evidence_table, evidence_terraform, evidence_trail, evidence_verify, evidence_workgroup,
};
use crate::evidence::{Evidence, EvidenceStep};

/// A step of [`Evidence`].
pub struct CollectEvidence {
    pub step: EvidenceStep,
}

/// What a check found: what would be made, in words, and what is to be said about it.
#[derive(Default)]
pub(super) struct Found {
    pub writes: Vec<Value>,
    pub warnings: Vec<String>,
}

impl Found {
    pub fn to_make(words: impl Into<String>) -> Self {
        Self { writes: vec![json!({ "make": words.into() })], ..Self::default() }
    }

    pub fn to_write(words: impl Into<String>) -> Self {
        Self { writes: vec![json!({ "write": words.into() })], ..Self::default() }
    }

    /// There is nothing to collect.
    pub fn missing(words: impl Into<String>) -> Self {
        Self { warnings: vec![words.into()], ..Self::default() }
    }
}

#[async_trait]
impl Step for CollectEvidence {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let place = &self.step.place;
        let found = match &self.step.what {
            Evidence::Place { .. } => evidence_place::check(cx, place).await,
            Evidence::Cluster(cluster) => evidence_cluster::check(cx, cluster).await,
            Evidence::Table(table) => evidence_table::check(cx, table).await,
            Evidence::Bucket(bucket) => evidence_bucket::check(cx, bucket).await,
            Evidence::WorkGroup(workgroup) => evidence_workgroup::check(cx, workgroup).await,
            Evidence::TerraformState => evidence_terraform::check(cx, place).await,
            Evidence::TerraformPlan => Ok(Found::to_write("what Terraform would change, without secrets")),
            Evidence::Identities => {
                Ok(Found::to_write("IAM's credential report; users, groups, roles and policies of the account"))
            }
            Evidence::Trail { region, from } => {
                Ok(Found::to_write(format!("CloudTrail's events of {region} from {from} until the collection begins")))
            }
            Evidence::Logs { log_group, .. } => evidence_logs::check(cx, log_group).await,
            Evidence::Network => Ok(Found::to_write("security groups and network ACLs of the region")),
            Evidence::Seal { .. } => Ok(Found::to_write("the manifest over all of it, and a copy in the run's folder")),
            Evidence::Verify => Ok(Found { writes: vec![json!({ "read": "everything back" })], ..Found::default() }),
        };
        let Found { writes, warnings } = found.map_err(super::contained::blocked)?;
        Ok(Checked { facts: json!({ "writes": writes, "warnings": warnings }), ..Checked::default() })
    }

    /// What was collected is known by the journal alone; `apply` finds by its name what may not be made twice.
    async fn observe(&self, _cx: &Cx) -> Result<Seen, StepError> {
        Ok(Seen::Absent)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let place = &self.step.place;
        match &self.step.what {
            Evidence::Place { breach_at, steps } => evidence_place::open(cx, place, *breach_at, steps).await,
            Evidence::Cluster(cluster) => evidence_cluster::collect(cx, place, cluster).await,
            Evidence::Table(table) => evidence_table::collect(cx, place, table).await,
            Evidence::Bucket(bucket) => evidence_bucket::collect(cx, place, bucket).await,
            Evidence::WorkGroup(workgroup) => evidence_workgroup::collect(cx, place, workgroup).await,
            Evidence::TerraformState => evidence_terraform::collect_state(cx, place).await,
            Evidence::TerraformPlan => evidence_terraform::collect_plan(cx, place).await,
            Evidence::Identities => evidence_identities::collect(cx, place).await,
            Evidence::Trail { region, from } => evidence_trail::collect(cx, place, region, *from).await,
            Evidence::Logs { log_group, from } => evidence_logs::collect(cx, place, log_group, *from).await,
            Evidence::Network => evidence_network::collect(cx, place).await,
            Evidence::Seal { of } => evidence_seal::seal(cx, place, of).await,
            Evidence::Verify => Ok(json!(evidence_verify::evidence_verifies(cx).await?)),
        }
    }

    /// Of what was collected `evidence.verify` reads everything back; that step has nothing to add to itself.
    async fn verify(&self, _cx: &Cx, _output: &Output) -> Result<(), StepError> {
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        match &self.step.what {
            Evidence::Cluster(_) | Evidence::Table(_) => {
                Compensation::Manual("delete the snapshot or backup once the evidence is not needed any more".into())
            }
            _ => Compensation::Never,
        }
    }
}
