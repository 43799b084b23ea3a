//! Why Terraform's part of a run could not be done, told with Terraform's own diagnostics.

use std::path::PathBuf;

use super::guard::Violation;
use super::lock::LockInfo;
use super::plan::PlanError;
use super::root::RootError;
use super::stage::StageError;
use super::state::StateError;
use super::targets::SplitError;
use crate::aws::{AwsError, LOG_IN};
use crate::guard;
use crate::journal::KeptState;
use crate::steps::{Blocked, StepError};

/// The most violations that an error lists.
const LISTED: usize = 20;

const CHANGE_THE_ROOT: &str =
    "change the root or the variables of the recovery region so that nothing of this is planned";
const RESTAGE: &str = "a run takes a changed root with lifeboat resume --restage";

#[derive(Debug, thiserror::Error)]
pub enum TerraformError {
    /// Terraform ran and failed; `told` are its own words.
    #[error("terraform {verb} failed: {told}")]
    Failed { verb: &'static str, told: String, log: PathBuf },
    /// Another Terraform holds the state's lock, also after the time that is waited for it.
    #[error("terraform {verb}: the state is locked {lock}")]
    Locked { verb: &'static str, lock: Box<LockInfo>, run: String, log: PathBuf },
    /// It is not there any more: somebody else has taken it away, or has another by now.
    #[error("there is no lock {id} on the state to take away")]
    OtherLock { id: String },
    #[error("the state's lock: {0}")]
    Lock(#[from] AwsError),
    /// The credentials are too old for what Terraform was doing.
    #[error("terraform {verb} failed for want of valid credentials: {told}")]
    Credentials { verb: &'static str, told: String, log: PathBuf },
    /// Terraform was sent a SIGINT, has finished what was in flight and saved its state.
    #[error("terraform {verb} was interrupted and has ended in order")]
    Interrupted { verb: &'static str, log: PathBuf },
    #[error("stopped while waiting for the terraform of an earlier lifeboat process")]
    StoppedWaiting { log: PathBuf },
    #[error("terraform {verb} cannot be run: {source}")]
    Run { verb: &'static str, source: std::io::Error },
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Split(#[from] SplitError),
    #[error("{root}: {}", .root.invalid)]
    Root { root: RootError },
    #[error("the file {name} cannot be made: {why}")]
    Generate { name: String, why: String },
    #[error("terraform is in workspace {found}, not in {wanted}")]
    Workspace { wanted: String, found: String },
    /// The plan does what it must not do.
    #[error("the {plan} plan is refused:\n{}", list(.violations, .guarded))]
    Refused {
        plan: &'static str,
        violations: Vec<Violation>,
        /// By the manifest's guards.
        guarded: Vec<guard::Violation>,
    },
    /// A state that could not be saved is kept; nothing more is applied until it has been pushed.
    #[error("{cause}the state after the last apply could not be saved; it is kept in {} (SHA-256 {})", .kept.path.display(), .kept.sha256)]
    StateNotSaved { cause: String, kept: Box<KeptState>, run: String },
    /// A kept state that the backend must not be given.
    #[error(
        "{why}: it has lineage {lineage}, serial {serial}; the kept one has lineage {}, serial {} ({}, SHA-256 {})",
        .kept.lineage, .kept.serial, .kept.path.display(), .kept.sha256
    )]
    NotPushed { why: &'static str, kept: Box<KeptState>, lineage: String, serial: u64, run: String },
    /// The state is not the one that the run began with.
    #[error(
        "the state of workspace {workspace} is another than the run began with: lineage {found}, serial {serial}, not \
         lineage {recorded}; nothing was written"
    )]
    OtherLineage { workspace: String, recorded: String, found: String, serial: u64 },
    /// A run that needs no Terraform was asked for something of it.
    #[error("no Terraform was looked for: nothing of this run needs it")]
    NotWanted,
    /// Why the root cannot be staged anew.
    #[error("the Terraform root is not staged anew: {0}")]
    NotRestaged(String),
    /// The run goes on where it was not begun, and the root is not the same there.
    #[error("{} is not the Terraform root that the run was planned with: its SHA-256 is {found}, not {wanted}", .root.display())]
    OtherRoot { root: PathBuf, wanted: String, found: String },
    #[error("the state already holds {address} as {held}, not as {id}, which was restored")]
    HeldAsOther { address: String, held: String, id: String },
}

/// All that a plan is refused for, as lines.
pub fn list(violations: &[Violation], guarded: &[guard::Violation]) -> String {
    let guarded = guarded.iter().map(|it| format!("- guard {it}"));
    let all: Vec<String> = violations.iter().map(|it| format!("- {it}")).chain(guarded).collect();
    let mut lines = all[..all.len().min(LISTED)].to_vec();
    if all.len() > LISTED {
        lines.push(format!("and {} more", all.len() - LISTED));
    }
    lines.join("\n")
}

impl TerraformError {
    /// What the operator can do about it where there is no run, and no log of it is kept.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Failed { told, .. } => advice(told).map(str::to_owned),
            Self::Credentials { .. } => Some("log in again, then start anew".into()),
            Self::Refused { .. } => Some(CHANGE_THE_ROOT.into()),
            _ => self.hint(),
        }
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Failed { told, log, .. } => {
                let output = format!("the whole output is in {}", log.display());
                Some(advice(told).map_or_else(|| output.clone(), |advice| format!("{advice}; {output}")))
            }
            Self::Interrupted { log, .. } => {
                Some(format!("resume the run to go on; the whole output is in {}", log.display()))
            }
            Self::StoppedWaiting { log } => Some(format!("it goes on by itself; its output is in {}", log.display())),
            Self::Run { .. } => Some("name another binary with --tf-bin".into()),
            Self::Stage(StageError::TooMuch(_)) => Some(
                "let `root` in the manifest's terraform block name a folder that holds only Terraform files".into(),
            ),
            Self::Split(SplitError::TooLong { .. }) => {
                Some("OpenTofu can leave out resources instead (-exclude): choose it with --tf-bin tofu".into())
            }
            Self::Split(SplitError::NotDeclared(_)) => Some("correct `adopt` in the manifest".into()),
            Self::Refused { violations, guarded, .. } if violations.is_empty() => Some(format!(
                "{CHANGE_THE_ROOT}; {RESTAGE}; or let it through: lifeboat resume RUN --retry STEP{} --because \"…\"",
                guard::violated(guarded).iter().map(|it| format!(" --override {it}")).collect::<String>()
            )),
            Self::Refused { .. } => Some(format!("{CHANGE_THE_ROOT}; {RESTAGE}")),
            Self::OtherRoot { .. } => {
                Some("check out what the run began with, or take the root as it is here with --restage".into())
            }
            Self::Locked { lock, run, log, .. } => Some(format!(
                "wait until it ends, then retry the step; only if it is certainly dead: lifeboat state unlock {run} --lock-id \
                 {}; the whole output is in {}",
                lock.id,
                log.display()
            )),
            Self::OtherLock { .. } => Some("lifeboat state unlock shows who holds it now".into()),
            Self::Credentials { log, .. } => Some(format!("{LOG_IN}; the whole output is in {}", log.display())),
            Self::StateNotSaved { run, .. } => Some(format!("lifeboat state push {run}, then retry the step")),
            Self::NotPushed { kept, run, .. } => Some(format!(
                "find out who wrote the backend's state. If the kept one is of no use any more: lifeboat state discard {run} \
                 --sha256 {} --because \"…\"",
                kept.sha256.get(..12).unwrap_or(&kept.sha256)
            )),
            Self::OtherLineage { .. } => Some(
                "somebody has replaced the state object: bring the recorded one back from the bucket's versions, then retry \
                 the step"
                    .into(),
            ),
            Self::NotRestaged(_) => Some("resume the run without --restage first; it goes on with the old copy".into()),
            Self::HeldAsOther { .. } => {
                Some("find out which of the two is right; `terraform state rm` makes room for the restored one".into())
            }
            _ => None,
        }
    }
}

/// Whether Terraform's words say that the credentials are too old or gone: AWS's codes, and those of the Go SDK for SSO
/// and the provider chain.
pub(super) fn credentials_expired(told: &str) -> bool {
    const WORDS: [&str; 6] = [
        "ExpiredToken",
        "RequestExpired",
        "TokenRefreshRequired",
        "SSO session has expired",
        "refresh cached SSO token failed",
        "No valid credential sources",
    ];
    WORDS.iter().any(|words| told.contains(words))
}

/// Advice for failures that operators meet often.
fn advice(told: &str) -> Option<&'static str> {
    let known = [
        (
            "onfiguration for import target does not exist",
            "the root does not declare what was chosen with --import: take it back with --import ADDRESS=",
        ),
        (
            "annot import non-existent remote object",
            "nothing stands under the ID that was chosen with --import: choose another, or take it back with --import ADDRESS=",
        ),
        (
            "lready exist",
            "something of that name stands. If it is to be this stack's (its creation was answered by nobody, or an earlier \
             run left it), add --import ADDRESS=ID to lifeboat resume, with the ID that the provider's documentation names \
             under Import; otherwise rename or remove it",
        ),
        (
            "Error acquiring the state lock",
            "another Terraform may hold the lock: lifeboat state unlock shows which one",
        ),
        (
            "lifecycle.prevent_destroy",
            "the root forbids it with prevent_destroy: name the resource in `keep` of the manifest's rebuild block, or take \
             prevent_destroy out of the root",
        ),
        ("No value for required variable", "give it in `variables` of region \"recovery\", or as TF_VAR_NAME"),
        ("Failed to query available provider packages", "the provider registry cannot be reached: use a mirror"),
        ("Failed to install provider", "the provider cannot be had: use a mirror or TF_PLUGIN_CACHE_DIR"),
        ("S3 bucket", "the recovery region's state bucket must exist before a failover"),
    ];
    known.iter().find(|(words, _)| told.contains(words)).map(|(_, advice)| *advice)
}

impl From<RootError> for TerraformError {
    fn from(root: RootError) -> Self {
        Self::Root { root }
    }
}

impl From<TerraformError> for StepError {
    fn from(error: TerraformError) -> Self {
        let cause = error.to_string();
        let step = match &error {
            TerraformError::Interrupted { .. } | TerraformError::StoppedWaiting { .. } => Self::interrupted(cause),
            TerraformError::HeldAsOther { .. } | TerraformError::OtherLineage { .. } => Self::conflict(cause),
            TerraformError::Credentials { .. } => Self::credentials(cause),
            TerraformError::Lock(error) => error.clone().into(),
            _ => Self::failed(cause),
        };
        match error.hint() {
            Some(hint) => step.hint(hint),
            None => step,
        }
    }
}

impl From<TerraformError> for Blocked {
    fn from(error: TerraformError) -> Self {
        Self { cause: error.to_string(), hint: error.hint() }
    }
}
