//! `lifeboat recover catalog NAME --to TIME|--clean-before TIME`: a Glue database is recreated as it was exported, beside itself.

use clap::Args;
use jiff::Timestamp;

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::moment::Moment;
use super::recover::{Named, RunArgs, Subject, beside, given};
use super::recover_region::{Sought, region_of};
use super::wiring::{self, Connected};
use crate::aws::{Session, glue};
use crate::manifest::{Catalog, CatalogSource, Expectation, ExportVersion, Manifest, Quantity, database_name_fault};
use crate::scenario;
use crate::steps::{ExportThen, export_at};

/// The most characters of a database's name (AWS Glue API: "Databases").
const LONGEST: usize = 255;

/// A catalog at a time.
#[derive(Args)]
pub struct PointOfCatalog {
    /// The Glue database's name, or that of its catalog block
    name: String,
    /// Name of the restored database [default: the database's, with the time]
    #[arg(long = "as", value_name = "NAME")]
    target: Option<String>,
    /// The region of the database, where both have one of that name or one of them does not answer
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// What the restored database must hold (repeatable): "tables >= 3", "partitions >= 100"
    #[arg(long, value_name = "EXPECTATION", value_parser = counted)]
    expect: Vec<Expectation>,
    #[command(flatten)]
    moment: Moment,
}

#[derive(Args)]
pub struct RecoverCatalog {
    #[command(flatten)]
    catalog: PointOfCatalog,
    /// Say whether it can be done and what has changed since, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// # Errors
/// As [`super::recover::run`].
pub async fn run(command: &RecoverCatalog, environment: &Environment) -> Result<Exit, CliError> {
    let RecoverCatalog { catalog, dry_run, run } = command;
    beside(catalog, run, *dry_run, environment).await
}

impl Subject for PointOfCatalog {
    fn moment(&self) -> &Moment {
        &self.moment
    }

    async fn named(&self, environment: &Environment) -> Result<Named, CliError> {
        let Self { name, target, region: named_region, expect, moment } = self;
        let plans = wiring::read(&moment.env, environment)?;
        let block = block_of(name, &plans.manifest)?;
        let uri = export_of(block, &plans.manifest)?;
        if let Some(target) = target
            && let Some(fault) = database_name_fault(target)
        {
            return Err(CliError::usage(format!("{target} is no name of a Glue database")).cause(fault));
        }
        let connected = wiring::connect(&plans.manifest).await?;
        let aws = place(self, block, &plans.manifest, &connected).await?;
        let relocated = aws.region() == plans.manifest.recovery.name;
        let source = if relocated { &block.target } else { &block.source };
        let how = Brought { in_place: false, relocated };
        let version = version_at(uri, moment.at(), how, (&plans.manifest, &connected), source).await?;
        let to = moment.at();
        let catalog = Catalog {
            source: source.clone(),
            target: target.clone().unwrap_or_else(|| name_at(source, to)),
            from: CatalogSource::Version(version),
            // Workgroup and results are the recovery region's.
            athena: block.athena.clone().filter(|_| relocated),
            verify: block.verify.iter().chain(expect).cloned().collect(),
            ..block.clone()
        };
        let runbook = scenario::recover_catalog(&plans.manifest, aws.region(), &catalog);
        let expected: Vec<String> = expect.iter().map(ToString::to_string).collect();
        let more = given("--as", target.as_deref()).chain(given("--region", named_region.as_deref()));
        let more: Vec<_> = more.chain(expected.iter().map(|it| ("--expect", it.as_str()))).collect();
        let planned_by = moment.planned_by(["catalog", name], &more);
        Ok(Named { plans, connected, aws, runbook, planned_by })
    }
}

/// How a version of an export is brought back, as [`ExportVersion`] says it.
#[derive(Clone, Copy)]
pub struct Brought {
    pub in_place: bool,
    pub relocated: bool,
}

/// The version of an export that was the newest one at a time.
///
/// # Errors
/// Exit 3: there is none, or it cannot be read; `catalog` is named.
pub async fn version_at(
    uri: &str,
    to: Timestamp,
    Brought { in_place, relocated }: Brought,
    (manifest, connected): (&Manifest, &Connected),
    catalog: &str,
) -> Result<ExportVersion, CliError> {
    let then = export_at(&connected.aws, manifest, uri, to).await.map_err(|refused| {
        let error = CliError::blocked(format!("catalog {catalog} cannot be recovered; nothing was changed"));
        let error = error.cause(refused.cause);
        match refused.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })?;
    let ExportThen { region, version_id, written_at, deleted_at } = then;
    Ok(ExportVersion { uri: uri.to_owned(), region, version_id, written_at, deleted_at, to, in_place, relocated })
}

/// Reads what can be expected of a catalog.
fn counted(text: &str) -> Result<Expectation, String> {
    Expectation::read(text, &[Quantity::Tables, Quantity::Partitions])
}

/// The block that is meant, by its own name first.
fn block_of<'a>(name: &str, manifest: &'a Manifest) -> Result<&'a Catalog, CliError> {
    let catalogs = &manifest.catalogs;
    let labelled = catalogs.iter().find(|catalog| catalog.name == name);
    let mut of_database =
        catalogs.iter().filter(|catalog| [&catalog.source, &catalog.target].contains(&&name.to_owned()));
    let found = match labelled {
        Some(block) => Ok(Some(block)),
        None => match (of_database.next(), of_database.next()) {
            (Some(first), Some(second)) => Err((first, second)),
            (found, _) => Ok(found),
        },
    };
    let path = manifest.path.display();
    match found {
        Ok(Some(block)) => Ok(block),
        Ok(None) => Err(CliError::usage(format!("nobody knows where catalog {name} was exported to"))
            .cause(format!("{path} has no catalog block of {name}"))
            .hint("write a catalog block with from = export(\"s3://BUCKET/KEY\")")),
        Err((first, second)) => Err(CliError::usage(format!("{name} does not say which catalog is meant"))
            .cause(format!("{path} has catalog \"{}\" and catalog \"{}\" of it", first.name, second.name))
            .hint("name the block")),
    }
}

