//! Recreates a Glue database with its tables and partitions, their locations in the buckets of the recovery region.
//!
//! Terraform often makes the database and its tables; what stands with the same definition is left alone, what stands
//! with another one is a conflict. Nothing is updated or deleted.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::catalog_source::{Desired, load_catalog, shown};
use super::{Blocked, Checked, Compensation, Cx, Output, Progress, Seen, Standing, Step, StepError, catalog_point};
use crate::aws::{Session, glue};
use crate::catalog::{Difference, difference};
use crate::journal::FailureKind;
use crate::manifest::{Bucket, Catalog, CatalogSource};
use crate::terraform::Address;

/// The step `restore.catalog.NAME`.
pub struct RestoreCatalog {
    pub catalog: Catalog,
}

#[async_trait]
impl Step for RestoreCatalog {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        check_catalog(&cx.world.aws, &self.catalog, &cx.world.manifest.buckets).await
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        // A database that came to be since the check is not this run's.
        if self.catalog.is_beside() && !cx.begun() {
            return match catalog_point::free(&cx.world.aws, &self.catalog).await {
                Ok(()) => Ok(Seen::Absent),
                Err(StepError { kind: FailureKind::Conflict, cause, hint, .. }) => Ok(Seen::Conflict { cause, hint }),
                Err(error) => Err(error),
            };
        }
        observe_catalog(&cx.world.aws, &self.catalog, &cx.world.manifest.buckets).await
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let tell = |unit: &str, done: u64, total: u64| {
            cx.progress(Progress::Count { done, total: Some(total), unit: unit.to_owned() });
        };
        if let Some(address) = deferred_database(cx)
            && glue::catalog(&cx.world.aws, &self.catalog.target).await?.is_none()
        {
            let cause = format!("database {} is not there, and {address} waits for the adoption", self.catalog.target);
            return Err(StepError::failed(cause).hint(
                "take out of the Terraform root what makes it depend on an adopted resource, such as depends_on of its \
                 module, and start a new run: Terraform could not make a database that stands already",
            ));
        }
        restore_catalog(&cx.world.aws, &self.catalog, &cx.world.manifest.buckets, tell).await
    }

    async fn verify(&self, cx: &Cx, _: &Output) -> Result<(), StepError> {
        let desired = load_catalog(&cx.world.aws, &self.catalog, &cx.world.manifest.buckets).await?;
        let found = compare(&cx.world.aws, &self.catalog, &desired).await?;
        match unequal(&found) {
            None => Ok(()),
            Some(what) => Err(StepError::check_failed(format!("database {}: {what}", self.catalog.target))),
        }
    }

    fn compensation(&self) -> Compensation {
        let target = &self.catalog.target;
        Compensation::Manual(format!(
            "aws glue delete-database --name {target}, where Terraform does not own it: it takes the tables with it"
        ))
    }
}

/// A Glue database of the root that Terraform makes only in the adopting apply. It may be this one, whose name the plan
/// does not tell, so that it must not be made here.
fn deferred_database(cx: &Cx) -> Option<String> {
    let plan = cx.output("infrastructure.plan")?;
    let mut deferred = plan.get("deferred")?.as_array()?.iter().filter_map(Value::as_str);
    deferred
        .find(|address| Address::parse(address).is_some_and(|it| it.kind == "aws_glue_catalog_database"))
        .map(str::to_owned)
}

async fn compare(session: &Session, catalog: &Catalog, desired: &Desired) -> Result<Difference, StepError> {
    let standing = glue::catalog(session, &catalog.target).await?;
    Ok(difference(&desired.catalog, standing.as_ref()))
}

/// What is not as desired, in words.
fn unequal(found: &Difference) -> Option<String> {
    let mut said = Vec::new();
    if found.database_missing {
        said.push("it does not exist".to_owned());
    }
    if !found.missing_tables.is_empty() {
        let names: Vec<String> = found.missing_tables.iter().map(|table| table.name.clone()).collect();
        said.push(format!("{} tables are missing: {}", names.len(), shown(&names)));
    }
    if found.missing_partition_count() > 0 {
        said.push(format!("{} partitions are missing", found.missing_partition_count()));
    }
    if !found.conflicts.is_empty() {
        said.push(shown(&found.conflicts));
    }
    (!said.is_empty()).then(|| said.join("; "))
}

