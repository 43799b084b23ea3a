//! `lifeboat runs`: lists the runs on this machine.

use clap::Args;

use super::args::Output;
use super::environment::Environment;
use super::error::{CliError, Exit};
use crate::report;

#[derive(Args)]
pub struct Runs {
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Output,
}

/// # Errors
/// The runs cannot be listed.
pub fn run(command: &Runs, environment: &Environment) -> Result<Exit, CliError> {
    let runs = report::runs(&environment.home)
        .map_err(|error| CliError::error("the runs cannot be listed").cause(error.to_string()))?;
    let text = match command.output {
        Output::Json => report::runs_json(&runs)
            .map_err(|error| CliError::error("the runs are no JSON").cause(error.to_string()))?,
        Output::Text => report::runs_table(&runs, environment.stdout_look()),
    };
    report::to_stdout(&text);
    Ok(Exit::Done)
}
