//! A source table in the primary region, and its backup or its replica in the recovery region.
//!
//! DynamoDB's own backups stay in their region; what brings them over is AWS Backup, which the emulator lacks. So a
//! table of the same name and content is made in the recovery region, backed up there and deleted: what is left looks
//! as a copied backup does, except that its ARN names the recovery region. Where AWS Backup restores, the proxy plays a recovery
//! point of it that stands for this backup. Of a global table that second one is left, as its
//! replica: the proxy tells that it is one.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType as Role, Projection,
    ProjectionType, PutRequest, ScalarAttributeType, StreamSpecification, StreamViewType, Tag, TimeToLiveSpecification,
    WriteRequest,
};
use futures::{TryStreamExt, stream};
use jiff::Timestamp;

use super::declared::Declared;
use super::items::item;
use super::shape::{Key, KeyType, TableShape};
use super::{Regions, amount};
use crate::aws::backup::is_recovery_point;
use crate::aws::{Session, explain};
use crate::manifest::{Manifest, Quantity, Table, TableSource};
use crate::rehearse::RehearseError;

const USUAL_ITEMS: u64 = 1000;
const MOST_ITEMS: u64 = 20_000;
/// Items in one request ("BatchWriteItem": 25 at most).
const BATCH: u64 = 25;
const WRITERS: usize = 4;

/// What can be restored of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTable {
    pub name: String,
    /// `None` of a global table.
    pub backup_arn: Option<String>,
    pub items: u64,
}

/// How many items a table gets: what the manifest expects of it, or a usual number.
///
/// # Errors
/// The manifest expects more than fits.
pub fn items_of(table: &Table) -> Result<u64, RehearseError> {
    amount(&format!("table {}", table.name), Quantity::Items, &table.verify, USUAL_ITEMS, MOST_ITEMS)
}

/// # Errors
/// The emulator refused, or the manifest names a backup that has to be there already.
pub async fn build(manifest: &Manifest, table: &Table, regions: &Regions) -> Result<SourceTable, RehearseError> {
    if let TableSource::Backup(arn) = &table.from
        && !is_recovery_point(arn)
    {
        let word = format!("table {} is restored from {arn}, and the emulator makes ARNs of its own", table.name);
        return Err(RehearseError::Unsupported(word));
    }
    let items = items_of(table)?;
    let declared = table.adopt.as_deref().and_then(|address| Declared::find(manifest, address));
    let shape = declared.and_then(|declared| declared.table()).unwrap_or_default();
    let stand_in = async {
        match table.from {
            TableSource::Replica => fill(&regions.recovery, manifest, table, &shape, items).await.map(|()| None),
            _ => back_up(&regions.recovery, manifest, table, &shape, items).await.map(Some),
        }
    };
    let (backup_arn, ()) = tokio::try_join!(stand_in, fill(&regions.primary, manifest, table, &shape, items))?;
    Ok(SourceTable { name: table.name.clone(), backup_arn, items })
}

async fn back_up(
    session: &Session,
    manifest: &Manifest,
    table: &Table,
    shape: &TableShape,
    items: u64,
) -> Result<String, RehearseError> {
    fill(session, manifest, table, shape, items).await?;
    let dynamodb = session.dynamodb();
    let backup = dynamodb
        .create_backup()
        .table_name(&table.source)
        .backup_name(format!("{}-backup-{}", table.source, Timestamp::now().strftime("%Y-%m-%d")))
        .send()
        .await
        .map_err(explain("dynamodb:CreateBackup"))?;
    let deleted = dynamodb.delete_table().table_name(&table.source).send().await;
    deleted.map_err(explain("dynamodb:DeleteTable"))?;
    Ok(backup.backup_details.map(|details| details.backup_arn).unwrap_or_default())
}

async fn fill(
    session: &Session,
    manifest: &Manifest,
    table: &Table,
    shape: &TableShape,
    items: u64,
) -> Result<(), RehearseError> {
    create(session, manifest, table, shape).await?;
    let batches = (0..items.div_ceil(BATCH)).map(|batch| batch * BATCH..items.min((batch + 1) * BATCH));
    stream::iter(batches.map(Ok))
        .try_for_each_concurrent(WRITERS, async |numbers| write(session, &table.source, shape, numbers).await)
        .await
}

