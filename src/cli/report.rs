//! `lifeboat report [RUN]`: what a run did and measured, from its journal.

use clap::{Args, ValueEnum};

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::home;
use crate::report;

#[derive(Args)]
pub struct Report {
    /// The run; without it, the newest
    pub run: Option<String>,
    #[arg(long, value_enum, default_value = "md")]
    pub format: Format,
}

/// The formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Md,
    Json,
}

/// # Errors
/// There is no such run, or its journal cannot be trusted.
pub fn run(command: &Report, environment: &Environment) -> Result<Exit, CliError> {
    let dir = home::run_or_newest(&environment.home, command.run.as_deref())?;
    let summary =
        report::read(&dir).map_err(|error| CliError::error("the run cannot be read").cause(error.to_string()))?;
    let text = match command.format {
        Format::Md => report::markdown(&summary),
        Format::Json => {
            report::json(&summary).map_err(|error| CliError::error("the report is no JSON").cause(error.to_string()))?
        }
    };
    report::to_stdout(&text);
    Ok(Exit::Done)
}
