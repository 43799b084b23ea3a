//! `lifeboat state`: what could not be saved of a run's Terraform state, and a lock that was left behind.
//!
//! Nothing is ever forced: a state goes only into a backend that it fits, a lock goes only by its own id.

use std::sync::Mutex;

use async_trait::async_trait;
use clap::{Args, Subcommand};
use tokio::sync::watch;

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::wiring::RunPlace;
use super::{home, state_lock, wiring};
use crate::engine::Engine;
use crate::journal::{Event, Journal, JournalError, KeptState, Loaded, StepPhase};
use crate::report;
use crate::terraform::events;
use crate::terraform::{Custody, Observer, TerraformError, errored};

#[derive(Args)]
pub struct State {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Push the state that Terraform could not save, through the run's own work folder
    Push(Push),
    /// Give a state up that Terraform could not save; what it alone knows of is no longer anybody's
    Discard(Discard),
    /// Show who holds the state's lock; with its id, take the lock away
    Unlock(Unlock),
}

#[derive(Args)]
struct Push {
    /// The run; without it, the newest
    run: Option<String>,
}

#[derive(Args)]
struct Discard {
    /// The run; without it, the newest
    run: Option<String>,
    /// The first digits of the kept state's SHA-256, eight at least
    #[arg(long, value_name = "PREFIX")]
    sha256: String,
    /// Why it is given up
    #[arg(long, value_name = "TEXT")]
    because: String,
}

#[derive(Args)]
struct Unlock {
    /// The run; without it, the newest
    run: Option<String>,
    /// The id of the lock that is shown
    #[arg(long, value_name = "ID")]
    lock_id: Option<String>,
}

/// The fewest digits that name a kept state.
const DIGITS: usize = 8;

/// # Errors
/// Exit 3 where the state or the lock is not what it would have to be; nothing is changed then.
pub async fn run(command: &State, environment: &Environment) -> Result<Exit, CliError> {
    match &command.command {
        Command::Push(push) => {
            let run = OpenRun::open(push.run.as_deref(), environment)?;
            self::push(run, environment).await
        }
        Command::Discard(discard) => {
            let run = OpenRun::open(discard.run.as_deref(), environment)?;
            self::discard(&run, discard, environment)
        }
        Command::Unlock(unlock) => {
            let run = OpenRun::open(unlock.run.as_deref(), environment)?;
            state_lock::unlock(run, unlock.lock_id.as_deref(), environment).await
        }
    }
}

/// A run in this process's hands: nobody else may work on it meanwhile.
pub(super) struct OpenRun {
    pub run: String,
    pub dir: std::path::PathBuf,
    pub journal: Journal,
    pub loaded: Loaded,
}

/// A run's Terraform, with the manifest's account asserted.
pub(super) struct Connected {
    pub engine: Engine,
    _environment: home::EnvironmentLock,
    _stop: watch::Sender<bool>,
}

impl OpenRun {
    fn open(run: Option<&str>, environment: &Environment) -> Result<Self, CliError> {
        let dir = home::run_or_newest(&environment.home, run)?;
        let run = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (journal, loaded) = Journal::open(&dir).map_err(|error| match error {
            JournalError::InUse(_) => CliError::blocked(format!("another process is working on run {run}"))
                .next(format!("lifeboat status {run}")),
            error => CliError::error(format!("the journal of run {run} cannot be used")).cause(error.to_string()),
        })?;
        Ok(Self { run, dir, journal, loaded })
    }

    pub fn append(&self, event: Event) -> Result<(), CliError> {
        let unwritable = |error: JournalError| {
            CliError::error(format!("the journal of run {} cannot be written", self.run)).cause(error.to_string())
        };
        self.journal.append(event).map(drop).map_err(unwritable)
    }

    /// The run's Terraform. The manifest has to be the one that the run began with: it says where the state is.
    pub async fn connect(&self, environment: &Environment) -> Result<Connected, CliError> {
        let Some(started) = &self.loaded.state.started else {
            return Err(CliError::error("the run never began").cause("its journal is empty"));
        };
        if wiring::sha256(&started.manifest)? != started.manifest_sha256 {
            return Err(CliError::blocked(format!(
                "{} is not what run {} began with",
                started.manifest.display(),
                started.run
            ))
            .cause("it says where the state is; its content has another SHA-256")
            .hint("put it back as it was for this run"));
        }
        let plans = wiring::read_file(&started.manifest, environment)?;
        let lock = home::lock_environment(&environment.home, &plans.manifest)?;
        let connected = wiring::connect(&plans.manifest).await?;
        let (stop, stopped) = watch::channel(false);
        let runbook = started.runbook.clone();
        let place = RunPlace { run: &self.run, run_dir: &self.dir, runbook, stop: stopped, approved: None };
        let aws = connected.aws_in(&place.runbook.to_region).await;
        let worked = wiring::worked(&plans, &place.runbook, environment)?;
        let (engine, _told) = wiring::engine(worked, aws, place, environment).await?;
        if let Some(log) = engine.world.terraform.still_running().map_err(|error| refused(&error))? {
            return Err(CliError::blocked(format!("a terraform of run {} is still at work", self.run))
                .cause(format!("its output goes to {}", log.display()))
                .hint("it saves the state and lets the lock go when it ends; nothing was changed"));
        }
        Ok(Connected { engine, _environment: lock, _stop: stop })
    }

