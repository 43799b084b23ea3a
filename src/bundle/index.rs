//! `bundle.json`: what a bundle is of, what it was made with, and the SHA-256 of each of its files. The bundle's own hash is
//! the SHA-256 of this file.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::journal::Inputs;
use crate::terraform::Source;

/// Its name.
pub const FILE: &str = "bundle.json";

/// The version of a bundle's files. One that is newer is refused.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Index {
    pub schema_version: u32,
    pub created_at: Timestamp,
    #[serde(flatten)]
    pub subject: Subject,
    /// The command that makes such a bundle anew.
    #[serde(default)]
    pub command: String,
    pub versions: Versions,
    /// SHA-256 of the staged copy of the Terraform root; `None` of a scenario that is done without Terraform.
    pub root_sha256: Option<String>,
    /// Which commit that is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    pub manifest_sha256: String,
    /// Marks of what else decides Terraform's doings.
    pub inputs: Option<Inputs>,
    /// In the order of their names.
    pub files: Vec<FileEntry>,
}

/// What is planned, where and by whom: a bundle says it, and an approval is bound to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// `failover`, `recover`
    pub scenario: String,
    pub environment: String,
    pub service: String,
    pub account: String,
    /// The region that is worked in.
    pub region: String,
    pub workspace: String,
    /// The state that was planned on; `None` where the workspace had none.
    pub state: Option<Standing>,
    /// ARN of the caller, as STS says.
    pub planner: String,
}

impl Subject {
    /// What of it is another, if anything is.
    pub fn differs(&self, other: &Self) -> Option<&'static str> {
        let parts = [
            ("the scenario", self.scenario == other.scenario),
            ("the environment", self.environment == other.environment),
            ("the service", self.service == other.service),
            ("the account", self.account == other.account),
            ("the region", self.region == other.region),
            ("the workspace", self.workspace == other.workspace),
            ("the state's lineage or serial", self.state == other.state),
            ("the planner", self.planner == other.planner),
        ];
        parts.into_iter().find_map(|(what, same)| (!same).then_some(what))
    }
}

/// Where a Terraform state stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub lineage: String,
    pub serial: u64,
}

/// What the bundle was made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    pub lifeboat: String,
    /// `None` of a scenario that is done without it.
    pub terraform: Option<Tool>,
    /// By address of the provider.
    pub providers: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `Terraform` or `OpenTofu`.
    pub product: String,
    pub version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// `generated/recovery.tfvars`
    pub name: String,
    pub bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}
