//! `lifeboat recover table NAME --to TIME`: a table is restored to a point in time, beside itself.

use clap::Args;
use jiff::Timestamp;

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::recover::{Common, Prospect, Recovery, beside};
use super::recover_region::{Sought, region_of};
use super::wiring;
use crate::aws::{Session, dynamodb};
use crate::manifest::{Expectation, Quantity, Table, TableSource};
use crate::scenario;

#[derive(Args)]
pub struct RecoverTable {
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
    /// Say whether it can be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

/// # Errors
/// As [`super::recover::run`].
pub async fn run(command: &RecoverTable, environment: &Environment) -> Result<Exit, CliError> {
    let (declared_at, common) = (Timestamp::now(), &command.common);
    common.plausible(declared_at)?;
    let plans = wiring::read(&common.env, environment)?;
    let connected = wiring::connect(&plans.manifest).await?;
    let sought = Sought {
        what: format!("table {}", command.name),
        deleted: "a table that was deleted is restored from a backup",
        doubled: "a global table replicates corruption as well",
    };
    let has = async |session: &Session| dynamodb::has_table(session, &command.name).await;
    let aws = region_of(sought, command.region.as_deref(), &plans.manifest, &connected, has).await?;
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
    let words = beside("table", &table.source, &table.target, common.to);
    recovery.carry_out(|_| Prospect::ToDo(words), command.dry_run, environment).await
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
