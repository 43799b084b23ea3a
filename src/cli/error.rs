//! Exit codes, and how an error is shown: what failed, why, what to do, and the next command.

use std::process::ExitCode;

use crate::report;

/// How a command ends. The numbers are documented in the help and hold between versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Error = 1,
    Usage = 2,
    Blocked = 3,
    Held = 4,
    CheckFailed = 5,
}

impl Exit {
    /// The exit of a lifeboat that ended with this code.
    pub fn of(code: i32) -> Self {
        let known = [Self::Done, Self::Error, Self::Usage, Self::Blocked, Self::Held, Self::CheckFailed];
        known.into_iter().find(|exit| *exit as i32 == code).unwrap_or(Self::Error)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error as the user sees it.
#[derive(Debug)]
pub struct CliError {
    pub exit: Exit,
    pub what: String,
    pub cause: Option<String>,
    pub hint: Option<String>,
    pub next: Option<String>,
    /// Shown as it is, after the rest: a report of many problems with its own layout.
    pub details: Option<String>,
}

impl CliError {
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), cause: None, hint: None, next: None, details: None }
    }

    pub fn error(what: impl Into<String>) -> Self {
        Self::new(Exit::Error, what)
    }

    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    pub fn blocked(what: impl Into<String>) -> Self {
        Self::new(Exit::Blocked, what)
    }

    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> Self {
        self.details = Some(details.into());
        self
    }

    /// Shows the error and gives its exit code.
    pub fn show(&self) -> ExitCode {
        let block = report::error_block(&self.what, self.cause.as_deref(), self.hint.as_deref(), self.next.as_deref());
        report::to_stderr(&block);
        if let Some(details) = &self.details {
            report::to_stderr(details);
        }
        self.exit.into()
    }
}
