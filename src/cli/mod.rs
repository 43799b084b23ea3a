//! The command line: arguments, one file per command, exit codes, how errors are shown.
//!
//! This is the only place that reads the environment, decides exit codes and wires the parts together.

mod ahead;
mod approve;
mod args;
mod begin;
mod bundling;
mod campaign;
mod check;
mod check_terraform;
mod choice;
mod confirm;
mod contain;
mod credentials;
mod data_loss;
mod drive;
mod environment;
mod error;
mod evidence;
mod failover;
mod faulted;
mod gate;
mod home;
mod inputs;
mod lease;
mod lease_words;
mod moment;
mod outlook;
mod overrides;
mod plan;
mod preflight;
mod prospect;
mod prospect_catalog;
mod rebuild;
mod recover;
mod recover_aurora;
mod recover_bucket;
mod recover_catalog;
mod recover_region;
mod recover_table;
mod rehearse;
mod rehearse_breach;
mod remote_runs;
mod report;
mod resume;
mod resume_checks;
mod review;
mod rotate;
mod runs;
mod screen;
mod sealing;
mod signals;
mod site;
mod state;
mod state_lock;
mod status;
mod textfile;
mod wiring;
mod writes;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use environment::Environment;
pub use error::{CliError, Exit};

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let args = Args::parse();
    init_tracing(args.verbose);
    let environment = Environment::read(&args);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return CliError::error(format!("cannot start: {error}")).show(),
    };
    let result = runtime.block_on(dispatch(&args, &environment));
    // Whatever still waits on a socket must not keep the process from ending.
    runtime.shutdown_background();
    match result {
        Ok(exit) => exit.into(),
        Err(error) => error.show(),
    }
}

async fn dispatch(args: &Args, environment: &Environment) -> Result<Exit, CliError> {
    match &args.command {
        Command::Failover(command) => failover::run(command, environment).await,
        Command::Check(command) => check::run(command, environment).await,
        Command::Approve(command) => approve::run(command, environment).await,
        Command::Plan(command) => plan::run(command, environment).await,
        Command::Review(command) => review::run(command, environment).await,
        Command::Contain(command) => contain::run(command, environment).await,
        Command::Rotate(command) => rotate::run(command, environment).await,
        Command::Rebuild(command) => rebuild::run(command, environment).await,
        Command::Recover(command) => recover::run(command, environment).await,
        Command::Evidence(command) => evidence::run(command, environment).await,
        Command::Resume(command) => resume::run(command, environment).await,
        Command::Rehearse(command) => rehearse::run(command, environment).await,
        Command::Runs(command) => runs::run(command, environment).await,
        Command::State(command) => state::run(command, environment).await,
        Command::Status(command) => status::run(command, environment),
        Command::Report(command) => report::run(command, environment),
    }
}

/// `-v` and `RUST_LOG` show what the AWS SDKs and lifeboat itself do; silent otherwise.
fn init_tracing(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let default = match verbose {
        0 => "off",
        1 => "lifeboat=debug",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
