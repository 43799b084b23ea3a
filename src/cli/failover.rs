//! `lifeboat failover ENV`: the single command.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgGroup, Args};
use jiff::Timestamp;
use tokio::sync::watch;

use super::args::Output;
use super::drive::Run;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::gate::Gate;
use super::lease::{Copied, Desk, LeaseArgs, let_go, tenure};
use super::overrides::Overrides;
use super::wiring::{Connected, Purpose, RunPlace};
use super::{ahead, confirm, credentials, drive, gate, home, inputs, lease_words, signals, wiring};
use crate::aws::Caller;
use crate::engine::{self, Engine, Preflight};
use crate::journal::{ApprovedBundle, Event, Held, Journal, RunStarted};
use crate::manifest::Manifest;
use crate::report;
use crate::scenario;

#[derive(Args)]
#[command(group = ArgGroup::new("decision").args(["without_lease", "guards"]).multiple(true))]
pub struct Failover {
    /// The environment: a folder of that name with a lifeboat.hcl
    pub env: String,
    /// The environment's name once more, instead of typing it when asked
    #[arg(long, value_name = "ENV")]
    pub confirm: Option<String>,
    /// When the impact began, for the report's RTO and RPO: 2026-11-22T03:12:00Z
    #[arg(long, value_name = "TIME")]
    pub impact_at: Option<Timestamp>,
    /// Do what this bundle says, and nothing else; it must be approved
    #[arg(long, value_name = "BUNDLE")]
    pub bundle: Option<PathBuf>,
    #[command(flatten)]
    pub lease: LeaseArgs,
    #[command(flatten)]
    pub overrides: Overrides,
    /// `json`: the run's events, one a line, on standard output
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Output,
}

