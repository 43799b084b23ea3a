//! `lifeboat recover aurora|table|bucket|catalog NAME --to TIME`, or `--clean-before TIME` after a breach: what was corrupted is
//! brought back as it was. A bucket that
//! keeps versions is taken back where it is; a cluster, a table or a catalog is restored beside itself. `lifeboat recover
//! --bundle BUNDLE` does what an approved bundle says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgGroup, Args, Subcommand};
use jiff::Timestamp;

use super::args::Output;
use super::begin::Beginning;
use super::bundling::Seen;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::gate::Gate;
use super::home::NewRun;
use super::lease::{Desk, LeaseArgs};
use super::moment::Moment;
use super::overrides::Overrides;
use super::preflight::{blocked, unless_stopped, warnings};
use super::prospect::{Prospect, candidates, not_as_expected, prospect, question};
use super::recover_aurora::RecoverAurora;
use super::recover_bucket::RecoverBucket;
use super::recover_catalog::RecoverCatalog;
use super::recover_table::RecoverTable;
use super::wiring::{Connected, Plans, RunPlace};
use super::{
    ahead, args, confirm, credentials, gate, home, plan, recover_aurora, recover_bucket, recover_catalog,
    recover_table, signals, wiring, writes,
};
use crate::aws::Session;
use crate::bundle::Bundle;
use crate::engine;
use crate::report;
use crate::runbook::Runbook;
use crate::scenario::{self, RECOVER};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Recover {
    #[command(subcommand)]
    what: Option<What>,
    /// Do what this bundle says, and nothing else; it must be approved
    #[arg(long, value_name = "BUNDLE", required = true)]
    bundle: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Subcommand)]
enum What {
    /// Restore a cluster to a point in time, or from its newest clean snapshot, beside itself under another identifier
    #[command(visible_alias = "cluster")]
    Aurora(RecoverAurora),
    /// Take a bucket that keeps versions back to a time; nothing is lost, and the same command with a later time undoes it
    Bucket(RecoverBucket),
    /// Recreate a Glue database as it was exported at a time, beside itself under another name
    Catalog(RecoverCatalog),
    /// Restore a table to a point in time, or from its newest clean backup, beside itself under another name
    Table(RecoverTable),
}

/// How a recovery is run.
#[derive(Args)]
#[command(group = ArgGroup::new("decision").args(["without_lease", "guards"]).multiple(true))]
pub struct RunArgs {
    /// The environment's name once more, instead of typing it when asked
    #[arg(long, value_name = "ENV")]
    confirm: Option<String>,
    /// When the impact began, for the report's RTO and RPO
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    impact_at: Option<Timestamp>,
    #[command(flatten)]
    lease: LeaseArgs,
    #[command(flatten)]
    overrides: Overrides,
    /// `json`: the run's events, one a line, on standard output
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Output,
}

/// What is recovered, as the operator has named it.
pub struct Named {
    pub plans: Plans,
    pub connected: Connected,
    /// Clients for the region of what is recovered.
    pub aws: Session,
    pub runbook: Runbook,
    /// The command that makes a bundle of it.
    pub planned_by: String,
}

/// What can be recovered, named by arguments.
pub trait Subject {
    fn moment(&self) -> &Moment;
    /// Looks for it.
    ///
    /// # Errors
    /// Exit 2 for a manifest that is not valid; 3 where it is not found.
    async fn named(&self, environment: &Environment) -> Result<Named, CliError>;
}

/// An option of a command, where it was given.
pub fn given<'a>(name: &'a str, value: Option<&'a str>) -> impl Iterator<Item = (&'a str, &'a str)> {
    value.into_iter().map(move |value| (name, value))
}

/// # Errors
/// Exit 2 for a manifest that is not valid or a time that is none; 3 when something stands in the way, and nothing was
/// changed.
pub async fn run(command: &Recover, environment: &Environment) -> Result<Exit, CliError> {
    match (&command.what, &command.bundle) {
        (Some(What::Aurora(command)), _) => recover_aurora::run(command, environment).await,
        (Some(What::Bucket(command)), _) => recover_bucket::run(command, environment).await,
        (Some(What::Catalog(command)), _) => recover_catalog::run(command, environment).await,
        (Some(What::Table(command)), _) => recover_table::run(command, environment).await,
        (None, Some(path)) => by_bundle(path, &command.run, environment).await,
        (None, None) => Err(CliError::usage("what shall be recovered?").hint("lifeboat recover --help")),
    }
}

/// Carries out a restore of what is named beside itself.
pub async fn beside(
    subject: &impl Subject,
    run: &RunArgs,
    dry_run: bool,
    environment: &Environment,
) -> Result<Exit, CliError> {
    let declared_at = Timestamp::now();
    let moment = subject.moment();
    moment.plausible(declared_at)?;
    run.plausible(&moment.env, declared_at)?;
    let named = subject.named(environment).await?;
    Recovery { run, declared_at, named, bundle: None, dry_run }.carry_out(environment).await
}

/// Carries out what a bundle says. Whether it may be used, the gate decides.
async fn by_bundle(path: &Path, run: &RunArgs, environment: &Environment) -> Result<Exit, CliError> {
    let declared_at = Timestamp::now();
    let bundle = plan::read(path)?;
    run.plausible(&bundle.index.subject.environment, declared_at)?;
    let named = named_by(&bundle, path, RECOVER, environment).await?;
    Recovery { run, declared_at, named, bundle: Some(path), dry_run: false }.carry_out(environment).await
}

