//! `lifeboat recover bucket NAME --to TIME`: what was corrupted is taken back to how it was.

use clap::{ArgGroup, Args, Subcommand};
use jiff::Timestamp;

use super::args::Output;
use super::begin::Beginning;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::failover::{blocked, unless_stopped, warnings};
use super::home::NewRun;
use super::lease::{Desk, LeaseArgs};
use super::overrides::Overrides;
use super::wiring::{Connected, RunPlace};
use super::{confirm, credentials, gate, home, signals, wiring};
use crate::aws::Session;
use crate::aws::s3::{BucketPlace, find_bucket};
use crate::engine::{self, Preflight};
use crate::manifest::Manifest;
use crate::report;
use crate::runbook::{BucketRollback, StepId};
use crate::scenario;
use crate::steps::{Todo, list_todo};

#[derive(Args)]
pub struct Recover {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Take a bucket that keeps versions back to a time; nothing is lost, and the same command with a later time undoes it
    Bucket(Bucket),
}

#[derive(Args)]
#[command(group = ArgGroup::new("decision").args(["without_lease", "guards"]).multiple(true))]
struct Bucket {
    /// The bucket's name in S3
    name: String,
    /// The environment that it belongs to
    #[arg(long, value_name = "ENV")]
    env: String,
    /// The time that it shall be as at, with its zone: 2026-11-22T03:00:00Z
    #[arg(long, value_name = "TIME")]
    to: Timestamp,
    /// Only keys that begin so
    #[arg(long, value_name = "PREFIX", default_value = "")]
    prefix: String,
    /// Print what would be done to every key, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// The environment's name once more, instead of typing it when asked
    #[arg(long, value_name = "ENV")]
    confirm: Option<String>,
    /// When the impact began, for the report's RTO and RPO
    #[arg(long, value_name = "TIME")]
    impact_at: Option<Timestamp>,
    #[command(flatten)]
    lease: LeaseArgs,
    #[command(flatten)]
    overrides: Overrides,
    /// `json`: with --dry-run the keys, else the run's events, one a line, on standard output
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
}

/// # Errors
/// Exit 2 for a manifest that is not valid or a time that is none; 3 when something stands in the way, and nothing was
/// changed.
pub async fn run(command: &Recover, environment: &Environment) -> Result<Exit, CliError> {
    match &command.what {
        What::Bucket(command) => bucket(command, environment).await,
    }
}

/// What no manifest is needed for to refuse it.
fn sensible(command: &Bucket, now: Timestamp) -> Result<(), CliError> {
    if command.to > now {
        return Err(CliError::usage(format!("--to {} is in the future", command.to)));
    }
    if let Some(name) = &command.confirm
        && *name != command.env
    {
        return Err(CliError::usage(format!("--confirm says {name}, the environment is {}", command.env)));
    }
    command.overrides.check()
}

async fn bucket(command: &Bucket, environment: &Environment) -> Result<Exit, CliError> {
    let declared_at = Timestamp::now();
    sensible(command, declared_at)?;
    let plans = wiring::read(&command.env, environment)?;
    let manifest = plans.manifest.clone();
    let connected = wiring::connect(&manifest).await?;
    let aws = region_of(&command.name, &manifest, &connected).await?;
    let rollback = BucketRollback { bucket: command.name.clone(), prefix: command.prefix.clone(), to: command.to };
    if command.dry_run {
        return dry_run(&aws, &rollback, command.output).await;
    }
    gate::without_bundle(scenario::RECOVER, &command.overrides.names(), &manifest)?;
    let _lock = home::lock_environment(&environment.home, &manifest)?;
    home::refuse_unfinished(&environment.home, &manifest)?;
    let runbook = scenario::recover_bucket(&manifest, aws.region(), &rollback);
    credentials::last(&connected, &runbook, environment).await?;
    let new = NewRun::make(&environment.home, home::new_run(&command.env, declared_at))?;
    let stop = signals::listen()?;
    if command.lease.without_lease {
        Desk::of(environment, &connected, &manifest, None).nobody_known(&new.name).await?;
    }
    let place = RunPlace { run: &new.name, run_dir: &new.dir, runbook, stop: stop.subscribe(), approved: None };
    let (engine, notices) = wiring::engine(plans.clone(), aws, place, environment).await?;
    report::to_stderr(&format!("looking at the versions in {}; nothing is changed\n", command.name));
    let look = async { Ok(engine::preflight(&engine).await) };
    let found = unless_stopped(&engine, look).await?;
    if !found.blocked.is_empty() {
        return Err(blocked(&found));
    }
    let Some(words) = said(&found, &rollback) else {
        let keys = facts(&found, &rollback)["keys"].as_u64().unwrap_or_default();
        report::to_stderr(&format!(
            "{} is as it was at {} already: {keys} of {keys} keys.\nNothing was changed.\n",
            report::escape(&rollback.bucket),
            rollback.to
        ));
        return Ok(Exit::Done);
    };
    report::to_stderr(&words);
    report::to_stderr(&warnings(&found));
    let what = format!("taking {} back to {} in account {}", rollback.bucket, rollback.to, manifest.account);
    let asked = confirm::confirm(&command.env, command.confirm.as_deref(), &what, environment);
    unless_stopped(&engine, asked).await?;
    let beginning = Beginning {
        new: &new,
        plans: &plans,
        connected: &connected,
        gate: None,
        declared_at,
        impact_at: command.impact_at,
        overrides: &command.overrides,
        lease: &command.lease,
    };
    beginning.carry_out((engine, notices), &found, stop, command.output, environment).await
}