async fn write(
    session: &Session,
    table: &str,
    shape: &TableShape,
    numbers: std::ops::Range<u64>,
) -> Result<(), RehearseError> {
    let puts: Vec<WriteRequest> = numbers
        .map(|number| {
            let put = PutRequest::builder().set_item(Some(item(shape, number))).build().map_err(unsupported)?;
            Ok(WriteRequest::builder().put_request(put).build())
        })
        .collect::<Result<_, RehearseError>>()?;
    let dynamodb = session.dynamodb();
    let answer = dynamodb.batch_write_item().request_items(table, puts).send().await;
    let answer = answer.map_err(explain("dynamodb:BatchWriteItem"))?;
    match answer.unprocessed_items.filter(|left| !left.is_empty()) {
        Some(_) => Err(RehearseError::Unsupported(format!("the emulator did not write all items of {table}"))),
        None => Ok(()),
    }
}

async fn create(
    session: &Session,
    manifest: &Manifest,
    table: &Table,
    shape: &TableShape,
) -> Result<(), RehearseError> {
    let dynamodb = session.dynamodb();
    let indexes = shape.indexes.iter().map(|index| {
        GlobalSecondaryIndex::builder()
            .index_name(&index.name)
            .set_key_schema(Some(schema(&index.hash, index.range.as_ref())?))
            .projection(Projection::builder().projection_type(ProjectionType::All).build())
            .build()
            .map_err(unsupported)
    });
    let indexes: Vec<_> = indexes.collect::<Result<_, _>>()?;
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewAndOldImages)
        .build()
        .map_err(unsupported)?;
    let tag = Tag::builder().key("Service").value(&manifest.service).build().map_err(unsupported)?;
    dynamodb
        .create_table()
        .table_name(&table.source)
        .set_attribute_definitions(Some(attributes(shape)?))
        .set_key_schema(Some(schema(&shape.hash, shape.range.as_ref())?))
        .set_global_secondary_indexes((!indexes.is_empty()).then_some(indexes))
        .billing_mode(BillingMode::PayPerRequest)
        .stream_specification(stream)
        .tags(tag)
        .send()
        .await
        .map_err(explain("dynamodb:CreateTable"))?;
    let Some(attribute) = &shape.ttl_attribute else { return Ok(()) };
    let ttl = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(true).build();
    dynamodb
        .update_time_to_live()
        .table_name(&table.source)
        .time_to_live_specification(ttl.map_err(unsupported)?)
        .send()
        .await
        .map_err(explain("dynamodb:UpdateTimeToLive"))?;
    Ok(())
}

/// Each key attribute once.
fn attributes(shape: &TableShape) -> Result<Vec<AttributeDefinition>, RehearseError> {
    let mut keys: Vec<&Key> = Vec::new();
    let indexed = shape.indexes.iter().flat_map(|index| [Some(&index.hash), index.range.as_ref()]);
    for key in [Some(&shape.hash), shape.range.as_ref()].into_iter().chain(indexed).flatten() {
        if !keys.iter().any(|known| known.name == key.name) {
            keys.push(key);
        }
    }
    let definition = |key: &&Key| {
        let kind = match key.kind {
            KeyType::String => ScalarAttributeType::S,
            KeyType::Number => ScalarAttributeType::N,
            KeyType::Binary => ScalarAttributeType::B,
        };
        AttributeDefinition::builder().attribute_name(&key.name).attribute_type(kind).build().map_err(unsupported)
    };
    keys.iter().map(definition).collect()
}

fn schema(hash: &Key, range: Option<&Key>) -> Result<Vec<KeySchemaElement>, RehearseError> {
    let element = |key: &Key, role: Role| {
        KeySchemaElement::builder().attribute_name(&key.name).key_type(role).build().map_err(unsupported)
    };
    let range = range.map(|key| element(key, Role::Range));
    [Some(element(hash, Role::Hash)), range].into_iter().flatten().collect()
}

fn unsupported(error: impl std::fmt::Display) -> RehearseError {
    RehearseError::Unsupported(error.to_string())
}
