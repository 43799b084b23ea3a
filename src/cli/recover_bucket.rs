//! `lifeboat recover bucket NAME --to TIME|--clean-before TIME`: a bucket that keeps versions is taken back where it is.

use clap::Args;
use jiff::Timestamp;

use super::args::Output;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::moment::Moment;
use super::prospect::{expected, not_as_expected};
use super::recover::{Named, Recovery, RunArgs, Subject, given};
use super::wiring::{self, Connected};
use crate::aws::Session;
use crate::aws::s3::{BucketPlace, find_bucket};
use crate::manifest::{Expectation, Manifest, Quantity};
use crate::report;
use crate::runbook::BucketRollback;
use crate::scenario;
use crate::steps::{Todo, list_todo, unexpected};

/// A bucket at a time.
#[derive(Args)]
pub struct PointOfBucket {
    /// The bucket's name in S3
    name: String,
    /// Only keys that begin so
    #[arg(long, value_name = "PREFIX", default_value = "")]
    prefix: String,
    /// What must be current under the prefix afterwards (repeatable): "objects >= 1000", "bytes >= 1"
    #[arg(long, value_name = "EXPECTATION", value_parser = of_objects_or_bytes)]
    expect: Vec<Expectation>,
    #[command(flatten)]
    moment: Moment,
}

#[derive(Args)]
pub struct RecoverBucket {
    #[command(flatten)]
    bucket: PointOfBucket,
    /// Print what would be done to every key, and do nothing; with -o json one object a line
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// # Errors
/// As [`super::recover::run`].
pub async fn run(command: &RecoverBucket, environment: &Environment) -> Result<Exit, CliError> {
    let RecoverBucket { bucket, dry_run, run } = command;
    let declared_at = Timestamp::now();
    bucket.moment.plausible(declared_at)?;
    run.plausible(&bucket.moment.env, declared_at)?;
    let named = bucket.named(environment).await?;
    if *dry_run {
        return list_keys(&named.aws, &named.plans.manifest, &bucket.rollback(), run.output).await;
    }
    report::to_stderr(&format!("looking at the versions in {}; nothing is changed\n", report::escape(&bucket.name)));
    Recovery { run, declared_at, named, bundle: None, dry_run: false }.carry_out(environment).await
}

impl PointOfBucket {
    fn rollback(&self) -> BucketRollback {
        BucketRollback {
            bucket: self.name.clone(),
            prefix: self.prefix.clone(),
            to: self.moment.at(),
            expect: self.expect.clone(),
        }
    }
}

impl Subject for PointOfBucket {
    fn moment(&self) -> &Moment {
        &self.moment
    }

    async fn named(&self, environment: &Environment) -> Result<Named, CliError> {
        let Self { name, prefix, expect, moment } = self;
        let plans = wiring::read(&moment.env, environment)?;
        let connected = wiring::connect(&plans.manifest).await?;
        let aws = region_of(name, &plans.manifest, &connected).await?;
        let runbook = scenario::recover_bucket(&plans.manifest, aws.region(), &self.rollback());
        let prefix = given("--prefix", Some(prefix.as_str()).filter(|prefix| !prefix.is_empty()));
        let expected: Vec<String> = expect.iter().map(ToString::to_string).collect();
        let more: Vec<_> = prefix.chain(expected.iter().map(|it| ("--expect", it.as_str()))).collect();
        let planned_by = moment.planned_by(["bucket", name], &more);
        Ok(Named { plans, connected, aws, runbook, planned_by })
    }
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

fn line(todo: &Todo) -> String {
    let key = report::escape(&todo.key);
    let uncertain = if todo.uncertain { ", not certain" } else { "" };
    match (&todo.version_at, todo.bytes) {
        (Some(at), Some(bytes)) => format!("restore  {key}  ({bytes} bytes of {at}{uncertain})\n"),
        _ => format!("{:<7}  {key}  (made after {})\n", todo.what, todo.over_at),
    }
}
