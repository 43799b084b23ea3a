//! `lifeboat resume [RUN]`: goes on with a run that was held, stopped or killed, on this machine or another.

use std::sync::Arc;

use clap::{ArgGroup, Args};
use tokio::sync::watch;

use super::args::Output;
use super::choice::{self, Choice, Import};
use super::drive::Run;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::inputs::Changed;
use super::lease::{Copied, Desk, LeaseArgs, let_go, tenure};
use super::overrides::Overrides;
use super::resume_checks::{same_steps, staged};
use super::site::{self, Here, unusable};
use super::wiring::{Connected, Plans, RunPlace};
use super::{drive, gate, home, inputs, outlook, signals, wiring};
use crate::engine;
use crate::journal::lease::Permit;
use crate::journal::{Event, Journal, Loaded, Outcome, Skipped};
use crate::report;
use crate::scenario;
use crate::steps::Notice;

#[derive(Args)]
#[command(group = ArgGroup::new("decision").args(["skip", "abandon", "without_lease", "guards"]).multiple(true))]
pub struct Resume {
    /// The run, of this machine or another; without it, the newest unfinished one of this machine
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
    #[command(flatten)]
    pub overrides: Overrides,
    /// Take the Terraform root as it is now, instead of the copy that the run began with; not while a saved plan of
    /// that copy waits to be applied
    #[arg(long, conflicts_with = "abandon")]
    pub restage: bool,
    /// Take what stands already into the Terraform state, instead of creating it (repeatable): its address, and its id as
    /// the provider's documentation names it under "Import"; without an id, an earlier choice is taken back
    #[arg(long, value_name = "ADDRESS=ID", value_parser = choice::import, conflicts_with = "abandon")]
    pub import: Vec<Import>,
    /// Go on although this is not what the run began with (repeatable)
    #[arg(long, value_name = "WHAT", value_enum)]
    pub accept_changed: Vec<Changed>,
    #[command(flatten)]
    pub lease: LeaseArgs,
    /// `json`: the run's events, one a line, on standard output
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Output,
}

/// A run whose journal is whole on this machine, and whose lease may be taken.
struct Ready {
    run: String,
    plans: Plans,
    here: Here,
    connected: Connected,
    /// `None` where the operator goes without.
    lease: Option<(Permit, Copied)>,
    /// Turns true when the run has to stop.
    stop: watch::Sender<bool>,
}

/// Goes on from what the journal says and AWS shows.
///
/// # Errors
/// Exit 3 when the run is finished, is being worked on, or waits for a choice that was not given; when its copies
/// conflict; or when the manifest or the Terraform root is another.
pub async fn run(command: &Resume, environment: &Environment) -> Result<Exit, CliError> {
    command.overrides.check()?;
    let site = site::find(command.run.as_deref(), environment)?;
    let run = site.run.clone();
    if let Some(loaded) = site.loaded() {
        unfinished(&run, loaded)?;
    }
    if command.abandon && (command.lease.without_lease || site.had_no_lease()) {
        return abandon(command, &run, &site.alone()?.journal);
    }
    let plans = site.plans(environment)?;
    let _lock = home::lock_environment(&environment.home, &plans.manifest)?;
    let connected = wiring::connect(&plans.manifest).await?;
    let stop = signals::listen()?;
    if command.lease.without_lease {
        Desk::of(environment, &connected, &plans.manifest, Some(&command.lease)).nobody_known(&run).await?;
        let ready = Ready { run, plans, here: site.alone()?, connected, lease: None, stop };
        return go_on(command, environment, ready).await;
    }
    let desk = Desk::of(environment, &connected, &plans.manifest, Some(&command.lease));
    let found = desk.look().await?;
    let permit = desk.permit(&run, found.as_ref()).await?;
    let (here, copied) = site.synced(&desk.place(&run), &plans.manifest, &environment.home).await?;
    let over = unfinished(&run, &here.loaded);
    let ready = Ready { run, plans, here, connected, lease: Some((permit, copied)), stop };
    match over {
        // Whoever finished it has let go of the lease, or died before.
        Err(error) if found.is_some_and(|it| it.body.run == ready.run && !it.body.finished) => {
            settle(command, environment, ready).await?;
            Err(error)
        }
        Err(error) => Err(error),
        Ok(()) if command.abandon => give_up(command, environment, ready).await,
        Ok(()) => go_on(command, environment, ready).await,
    }
}

fn unfinished(run: &str, loaded: &Loaded) -> Result<(), CliError> {
    match loaded.state.outcome {
        Some(_) => Err(CliError::blocked(format!("run {run} is finished")).next(format!("lifeboat report {run}"))),
        None => Ok(()),
    }
}

