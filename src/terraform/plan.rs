//! A saved plan as `show -json` tells it (Terraform: "JSON Output Format", plan representation).
//!
//! Read as it streams in: what nobody here needs (most of the prior state, planned values, expressions) is skipped
//! without being kept, and a value that is sensitive is dropped the moment its resource has been read.

mod marked;
pub mod masked;
mod pull;
mod secrets;
mod wire;

use std::collections::BTreeMap;
use std::io::Read;

use serde::{Deserialize, Serialize};

use super::attributes::Attributes;
use super::difference::{Difference, Side};
use wire::Keep;

/// The part of a plan that lifeboat works with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub format_version: String,
    pub errored: bool,
    pub resources: Vec<ResourceChange>,
    /// What was changed outside Terraform since its last apply, as the refresh found it.
    pub drift: Vec<ResourceChange>,
    /// Outputs whose value changes, by name.
    pub outputs: BTreeMap<String, OutputChange>,
    pub providers: Vec<ProviderRegion>,
    /// Regions by address of the root's `aws_region` data sources, as they were read for this plan.
    pub regions: BTreeMap<String, String>,
    /// ARNs by address of what the state holds.
    pub arns: BTreeMap<String, String>,
}

/// What a plan does to an output of the root module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputChange {
    pub actions: Vec<Action>,
    pub before: Side,
    pub after: Side,
}

/// What a plan does to one resource instance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceChange {
    /// With instance keys: `module.use["x"].aws_vpc.main[0]`.
    pub address: String,
    /// The address that it had until now, where it was moved.
    pub previous_address: Option<String>,
    /// `module.use["x"]`; empty in the root module.
    pub module: String,
    pub managed: bool,
    pub kind: String,
    pub actions: Vec<Action>,
    /// The id that it is imported by.
    pub importing: Option<String>,
    /// An object that an earlier create-before-destroy left over.
    pub deposed: bool,
    /// Attributes that force a replacement, as paths: `engine_version`, `tags.Name`.
    pub replace_paths: Vec<String>,
    /// Why, in Terraform's word: `replace_because_cannot_update`, `delete_because_no_resource_config`.
    pub reason: Option<String>,
    /// Names of attributes whose values change.
    pub changed: Vec<String>,
    /// Where before and after differ, without sensitive values; of what is made or left alone, nothing.
    pub differences: Vec<Difference>,
    /// Planned values by attribute: never sensitive ones, and of those that are known in part, the known part.
    pub values: Attributes,
    /// Of what is destroyed: its name, whether it is protected from that, and which snapshot it leaves.
    pub gone: Attributes,
    /// Attributes of which at least a part is known only after the apply.
    pub unknown: Vec<String>,
}

/// Terraform's words for what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    NoOp,
    Create,
    Read,
    Update,
    Delete,
    Forget,
    /// A word of a newer Terraform: never taken for harmless.
    #[serde(other)]
    Unknown,
}

/// A provider configuration and its region, where the configuration says it plainly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderRegion {
    /// `aws`, `aws.replica`, `module.x:aws`.
    pub key: String,
    /// The configuration that resources use unless they say otherwise, in the root module.
    pub default: bool,
    /// `None` where it is computed, or left to the environment.
    pub region: Option<String>,
    /// Whether the configuration names a region at all; one that is null is none.
    pub declared: bool,
    /// The alias of a configuration of the root module, by which the root can ask it for its region.
    pub alias: Option<String>,
}

/// Why a plan cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("the plan's JSON is not understood: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the plan's JSON has format version {0}; this lifeboat reads 1.x")]
    Format(String),
    #[error("the plan is marked as failed")]
    Errored,
}

impl Plan {
    /// Reads a plan as it comes.
    ///
    /// # Errors
    /// Not such a document, of another major version, or of a plan that failed.
    pub fn read(source: impl Read) -> Result<Self, PlanError> {
        wire::read(source, Keep::All)?.accepted()
    }

    /// Reads as it comes what a review shows of a plan, which takes a fraction of the memory: no planned values, nothing
    /// of the prior state, and no resource that is left alone.
    ///
    /// # Errors
    /// As [`Plan::read`].
    pub fn read_for_review(source: impl Read) -> Result<Self, PlanError> {
        wire::read(source, Keep::ForReview)?.accepted()
    }

    /// Reads a plan that is in memory.
    ///
    /// # Errors
    /// As [`Plan::read`].
    pub fn parse(json: &[u8]) -> Result<Self, PlanError> {
        Self::read(json)
    }

    fn understood(&self) -> Result<(), PlanError> {
        match self.format_version.split('.').next() {
            Some("1") => Ok(()),
            _ => Err(PlanError::Format(self.format_version.clone())),
        }
    }

    fn accepted(self) -> Result<Self, PlanError> {
        self.understood()?;
        if self.errored { Err(PlanError::Errored) } else { Ok(self) }
    }

    /// Managed resources that would change, be imported or be forgotten.
    pub fn changes(&self) -> impl Iterator<Item = &ResourceChange> {
        self.resources.iter().filter(|it| it.managed && (!it.is_no_op() || it.importing.is_some()))
    }

    /// Whether applying it would change nothing, not even an output.
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none() && self.outputs.is_empty()
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for change in self.changes() {
            counts.add += u64::from(change.does(Action::Create));
            counts.change += u64::from(change.does(Action::Update));
            counts.destroy += u64::from(change.does(Action::Delete));
            counts.import += u64::from(change.importing.is_some());
        }
        counts
    }
}

/// How much a plan does; a replacement counts as one addition and one destruction, as Terraform counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub add: u64,
    pub change: u64,
    pub destroy: u64,
    pub import: u64,
}

impl ResourceChange {
    pub fn does(&self, action: Action) -> bool {
        self.actions.contains(&action)
    }

    /// Whether the plan makes a new object for it.
    pub fn creates(&self) -> bool {
        self.does(Action::Create)
    }

    pub fn is_no_op(&self) -> bool {
        self.actions.iter().all(|action| matches!(action, Action::NoOp))
    }

    pub fn is_replaced(&self) -> bool {
        self.does(Action::Create) && self.does(Action::Delete)
    }

    /// What happens to it, in a word, for people.
    pub fn verb(&self) -> &'static str {
        match self.actions.as_slice() {
            [Action::NoOp] | [] if self.importing.is_some() => "imported",
            [Action::Update] if self.importing.is_some() => "imported and changed",
            _ if self.is_replaced() => "replaced",
            [Action::Create] => "created",
            [Action::Update] => "changed",
            [Action::Delete] => "destroyed",
            [Action::Forget] => "forgotten",
            [Action::NoOp] | [] => "left alone",
            [Action::Read] => "read",
            _ => "changed in a way that this lifeboat does not know",
        }
    }
}

#[cfg(test)]
mod tests;
