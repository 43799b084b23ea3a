//! `lifeboat recover bucket|table NAME --to TIME`: what was corrupted is brought back as it was. A bucket that keeps versions
//! is taken back where it is; a table is restored beside itself.

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
use super::wiring::{Connected, Plans, RunPlace};
use super::{confirm, credentials, gate, home, signals, wiring};
use crate::aws::s3::{BucketPlace, find_bucket};
use crate::aws::{AwsError, Session, dynamodb};
use crate::engine::{self, Preflight};
use crate::manifest::{Expectation, Manifest, Table, TableSource};
use crate::report;
use crate::runbook::{BucketRollback, Runbook, StepId};
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
    Bucket(BucketArgs),
    /// Restore a table to a point in time, beside itself under another name
    Table(TableArgs),
}

#[derive(Args)]
struct BucketArgs {
    /// The bucket's name in S3
    name: String,
    /// Only keys that begin so
    #[arg(long, value_name = "PREFIX", default_value = "")]
    prefix: String,
    /// Print what would be done to every key, and do nothing; with -o json one object a line
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct TableArgs {
    /// The table's name
    name: String,
    /// Name of the restored table [default: the table's, with the time]
    #[arg(long = "as", value_name = "NAME")]
    target: Option<String>,
    /// The region of the table, where both have one of that name or one of them does not answer
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// What the restored table must hold (repeatable): "items >= 1000"
    #[arg(long, value_name = "EXPECTATION")]
    expect: Vec<Expectation>,
    /// Say whether it can be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
#[command(group = ArgGroup::new("decision").args(["without_lease", "guards"]).multiple(true))]
struct Common {
    /// The environment that it belongs to
    #[arg(long, value_name = "ENV")]
    env: String,
    /// The time that it shall be as at, with its zone: 2026-11-22T03:00:00Z
    #[arg(long, value_name = "TIME")]
    to: Timestamp,
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
    /// `json`: the run's events, one a line, on standard output
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
}

impl Common {
    /// What no manifest is needed for to refuse it.
    fn plausible(&self, now: Timestamp) -> Result<(), CliError> {
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
        What::Bucket(command) => bucket(command, environment).await,
        What::Table(command) => table(command, environment).await,
    }
}

/// A recovery that may begin.
struct Recovery<'a> {
    common: &'a Common,
    declared_at: Timestamp,
    plans: Plans,
    connected: Connected,
    /// Clients for the region of what is recovered.
    aws: Session,
    runbook: Runbook,
    /// What is asked about: "taking logs back to …".
    what: String,
}

/// What the checks of a recovery come to, in words.
enum Prospect {
    ToDo(String),
    InPlace(String),
}

impl Recovery<'_> {
    /// Checks everything, asks, and carries it through. `prospect` puts into words what the checks have found.
    async fn carry_out(
        self,
        prospect: impl FnOnce(&Preflight) -> Prospect,
        dry_run: bool,
        environment: &Environment,
    ) -> Result<Exit, CliError> {
        let Self { common, declared_at, plans, connected, aws, runbook, what } = self;
        let manifest = plans.manifest.clone();
        // To look is nobody's to approve, and disturbs no other run.
        let _lock = match dry_run {
            true => None,
            false => {
                gate::without_bundle(scenario::RECOVER, &common.overrides.names(), &manifest)?;
                let lock = home::lock_environment(&environment.home, &manifest)?;
                home::refuse_unfinished(&environment.home, &manifest)?;
                Some(lock)
            }
        };
        credentials::last(&connected, &runbook, environment).await?;
        let new = NewRun::make(&environment.home, home::new_run(&common.env, declared_at))?;
        let stop = signals::listen()?;
        let desk = Desk::of(environment, &connected, &manifest, Some(&common.lease));
        match common.lease.without_lease {
            _ if dry_run => {}
            true => desk.nobody_known(&new.name).await?,
            false => desk.free(&new.name).await.map_err(|(error, _)| error)?,
        }
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

async fn bucket(command: &BucketArgs, environment: &Environment) -> Result<Exit, CliError> {
    let (declared_at, common) = (Timestamp::now(), &command.common);
    common.plausible(declared_at)?;
    let plans = wiring::read(&common.env, environment)?;
    let connected = wiring::connect(&plans.manifest).await?;
    let aws = region_of_bucket(&command.name, &plans.manifest, &connected).await?;
    let rollback = BucketRollback { bucket: command.name.clone(), prefix: command.prefix.clone(), to: common.to };
    if command.dry_run {
        return list_keys(&aws, &plans.manifest, &rollback, common.output).await;
    }
    report::to_stderr(&format!("looking at the versions in {}; nothing is changed\n", report::escape(&command.name)));
    let runbook = scenario::recover_bucket(&plans.manifest, aws.region(), &rollback);
    let under = if rollback.prefix.is_empty() { String::new() } else { format!(", keys under {},", rollback.prefix) };
    let what = format!("taking {}{under} back to {}", rollback.bucket, rollback.to);
    let recovery = Recovery { common, declared_at, plans, connected, aws, runbook, what };
    recovery.carry_out(|found| prospect_of_bucket(found, &rollback), false, environment).await
}

async fn table(command: &TableArgs, environment: &Environment) -> Result<Exit, CliError> {
    let (declared_at, common) = (Timestamp::now(), &command.common);
    common.plausible(declared_at)?;
    let plans = wiring::read(&common.env, environment)?;
    let connected = wiring::connect(&plans.manifest).await?;
    let aws = region_of_table(&command.name, command.region.as_deref(), &plans.manifest, &connected).await?;
    let target = command.target.clone().unwrap_or_else(|| name_at(&command.name, common.to));
    let table = Table {
        name: command.name.clone(),
        source: command.name.clone(),
        target,
        from: TableSource::PointInTime(common.to),
        adopt: None,
        verify: command.expect.clone(),
    };
    let runbook = scenario::recover_table(&plans.manifest, aws.region(), &table);
    let what = format!("restoring table {} of {} as {}", table.source, common.to, table.target);
    let recovery = Recovery { common, declared_at, plans, connected, aws, runbook, what };
    let words = format!(
        "table {} as it was at {} becomes table {}; {} is left as it is\n",
        report::escape(&table.source),
        common.to,
        report::escape(&table.target),
        report::escape(&table.source)
    );
    recovery.carry_out(|_| Prospect::ToDo(words), command.dry_run, environment).await
}

/// `metadata-20261122T030000Z`, cut so that DynamoDB takes it: names have 3 to 255 characters.
fn name_at(table: &str, at: Timestamp) -> String {
    const LONGEST: usize = 255;
    let suffix = at.strftime("-%Y%m%dT%H%M%SZ").to_string();
    let kept: String = table.chars().take(LONGEST - suffix.len()).collect();
    format!("{kept}{suffix}")
}

/// Clients for the region where the table is: one of the manifest's.
async fn region_of_table(
    table: &str,
    named: Option<&str>,
    manifest: &Manifest,
    connected: &Connected,
) -> Result<Session, CliError> {
    let (first, second) = (&manifest.primary.name, &manifest.recovery.name);
    match named {
        Some(region) if region == first || region == second => return Ok(connected.aws_in(region).await),
        Some(region) => {
            let known = format!("{} knows {first} and {second}", manifest.path.display());
            return Err(CliError::usage(format!("{region} is no region of {}", manifest.environment)).cause(known));
        }
        None => {}
    }
    let primary = connected.aws_in(first).await;
    let unusable = |error: AwsError| {
        CliError::blocked(format!("table {table} cannot be looked for in both regions; nothing was changed"))
            .cause(error.to_string())
            .hint("name its region with --region: then no other is asked")
    };
    let (in_primary, in_recovery) =
        tokio::try_join!(dynamodb::has_table(&primary, table), dynamodb::has_table(&connected.aws, table))
            .map_err(unusable)?;
    match (in_primary, in_recovery) {
        (true, false) => Ok(primary),
        (false, true) => Ok(connected.aws.clone()),
        (false, false) => {
            Err(CliError::blocked(format!("there is no table {table} in {first} or {second}; nothing was changed"))
                .hint("a table that was deleted is restored from a backup"))
        }
        (true, true) => Err(CliError::blocked(format!("table {table} is in {first} and in {second}"))
            .cause("its name does not say which is meant")
            .hint("name its region with --region; a global table replicates corruption as well")),
    }
}

/// Clients for the region where the bucket is: one of the manifest's.
async fn region_of_bucket(bucket: &str, manifest: &Manifest, connected: &Connected) -> Result<Session, CliError> {
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
async fn list_keys(
    aws: &Session,
    manifest: &Manifest,
    rollback: &BucketRollback,
    output: Output,
) -> Result<Exit, CliError> {
    let print = |todo: Todo| match output {
        Output::Json => match serde_json::to_string(&todo) {
            Ok(line) => report::to_stdout(&format!("{line}\n")),
            Err(error) => tracing::error!(%error, "a key is no JSON"),
        },
        Output::Text => report::to_stdout(&line(&todo)),
    };
    let found = list_todo(aws, manifest, rollback, print).await.map_err(|refused| {
        let error = CliError::blocked(format!("{} cannot be taken back; nothing was changed", rollback.bucket));
        let error = error.cause(refused.cause);
        match refused.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })?;
    report::to_stderr(&format!(
        "{} of {} keys would be restored ({} bytes), {} hidden, {} left alone; nothing was changed\n",
        found.restore.count,
        found.keys,
        found.restore_bytes,
        found.hide.count,
        found.kept + found.unknown.count
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

/// What would be done, in words.
fn prospect_of_bucket(found: &Preflight, rollback: &BucketRollback) -> Prospect {
    let facts = found.facts(&StepId::new(format!("recover.bucket.{}", rollback.bucket)));
    let keys = |count: u64| if count == 1 { "1 key".to_owned() } else { format!("{count} keys") };
    let number = |of: &serde_json::Value| of.as_u64().unwrap_or_default();
    if number(&facts["to_do"]) == 0 {
        let all = keys(number(&facts["keys"]));
        let bucket = report::escape(&rollback.bucket);
        let unknown = match number(&facts["unknown"]["count"]) {
            0 => String::new(),
            unknown => format!(" Nobody knows whether {} stood there then.", keys(unknown)),
        };
        return Prospect::InPlace(format!(
            "{bucket} is as it was at {} already, as far as that can be told: all of {all}.{unknown}",
            rollback.to
        ));
    }
    let list = |of: &str| {
        let names: Vec<&str> =
            facts[of]["first"].as_array().into_iter().flatten().filter_map(|it| it.as_str()).collect();
        let more = if number(&facts[of]["count"]) > names.len() as u64 { "    …\n" } else { "" };
        names.iter().map(|name| format!("    {}\n", report::escape(name))).collect::<String>() + more
    };
    let (restore, hide) = (number(&facts["restore"]["count"]), number(&facts["hide"]["count"]));
    let mut words = String::new();
    if restore > 0 {
        let (these, bytes) = (keys(restore), &facts["restore_bytes"]);
        words += &format!("{these} of {} back to the version of then ({bytes} bytes):\n", facts["keys"]);
        words += &list("restore");
    }
    if hide > 0 {
        words += &format!("{} not there then, hidden by a delete marker:\n{}", keys(hide), list("hide"));
    }
    let kept = keys(number(&facts["kept"]) + number(&facts["unknown"]["count"]));
    Prospect::ToDo(format!("{words}{kept} left alone; nothing is permanently deleted\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_table_is_named_after_the_time_and_never_too_long() {
        let at: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        assert_eq!(name_at("metadata", at), "metadata-20261122T030000Z");
        assert_eq!(name_at(&"x".repeat(255), at).len(), 255);
    }
}