    /// How the run goes on, with the failed steps tried again.
    pub fn next(&self) -> Option<String> {
        if self.loaded.state.outcome.is_some() {
            return None;
        }
        let steps = self.loaded.state.steps.iter();
        let failed = steps.filter(|(_, step)| matches!(step.phase, StepPhase::Failed(_)));
        let retries: String = failed.map(|(id, _)| format!(" --retry {id}")).collect();
        Some(format!("next: lifeboat resume {}{retries}\n", self.run))
    }
}

/// Journals the custody of states for a command.
pub(super) struct Custodian<'a> {
    run: &'a OpenRun,
    failed: Mutex<Option<CliError>>,
}

impl<'a> Custodian<'a> {
    pub fn new(run: &'a OpenRun) -> Self {
        Self { run, failed: Mutex::new(None) }
    }

    /// Why the journal does not have everything.
    fn failure(self) -> Option<CliError> {
        self.failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[async_trait]
impl Observer for Custodian<'_> {
    fn event(&self, event: &events::Event) {
        if *event == events::Event::WaitingForLock {
            self.status("waiting for the state lock, which another Terraform holds");
        }
    }

    fn status(&self, text: &str) {
        report::to_stderr(&format!("{}\n", report::escape(text)));
    }

    fn custody(&self, custody: &Custody) {
        for event in custody.events(&self.run.journal.state()) {
            if let Err(error) = self.run.append(event) {
                self.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
            }
        }
    }

    async fn stopped(&self) {
        std::future::pending().await
    }
}

async fn push(run: OpenRun, environment: &Environment) -> Result<Exit, CliError> {
    let connected = run.connect(environment).await?;
    let custodian = Custodian::new(&run);
    let pushed = connected.engine.world.terraform.push_unsaved(&custodian).await;
    if let Some(error) = custodian.failure() {
        return Err(error);
    }
    let pushed = pushed.map_err(|error| refused(&error))?;
    if pushed.is_empty() {
        report::to_stderr(&format!("run {} keeps no state that would have to be pushed\n", run.run));
    }
    for KeptState { sha256, lineage, serial, .. } in pushed {
        report::to_stderr(&format!("the backend has it: lineage {lineage}, serial {serial} (SHA-256 {sha256})\n"));
    }
    report::to_stderr(&run.next().unwrap_or_default());
    Ok(Exit::Done)
}

fn discard(run: &OpenRun, command: &Discard, environment: &Environment) -> Result<Exit, CliError> {
    let prefix = command.sha256.to_ascii_lowercase();
    if prefix.len() < DIGITS {
        return Err(CliError::usage(format!("--sha256 needs {DIGITS} digits at least")));
    }
    let all = errored::unsaved(&run.dir).map_err(|error| refused(&error))?;
    let mut meant = all.iter().filter(|kept| kept.sha256.starts_with(&prefix));
    let (Some(kept), None) = (meant.next(), meant.next()) else {
        let names: Vec<String> = all.iter().map(|kept| format!("SHA-256 {}", kept.sha256)).collect();
        return Err(CliError::blocked(format!("{prefix} names no one state that run {} keeps", run.run))
            .cause(if names.is_empty() { "it keeps none".to_owned() } else { names.join("\n") }));
    };
    for event in Custody::Kept(kept.clone()).events(&run.journal.state()) {
        run.append(event)?;
    }
    let (sha256, because) = (kept.sha256.clone(), command.because.clone());
    run.append(Event::StateDiscarded { sha256, because, by: environment.operator() })?;
    errored::discard(kept).map_err(|error| refused(&error))?;
    report::to_stderr(&format!(
        "given up: lineage {}, serial {} (SHA-256 {}); the file stays beside {}\n",
        kept.lineage,
        kept.serial,
        kept.sha256,
        kept.path.display()
    ));
    report::to_stderr(&run.next().unwrap_or_default());
    Ok(Exit::Done)
}

/// What Terraform or the state's own guard said; nothing was changed.
pub(super) fn refused(error: &TerraformError) -> CliError {
    let refused = match error {
        TerraformError::NotPushed { .. } | TerraformError::Locked { .. } | TerraformError::Credentials { .. } => {
            CliError::blocked(error.to_string())
        }
        error => CliError::error(error.to_string()),
    };
    match error.hint() {
        Some(hint) => refused.hint(hint),
        None => refused,
    }
}
