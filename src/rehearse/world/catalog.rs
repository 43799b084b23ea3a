//! A Glue database in the primary region, and what of it reaches the recovery region: an export, or a replica.

use aws_sdk_glue::types::{Column, DatabaseInput, PartitionInput, SerDeInfo, StorageDescriptor, TableInput};
use bytes::Bytes;

use super::definitions::{Definition, PARTITION_KEYS, Partition, definitions, export};
use super::{Regions, amount};
use crate::aws::{Session, explain};
use crate::manifest::{Catalog, CatalogSource, Manifest, Quantity};
use crate::rehearse::RehearseError;

const USUAL_TABLES: u64 = 2;
const MOST_TABLES: u64 = 200;
const USUAL_PARTITIONS: u64 = 24;
const MOST_PARTITIONS: u64 = 10_000;
/// Partitions in one request ("BatchCreatePartition": 100 at most).
const BATCH: usize = 100;

/// What a catalog is recreated from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCatalog {
    pub name: String,
    pub tables: u64,
    pub partitions: u64,
}

/// What a database holds, made up: its tables, where their data lies, and how much that comes to.
struct MadeUp {
    base: String,
    definitions: Vec<Definition>,
    told: SourceCatalog,
}

fn made_up(catalog: &Catalog) -> Result<MadeUp, RehearseError> {
    let what = format!("catalog {}", catalog.name);
    let tables = amount(&what, Quantity::Tables, &catalog.verify, USUAL_TABLES, MOST_TABLES)?;
    let usual = if tables == 0 { 0 } else { USUAL_PARTITIONS.max(tables * 12) };
    let partitions = amount(&what, Quantity::Partitions, &catalog.verify, usual, MOST_PARTITIONS)?;
    let base = catalog.locations.keys().next().cloned().unwrap_or_else(|| format!("s3://{}/", catalog.source));
    let definitions = definitions(&base, tables, partitions);
    Ok(MadeUp { base, definitions, told: SourceCatalog { name: catalog.name.clone(), tables, partitions } })
}

/// The export alone, of a database that is not made.
///
/// # Errors
/// The emulator refused, or the manifest expects more than fits.
pub async fn build_export(manifest: &Manifest, catalog: &Catalog, session: &Session) -> Result<(), RehearseError> {
    let CatalogSource::Export(uri) = &catalog.from else { return Ok(()) };
    let MadeUp { base, definitions, .. } = made_up(catalog)?;
    let text = export(&catalog.source, &base, &manifest.account, &definitions).to_string();
    put_export(session, uri, text.into()).await
}

/// # Errors
/// The emulator refused, or the manifest expects more than fits.
pub async fn build(manifest: &Manifest, catalog: &Catalog, regions: &Regions) -> Result<SourceCatalog, RehearseError> {
    let MadeUp { base, definitions: made, told } = made_up(catalog)?;
    create(&regions.primary, &catalog.source, &base, &made).await?;
    match &catalog.from {
        CatalogSource::Export(uri) => {
            let text = export(&catalog.source, &base, &manifest.account, &made).to_string();
            put_export(&regions.recovery, uri, text.into()).await?;
        }
        CatalogSource::Replica(database) => create(&regions.recovery, database, &base, &made).await?,
        // No manifest says it.
        CatalogSource::Version(_) => {}
    }
    Ok(told)
}

async fn put_export(session: &Session, uri: &str, text: Bytes) -> Result<(), RehearseError> {
    let place = uri.strip_prefix("s3://").and_then(|place| place.split_once('/'));
    let Some((bucket, key)) = place else {
        return Err(RehearseError::Unsupported(format!("{uri} names no object")));
    };
    let request = session.s3().put_object().bucket(bucket).key(key).content_type("application/json");
    request.body(text.into()).send().await.map_err(explain("s3:PutObject"))?;
    Ok(())
}

async fn create(session: &Session, database: &str, base: &str, tables: &[Definition]) -> Result<(), RehearseError> {
    let glue = session.glue();
    let input = DatabaseInput::builder().name(database).description("Logs").location_uri(base).build();
    let made = glue.create_database().database_input(input.map_err(unsupported)?).send().await;
    made.map_err(explain("glue:CreateDatabase"))?;
    for table in tables {
        let made = glue.create_table().database_name(database).table_input(table_input(table)?).send().await;
        made.map_err(explain("glue:CreateTable"))?;
        let inputs: Vec<PartitionInput> =
            table.partitions.iter().map(|part| partition_input(table, part)).collect::<Result<_, _>>()?;
        for batch in inputs.chunks(BATCH) {
            let request = glue.batch_create_partition().database_name(database).table_name(&table.name);
            let answer = request.set_partition_input_list(Some(batch.to_vec())).send().await;
            let answer = answer.map_err(explain("glue:BatchCreatePartition"))?;
            if !answer.errors().is_empty() {
                let word = format!("the emulator did not make all partitions of {}", table.name);
                return Err(RehearseError::Unsupported(word));
            }
        }
    }
    Ok(())
}

fn table_input(table: &Definition) -> Result<TableInput, RehearseError> {
    let keys = PARTITION_KEYS.map(|name| column(name, "string")).into_iter().collect::<Result<Vec<_>, _>>()?;
    TableInput::builder()
        .name(&table.name)
        .description(table.description)
        .table_type("EXTERNAL_TABLE")
        .set_partition_keys(Some(keys))
        .storage_descriptor(storage(&table.location, table)?)
        .parameters("EXTERNAL", "TRUE")
        .parameters("classification", "json")
        .build()
        .map_err(unsupported)
}

fn partition_input(table: &Definition, partition: &Partition) -> Result<PartitionInput, RehearseError> {
    Ok(PartitionInput::builder()
        .set_values(Some(partition.values.to_vec()))
        .storage_descriptor(storage(&partition.location, table)?)
        .parameters("recordCount", "1000")
        .build())
}

fn storage(location: &str, table: &Definition) -> Result<StorageDescriptor, RehearseError> {
    let serde = SerDeInfo::builder()
        .name("json")
        .serialization_library(super::definitions::SERDE)
        .parameters("serialization.format", "1")
        .build();
    let columns = table.columns.iter().map(|(name, kind)| column(name, kind)).collect::<Result<Vec<_>, _>>()?;
    Ok(StorageDescriptor::builder()
        .set_columns(Some(columns))
        .location(location)
        .input_format(super::definitions::INPUT)
        .output_format(super::definitions::OUTPUT)
        .compressed(true)
        .serde_info(serde)
        .build())
}

fn column(name: &str, kind: &str) -> Result<Column, RehearseError> {
    Column::builder().name(name).r#type(kind).build().map_err(unsupported)
}

fn unsupported(error: impl std::fmt::Display) -> RehearseError {
    RehearseError::Unsupported(error.to_string())
}