/// Checks everything, asks, and carries the failover through.
///
/// # Errors
/// Exit 2 for a manifest that is not valid; 3 when something stands in the way, and nothing was changed.
pub async fn run(command: &Failover, environment: &Environment) -> Result<Exit, CliError> {
    let declared_at = Timestamp::now();
    if command.impact_at.is_some_and(|impact| impact > declared_at) {
        return Err(CliError::usage("--impact-at is in the future"));
    }
    if let Some(name) = &command.confirm
        && *name != command.env
    {
        return Err(CliError::usage(format!("--confirm says {name}, the environment is {}", command.env)));
    }
    command.overrides.check()?;
    let plans = wiring::read(&command.env, environment)?;
    let (manifest, declared) = (plans.manifest.clone(), plans.declared.clone());
    let _lock = home::lock_environment(&environment.home, &manifest)?;
    home::refuse_unfinished(&environment.home, &manifest)?;
    let connected = wiring::connect(&manifest).await?;
    let runbook = scenario::failover(&manifest);
    credentials::last(&connected, &runbook, environment).await?;
    let gate = gate::of(command.bundle.as_deref(), &command.overrides.names(), &manifest, &connected).await?;
    let run = home::new_run(&command.env, declared_at);
    let desk = Desk {
        session: &connected.aws,
        manifest: &manifest,
        home: &environment.home,
        ttl: environment.lease_ttl,
        take_over: command.lease.take_over.as_deref(),
    };
    // Whoever cannot have the lease is told so before anything is asked; that it cannot be read is said after what else
    // stands in the way.
    let lease = match command.lease.without_lease {
        true => desk.nobody_known(&run).await.map_err(|error| (error, Reading::Done)),
        false => free(&desk, &run).await,
    };
    if let Err((refused, Reading::Done)) = lease {
        return Err(refused);
    }
    let run_dir = home::make_run_dir(&environment.home, &run)?;
    let stop = signals::listen()?;
    if let Some(gate) = &gate {
        let (plans, book, stopped) = (plans.clone(), runbook.clone(), stop.subscribe());
        let current = gate.is_current(plans, &connected, book, &run_dir, stopped, environment).await;
        current.inspect_err(|_| home::discard(&run_dir))?;
    }
    let purpose = gate.as_ref().map_or(Purpose::Run, Gate::purpose);
    let place = RunPlace { run: &run, run_dir: &run_dir, runbook, stop: stop.subscribe(), purpose };
    let wired = wiring::engine(plans, connected.aws.clone(), place, environment).await;
    let (mut engine, notices) = wired.inspect_err(|_| home::discard(&run_dir))?;
    let mut stopped = engine.stop.clone();
    let found = tokio::select! {
        found = clear(&engine, lease.map_err(|(error, _)| error)) => found,
        _ = stopped.wait_for(|stop| *stop) => Err(interrupted()),
    };
    let mut found = match found {
        Ok(Some(found)) => found,
        Ok(None) => {
            home::discard(&run_dir);
            return Ok(Exit::Done);
        }
        Err(error) => {
            home::discard(&run_dir);
            return Err(error);
        }
    };
    // Not given up in the middle: Terraform has to end in order.
    let looked = ahead::look(&engine, &command.overrides.names(), &mut found).await;
    let not_checked = looked.inspect_err(|_| home::discard(&run_dir))?;
    let mut runbook = engine.runbook.as_ref().clone();
    runbook.not_checked.extend(not_checked);
    engine.runbook = Arc::new(runbook);
    let confirmed = tokio::select! {
        confirmed = confirmed(&engine, command, environment, &found) => confirmed,
        _ = stopped.wait_for(|stop| *stop) => Err(interrupted()),
    };
    confirmed.inspect_err(|_| home::discard(&run_dir))?;
    let held = match command.lease.without_lease {
        true => Ok(None),
        false => hold(&desk, &run, &connected.caller, stop).await.map(Some),
    };
    let held = held.inspect_err(|_| home::discard(&run_dir))?;
    let begun = begin(&gate, &run, &run_dir, &connected, &engine).await;
    let bundle = match begun {
        Ok(bundle) => bundle,
        Err(error) => {
            if let Some(held) = &held {
                let_go(held, 0, true).await;
            }
            home::discard(&run_dir);
            return Err(error);
        }
    };
    let started = RunStarted {
        run: run.clone(),
        lifeboat: env!("CARGO_PKG_VERSION").into(),
        manifest: manifest.path.clone(),
        manifest_sha256: wiring::sha256(&manifest.path)?,
        caller: connected.caller.arn.clone(),
        pid: std::process::id(),
        host: wiring::host(),
        impact_at: command.impact_at,
        inputs: Some(inputs::read(&manifest, &declared, engine.world.terraform.binary(), environment)?),
        tenure: Some(tenure(held.as_ref(), command.overrides.because.as_deref())),
        bundle,
        runbook: engine.runbook.as_ref().clone(),
    };
    let overrides = command.overrides.events(&connected.caller.arn);
    let journal = match open_journal(&run_dir, started, overrides, &found, &engine, held.clone()) {
        Ok(journal) => journal,
        Err(error) => {
            if let Some(gate) = &gate {
                gate.give_back().await;
            }
            // Nothing has been done under it.
            if let Some(held) = &held {
                let_go(held, 0, true).await;
            }
            return Err(error);
        }
    };
    drive::drive(Run { engine, notices, journal, history: &[], held }, command.output, environment).await
}

/// Uses the approval up, where the run goes by one.
async fn begin(
    gate: &Option<Gate>,
    run: &str,
    run_dir: &Path,
    connected: &Connected,
    engine: &Engine,
) -> Result<Option<ApprovedBundle>, CliError> {
    match gate {
        Some(gate) => gate.claim(run, run_dir, connected, &engine.world.manifest).await.map(Some),
        None => Ok(None),
    }
}

/// Whether the lease could be looked at.
enum Reading {
    Done,
    Failed,
}

/// Whether the lease can be had.
async fn free(desk: &Desk<'_>, run: &str) -> Result<(), (CliError, Reading)> {
    let found = desk.look().await.map_err(|error| (error, Reading::Failed))?;
    desk.permit(run, found.as_ref()).await.map(drop).map_err(|error| (error, Reading::Done))
}