fn export_of<'a>(block: &'a Catalog, manifest: &Manifest) -> Result<&'a str, CliError> {
    match &block.from {
        CatalogSource::Export(uri) => Ok(uri),
        _ => Err(CliError::blocked(format!("catalog {} cannot be recovered; nothing was changed", block.name))
            .cause(format!(
                "its block in {} names no export: of a replica nobody knows how it was",
                manifest.path.display()
            ))
            .hint("aws glue get-table-versions tells how the definition of a single table was, but of no partition")),
    }
}

/// Clients for the region where the database is. One that was deleted is recovered as well, so that a name which is that of
/// one region alone is not looked for.
async fn place(
    command: &PointOfCatalog,
    block: &Catalog,
    manifest: &Manifest,
    connected: &Connected,
) -> Result<Session, CliError> {
    let named = |database: &str| command.name == block.name || command.name == database;
    match (command.region.as_ref(), named(&block.source), named(&block.target)) {
        (None, true, false) => return Ok(connected.aws_in(&manifest.primary.name).await),
        (None, false, true) => return Ok(connected.aws.clone()),
        _ => {}
    }
    let sought = Sought {
        what: format!("database {}", command.name),
        deleted: "name its region with --region: a database that was deleted is recovered from its export as well",
        doubled: "in the recovery region locations are rewritten as in a failover",
    };
    let has = async |session: &Session| {
        let database = if session.region() == manifest.recovery.name { &block.target } else { &block.source };
        Ok(glue::database(session, database).await?.is_some())
    };
    region_of(sought, command.region.as_deref(), manifest, connected, has).await
}

/// `logs_prod_20261122t030000z`, cut so that Glue takes it. Glue knows no capitals.
fn name_at(database: &str, at: Timestamp) -> String {
    let suffix = at.strftime("_%Y%m%dt%H%M%Sz").to_string();
    let kept: String = database.chars().take(LONGEST - suffix.len()).collect();
    format!("{kept}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restored_database_is_named_after_the_time_as_glue_takes_it() {
        let at: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        assert_eq!(name_at("logs_prod", at), "logs_prod_20261122t030000z");
        assert_eq!(database_name_fault(&name_at(&"ü".repeat(255), at)), None);
    }

    #[test]
    fn only_what_a_catalog_holds_can_be_expected_of_it() {
        assert!(counted("tables >= 3").is_ok() && counted("partitions == 0").is_ok());
        assert!(counted("items >= 3").is_err_and(|said| said.contains("known: tables, partitions")));
    }
}
