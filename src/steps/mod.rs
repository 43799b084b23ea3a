//! The kinds of steps, one file each, and the contract that the engine knows them by.
//!
//! A step may use `aws`, `terraform`, `transfer` and `verify`; it never prints, never starts a process itself, and
//! has no effect before its intent is in the journal (the engine sees to that).

mod answers;
mod batch_choice;
mod batch_copy;
mod catalog_athena;
mod catalog_point;
mod catalog_source;
mod clean_beside;
mod clean_found;
mod clean_point;
mod cluster_instances;
mod cluster_look;
mod cluster_point;
mod cluster_rows;
mod cluster_settings;
mod cluster_source;
mod cluster_version;
mod cluster_wanted;
mod contain_addresses;
mod contain_bucket;
mod contain_instance;
mod contain_ip_set;
mod contain_role;
mod contain_user;
mod contained;
mod cutover;
mod cx;
mod declared;
mod delivery;
mod encryption;
mod error;
mod evidence;
mod evidence_bucket;
mod evidence_cluster;
mod evidence_gate;
mod evidence_identities;
mod evidence_keep;
mod evidence_kept;
mod evidence_logs;
mod evidence_network;
mod evidence_pack;
mod evidence_place;
mod evidence_seal;
mod evidence_table;
mod evidence_terraform;
mod evidence_trail;
mod evidence_verify;
mod evidence_workgroup;
mod fail_over_cluster;
mod global_lag;
mod global_member;
mod in_account;
mod make;
mod ownership;
mod preserve_point;
mod probe;
mod quarantine;
mod recovery_point;
mod resolve;
mod restore_bucket;
mod restore_catalog;
mod restore_cluster;
mod restore_table;
mod roll_back_bucket;
mod rotate_keys;
mod rotate_master;
mod rotate_secret;
mod rotated;
mod table_attached;
mod table_found;
mod table_job;
mod table_point;
mod table_replica;
mod table_sample;
mod table_settings;
mod table_source;
mod teardown_destroy;
mod teardown_empty;
mod teardown_names;
mod teardown_plan;
mod teardown_proof;
mod teardown_protection;
mod teardown_workgroup;
mod terraform_apply;
mod terraform_declare;
mod terraform_plan;
mod terraform_prepare;
mod terraform_settled;
mod terraform_watch;
mod vault_point;
mod verify_bucket;
mod verify_catalog;
mod verify_cluster;
mod verify_member;
mod verify_rollback;
mod verify_table;
mod wait;

