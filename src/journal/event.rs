//! What the journal records: one event a line, in a chain of hashes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Inputs;
use crate::runbook::{NotChecked, Runbook, StepId};
use crate::terraform::Source;

/// The record format that this version writes. A newer one is read, never appended to.
pub const FORMAT_VERSION: u32 = 1;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Format version.
    pub v: u32,
    /// 0, 1, 2, … without a gap.
    pub seq: u64,
    /// Wall clock of the machine that wrote it; for people, never for arithmetic on durations within a process.
    pub at: Timestamp,
    /// Milliseconds on the monotonic clock since this process opened the journal.
    pub mono_ms: u64,
    /// SHA-256, in hexadecimal, of the line before it without its newline; of nothing for the first.
    pub prev: String,
    #[serde(flatten)]
    pub event: Event,
}

/// The events of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    RunStarted(Box<RunStarted>),
    /// A process took the run up again; the operator chose to try these steps once more: failed ones, and restores whose
    /// proof failed.
    RunResumed {
        pid: u32,
        host: String,
        retry: Vec<StepId>,
        /// SHA-256 of the Terraform root's new copy, where the operator had it staged anew.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restaged: Option<String>,
        /// Which commit that is of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<Source>,
        /// What was another than at the run's start, and the operator accepted, in words.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accepted: Vec<String>,
        /// Journals of versions without a lease have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tenure: Option<Tenure>,
    },
    /// The operator had something taken into the Terraform state that stands already, instead of being created: it was
    /// created and the answer lost, or an earlier run left it.
    ImportChosen {
        /// `module.stream.aws_cloudwatch_log_group.errors`
        address: String,
        /// As the provider's documentation names it under "Import"; empty where an earlier choice is taken back.
        id: String,
        /// `user@host`.
        by: String,
    },
    /// The operator lets through what a guard of the manifest would refuse, or goes without an approval.
    GuardOverridden {
        /// Its key in the guard block, or `approval`.
        guard: String,
        because: String,
        /// ARN of the caller, as STS says.
        by: String,
    },
    /// What a step's check found and settled before anything was changed.
    StepChecked {
        step: StepId,
        facts: Value,
    },
    /// All that the step waits for is verified; it is being observed. Nothing has been changed by it in this attempt.
    StepTaken {
        step: StepId,
    },
    /// Intent: from here on the step may have had an effect.
    StepStarted {
        step: StepId,
        attempt: u32,
    },
    /// Something that must be known before an effect, such as the records before a cutover.
    StepNoted {
        step: StepId,
        name: String,
        value: Value,
    },
    /// The step's effect is there.
    StepApplied {
        step: StepId,
        output: Value,
    },
    /// The step's effect was found to be there already.
    StepReconciled {
        step: StepId,
        output: Value,
    },
    /// The step's result was proven.
    StepVerified {
        step: StepId,
    },
    StepFailed {
        step: StepId,
        failure: Failure,
    },
    /// The operator chose to go on without a step that failed.
    StepSkipped {
        step: StepId,
        skipped: Skipped,
    },
    /// A step met a disturbance that may be gone in a moment, and is tried again: observed first, whatever it had begun.
    StepRetrying {
        step: StepId,
        cause: String,
        /// Milliseconds until then.
        in_ms: u64,
        /// Which retry of this process it is, from 1.
        nth: u32,
        most: u32,
    },
    /// What lifeboat's own requests met since the last such event, by service. Written when a step ends, where there is
    /// anything to tell.
    RequestsDisturbed {
        services: BTreeMap<String, Disturbed>,
    },
    /// Terraform could not save its state; it is kept in the run's folder and stands in the way of every plan and apply.
    StateKept(KeptState),
    /// The backend has the kept state.
    StatePushed {
        sha256: String,
        lineage: String,
        serial: u64,
    },
    /// The operator has given the kept state up.
    StateDiscarded {
        sha256: String,
        because: String,
        /// `user@host`.
        by: String,
    },
    /// Intent: the operator has a lock of the state taken away that Terraform has not released.
    StateUnlocking {
        id: String,
        /// Who holds it, as the lock says.
        held_by: String,
        /// `user@host`.
        by: String,
    },
    /// No step can go on; the operator chooses.
    RunHeld {
        reason: String,
    },
    RunFinished {
        outcome: Outcome,
    },
}

/// What requests of one service met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disturbed {
    /// Tries that AWS answered with "later", with an error of its own, or not at all. Each was repeated, within bounds.
    pub retried: u64,
    /// Those of them that it throttled.
    pub throttled: u64,
}

impl Disturbed {
    pub fn add(&mut self, more: Self) {
        self.retried += more.retried;
        self.throttled += more.throttled;
    }
}

/// A state that Terraform could not save.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptState {
    pub path: PathBuf,
    /// Of the file, in hexadecimal.
    pub sha256: String,
    pub lineage: String,
    pub serial: u64,
}

/// Everything about a run that is settled when it starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    pub run: String,
    pub lifeboat: String,
    pub manifest: PathBuf,
    pub manifest_sha256: String,
    /// ARN of the caller, as STS says.
    pub caller: String,
    pub pid: u32,
    pub host: String,
    /// When the impact began, where the operator said so.
    pub impact_at: Option<Timestamp>,
    /// When the operator gave the command; what was asked and planned before this line took its time too. `None` in runs of
    /// a lifeboat that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_at: Option<Timestamp>,
    /// `None` in runs of a lifeboat that did not keep them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Inputs>,
    /// Journals of versions without a lease have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenure: Option<Tenure>,
    /// The bundle that the run does, and no more; `None` where it was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<ApprovedBundle>,
    pub runbook: Runbook,
}

/// A bundle that was approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovedBundle {
    pub sha256: String,
    /// ARNs, as STS says.
    pub planner: String,
    pub approver: String,
    pub approved_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Under which lease a process works on a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tenure {
    /// The lease in this bucket, with this fencing number.
    Held { bucket: String, fence: u64 },
    /// None, as the operator chose: another could have worked at the same time.
    Without { because: String },
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub kind: FailureKind,
    pub cause: String,
    pub hint: Option<String>,
}

/// Who left a step out, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// ARN of the caller, as STS says.
    pub by: String,
    pub because: String,
}

/// Who overrode a guard, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overridden {
    pub guard: String,
    pub because: String,
    /// ARN of the caller, as STS says.
    pub by: String,
}

/// What sort of failure it is; decides the exit code and what resume may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The step could not be done.
    Failed,
    /// Something else stands where the step would put its own.
    Conflict,
    /// The step was done; what it should prove is not so.
    CheckFailed,
    /// Stopped on request.
    Interrupted,
    /// The credentials are too old. As an interruption, it leaves the step as it stands.
    CredentialsExpired,
}

/// How a finished run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Done. `changed` is false where every step was found done already.
    Done { changed: bool, not_checked: Vec<NotChecked> },
    /// Given up by the operator.
    Abandoned { because: String },
}
