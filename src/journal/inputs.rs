//! What a run takes from the machine that it is started on, as the journal keeps it: enough to notice that something is
//! another when the run is taken up again, and never a value.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Marks and versions of everything that a run reads again when it is resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// Random, so that the same value has other marks in other runs.
    pub salt: String,
    /// Marks of the var files that the manifest names.
    pub var_files: BTreeMap<PathBuf, String>,
    /// Marks of the values of `TF_VAR_NAME`, by NAME, for the variables that the root declares.
    pub variables: BTreeMap<String, String>,
    pub terraform: UsedTerraform,
    /// SHA-256, salted, of the recovery region's backend arguments.
    pub backend: String,
}

/// The Terraform or OpenTofu that a run was started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedTerraform {
    pub path: PathBuf,
    /// `Terraform` or `OpenTofu`.
    pub product: String,
    pub version: String,
}
