//! How a step fails: with a cause that says what and where, and a hint that says what next.

use crate::journal::{Failure, FailureKind};

/// Why a step could not be done or proven.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct StepError {
    pub kind: FailureKind,
    pub cause: String,
    pub hint: Option<String>,
    /// Whether it may be gone by itself in a moment: a wait goes on over it.
    pub transient: bool,
}

impl StepError {
    pub fn failed(cause: impl Into<String>) -> Self {
        Self { kind: FailureKind::Failed, cause: cause.into(), hint: None, transient: false }
    }

    pub fn conflict(cause: impl Into<String>) -> Self {
        Self { kind: FailureKind::Conflict, cause: cause.into(), hint: None, transient: false }
    }

    /// What the step should prove is not so.
    pub fn check_failed(cause: impl Into<String>) -> Self {
        Self { kind: FailureKind::CheckFailed, cause: cause.into(), hint: None, transient: false }
    }

    pub fn interrupted(cause: impl Into<String>) -> Self {
        Self { kind: FailureKind::Interrupted, cause: cause.into(), hint: None, transient: false }
    }

    /// Only newer credentials can help.
    pub fn credentials(cause: impl Into<String>) -> Self {
        Self { kind: FailureKind::CredentialsExpired, cause: cause.into(), hint: None, transient: false }
    }

    /// Whether the step is to be left as it stands, for whoever resumes the run: nothing about it has failed.
    pub fn parks(&self) -> bool {
        matches!(self.kind, FailureKind::Interrupted | FailureKind::CredentialsExpired)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        Self { kind: error.kind, cause: error.cause, hint: error.hint }
    }
}
