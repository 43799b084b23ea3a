//! Why Terraform's part of a run could not be done, told with Terraform's own diagnostics.

use std::path::PathBuf;

use super::guard::Violation;
use super::plan::PlanError;
use super::root::RootError;
use super::stage::StageError;
use super::state::StateError;
use super::targets::SplitError;
use crate::steps::{Blocked, StepError};

/// The most violations that an error lists.
const LISTED: usize = 20;

#[derive(Debug, thiserror::Error)]
pub enum TerraformError {
    /// Terraform ran and failed; `told` are its own words.
    #[error("terraform {verb} failed: {told}")]
    Failed { verb: &'static str, told: String, log: PathBuf },
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
    #[error("the {plan} plan is refused:\n{}", list(.violations))]
    Refused { plan: &'static str, violations: Vec<Violation> },
    /// A state that could not be saved is kept; nothing more is applied until it has been pushed.
    #[error("{cause}the state after the last apply could not be saved; it is kept in {} (SHA-256 {sha256})", .kept.display())]
    StateNotSaved { cause: String, kept: PathBuf, sha256: String, push: String },
    /// Why the root cannot be staged anew.
    #[error("the Terraform root is not staged anew: {0}")]
    NotRestaged(String),
    /// The run goes on where it was not begun, and the root is not the same there.
    #[error("{} is not the Terraform root that the run was planned with: its SHA-256 is {found}, not {wanted}", .root.display())]
    OtherRoot { root: PathBuf, wanted: String, found: String },
    #[error("the state already holds {address} as {held}, not as {id}, which was restored")]
    HeldAsOther { address: String, held: String, id: String },
}

fn list(violations: &[Violation]) -> String {
    let mut lines: Vec<String> = violations.iter().take(LISTED).map(|it| format!("- {it}")).collect();
    if violations.len() > LISTED {
        lines.push(format!("and {} more", violations.len() - LISTED));
    }
    lines.join("\n")
}

impl TerraformError {
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
            Self::Refused { .. } => Some(
                "change the root or the variables of the recovery region so that nothing of this is planned; a run takes \
                 a changed root with lifeboat resume --restage"
                    .into(),
            ),
            Self::StateNotSaved { push, .. } => Some(format!("push it, then retry the step: {push}")),
            Self::OtherRoot { .. } => {
                Some("check out what the run began with, or take the root as it is here with --restage".into())
            }
            Self::NotRestaged(_) => Some("resume the run without --restage first; it goes on with the old copy".into()),
            Self::HeldAsOther { .. } => {
                Some("find out which of the two is right; `terraform state rm` makes room for the restored one".into())
            }
            _ => None,
        }
    }
}

/// Advice for failures that operators meet often.
fn advice(told: &str) -> Option<&'static str> {
    let known = [
        (
            "Error acquiring the state lock",
            "another Terraform holds the lock of this state: wait for it; only if it is certainly dead, run terraform \
             force-unlock with the ID above",
        ),
        ("No value for required variable", "give it in `variables` of region \"recovery\", or as TF_VAR_NAME"),
        ("ExpiredToken", "the credentials have expired: log in again"),
        ("No valid credential sources", "there are no AWS credentials: log in, or set AWS_PROFILE"),
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
            TerraformError::HeldAsOther { .. } => Self::conflict(cause),
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
