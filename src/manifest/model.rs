//! What a `lifeboat.hcl` says, after it was found valid: plain data without positions.
//!
//! Everything here is serializable, because steps carry their part of it into the runbook and the journal.

mod stores;
mod traffic;

use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Catalog;

pub use stores::*;
pub use traffic::*;

/// One environment's manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The file it was read from, absolute.
    pub path: PathBuf,
    /// Name of the environment: the folder's name that holds the manifest.
    pub environment: String,
    pub service: String,
    /// The AWS account, twelve digits, asserted before every write.
    pub account: String,
    pub terraform: TerraformRoot,
    pub primary: Region,
    pub recovery: Region,
    pub objectives: BTreeMap<Component, Objective>,
    pub clusters: Vec<Cluster>,
    pub tables: Vec<Table>,
    pub buckets: Vec<Bucket>,
    pub catalogs: Vec<Catalog>,
    pub checks: Vec<Check>,
    pub cutovers: Vec<Cutover>,
    /// `None` where a run needs no approval.
    #[serde(default)]
    pub approval: Option<ApprovalRule>,
    #[serde(default)]
    pub guards: Guards,
    /// Who is shut out after a breach; `None` where nobody has thought of it.
    #[serde(default)]
    pub containment: Option<super::ContainmentRule>,
    /// What is replaced after a breach; `None` where nobody has thought of it.
    #[serde(default)]
    pub rotation: Option<super::RotationRule>,
    /// What is kept of a breach, and where; `None` where nobody has thought of it.
    #[serde(default)]
    pub evidence: Option<super::EvidenceRule>,
    /// What a teardown takes and what it leaves.
    #[serde(default)]
    pub rebuild: super::Rebuild,
}

/// What a run needs before it may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRule {
    /// 1 or 2. With 2, whoever approves has not planned.
    pub people: u8,
    /// How long an approval holds.
    pub expires: SignedDuration,
}

impl Default for ApprovalRule {
    fn default() -> Self {
        Self { people: 1, expires: SignedDuration::from_hours(24) }
    }
}

/// What a plan must keep to, beyond what lifeboat refuses by itself. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guards {
    /// Replacements count as destroys.
    pub max_destroys: Option<u64>,
    /// Addresses and modules, with `*` and `?`.
    pub protect: Vec<String>,
    /// Resource types, with `*` and `?`.
    pub protect_types: Vec<String>,
    /// Besides the recovery region; `None` where any will do.
    pub regions: Option<Vec<String>>,
    /// Besides the manifest's own; `None` where any will do.
    pub accounts: Option<Vec<String>>,
    pub required_tags: Vec<String>,
    /// Whether Terraform may not need a control plane that stands in one region for all.
    pub control_planes: bool,
    pub quotas: bool,
    pub names: bool,
    /// Absolute path of a folder of policies for conftest.
    pub policies: Option<PathBuf>,
}

/// Where the Terraform root stands and how it is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TerraformRoot {
    /// Absolute path of the root module.
    pub root: PathBuf,
    /// Absolute paths of the base var files, in the order in which Terraform would read them.
    pub var_files: Vec<PathBuf>,
    /// `terraform`, `tofu`, or a path; `None` leaves the choice to the command line and `PATH`.
    pub binary: Option<String>,
    pub parallelism: Option<u32>,
    /// How long Terraform waits for a state lock that another holds.
    pub lock_timeout: SignedDuration,
}

/// A region with the Terraform workspace and S3 backend that belong to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Region {
    pub name: String,
    pub workspace: String,
    pub backend: Backend,
    /// Overrides of root variables in this region, as JSON values of the HCL expressions.
    pub variables: BTreeMap<String, serde_json::Value>,
}

/// Arguments of Terraform's S3 backend (Terraform: "Backend Type: s3").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backend {
    pub bucket: String,
    pub key: String,
    pub use_lockfile: bool,
    /// Further arguments, passed on as they stand (`dynamodb_table`, `kms_key_id`, …).
    pub extra: BTreeMap<String, serde_json::Value>,
}

/// What an objective is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    System,
    Infrastructure,
    Aurora,
    Table,
    Bucket,
    Catalog,
}

impl Component {
    /// How people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Infrastructure => "infrastructure",
            Self::Aurora => "aurora",
            Self::Table => "table",
            Self::Bucket => "bucket",
            Self::Catalog => "catalog",
        }
    }
}

/// Which of the two an objective is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectiveKind {
    /// Recovery time: until the component's last step was verified; the system's until the end of the run.
    Rto,
    /// Recovery point: the age of the oldest data that the component was restored from.
    Rpo,
}

/// Recovery time and recovery point objective.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    pub rto: Option<SignedDuration>,
    pub rpo: Option<SignedDuration>,
}