/// Clients for the region where the bucket is: one of the manifest's.
async fn region_of(bucket: &str, manifest: &Manifest, connected: &Connected) -> Result<Session, CliError> {
    let place = find_bucket(&connected.aws, bucket).await.map_err(|error| {
        CliError::blocked(format!("bucket {bucket} cannot be used; nothing was changed")).cause(error.to_string())
    })?;
    match place {
        BucketPlace::Here => Ok(connected.aws.clone()),
        BucketPlace::Elsewhere(region) if region == manifest.primary.name => Ok(connected.aws_in(&region).await),
        BucketPlace::Elsewhere(region) => Err(CliError::blocked(format!("bucket {bucket} is in {region}"))
            .cause(format!(
                "{} knows {} and {}",
                manifest.path.display(),
                manifest.primary.name,
                manifest.recovery.name
            ))
            .hint("name the environment that the bucket belongs to")),
        BucketPlace::Missing => Err(CliError::blocked(format!("there is no bucket {bucket}; nothing was changed"))
            .hint("--env names the environment, and the name is the bucket's own in S3")),
    }
}

/// Prints what would be done to every key.
async fn dry_run(aws: &Session, rollback: &BucketRollback, output: Output) -> Result<Exit, CliError> {
    let print = |todo: Todo| match output {
        Output::Json => match serde_json::to_string(&todo) {
            Ok(line) => report::to_stdout(&format!("{line}\n")),
            Err(error) => tracing::error!(%error, "a key is no JSON"),
        },
        Output::Text => report::to_stdout(&line(&todo)),
    };
    let found = list_todo(aws, rollback, print).await.map_err(|refused| {
        let error = CliError::blocked(format!("{} cannot be taken back; nothing was changed", rollback.bucket));
        let error = error.cause(refused.cause);
        match refused.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })?;
    report::to_stderr(&format!(
        "{} of {} keys would be restored ({} bytes), {} hidden, {} left alone; nothing was changed\n",
        found.restore.count, found.keys, found.restore_bytes, found.hide.count, found.kept
    ));
    Ok(Exit::Done)
}

fn line(todo: &Todo) -> String {
    let key = report::escape(&todo.key);
    let uncertain = if todo.uncertain { ", not certain" } else { "" };
    match (&todo.version_at, todo.bytes) {
        (Some(at), Some(bytes)) => format!("restore  {key}  ({bytes} bytes of {at}{uncertain})\n"),
        _ => format!("{:<7}  {key}  (made after {})\n", todo.what, todo.over_at),
    }
}

fn facts(found: &Preflight, rollback: &BucketRollback) -> serde_json::Value {
    found.facts(&StepId::new(format!("recover.bucket.{}", rollback.bucket)))
}

/// What would be done, in words; `None` where there is nothing to do.
fn said(found: &Preflight, rollback: &BucketRollback) -> Option<String> {
    let facts = facts(found, rollback);
    let count = |of: &str| facts[of]["count"].as_u64().unwrap_or_default();
    if facts["to_do"].as_u64() == Some(0) {
        return None;
    }
    let keys = |count: u64| if count == 1 { "1 key".to_owned() } else { format!("{count} keys") };
    let first = |of: &str| {
        let names = facts[of]["first"].as_array().into_iter().flatten().filter_map(|it| it.as_str());
        names.map(|name| format!("    {}\n", report::escape(name))).collect::<String>()
    };
    let more = |of: &str| if count(of) > first(of).lines().count() as u64 { "    …\n" } else { "" };
    let mut words = String::new();
    if count("restore") > 0 {
        let (these, bytes) = (keys(count("restore")), &facts["restore_bytes"]);
        words += &format!("{these} of {} back to the version of then ({bytes} bytes):\n", facts["keys"]);
        words += &format!("{}{}", first("restore"), more("restore"));
    }
    if count("hide") > 0 {
        words += &format!("{} not there then, hidden by a delete marker:\n", keys(count("hide")));
        words += &format!("{}{}", first("hide"), more("hide"));
    }
    let kept = keys(facts["kept"].as_u64().unwrap_or_default());
    Some(format!("{words}{kept} left alone; nothing is permanently deleted\n"))
}
