//! `lifeboat recover bucket NAME --to TIME`: a bucket that keeps versions is taken back where it is.

use clap::Args;
use jiff::Timestamp;

use super::args::Output;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::recover::{Common, Prospect, Recovery, not_as_expected};
use super::wiring::{self, Connected};
use crate::aws::Session;
use crate::aws::s3::{BucketPlace, find_bucket};
use crate::engine::Preflight;
use crate::manifest::{Expectation, Manifest, Quantity};
use crate::report;
use crate::runbook::BucketRollback;
use crate::scenario;
use crate::steps::{Todo, list_todo, unexpected};
use crate::transfer::Amount;

#[derive(Args)]
pub struct RecoverBucket {
    /// The bucket's name in S3
    name: String,
    /// Only keys that begin so
    #[arg(long, value_name = "PREFIX", default_value = "")]
    prefix: String,
    /// What must be current under the prefix afterwards (repeatable): "objects >= 1000", "bytes >= 1"
    #[arg(long, value_name = "EXPECTATION", value_parser = of_objects_or_bytes)]
    expect: Vec<Expectation>,
    /// Print what would be done to every key, and do nothing; with -o json one object a line
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

/// # Errors
/// As [`super::recover::run`].
pub async fn run(command: &RecoverBucket, environment: &Environment) -> Result<Exit, CliError> {
    let (declared_at, common) = (Timestamp::now(), &command.common);
    common.plausible(declared_at)?;
    let plans = wiring::read(&common.env, environment)?;
    let connected = wiring::connect(&plans.manifest).await?;
    let aws = region_of(&command.name, &plans.manifest, &connected).await?;
    let rollback = BucketRollback {
        bucket: command.name.clone(),
        prefix: command.prefix.clone(),
        to: common.to,
        expect: command.expect.clone(),
    };
    if command.dry_run {
        return list_keys(&aws, &plans.manifest, &rollback, common.output).await;
    }
    report::to_stderr(&format!("looking at the versions in {}; nothing is changed\n", report::escape(&command.name)));
    let runbook = scenario::recover_bucket(&plans.manifest, aws.region(), &rollback);
    let under = if rollback.prefix.is_empty() { String::new() } else { format!(", keys under {},", rollback.prefix) };
    let what = format!("taking {}{under} back to {}", rollback.bucket, rollback.to);
    let recovery = Recovery { common, declared_at, plans, connected, aws, runbook, what };
    recovery.carry_out(|found| prospect(found, &rollback), false, environment).await
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
    match unexpected(rollback, found.afterwards) {
        None => {
            report::to_stderr(&expected(rollback, found.afterwards));
            Ok(Exit::Done)
        }
        Some(unmet) => Err(not_as_expected(format!("{} would not be as expected", rollback.bucket), unmet)),
    }
}

fn of_objects_or_bytes(text: &str) -> Result<Expectation, String> {
    Expectation::read(text, &[Quantity::Objects, Quantity::Bytes])
}

/// What would hold where so much is current afterwards.
fn expected(rollback: &BucketRollback, afterwards: Amount) -> String {
    if rollback.expect.is_empty() {
        return String::new();
    }
    let Amount { objects, bytes } = afterwards;
    let noun = if objects == 1 { "object" } else { "objects" };
    let found = format!("{objects} {noun} of {bytes} bytes would be current afterwards");
    match unexpected(rollback, afterwards) {
        None => format!("{found}, as expected\n"),
        Some(unmet) => format!("{found}, which is not as expected: {}\n", report::escape(&unmet)),
    }
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
fn prospect(found: &Preflight, rollback: &BucketRollback) -> Prospect {
    let facts = found.facts(&rollback.step());
    let keys = |count: u64| if count == 1 { "1 key".to_owned() } else { format!("{count} keys") };
    let number = |of: &serde_json::Value| of.as_u64().unwrap_or_default();
    let amount = |of: &str| serde_json::from_value::<Amount>(facts[of].clone()).unwrap_or_default();
    if number(&facts["to_do"]) == 0 {
        let all = keys(number(&facts["keys"]));
        let bucket = report::escape(&rollback.bucket);
        let unknown = match number(&facts["unknown"]["count"]) {
            0 => String::new(),
            unknown => format!(" Nobody knows whether {} stood there then.", keys(unknown)),
        };
        if let Some(unmet) = unexpected(rollback, amount("current")) {
            let words = format!("{bucket} is as it was at {} already, but not as expected", rollback.to);
            return Prospect::Unexpected { words, unmet };
        }
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
    words += &format!("{kept} left alone; nothing is permanently deleted\n");
    Prospect::ToDo(words + &expected(rollback, amount("afterwards")))
}
