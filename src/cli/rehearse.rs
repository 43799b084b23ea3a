//! `lifeboat rehearse [ENV]`: the whole failover on this machine, against an emulated AWS.

use clap::Args;

use super::environment::Environment;
use super::error::{CliError, Exit};

#[derive(Args)]
pub struct Rehearse {
    /// The environment; without it, an example that is compiled in
    pub env: Option<String>,
    /// Leave the emulator running afterwards, and print how to ask it
    #[arg(long)]
    pub keep: bool,
}

/// # Errors
pub async fn run(_command: &Rehearse, _environment: &Environment) -> Result<Exit, CliError> {
    Ok(Exit::Done)
}
