//! Proves that the recreated catalog has every table and partition of its source, that nothing in it is read from
//! outside the recovery region, and what the manifest expects of it; Athena is asked where the manifest says so. Changes nothing.

use async_trait::async_trait;
use serde_json::json;

use super::catalog_source::{Desired, load_catalog};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError, answers, catalog_athena};
use crate::aws::{Session, glue};
use crate::catalog::{self, Rules, difference};
use crate::manifest::{Bucket, Catalog, Quantity};
use crate::verify::unmet;

/// Differences that an error lists.
const SHOWN: usize = 5;

/// The step `verify.catalog.NAME`.
pub struct VerifyCatalog {
    pub catalog: Catalog,
}

#[async_trait]
impl Step for VerifyCatalog {
    /// Who is asked must be known before there is anything to ask. What is not there a failover's root may make yet.
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let Some(athena) = &self.catalog.athena else { return Ok(Checked::default()) };
        let later = !self.catalog.is_beside();
        let warnings = catalog_athena::check(&cx.world.aws, athena, later).await?;
        Ok(Checked { facts: json!({ "warnings": warnings }), ..Checked::default() })
    }

    /// A proof is made anew each time.
    async fn observe(&self, _: &Cx) -> Result<Seen, StepError> {
        Ok(Seen::Absent)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let mut output = verify_catalog(&cx.world.aws, &self.catalog, &cx.world.manifest.buckets).await?;
        if let Some(athena) = &self.catalog.athena {
            let answers = catalog_athena::ask(cx, athena, &self.catalog.target).await?;
            if let Some(faults) = answers::faults(&answers) {
                return Err(catalog_athena::unexpected(&self.catalog.target, &faults));
            }
            output["athena"] = json!(answers);
        }
        Ok(output)
    }

    async fn verify(&self, _: &Cx, _: &Output) -> Result<(), StepError> {
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Never
    }
}

/// Reads source and target again and compares them. Gives back `database`, `tables`, `partitions`, and `extra_tables`
/// that only the target has.
///
/// # Errors
/// Anything is missing, different, counted otherwise or located elsewhere; an expectation is not met; AWS refused.
pub async fn verify_catalog(session: &Session, catalog: &Catalog, buckets: &[Bucket]) -> Result<Output, StepError> {
    let target = &catalog.target;
    let desired = load_catalog(session, catalog, buckets).await?;
    let missing = || StepError::check_failed(format!("database {target} does not exist in {}", session.region()));
    let standing = glue::catalog(session, target).await?.ok_or_else(missing)?;
    let wrong = wrong(&desired, &standing);
    if !wrong.is_empty() {
        let more = if wrong.len() > SHOWN { format!("; {} more", wrong.len() - SHOWN) } else { String::new() };
        let first = wrong.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("; ");
        return Err(StepError::check_failed(format!("database {target}: {first}{more}")));
    }
    let (tables, partitions) = (standing.tables.len() as u64, standing.partition_count());
    let unmet = unmet(&catalog.verify, |quantity| match quantity {
        Quantity::Tables => Some(tables),
        Quantity::Partitions => Some(partitions),
        Quantity::Items | Quantity::Objects | Quantity::Bytes => None,
    });
    if let Some(unmet) = unmet {
        return Err(StepError::check_failed(format!("database {target}: {unmet}")));
    }
    let extra = difference(&desired.catalog, Some(&standing)).extra_tables;
    Ok(json!({ "database": target, "tables": tables, "partitions": partitions, "extra_tables": extra }))
}

/// Everything that is not as desired, in words.
fn wrong(desired: &Desired, standing: &catalog::Catalog) -> Vec<String> {
    let found = difference(&desired.catalog, Some(standing));
    let mut wrong = found.conflicts.clone();
    wrong.extend(found.missing_tables.iter().map(|table| format!("table {} is missing", table.name)));
    for (table, partitions) in &found.missing_partitions {
        wrong.push(format!("table {table} lacks {} partitions", partitions.len()));
    }
    wrong.extend(found.extra_partitions.iter().map(|what| format!("partition {what} is not in the source")));
    wrong.extend(located_elsewhere(&desired.rules, standing));
    wrong
}

/// Tables and partitions that would be read from outside the recovery region.
fn located_elsewhere(rules: &Rules, standing: &catalog::Catalog) -> Vec<String> {
    let outside = |label: String, descriptor: &Option<catalog::StorageDescriptor>| {
        let location = descriptor.as_ref()?.location.as_deref().filter(|location| !location.is_empty())?;
        (!rules.is_recovery(location)).then(|| format!("{label} is located at {location}, outside the recovery region"))
    };
    let tables = standing
        .tables
        .values()
        .filter_map(|table| outside(format!("table {}", table.name), &table.storage_descriptor));
    let partitions = standing.partitions.iter().flat_map(|(table, partitions)| {
        partitions.values().filter_map(move |partition| {
            let label = format!("partition {} of table {table}", partition.values.join("/"));
            outside(label, &partition.storage_descriptor)
        })
    });
    tables.chain(partitions).collect()
}
