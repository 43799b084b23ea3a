//! `lifeboat recover catalog NAME --to TIME`: a Glue database is recreated as it was exported, beside itself.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::recover::{Common, Prospect, Recovery};
use super::recover_region::{Sought, region_of};
use super::wiring::{self, Connected};
use crate::aws::{Session, glue};
use crate::engine::Preflight;
use crate::manifest::{Catalog, CatalogSource, Expectation, ExportVersion, Manifest, Quantity, database_name_fault};
use crate::report;
use crate::runbook::StepId;
use crate::scenario;
use crate::steps::{ExportThen, export_at};

/// The most characters of a database's name (AWS Glue API: "Databases").
const LONGEST: usize = 255;

#[derive(Args)]
pub struct RecoverCatalog {
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
    /// Say whether it can be done and what has changed since, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    common: Common,
}

/// # Errors
/// As [`super::recover::run`].
pub async fn run(command: &RecoverCatalog, environment: &Environment) -> Result<Exit, CliError> {
    let (declared_at, common) = (Timestamp::now(), &command.common);
    common.plausible(declared_at)?;
    let plans = wiring::read(&common.env, environment)?;
    let block = block_of(&command.name, &plans.manifest)?;
    let uri = export_of(block, &plans.manifest)?;
    if let Some(target) = &command.target
        && let Some(fault) = database_name_fault(target)
    {
        return Err(CliError::usage(format!("{target} is no name of a Glue database")).cause(fault));
    }
    let connected = wiring::connect(&plans.manifest).await?;
    let aws = place(command, block, &plans.manifest, &connected).await?;
    let relocated = aws.region() == plans.manifest.recovery.name;
    let source = if relocated { &block.target } else { &block.source };
    let then = export_at(&connected.aws, &plans.manifest, uri, common.to).await.map_err(|refused| {
        let error = CliError::blocked(format!("catalog {source} cannot be recovered; nothing was changed"));
        let error = error.cause(refused.cause);
        match refused.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })?;
    let ExportThen { region, version_id, written_at, deleted_at } = then;
    let version = ExportVersion { uri: uri.to_owned(), region, version_id, written_at, to: common.to, relocated };
    let catalog = Catalog {
        source: source.clone(),
        target: command.target.clone().unwrap_or_else(|| name_at(source, common.to)),
        from: CatalogSource::Version(version.clone()),
        // Workgroup and results are the recovery region's.
        athena: block.athena.clone().filter(|_| relocated),
        verify: block.verify.iter().chain(&command.expect).cloned().collect(),
        ..block.clone()
    };
    let runbook = scenario::recover_catalog(&plans.manifest, aws.region(), &catalog);
    let what = format!("recreating database {} of {} as {}", catalog.source, common.to, catalog.target);
    let recovery = Recovery { common, declared_at, plans, connected, aws, runbook, what };
    let words = |found: &Preflight| Prospect::ToDo(prospect(&catalog, &version, deleted_at, found));
    recovery.carry_out(words, command.dry_run, environment).await
}

/// Reads what can be expected of a catalog.
fn counted(text: &str) -> Result<Expectation, String> {
    let expectation: Expectation = text.parse()?;
    match expectation.quantity {
        Quantity::Tables | Quantity::Partitions => Ok(expectation),
        other => Err(format!("a catalog holds tables and partitions, no {other}")),
    }
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
    command: &RecoverCatalog,
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

/// What will become of it, and what has become of it since.
fn prospect(catalog: &Catalog, version: &ExportVersion, deleted_at: Option<Timestamp>, found: &Preflight) -> String {
    let facts = found.facts(&StepId::new(format!("restore.catalog.{}", catalog.name)));
    let (source, target) = (report::escape(&catalog.source), report::escape(&catalog.target));
    let before = SignedDuration::from_secs(version.to.as_second() - version.written_at.as_second());
    let before = if before.is_zero() { "then".to_owned() } else { format!("{before:#} before") };
    let mut words = format!(
        "database {source} as it was exported at {}, {before}, becomes database {target} ({} tables, {} partitions); {source} is \
         left as it is\n",
        version.written_at, facts["tables"], facts["partitions"]
    );
    if let Some(at) = deleted_at {
        words += &format!("the export was deleted at {at}; the version before that is taken\n");
    }
    words + &since(&source, &facts["point"]["since"])
}

fn since(source: &str, since: &Value) -> String {
    if since.is_null() {
        return String::new();
    }
    if since["database_gone"] == true {
        return format!("database {source} is gone since\n");
    }
    let listed = |words: &str, of: &str| {
        let names: Vec<String> =
            since[of]["first"].as_array().into_iter().flatten().filter_map(Value::as_str).map(report::escape).collect();
        let count = since[of]["count"].as_u64().unwrap_or_default();
        let more = if count > names.len() as u64 { "    …\n" } else { "" };
        let names: String = names.iter().map(|name| format!("    {name}\n")).collect();
        (count > 0).then(|| format!("{words} since ({count}):\n{names}{more}"))
    };
    let number = |words: &str, of: &str| {
        let count = since[of].as_u64().unwrap_or_default();
        (count > 0).then(|| format!("partitions {words} since: {count}\n"))
    };
    let said = [
        listed("tables gone", "gone_tables"),
        listed("changed", "changed"),
        listed("tables new", "new_tables"),
        number("gone", "gone_partitions"),
        number("new", "new_partitions"),
    ];
    let said: String = said.into_iter().flatten().collect();
    if said.is_empty() { format!("{source} holds the same now, as far as that is compared\n") } else { said }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
        assert!(counted("items >= 3").is_err_and(|said| said.contains("no items")));
    }

    #[test]
    fn what_has_become_of_it_is_told_in_few_lines() {
        let none = json!({ "count": 0, "first": [] });
        let mut found = json!({ "database_gone": false, "gone_tables": { "count": 3, "first": ["a", "b"] }, "changed": none,
                                "new_tables": none, "gone_partitions": 7, "new_partitions": 0 });
        assert_eq!(since("logs", &found), "tables gone since (3):\n    a\n    b\n    …\npartitions gone since: 7\n");
        found["gone_tables"] = none.clone();
        found["gone_partitions"] = json!(0);
        assert_eq!(since("logs", &found), "logs holds the same now, as far as that is compared\n");
        found["database_gone"] = json!(true);
        assert_eq!(since("logs", &found), "database logs is gone since\n");
    }
}