pub use catalog_point::{ExportThen, export_at};
pub use catalog_source::{Desired, load_catalog};
pub use clean_point::{CANDIDATES, Weighed};
pub use cluster_point::DELETED_CLUSTER;
pub use contain_addresses::{ContainAddresses, ReleaseAddresses};
pub use contain_bucket::{ContainBucket, ReleaseBucket};
pub use contain_instance::{ContainInstance, ReleaseInstance};
pub use contain_ip_set::{ContainIpSet, ReleaseIpSet};
pub use contain_role::{ContainRole, ReleaseRole};
pub use contain_user::{ContainUser, ReleaseUser};
pub use contained::BEFORE;
pub use cutover::{
    Before, ChangeError, CheckError, CutoverStep, CutoverView, RecordView, change_records, check_cutover, foreseen,
    view_cutover,
};
pub use cx::{Cx, Notice, Outputs, Portion, Progress, World};
pub use error::StepError;
pub use evidence::CollectEvidence;
pub use evidence_gate::{EVIDENCE, EvidenceGate};
pub use evidence_kept::KeptEvidence;
pub use evidence_verify::{Proof, evidence_verifies, sealed_evidence_verifies};
pub use fail_over_cluster::{DATA_LOSS, DATA_LOSS_ALLOWED, FailOverCluster, PROMOTED};
pub use make::make;
pub use preserve_point::PreservePoint;
pub use probe::{RunProbe, ask, check_probe, run};
pub use quarantine::clear_quarantines;
pub use resolve::{Resolver, reference};
pub use restore_bucket::{RestoreBucket, check_bucket, observe_bucket, restore_bucket, survey_buckets};
pub use restore_catalog::{RestoreCatalog, check_catalog, observe_catalog, restore_catalog};
pub use restore_cluster::RestoreCluster;
pub use restore_table::RestoreTable;
pub use roll_back_bucket::{RollBackBucket, Todo, list_todo};
pub use rotate_keys::RotateKeys;
pub use rotate_master::RotateMaster;
pub use rotate_secret::RotateSecret;
pub use table_attached::unwatched;
pub use table_replica::UseReplica;
pub use table_sample::sample_table;
pub use teardown_destroy::{TEARDOWN_DESTROY, TeardownDestroy};
pub use teardown_empty::EmptyBucket;
pub use teardown_names::{TEARDOWN_NAMES, TeardownNames};
pub use teardown_plan::{TEARDOWN_PLAN, TeardownPlan};
pub use teardown_proof::TeardownProof;
pub use teardown_protection::PROTECTED;
pub use teardown_workgroup::DeleteWorkGroup;
pub use terraform_apply::{STATE_BEFORE, TerraformApply};
pub use terraform_declare::TerraformDeclare;
pub use terraform_plan::TerraformPlan;
pub use terraform_prepare::TerraformPrepare;
pub use terraform_settled::TerraformSettled;
pub use terraform_watch::adopted;
pub use vault_point::source_arn;
pub use verify_bucket::{VerifyBucket, verify_bucket};
pub use verify_catalog::{VerifyCatalog, verify_catalog};
pub use verify_cluster::VerifyCluster;
pub use verify_member::VerifyMember;
pub use verify_rollback::{VerifyRollback, unexpected};
pub use verify_table::VerifyTable;
pub use wait::{APPEARS, Ready, SETTLES, deadline, wait_until};

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::runbook::StepSpec;

/// What a step returns to those after it and to the report: a JSON object, without secrets.
pub type Output = Value;

/// Why a step must not start; nothing has been changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct Blocked {
    pub cause: String,
    pub hint: Option<String>,
}

/// What a step's check settled before the run: for example the recovery point that was chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    /// A JSON object that the journal keeps and `Cx::facts` gives back. Keys that reports know:
    /// `recovery_point` (string), `recovery_point_at` (RFC 3339), `warnings` (list of strings).
    pub facts: Value,
    /// Whether the step's result was found in place, so that the step has nothing to do.
    pub standing: Standing,
}

/// What stands where the step would put its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    #[default]
    Unknown,
    /// The step's result is there.
    InPlace,
    /// Nothing is there.
    Absent,
}

/// What observing a step's effect shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    Absent,
    /// Begun and not done, in AWS's own words ("cluster logs-dr is creating"): `apply` attaches to it and waits.
    InProgress(String),
    Done(Output),
    /// Something else is there; it is never overwritten.
    Conflict {
        cause: String,
        hint: Option<String>,
    },
}

/// What undoes a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compensation {
    Auto,
    Manual(String),
    Never,
}

/// The contract between the engine and the kinds of steps.
#[async_trait]
pub trait Step: Send + Sync {
    /// May it start at all? Read-only; asked of every step before the first effect of a run.
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked>;
    /// What of the step's effect is there? Read-only.
    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError>;
    /// Does it. Idempotent: deterministic names and tokens.
    async fn apply(&self, cx: &Cx) -> Result<Output, StepError>;
    /// Proves what `apply` returned. Read-only.
    async fn verify(&self, cx: &Cx, output: &Output) -> Result<(), StepError>;
    fn compensation(&self) -> Compensation;
}

/// Makes the step for a specification; the engine is given this, so that it knows no kind of step.
pub type MakeStep = dyn Fn(&StepSpec) -> Arc<dyn Step> + Send + Sync;
