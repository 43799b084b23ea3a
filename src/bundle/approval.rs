//! An approval: who answers for a bundle, until when, and which run has used it. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::index::{Index, Standing};

/// The version of an approval's form. One that is newer is refused.
pub const APPROVAL_VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    pub schema_version: u32,
    /// SHA-256 of the bundle.
    pub bundle: String,
    pub environment: String,
    pub service: String,
    pub account: String,
    pub region: String,
    pub workspace: String,
    pub state: Option<Standing>,
    /// ARNs, as STS says.
    pub planner: String,
    pub approver: String,
    pub approved_at: Timestamp,
    pub expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The run that has used it; an approval is good for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_by: Option<String>,
}

/// Why an approval does not allow a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUsable {
    #[error("it is an approval of schema version {0}, which this lifeboat does not read")]
    Version(u32),
    #[error("it approves something else: {0} is another")]
    Other(&'static str),
    #[error("it expired at {0}")]
    Expired(Timestamp),
    #[error("run {0} has used it")]
    Used(String),
    #[error("{0} planned it and approved it, and the manifest asks for two people")]
    OnePerson(String),
}

impl Approval {
    pub fn new(index: &Index, sha256: &str, approver: &str, approved_at: Timestamp, expires_at: Timestamp) -> Self {
        Self {
            schema_version: APPROVAL_VERSION,
            bundle: sha256.to_owned(),
            environment: index.environment.clone(),
            service: index.service.clone(),
            account: index.account.clone(),
            region: index.region.clone(),
            workspace: index.workspace.clone(),
            state: index.state.clone(),
            planner: index.planner.clone(),
            approver: approver.to_owned(),
            approved_at,
            expires_at,
            because: None,
            used_by: None,
        }
    }

    /// Whether a run may begin by it.
    ///
    /// # Errors
    /// It approves something else, is over or used, or one person was both where two are asked.
    pub fn judge(&self, index: &Index, sha256: &str, people: u8, now: Timestamp) -> Result<(), NotUsable> {
        if self.schema_version != APPROVAL_VERSION {
            return Err(NotUsable::Version(self.schema_version));
        }
        let bound = Self::new(index, sha256, &self.approver, self.approved_at, self.expires_at);
        let parts = [
            ("the bundle", self.bundle == bound.bundle),
            ("the environment", self.environment == bound.environment),
            ("the service", self.service == bound.service),
            ("the account", self.account == bound.account),
            ("the region", self.region == bound.region),
            ("the workspace", self.workspace == bound.workspace),
            ("the state's lineage or serial", self.state == bound.state),
            ("the planner", self.planner == bound.planner),
        ];
        if let Some((what, _)) = parts.iter().find(|(_, same)| !same) {
            return Err(NotUsable::Other(what));
        }
        if people > 1 && self.approver == self.planner {
            return Err(NotUsable::OnePerson(self.approver.clone()));
        }
        if let Some(run) = &self.used_by {
            return Err(NotUsable::Used(run.clone()));
        }
        if now >= self.expires_at {
            return Err(NotUsable::Expired(self.expires_at));
        }
        Ok(())
    }
}
