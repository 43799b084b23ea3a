//! What the journal records: one event a line, in a chain of hashes.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Inputs;
use crate::runbook::{NotChecked, Runbook, StepId};

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
        /// What was another than at the run's start, and the operator accepted, in words.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accepted: Vec<String>,
        /// Journals of versions without a lease have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tenure: Option<Tenure>,
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
    /// No step can go on; the operator chooses.
    RunHeld {
        reason: String,
    },
    RunFinished {
        outcome: Outcome,
    },
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
    /// `None` in runs of a lifeboat that did not keep them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Inputs>,
    /// Journals of versions without a lease have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenure: Option<Tenure>,
    pub runbook: Runbook,
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
