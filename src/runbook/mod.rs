//! The runbook: a graph of steps as pure data, made by a scenario and carried out by the engine.
//!
//! Nothing here has an effect or knows how a step is done.

mod action;
mod graph;

pub use action::{Action, ApplyScope, BucketRollback};
pub use graph::{CriticalPath, GraphError};

use jiff::SignedDuration;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::manifest::{Component, CopyEngine, Objective};

/// A step's name, unique in its runbook: `restore.aurora.logs`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(String);

impl StepId {
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for StepId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

/// The phases in the order that people see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Whoever broke in is shut out.
    Containment,
    /// What they left is kept.
    Evidence,
    /// What they may have changed is taken down.
    Teardown,
    Infrastructure,
    Restore,
    Adoption,
    Verification,
    /// What they may have read is replaced.
    Rotation,
    Cutover,
}

impl Phase {
    pub const ALL: [Self; 9] = [
        Self::Containment,
        Self::Evidence,
        Self::Teardown,
        Self::Infrastructure,
        Self::Restore,
        Self::Adoption,
        Self::Verification,
        Self::Rotation,
        Self::Cutover,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::Containment => "containment",
            Self::Evidence => "evidence",
            Self::Teardown => "teardown",
            Self::Infrastructure => "infrastructure",
            Self::Restore => "restores",
            Self::Adoption => "adoption",
            Self::Verification => "verification",
            Self::Rotation => "rotation",
            Self::Cutover => "cutover",
        }
    }
}

/// One step of a runbook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSpec {
    pub id: StepId,
    pub phase: Phase,
    /// What it does, for people, in the imperative: "restore cluster logs-dr from its newest snapshot".
    pub title: String,
    /// The steps that must be verified before this one starts.
    pub after: Vec<StepId>,
    /// What the objective of this step counts towards, where it has one.
    pub component: Option<Component>,
    /// How long it usually takes; the critical path and the expected RTO are computed from it.
    pub expected: SignedDuration,
    pub action: Action,
}

/// Something that this run does not prove, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotChecked {
    pub what: String,
    pub why: String,
}

/// A scenario's steps with what the report measures them against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runbook {
    /// `failover`, `failback`, …
    pub scenario: String,
    pub environment: String,
    pub service: String,
    pub account: String,
    pub from_region: String,
    pub to_region: String,
    pub steps: Vec<StepSpec>,
    pub objectives: Vec<(Component, Objective)>,
    pub not_checked: Vec<NotChecked>,
}

impl Runbook {
    /// Whether the stack is taken down.
    pub fn tears_down(&self) -> bool {
        self.steps.iter().any(|step| step.action == Action::TeardownPlan)
    }

    /// Whether Terraform is needed for any of it.
    pub fn uses_terraform(&self) -> bool {
        self.steps.iter().any(|step| step.action.asks_terraform())
    }

    /// What copies the buckets: the operator's choice holds for all of them.
    pub fn copy_engine(&self) -> CopyEngine {
        let engines = self.steps.iter().filter_map(|step| match &step.action {
            Action::RestoreBucket { bucket } => Some(bucket.engine),
            _ => None,
        });
        engines.into_iter().next().unwrap_or_default()
    }

    pub fn step(&self, id: &StepId) -> Option<&StepSpec> {
        self.steps.iter().find(|step| step.id == *id)
    }
}
