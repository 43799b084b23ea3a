//! `lifeboat recover table NAME --to TIME|--clean-before TIME`: a table is restored to a point in time, beside itself.

use clap::Args;
use jiff::Timestamp;

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::moment::Moment;
use super::recover::{Named, RunArgs, Subject, beside, given};
use super::recover_region::{Sought, region_of};
use super::wiring;
use crate::aws::{AwsError, Session, dynamodb};
use crate::manifest::{AwsBackup, Expectation, Manifest, Quantity, Table, TableSource};
use crate::scenario;

/// A table at a time.
#[derive(Args)]
pub struct PointOfTable {
    /// The table's name
    name: String,
    /// Name of the restored table [default: the table's, with the time]
    #[arg(long = "as", value_name = "NAME")]
    target: Option<String>,
    /// The region of the table, where both have one of that name or one of them does not answer
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// What the restored table must hold (repeatable): "items >= 1000"
    #[arg(long, value_name = "EXPECTATION", value_parser = of_items)]
    expect: Vec<Expectation>,
    #[command(flatten)]
    moment: Moment,
}

#[derive(Args)]
pub struct RecoverTable {
    #[command(flatten)]
    table: PointOfTable,
    /// Say whether it can be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// # Errors
/// As [`super::recover::run`].
pub async fn run(command: &RecoverTable, environment: &Environment) -> Result<Exit, CliError> {
    let RecoverTable { table, dry_run, run } = command;
    beside(table, run, *dry_run, environment).await
}

impl Subject for PointOfTable {
    fn moment(&self) -> &Moment {
        &self.moment
    }

    async fn named(&self, environment: &Environment) -> Result<Named, CliError> {
        let Self { name, target, region, expect, moment } = self;
        let plans = wiring::read(&moment.env, environment)?;
        let connected = wiring::connect(&plans.manifest).await?;
        let sought = Sought {
            what: format!("table {name}"),
            deleted: "a table that was deleted is restored from a backup",
            doubled: "a global table replicates corruption as well",
        };
        let has = async |session: &Session| dynamodb::has_table(session, name).await;
        let aws = region_of(sought, region.as_deref(), &plans.manifest, &connected, &has).await?;
        let clean = moment.clean(&plans.manifest);
        let named = target.clone().unwrap_or_else(|| name_at(name, moment.at()));
        if clean.is_some() && named == *name && has(&aws).await.map_err(|error| unasked(name, &error))? {
            return Err(CliError::blocked(format!(
                "table {name} stands in {} already; nothing was changed",
                aws.region()
            ))
            .hint("it is restored beside itself: choose another name with --as"));
        }
        let table = Table {
            name: name.clone(),
            source: name.clone(),
            target: named,
            aws_backup: clean.as_ref().and_then(|_| vaults(name, aws.region(), &plans.manifest)),
            from: clean.map_or_else(|| TableSource::PointInTime(moment.at()), TableSource::CleanBefore),
            adopt: None,
            verify: expect.clone(),
        };
        let runbook = scenario::recover_table(&plans.manifest, aws.region(), &table);
        let expected: Vec<String> = expect.iter().map(ToString::to_string).collect();
        let more = given("--as", target.as_deref()).chain(given("--region", region.as_deref()));
        let more: Vec<_> = more.chain(expected.iter().map(|it| ("--expect", it.as_str()))).collect();
        let planned_by = moment.planned_by(["table", name], &more);
        Ok(Named { plans, connected, aws, runbook, planned_by })
    }
}

/// What AWS Backup restores with, where the manifest says it of this table. The vault that it names is the recovery region's, so
/// that all of the primary's count; recovery points are listed by a table of the primary region.
fn vaults(name: &str, region: &str, manifest: &Manifest) -> Option<AwsBackup> {
    let known = manifest.tables.iter().find(|table| table.source == name && region == manifest.primary.name)?;
    Some(AwsBackup { vault: None, ..known.aws_backup.clone()? })
}

fn unasked(name: &str, error: &AwsError) -> CliError {
    CliError::blocked(format!("table {name} cannot be looked for; nothing was changed")).cause(error.to_string())
}

fn of_items(text: &str) -> Result<Expectation, String> {
    Expectation::read(text, &[Quantity::Items])
}

/// `metadata-20261122T030000Z`, cut so that DynamoDB takes it: names have 3 to 255 characters.
fn name_at(table: &str, at: Timestamp) -> String {
    const LONGEST: usize = 255;
    let suffix = at.strftime("-%Y%m%dT%H%M%SZ").to_string();
    let kept: String = table.chars().take(LONGEST - suffix.len()).collect();
    format!("{kept}{suffix}")
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
