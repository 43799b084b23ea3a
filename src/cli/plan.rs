//! `lifeboat plan SCENARIO ENV`: what would be done, from which recovery points, and what stands in the way.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use tokio::sync::watch;

use super::args::Output;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::wiring::RunPlace;
use super::{home, wiring};
use crate::engine::{self, Engine};
use crate::report::{self, Obstacle, PlanView};
use crate::scenario;
use crate::steps::Blocked;
use crate::terraform::GeneratedFile;

#[derive(Args)]
pub struct Plan {
    #[arg(value_enum)]
    pub scenario: Scenario,
    /// The environment: a folder of that name with a lifeboat.hcl
    pub env: String,
    /// Write the generated backend and variable files to this folder and stop; nobody is asked
    #[arg(long, value_name = "DIR")]
    pub generate_only: Option<PathBuf>,
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    Failover,
}

/// # Errors
/// Exit 2 for a manifest that is not valid, 3 when something stands in the way of the scenario.
pub async fn run(command: &Plan, environment: &Environment) -> Result<Exit, CliError> {
    let plans = wiring::read(&command.env, environment)?;
    if let Some(dir) = &command.generate_only {
        return generate(dir, &plans.generated);
    }
    let runbook = match command.scenario {
        Scenario::Failover => scenario::failover(&plans.manifest),
    };
    let connected = wiring::connect(&plans.manifest).await?;
    let run = home::new_run(&command.env, Timestamp::now());
    let run_dir = home::make_run_dir(&environment.home, &run)?;
    let (_keep, stop) = watch::channel(false);
    let place = RunPlace { run: &run, run_dir: &run_dir, runbook, stop };
    let planned = match wiring::engine(plans, connected.aws, place, environment).await {
        Ok((engine, _told)) => Ok(view(&engine).await?),
        Err(error) => Err(error),
    };
    home::discard(&run_dir);
    let view = planned?;
    let text = match command.output {
        Output::Json => view.json().map_err(|error| CliError::error("the plan is no JSON").cause(error.to_string()))?,
        Output::Text => view.text(environment.stdout_look()),
    };
    report::to_stdout(&text);
    Ok(if view.blocked.is_empty() { Exit::Done } else { Exit::Blocked })
}

async fn view(engine: &Engine) -> Result<PlanView, CliError> {
    let found = engine::preflight(engine).await;
    let facts = found.checked.iter().map(|(step, checked)| (step.clone(), checked.facts.clone())).collect();
    let blocked = found.blocked.into_iter();
    let blocked = blocked.map(|(step, Blocked { cause, hint })| Obstacle { step, cause, hint }).collect();
    PlanView::of(&engine.runbook, &facts, blocked, found.in_place, Timestamp::now())
        .map_err(|error| CliError::error("the runbook is not sound").cause(error.to_string()))
}

/// Writes the files; one that is there with other content is left alone.
fn generate(dir: &Path, files: &[GeneratedFile]) -> Result<Exit, CliError> {
    let failed = |path: &Path, error: std::io::Error| {
        CliError::error(format!("{} cannot be written", path.display())).cause(error.to_string())
    };
    fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
    for file in files {
        let path = dir.join(&file.name);
        match fs::read_to_string(&path) {
            Ok(there) if there == file.contents => {}
            Ok(_) => {
                return Err(CliError::error(format!("{} is there with other content", path.display()))
                    .hint("name another folder, or move the file away"));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // Variables may hold secrets.
                let mut new = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&path)
                    .map_err(|error| failed(&path, error))?;
                new.write_all(file.contents.as_bytes()).map_err(|error| failed(&path, error))?;
            }
            Err(error) => return Err(failed(&path, error)),
        }
        report::to_stdout(&format!("{}\n", path.display()));
    }
    Ok(Exit::Done)
}
