//! `lifeboat runs`: lists the runs on this machine, or those of an environment in its state bucket.

use clap::Args;

use super::args::Output;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::remote_runs;
use crate::report;

#[derive(Args)]
pub struct Runs {
    /// The environment whose runs are listed from its state bucket
    #[arg(requires = "remote")]
    pub env: Option<String>,
    /// List what the state bucket has, also of other machines, and who holds the lease
    #[arg(long, requires = "env")]
    pub remote: bool,
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Output,
}

/// # Errors
/// The runs cannot be listed.
pub async fn run(command: &Runs, environment: &Environment) -> Result<Exit, CliError> {
    if let Some(env) = &command.env {
        return remote_runs::run(env, command.output, environment).await;
    }
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