/// Takes the lease for a run that has no journal yet.
async fn hold(desk: &Desk<'_>, run: &str, caller: &Caller, stop: watch::Sender<bool>) -> Result<Arc<Held>, CliError> {
    let found = desk.look().await?;
    let permit = desk.permit(run, found.as_ref()).await?;
    // Nothing of a new run can be there; whether it may be listed at all is better known now than when it is needed.
    desk.place(run).fetch().await.map_err(|error| lease_words::no_copy(run, &error.to_string()))?;
    desk.hold(run, caller, permit, &Copied::default(), stop).await
}

fn interrupted() -> CliError {
    CliError::error("interrupted before the run began; nothing was changed")
}

/// Whether nothing stands in the way of the steps. `None` when the environment is failed over already.
async fn clear(engine: &Engine, lease: Result<(), CliError>) -> Result<Option<Preflight>, CliError> {
    let found = engine::preflight(engine).await;
    if found.in_place {
        report::to_stderr(&already(&engine.world.manifest));
        return Ok(None);
    }
    if !found.blocked.is_empty() {
        return Err(blocked(&found));
    }
    lease?;
    Ok(Some(found))
}

async fn confirmed(
    engine: &Engine,
    command: &Failover,
    environment: &Environment,
    found: &Preflight,
) -> Result<(), CliError> {
    let manifest = &engine.world.manifest;
    report::to_stderr(&warnings(found));
    let (service, region) = (&manifest.service, &manifest.recovery.name);
    let what = format!("failing {service} {} over to {region} in account {}", command.env, manifest.account);
    confirm::confirm(&command.env, command.confirm.as_deref(), &what, environment).await
}

fn already(manifest: &Manifest) -> String {
    let records: usize = manifest.cutovers.iter().map(|cutover| cutover.records.len()).sum();
    format!(
        "{} is already failed over to {}: {records} of {records} records answer as they should.\nNothing was changed.\n",
        manifest.environment, manifest.recovery.name
    )
}

/// All that stands in the way, in one error.
pub fn blocked(found: &Preflight) -> CliError {
    let mut lines = Vec::new();
    for (step, blocked) in &found.blocked {
        lines.push(format!("{step}: {}", blocked.cause));
        lines.extend(blocked.hint.iter().map(|hint| format!("  {hint}")));
    }
    let steps = found.blocked.len();
    CliError::blocked(format!("{steps} step{} cannot start; nothing was changed", if steps == 1 { "" } else { "s" }))
        .cause(lines.join("\n"))
}

/// What the checks want people to know before they go on.
fn warnings(found: &Preflight) -> String {
    let of = |facts: &serde_json::Value| -> Vec<String> {
        let list = facts["warnings"].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(|warning| warning.as_str().map(report::escape)).collect()
    };
    let lines = found.checked.iter().flat_map(|(step, checked)| {
        of(&checked.facts).into_iter().map(move |warning| format!("warning: {step}: {warning}\n"))
    });
    lines.collect()
}

fn open_journal(
    run_dir: &Path,
    started: RunStarted,
    overrides: Vec<Event>,
    found: &Preflight,
    engine: &Engine,
    held: Option<Arc<Held>>,
) -> Result<Arc<Journal>, CliError> {
    let unwritable = |error: crate::journal::JournalError| {
        CliError::error("the journal cannot be written, so nothing was changed")
            .cause(error.to_string())
            .hint("make room, or give another folder with --home or LIFEBOAT_HOME")
    };
    let mut journal = Journal::create(run_dir).map_err(unwritable)?;
    if let Some(held) = held {
        journal = journal.guarded(held);
    }
    let mut events = vec![Event::RunStarted(Box::new(started))];
    events.extend(overrides);
    for spec in &engine.runbook.steps {
        events.push(Event::StepChecked { step: spec.id.clone(), facts: found.facts(&spec.id) });
    }
    for event in events {
        let record = journal.append(event).map_err(unwritable)?;
        engine.notices.send(crate::steps::Notice::Record(record)).ok();
    }
    Ok(Arc::new(journal))
}
