//! `lifeboat recover aurora|table|bucket|catalog NAME --to TIME`: what was corrupted is brought back as it was. A bucket that
//! keeps versions is taken back where it is; a cluster, a table or a catalog is restored beside itself.

use clap::{ArgGroup, Args, Subcommand};
use jiff::Timestamp;

use super::args::Output;
use super::begin::Beginning;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::home::NewRun;
use super::lease::{Desk, LeaseArgs};
use super::overrides::Overrides;
use super::preflight::{blocked, unless_stopped, warnings};
use super::recover_aurora::RecoverAurora;
use super::recover_bucket::RecoverBucket;
use super::recover_catalog::RecoverCatalog;
use super::recover_table::RecoverTable;
use super::wiring::{Connected, Plans, RunPlace};
use super::{
    args, confirm, credentials, gate, home, recover_aurora, recover_bucket, recover_catalog, recover_table, signals,
    wiring,
};
use crate::aws::Session;
use crate::engine::{self, Preflight};
use crate::report;
use crate::runbook::Runbook;
use crate::scenario;

#[derive(Args)]
pub struct Recover {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Restore a cluster to a point in time, beside itself under another identifier
    Aurora(RecoverAurora),
    /// Take a bucket that keeps versions back to a time; nothing is lost, and the same command with a later time undoes it
    Bucket(RecoverBucket),
    /// Recreate a Glue database as it was exported at a time, beside itself under another name
    Catalog(RecoverCatalog),
    /// Restore a table to a point in time, beside itself under another name
    Table(RecoverTable),
}

#[derive(Args)]
#[command(group = ArgGroup::new("decision").args(["without_lease", "guards"]).multiple(true))]
pub struct Common {
    /// The environment that it belongs to
    #[arg(long, value_name = "ENV")]
    pub env: String,
    /// The time that it shall be as at, with its zone: 2026-11-22T03:00:00Z
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    pub to: Timestamp,
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

impl Common {
    /// What no manifest is needed for to refuse it.
    pub fn plausible(&self, now: Timestamp) -> Result<(), CliError> {
        if self.to > now {
            return Err(CliError::usage(format!("--to {} is in the future", self.to)));
        }
        confirm::plausible(&self.env, self.confirm.as_deref(), self.impact_at, now)?;
        self.overrides.check()
    }
}

/// # Errors
/// Exit 2 for a manifest that is not valid or a time that is none; 3 when something stands in the way, and nothing was
/// changed.
pub async fn run(command: &Recover, environment: &Environment) -> Result<Exit, CliError> {
    match &command.what {
        What::Aurora(command) => recover_aurora::run(command, environment).await,
        What::Bucket(command) => recover_bucket::run(command, environment).await,
        What::Catalog(command) => recover_catalog::run(command, environment).await,
        What::Table(command) => recover_table::run(command, environment).await,
    }
}

/// A recovery that may begin.
pub struct Recovery<'a> {
    pub common: &'a Common,
    pub declared_at: Timestamp,
    pub plans: Plans,
    pub connected: Connected,
    /// Clients for the region of what is recovered.
    pub aws: Session,
    pub runbook: Runbook,
    /// What is asked about: "taking logs back to …".
    pub what: String,
}

/// What a restore beside the source comes to: `kind` is `table`.
pub fn beside(kind: &str, source: &str, target: &str, to: Timestamp) -> String {
    let (source, target) = (report::escape(source), report::escape(target));
    format!("{kind} {source} as it was at {to} becomes {kind} {target}; {source} is left as it is\n")
}

/// What the checks of a recovery come to, in words.
pub enum Prospect {
    ToDo(String),
    InPlace(String),
}

impl Recovery<'_> {
    /// Checks everything, asks, and carries it through. `prospect` puts into words what the checks have found.
    pub async fn carry_out(
        self,
        prospect: impl FnOnce(&Preflight) -> Prospect,
        dry_run: bool,
        environment: &Environment,
    ) -> Result<Exit, CliError> {
        let Self { common, declared_at, plans, connected, aws, runbook, what } = self;
        let manifest = plans.manifest.clone();
        let name = home::new_run(&common.env, declared_at);
        // To look is nobody's to approve, and disturbs no other run.
        let _lock = match dry_run {
            true => None,
            false => {
                gate::without_bundle(scenario::RECOVER, &common.overrides.names(), &manifest)?;
                let lock = home::lock_environment(&environment.home, &manifest)?;
                home::refuse_unfinished(&environment.home, &manifest)?;
                let desk = Desk::of(environment, &connected, &manifest, Some(&common.lease));
                match common.lease.without_lease {
                    true => desk.nobody_known(&name).await?,
                    false => desk.free(&name).await.map_err(|(error, _)| error)?,
                }
                Some(lock)
            }
        };
        credentials::last(&connected, &runbook, environment).await?;
        let new = NewRun::make(&environment.home, name)?;
        let stop = signals::listen()?;
        let place = RunPlace { run: &new.name, run_dir: &new.dir, runbook, stop: stop.subscribe(), approved: None };
        let (engine, notices) = wiring::engine(plans.clone(), aws, place, environment).await?;
        let look = async { Ok(engine::preflight(&engine).await) };
        let found = unless_stopped(&engine, look).await?;
        if !found.blocked.is_empty() {
            return Err(blocked(&found));
        }
        match prospect(&found) {
            Prospect::InPlace(words) => {
                report::to_stderr(&format!("{words}\nNothing was changed.\n"));
                return Ok(Exit::Done);
            }
            Prospect::ToDo(words) => report::to_stderr(&words),
        }
        report::to_stderr(&warnings(&found));
        if dry_run {
            report::to_stderr("nothing was changed\n");
            return Ok(Exit::Done);
        }
        let what = format!("{what} in account {}", manifest.account);
        let asked = confirm::confirm(&common.env, common.confirm.as_deref(), &what, environment);
        unless_stopped(&engine, asked).await?;
        let beginning = Beginning {
            new: &new,
            plans: &plans,
            connected: &connected,
            gate: None,
            declared_at,
            impact_at: common.impact_at,
            overrides: &common.overrides,
            lease: &common.lease,
        };
        beginning.carry_out((engine, notices), &found, stop, common.output, environment).await
    }
}
