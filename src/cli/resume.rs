//! `lifeboat resume [RUN]`: goes on with a run that was held, stopped or killed.

use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::args::Output;
use super::choice::Choice;
use super::drive::Run;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::inputs::Changed;
use super::wiring::RunPlace;
use super::{drive, home, inputs, outlook, signals, wiring};
use crate::engine;
use crate::journal::{Event, Journal, JournalError, Loaded, Outcome, RunStarted, Skipped};
use crate::report;
use crate::runbook::Runbook;
use crate::scenario;
use crate::steps::Notice;
use crate::terraform::Workdir;

#[derive(Args)]
pub struct Resume {
    /// The run; without it, the newest unfinished one
    pub run: Option<String>,
    /// Try a failed step once more (repeatable); with a failed verification also the restore before it
    #[arg(long, value_name = "STEP")]
    pub retry: Vec<String>,
    /// Go on without a failed step (repeatable); the report says so, and what it leaves unproven
    #[arg(long, value_name = "STEP", requires = "because")]
    pub skip: Vec<String>,
    /// Give the run up, so that another can start; what it did stays as it is
    #[arg(long, requires = "because", conflicts_with_all = ["retry", "skip"])]
    pub abandon: bool,
    /// Why a step is left out, or the run given up
    #[arg(long, value_name = "TEXT")]
    pub because: Option<String>,
    /// Take the Terraform root as it is now, instead of the copy that the run began with; not while a saved plan of
    /// that copy waits to be applied
    #[arg(long, conflicts_with = "abandon")]
    pub restage: bool,
    /// Go on although this is not what the run began with (repeatable)
    #[arg(long, value_name = "WHAT", value_enum)]
    pub accept_changed: Vec<Changed>,
    /// `json`: the run's events, one a line, on standard output
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Output,
}

/// Goes on from what the journal says and AWS shows.
///
/// # Errors
/// Exit 3 when the run is finished or held by another process, when a failed step was not chosen to be tried again, or
/// when the manifest is another.
pub async fn run(command: &Resume, environment: &Environment) -> Result<Exit, CliError> {
    let run_dir = choose(command.run.as_deref(), environment)?;
    let run = run_dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (journal, loaded) = Journal::open(&run_dir).map_err(|error| unusable(&run, &error))?;
    if let Some(torn) = &loaded.torn {
        let bytes = torn.len();
        report::to_stderr(&format!("the journal's last line was torn ({bytes} bytes) and is dropped\n"));
    }
    if loaded.state.outcome.is_some() {
        return Err(CliError::blocked(format!("run {run} is finished")).next(format!("lifeboat report {run}")));
    }
    if command.abandon {
        let because = command.because.clone().unwrap_or_default();
        journal
            .append(Event::RunFinished { outcome: Outcome::Abandoned { because } })
            .map_err(|error| unusable(&run, &error))?;
        report::to_stderr(&format!("run {run} is given up; what it did stays as it is\n"));
        return Ok(Exit::Done);
    }
    let choice = Choice::of(command, &run, &loaded.state)?;
    go_on(command, environment, &run_dir, journal, loaded, choice).await
}

/// Takes the run up in its folder, by the runbook that its journal holds.
async fn go_on(
    command: &Resume,
    environment: &Environment,
    run_dir: &Path,
    journal: Journal,
    loaded: Loaded,
    choice: Choice,
) -> Result<Exit, CliError> {
    let Some(started) = &loaded.state.started else {
        return Err(CliError::error("the run never began").cause("its journal is empty"));
    };
    let plans = wiring::read_file(&started.manifest, environment)?;
    let (manifest, declared) = (plans.manifest.clone(), plans.declared.clone());
    same_steps(started, &scenario::failover(&plans.manifest))?;
    let _lock = home::lock_environment(&environment.home, &plans.manifest)?;
    let connected = wiring::connect(&plans.manifest).await?;
    let place = RunPlace { run: &started.run, run_dir, runbook: started.runbook.clone(), stop: signals::listen()? };
    let (engine, notices) = wiring::engine(plans, connected.aws, place, environment).await?;
    let now = inputs::Now {
        manifest_sha256: &wiring::sha256(&started.manifest)?,
        manifest: &manifest,
        declared: &declared,
        binary: engine.world.terraform.binary(),
        environment,
    };
    let accepted = inputs::compare(started, &now, &command.accept_changed)?;
    let restaged = if command.restage { Some(restage(&engine.world.terraform).await?) } else { None };
    let found = engine::foresee(&engine, &loaded.state, &choice.retry).await;
    report::to_stderr(&outlook::shown(&loaded, &found, environment.stderr_look()));
    let Choice { retry, skip } = choice;
    let mut events =
        vec![Event::RunResumed { pid: std::process::id(), host: wiring::host(), retry, restaged, accepted }];
    let because = command.because.clone().unwrap_or_default();
    let skipped = Skipped { by: connected.caller.arn, because };
    events.extend(skip.into_iter().map(|step| Event::StepSkipped { step, skipped: skipped.clone() }));
    for event in events {
        let record = journal.append(event).map_err(|error| unusable(&started.run, &error))?;
        engine.notices.send(Notice::Record(record)).ok();
    }
    let run = Run { engine, notices, journal: Arc::new(journal), history: &loaded.records };
    drive::drive(run, command.output, environment).await
}

/// What is left of a run is done by its own runbook. A manifest that would now give other steps (another workspace,
/// region, target or adopted address) cannot be mixed with it, accepted or not.
fn same_steps(started: &RunStarted, now: &Runbook) -> Result<(), CliError> {
    let then = &started.runbook;
    let differing: Vec<&str> = then
        .steps
        .iter()
        .filter(|step| now.step(&step.id) != Some(step))
        .chain(now.steps.iter().filter(|step| then.step(&step.id).is_none()))
        .map(|step| step.id.as_str())
        .collect();
    let place = |runbook: &Runbook| (runbook.account.clone(), runbook.from_region.clone(), runbook.to_region.clone());
    if differing.is_empty() && place(then) == place(now) {
        return Ok(());
    }
    Err(CliError::blocked(format!("{} no longer describes run {}", started.manifest.display(), started.run))
        .cause(match differing.is_empty() {
            true => "account or regions are others".to_owned(),
            false => format!("these steps are others now: {}", differing.join(", ")),
        })
        .hint("put the manifest back as it was for this run, or give the run up with --abandon and start another"))
}

fn choose(run: Option<&str>, environment: &Environment) -> Result<std::path::PathBuf, CliError> {
    if let Some(run) = run {
        return home::find_run(&environment.home, run);
    }
    let newest = home::unfinished(&environment.home, None)?.pop();
    newest
        .map(|unfinished| unfinished.dir)
        .ok_or_else(|| CliError::blocked("there is no unfinished run").next("lifeboat runs"))
}

/// Stages the root anew and returns the digest of the copy.
async fn restage(terraform: &Workdir) -> Result<String, CliError> {
    terraform.restage().await.map_err(|error| {
        let refused = CliError::blocked(error.to_string());
        match error.hint() {
            Some(hint) => refused.hint(hint),
            None => refused,
        }
    })
}

fn unusable(run: &str, error: &JournalError) -> CliError {
    match error {
        JournalError::InUse(_) => {
            CliError::blocked(format!("another process is working on run {run}")).next(format!("lifeboat status {run}"))
        }
        error => CliError::error(format!("the journal of run {run} cannot be used")).cause(error.to_string()),
    }
}
