//! `lifeboat status [RUN]`: where a run stands.

use clap::Args;

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::home;
use crate::report;

#[derive(Args)]
pub struct Status {
    /// The run; without it, the newest
    pub run: Option<String>,
}

/// # Errors
/// There is no such run, or its journal cannot be trusted.
pub fn run(command: &Status, environment: &Environment) -> Result<Exit, CliError> {
    let dir = home::run_or_newest(&environment.home, command.run.as_deref())?;
    let status = report::status(&dir, environment.stdout_look())
        .map_err(|error| CliError::error("the run cannot be read").cause(error.to_string()))?;
    report::to_stdout(&status);
    Ok(Exit::Done)
}
