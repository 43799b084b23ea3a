//! `lifeboat failover ENV`: the single command. What is looked at before anything begins is here; how the run then begins is
//! in `begin`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgGroup, Args};
use jiff::Timestamp;

use super::args::Output;
use super::begin::Beginning;
use super::bundling::Seen;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::gate::{Gate, Wanted};
use super::home::NewRun;
use super::lease::{Desk, LeaseArgs, Reading};
use super::overrides::Overrides;
use super::preflight::{blocked, unless_stopped, warnings};
use super::wiring::RunPlace;
use super::{ahead, args, confirm, credentials, data_loss, gate, home, plan, signals, wiring};
use crate::engine::{self, Engine, Preflight};
use crate::manifest::{CopyEngine, Manifest};
use crate::report;
use crate::scenario::{self, FAILOVER};

#[derive(Args)]
#[command(group = ArgGroup::new("decision").args(["without_lease", "guards"]).multiple(true))]
pub struct Failover {
    /// The environment: a folder of that name with a lifeboat.hcl
    pub env: String,
    /// The environment's name once more, instead of typing it when asked
    #[arg(long, value_name = "ENV")]
    pub confirm: Option<String>,
    /// When the impact began, for the report's RTO and RPO: 2026-11-22T03:12:00Z
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    pub impact_at: Option<Timestamp>,
    /// Do what this bundle says, and nothing else; it must be approved
    #[arg(long, value_name = "BUNDLE")]
    pub bundle: Option<PathBuf>,
    /// Fail global databases over although what is not replicated is lost; how much that is is shown before
    #[arg(long)]
    pub allow_data_loss: bool,
    /// What copies buckets: by the number of objects, this machine, or jobs of S3 Batch Operations; a bundle says it itself
    #[arg(long, value_name = "auto|local|batch", value_parser = args::copy_engine, conflicts_with = "bundle")]
    pub engine: Option<CopyEngine>,
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
    confirm::plausible(&command.env, command.confirm.as_deref(), command.impact_at, declared_at)?;
    command.overrides.check()?;
    let plans = wiring::read(&command.env, environment)?;
    let manifest = plans.manifest.clone();
    let _lock = home::lock_environment(&environment.home, &manifest)?;
    home::refuse_unfinished(&environment.home, &manifest)?;
    let connected = wiring::connect(&manifest).await?;
    let engine = match &command.bundle {
        Some(path) => plan::read(path)?.steps.runbook.copy_engine(),
        None => command.engine.unwrap_or_default(),
    };
    let runbook = scenario::failover(&scenario::copied_by(&manifest, engine));
    credentials::last(&connected, &runbook, environment).await?;
    let planned_by = plan::of_failover(&command.env, engine);
    let wanted = Wanted { scenario: FAILOVER, bundle: command.bundle.as_deref(), planned_by: &planned_by };
    let gate = gate::of(wanted, &command.overrides.names(), &manifest, &connected).await?;
    let name = home::new_run(&command.env, declared_at);
    let desk = Desk::of(environment, &connected, &manifest, Some(&command.lease));
    // Whoever cannot have the lease is told so before anything is asked; that it cannot be read is said after what else
    // stands in the way.
    let lease = match command.lease.without_lease {
        true => desk.nobody_known(&name).await.map_err(|error| (error, Reading::Done)),
        false => desk.free(&name).await,
    };
    if let Err((refused, Reading::Done)) = lease {
        return Err(refused);
    }
    let new = NewRun::make(&environment.home, name)?;
    let stop = signals::listen()?;
    let approved = gate.as_ref().and_then(Gate::approved);
    let place = RunPlace { run: &new.name, run_dir: &new.dir, runbook, stop: stop.subscribe(), approved };
    let (mut engine, notices) = wiring::engine(plans.clone(), connected.aws.clone(), place, environment).await?;
    let cleared =
        unless_stopped(&engine, clear(&engine, command, &connected.caller.arn, lease.map_err(|(error, _)| error)))
            .await?;
    let Some(mut found) = cleared else { return Ok(Exit::Done) };
    // Planned once: for the guards, for the comparison with what was approved, and for the first step that needs a plan.
    // Not given up in the middle: Terraform has to end in order.
    let foreknown = ahead::look(&engine, command.bundle.as_deref(), &command.overrides.names(), &mut found).await?;
    if let Some(gate) = &gate {
        let (plans, connected, engine) = (&plans, &connected, &engine);
        gate.is_current(Seen { plans, connected, engine, found: &found, foreknown: Some(&foreknown) }, environment)
            .await?;
    }
    let mut runbook = engine.runbook.as_ref().clone();
    runbook.not_checked.extend(foreknown.not_checked);
    engine.runbook = Arc::new(runbook);
    unless_stopped(&engine, confirmed(&engine, command, environment, &found)).await?;
    let beginning = Beginning {
        new: &new,
        plans: &plans,
        connected: &connected,
        gate: gate.as_ref(),
        declared_at,
        impact_at: command.impact_at,
        overrides: &command.overrides,
        lease: &command.lease,
    };
    beginning.carry_out((engine, notices), &found, stop, command.output, environment).await
}

/// Whether nothing stands in the way of the steps. `None` when the environment is failed over already.
async fn clear(
    engine: &Engine,
    command: &Failover,
    caller: &str,
    lease: Result<(), CliError>,
) -> Result<Option<Preflight>, CliError> {
    let mut found = engine::preflight(engine).await;
    if found.in_place {
        report::to_stderr(&already(&engine.world.manifest));
        return Ok(None);
    }
    data_loss::judge(&mut found, command.allow_data_loss, caller);
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