/// What a bundle names, which has to be one of that scenario.
///
/// # Errors
/// Exit 2 for a manifest that is not valid; 3: it is the bundle of another scenario.
pub async fn named_by(
    bundle: &Bundle,
    path: &Path,
    scenario: &str,
    environment: &Environment,
) -> Result<Named, CliError> {
    let subject = &bundle.index.subject;
    gate::of_scenario(bundle, path, scenario)?;
    let plans = wiring::read(&subject.environment, environment)?;
    let connected = wiring::connect(&plans.manifest).await?;
    let aws = connected.aws_in(&subject.region).await;
    let runbook = scenario::again(&bundle.steps.runbook, &plans.manifest);
    Ok(Named { plans, connected, aws, runbook, planned_by: bundle.index.command.clone() })
}

impl RunArgs {
    /// What no manifest is needed for to refuse it.
    ///
    /// # Errors
    /// Exit 2, saying what.
    pub fn plausible(&self, env: &str, now: Timestamp) -> Result<(), CliError> {
        confirm::plausible(env, self.confirm.as_deref(), self.impact_at, now)?;
        self.overrides.check()
    }
}

/// A recovery that may begin.
pub struct Recovery<'a> {
    pub run: &'a RunArgs,
    pub declared_at: Timestamp,
    pub named: Named,
    /// Which bundle it goes by.
    pub bundle: Option<&'a Path>,
    pub dry_run: bool,
}

impl Recovery<'_> {
    /// Checks everything, asks, and carries it through.
    pub async fn carry_out(self, environment: &Environment) -> Result<Exit, CliError> {
        let Self { run, declared_at, named, bundle, dry_run } = self;
        let Named { plans, connected, aws, runbook, planned_by } = named;
        let manifest = plans.manifest.clone();
        let env = &manifest.environment;
        let name = home::new_run(env, declared_at);
        // To look is nobody's to approve, and disturbs no other run.
        let (gate, _lock) = match dry_run {
            true => (None, None),
            false => {
                let wanted = gate::Wanted { scenario: &runbook.scenario, bundle, planned_by: &planned_by };
                let gate = gate::of(wanted, &run.overrides.names(), &manifest, &connected).await?;
                let lock = home::lock_environment(&environment.home, &manifest)?;
                home::refuse_unfinished(&environment.home, &manifest)?;
                let desk = Desk::of(environment, &connected, &manifest, Some(&run.lease));
                match run.lease.without_lease {
                    true => desk.nobody_known(&name).await?,
                    false => desk.free(&name).await.map_err(|(error, _)| error)?,
                }
                (gate, Some(lock))
            }
        };
        credentials::last(&connected, &runbook, environment).await?;
        let new = NewRun::make(&environment.home, name)?;
        let stop = signals::listen()?;
        let approved = gate.as_ref().and_then(Gate::approved);
        let place = RunPlace { run: &new.name, run_dir: &new.dir, runbook, stop: stop.subscribe(), approved };
        let worked = wiring::worked(&plans, &place.runbook, environment)?;
        let (mut engine, notices) = wiring::engine(worked.clone(), aws, place, environment).await?;
        let look = async { Ok(engine::preflight(&engine).await) };
        let mut found = unless_stopped(&engine, look).await?;
        if !found.blocked.is_empty() {
            return Err(blocked(&found));
        }
        match prospect(&engine.runbook, |step| found.facts(step)) {
            Some(Prospect::InPlace(words)) => {
                report::to_stderr(&format!("{words}\nNothing was changed.\n"));
                return Ok(Exit::Done);
            }
            Some(Prospect::Unexpected { words, unmet }) => return Err(not_as_expected(words, unmet)),
            Some(Prospect::ToDo(words)) => report::to_stderr(&words),
            None => {}
        }
        if writes::are_shown(&engine.runbook) {
            let writes = writes::writes(&engine.runbook, &found);
            if dry_run { report::to_stdout(&writes) } else { report::to_stderr(&writes) }
        }
        report::to_stderr(&candidates(&engine.runbook, |step| found.facts(step)));
        report::to_stderr(&warnings(&found));
        // What is taken down is planned before anything is asked: for the guards, and for the comparison with what was approved.
        let foreknown = match engine.runbook.tears_down() {
            true => Some(ahead::look(&engine, bundle, &run.overrides.names(), &mut found).await?),
            false => None,
        };
        if dry_run {
            report::to_stderr("nothing was changed\n");
            return Ok(Exit::Done);
        }
        if let Some(gate) = &gate {
            let (plans, connected, engine, foreknown) = (&worked, &connected, &engine, foreknown.as_ref());
            gate.is_current(Seen { plans, connected, engine, found: &found, foreknown }, environment).await?;
        }
        if let Some(foreknown) = foreknown {
            let mut runbook = engine.runbook.as_ref().clone();
            runbook.not_checked.extend(foreknown.not_checked);
            engine.runbook = Arc::new(runbook);
        }
        let question = question(&engine.runbook);
        let asked = confirm::confirm(env, run.confirm.as_deref(), &question, environment);
        unless_stopped(&engine, asked).await?;
        let beginning = Beginning {
            new: &new,
            plans: &plans,
            connected: &connected,
            gate: gate.as_ref(),
            declared_at,
            impact_at: run.impact_at,
            overrides: &run.overrides,
            lease: &run.lease,
        };
        beginning.carry_out((engine, notices), &found, stop, run.output, environment).await
    }
}