/// Gives the run up on this machine.
fn abandon(command: &Resume, run: &str, journal: &Journal) -> Result<Exit, CliError> {
    let because = command.overrides.because.clone().unwrap_or_default();
    let end = Event::RunFinished { outcome: Outcome::Abandoned { because } };
    journal.append(end).map_err(|error| unusable(run, &error))?;
    report::to_stderr(&format!("run {run} is given up; what it did stays as it is\n"));
    Ok(Exit::Done)
}

/// Gives the run up under its lease, so that every machine knows.
async fn give_up(command: &Resume, environment: &Environment, ready: Ready) -> Result<Exit, CliError> {
    let Ready { run, plans, here, connected, lease, stop } = ready;
    let Some((permit, copied)) = lease else { return abandon(command, &run, &here.journal) };
    let desk = Desk::of(environment, &connected, &plans.manifest, Some(&command.lease));
    let held = desk.hold(&run, &connected.caller, permit, &copied, stop).await?;
    let journal = here.journal.guarded(held.clone());
    let given_up = abandon(command, &run, &journal);
    let_go(&held, journal.next(), given_up.is_ok()).await;
    given_up
}

/// Copies what the bucket lacks of a run that has its end, and says there that it has.
async fn settle(command: &Resume, environment: &Environment, ready: Ready) -> Result<(), CliError> {
    let Ready { run, plans, here, connected, lease, stop } = ready;
    let Some((permit, copied)) = lease else { return Ok(()) };
    let desk = Desk::of(environment, &connected, &plans.manifest, Some(&command.lease));
    let held = desk.hold(&run, &connected.caller, permit, &copied, stop).await?;
    let_go(&held, here.journal.next(), true).await;
    Ok(())
}

/// Takes the run up by the runbook that its journal holds.
async fn go_on(command: &Resume, environment: &Environment, ready: Ready) -> Result<Exit, CliError> {
    let Ready { run, plans, here, connected, lease, stop } = ready;
    let Here { dir, mut journal, loaded } = here;
    let Some(started) = &loaded.state.started else {
        return Err(CliError::error("the run never began").cause("its journal is empty"));
    };
    let choice = Choice::of(command, &run, &loaded.state)?;
    choice::importable(&command.import, &plans.manifest, &loaded.state)?;
    let (manifest, declared) = (plans.manifest.clone(), plans.declared.clone());
    same_steps(started, &scenario::again(&started.runbook, &manifest))?;
    let approved =
        gate::resumed(started, &dir, &connected, &manifest, command.restage, &command.accept_changed).await?;
    let runbook = started.runbook.clone();
    let place = RunPlace { run: &run, run_dir: &dir, runbook, stop: stop.subscribe(), approved };
    let aws = connected.aws_in(&started.runbook.to_region).await;
    let worked = wiring::worked(&plans, &place.runbook, environment)?;
    let (engine, notices) = wiring::engine(worked.clone(), aws, place, environment).await?;
    let now = inputs::Now {
        manifest_sha256: &wiring::sha256(&manifest.path)?,
        manifest: &worked.manifest,
        declared: &declared,
        binary: engine.world.terraform.binary().ok(),
        environment,
    };
    let accepted = inputs::compare(started, &now, &command.accept_changed)?;
    let restaged = staged(command, &engine, &loaded).await?;
    let found = engine::foresee(&engine, &loaded.state, &choice.retry).await;
    report::to_stderr(&outlook::shown(&loaded, &found, environment.stderr_look()));
    let held = match lease {
        Some((permit, copied)) => {
            let desk = Desk::of(environment, &connected, &manifest, Some(&command.lease));
            Some(desk.hold(&run, &connected.caller, permit, &copied, stop).await?)
        }
        None => None,
    };
    if let Some(held) = &held {
        journal = journal.guarded(held.clone());
    }
    let because = command.overrides.because.clone().unwrap_or_default();
    let tenure = Some(tenure(held.as_ref(), Some(&because)));
    let Choice { retry, skip } = choice;
    let by = environment.operator();
    let imports = command.import.iter().cloned();
    let mut events: Vec<Event> =
        imports.map(|Import { address, id }| Event::ImportChosen { address, id, by: by.clone() }).collect();
    events.extend(command.overrides.events(&connected.caller.arn));
    let (restaged, source) = restaged.unzip();
    let (pid, host) = (std::process::id(), wiring::host());
    events.push(Event::RunResumed { pid, host, retry, restaged, source, accepted, tenure });
    let skipped = Skipped { by: connected.caller.arn, because };
    events.extend(skip.into_iter().map(|step| Event::StepSkipped { step, skipped: skipped.clone() }));
    for event in events {
        match journal.append(event) {
            Ok(record) => drop(engine.notices.send(Notice::Record(record))),
            Err(error) => {
                if let Some(held) = &held {
                    let_go(held, journal.next(), false).await;
                }
                return Err(unusable(&run, &error));
            }
        }
    }
    let run = Run { engine, notices, journal: Arc::new(journal), history: &loaded.records, held };
    drive::drive(run, command.output, environment).await
}
