//! What one step rotates, as a runbook and a journal have it: names, never values.

use serde::{Deserialize, Serialize};

/// The master user's password of an Aurora cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterRotation {
    /// Identifier of the cluster.
    pub cluster: String,
    /// Name or ARN of the secret that holds the login; `None` where RDS manages it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// The access keys of an IAM user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRotation {
    pub user: String,
    /// Name or ARN of the secret that the new key is stored in.
    pub secret: String,
}

/// What one step rotates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Rotation {
    Secret {
        /// Name or ARN.
        secret: String,
    },
    Master(MasterRotation),
    Keys(KeyRotation),
}