/// May the catalog be recreated, and as of when?
///
/// # Errors
/// As [`load_catalog`].
pub async fn check_catalog(session: &Session, catalog: &Catalog, buckets: &[Bucket]) -> Result<Checked, Blocked> {
    let blocked = |error: StepError| Blocked { cause: error.cause, hint: error.hint };
    let beside = catalog.is_beside();
    if beside {
        catalog_point::free(session, catalog).await.map_err(blocked)?;
    }
    let desired = load_catalog(session, catalog, buckets).await.map_err(blocked)?;
    let found = compare(session, catalog, &desired).await.map_err(blocked)?;
    let mut warnings = desired.warnings.clone();
    let (point, more) = catalog_point::facts(session, catalog, &desired).await;
    warnings.extend(more);
    if !found.conflicts.is_empty() {
        warnings.push(format!("database {} has {}", catalog.target, shown(&found.conflicts)));
    }
    let mut facts = json!({
        "recovery_point": desired.source,
        "tables": desired.catalog.tables.len(),
        "partitions": desired.catalog.partition_count(),
        "warnings": warnings,
    });
    if let Some(at) = desired.written_at {
        facts["recovery_point_at"] = json!(at.to_string());
    }
    if beside {
        facts["point"] = point;
        return Ok(Checked { facts, standing: Standing::Absent });
    }
    // What stands before a rebuild is taken down first.
    let rebuilt = matches!(catalog.from, CatalogSource::Version(_));
    let standing = if found.is_done() && !rebuilt { Standing::InPlace } else { Standing::Unknown };
    Ok(Checked { facts, standing })
}

/// What of the catalog stands.
///
/// # Errors
/// As [`load_catalog`].
pub async fn observe_catalog(session: &Session, catalog: &Catalog, buckets: &[Bucket]) -> Result<Seen, StepError> {
    let desired = load_catalog(session, catalog, buckets).await?;
    let found = compare(session, catalog, &desired).await?;
    if !found.conflicts.is_empty() {
        let cause = format!("database {} has {}", catalog.target, shown(&found.conflicts));
        return Ok(Seen::Conflict { cause, hint: Some(KEEP.to_owned()) });
    }
    Ok(if found.is_done() { Seen::Done(output(catalog, &desired, &found)) } else { Seen::Absent })
}

const KEEP: &str = "nothing was changed: make the definitions agree, or drop those that are wrong, then retry";

fn output(catalog: &Catalog, desired: &Desired, before: &Difference) -> Value {
    json!({
        "database": catalog.target,
        "tables": desired.catalog.tables.len(),
        "partitions": desired.catalog.partition_count(),
        "created_tables": before.missing_tables.len(),
        "created_partitions": before.missing_partition_count(),
    })
}

/// Creates what is missing; `tell` is given a unit, how many are done, and of how many.
///
/// # Errors
/// As [`load_catalog`]; or something stands with another definition, in which case nothing is created.
pub async fn restore_catalog(
    session: &Session,
    catalog: &Catalog,
    buckets: &[Bucket],
    tell: impl Fn(&str, u64, u64) + Sync,
) -> Result<Output, StepError> {
    let desired = load_catalog(session, catalog, buckets).await?;
    let found = compare(session, catalog, &desired).await?;
    if !found.conflicts.is_empty() {
        let text = format!("database {} has {}", catalog.target, shown(&found.conflicts));
        return Err(StepError::conflict(text).hint(KEEP));
    }
    if found.database_missing {
        glue::create_database(session, &catalog.target, &desired.catalog.database).await?;
    }
    let total = found.missing_tables.len() as u64;
    for (done, table) in (1..).zip(&found.missing_tables) {
        glue::create_table(session, &catalog.target, table).await?;
        tell("tables", done, total);
    }
    let total = found.missing_partition_count() as u64;
    let done = std::sync::atomic::AtomicU64::new(0);
    for (table, partitions) in &found.missing_partitions {
        let told = |count: usize| {
            let before = done.fetch_add(count as u64, std::sync::atomic::Ordering::Relaxed);
            tell("partitions", before + count as u64, total);
        };
        glue::create_partitions(session, &catalog.target, table, partitions, told).await?;
    }
    Ok(output(catalog, &desired, &found))
}
