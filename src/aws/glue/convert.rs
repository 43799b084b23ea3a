//! Definitions between the SDK's types and ours. What the SDK has beyond ours ends in `rest`, as in an export, so that
//! it is warned of or refused there too.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_glue::error::BuildError;
use aws_sdk_glue::types as sdk;
use serde_json::{Value, json};

use crate::catalog::{
    Column, Database, Order, Parameters, Partition, SchemaId, SchemaReference, SerdeInfo, SkewedInfo,
    StorageDescriptor, Table,
};

type SdkParameters = HashMap<String, String>;

fn own(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn sorted(parameters: Option<&SdkParameters>) -> Parameters {
    parameters.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn unsorted(parameters: &Parameters) -> Option<SdkParameters> {
    (!parameters.is_empty()).then(|| parameters.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn some<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}

fn present(names: &[(&str, bool)]) -> BTreeMap<String, Value> {
    names.iter().filter(|(_, is)| *is).map(|(name, _)| ((*name).to_owned(), json!(true))).collect()
}

pub(super) fn database(found: &sdk::Database) -> Database {
    Database {
        name: found.name().to_owned(),
        description: own(found.description()),
        location_uri: own(found.location_uri()),
        parameters: sorted(found.parameters()),
        rest: present(&[
            ("TargetDatabase", found.target_database().is_some()),
            ("FederatedDatabase", found.federated_database().is_some()),
        ]),
    }
}

pub(super) fn database_input(name: &str, like: &Database) -> Result<sdk::DatabaseInput, BuildError> {
    sdk::DatabaseInput::builder()
        .name(name)
        .set_description(like.description.clone())
        .set_location_uri(like.location_uri.clone().filter(|location| !location.is_empty()))
        .set_parameters(unsorted(&like.parameters))
        .build()
}

pub(super) fn table(found: &sdk::Table) -> Table {
    Table {
        name: found.name().to_owned(),
        description: own(found.description()),
        owner: own(found.owner()),
        retention: Some(found.retention()),
        storage_descriptor: found.storage_descriptor().map(descriptor),
        partition_keys: found.partition_keys().iter().map(column).collect(),
        view_original_text: own(found.view_original_text()),
        view_expanded_text: own(found.view_expanded_text()),
        table_type: own(found.table_type()),
        parameters: sorted(found.parameters()),
        rest: present(&[
            ("TargetTable", found.target_table().is_some()),
            ("FederatedTable", found.federated_table().is_some()),
            ("ViewDefinition", found.view_definition().is_some()),
            ("IsRegisteredWithLakeFormation", found.is_registered_with_lake_formation()),
        ]),
    }
}

pub(super) fn table_input(table: &Table) -> Result<sdk::TableInput, BuildError> {
    sdk::TableInput::builder()
        .name(&table.name)
        .set_description(table.description.clone())
        .set_owner(table.owner.clone())
        .set_retention(table.retention)
        .set_storage_descriptor(table.storage_descriptor.as_ref().map(descriptor_input).transpose()?)
        .set_partition_keys(Some(columns_input(&table.partition_keys)?))
        .set_view_original_text(table.view_original_text.clone())
        .set_view_expanded_text(table.view_expanded_text.clone())
        .set_table_type(table.table_type.clone())
        .set_parameters(unsorted(&table.parameters))
        .build()
}

pub(super) fn partition(found: &sdk::Partition) -> Partition {
    Partition {
        values: found.values().to_vec(),
        storage_descriptor: found.storage_descriptor().map(descriptor),
        parameters: sorted(found.parameters()),
        rest: BTreeMap::new(),
    }
}

pub(super) fn partition_input(partition: &Partition) -> Result<sdk::PartitionInput, BuildError> {
    Ok(sdk::PartitionInput::builder()
        .set_values(Some(partition.values.clone()))
        .set_storage_descriptor(partition.storage_descriptor.as_ref().map(descriptor_input).transpose()?)
        .set_parameters(unsorted(&partition.parameters))
        .build())
}

fn descriptor(found: &sdk::StorageDescriptor) -> StorageDescriptor {
    StorageDescriptor {
        columns: found.columns().iter().map(column).collect(),
        location: own(found.location()),
        additional_locations: found.additional_locations().to_vec(),
        input_format: own(found.input_format()),
        output_format: own(found.output_format()),
        compressed: found.compressed(),
        number_of_buckets: Some(found.number_of_buckets()),
        serde_info: found.serde_info().map(|serde| SerdeInfo {
            name: own(serde.name()),
            serialization_library: own(serde.serialization_library()),
            parameters: sorted(serde.parameters()),
            rest: BTreeMap::new(),
        }),
        bucket_columns: found.bucket_columns().to_vec(),
        sort_columns: (found.sort_columns().iter())
            .map(|order| Order { column: order.column().to_owned(), sort_order: order.sort_order() })
            .collect(),
        parameters: sorted(found.parameters()),
        skewed_info: found.skewed_info().map(|skewed| SkewedInfo {
            skewed_column_names: skewed.skewed_column_names().to_vec(),
            skewed_column_values: skewed.skewed_column_values().to_vec(),
            skewed_column_value_location_maps: sorted(skewed.skewed_column_value_location_maps()),
        }),
        stored_as_sub_directories: found.stored_as_sub_directories(),
        schema_reference: found.schema_reference().map(|reference| SchemaReference {
            schema_id: reference.schema_id().map(|id| SchemaId {
                schema_arn: own(id.schema_arn()),
                schema_name: own(id.schema_name()),
                registry_name: own(id.registry_name()),
            }),
            schema_version_id: own(reference.schema_version_id()),
            schema_version_number: reference.schema_version_number(),
        }),
        rest: BTreeMap::new(),
    }
}

fn descriptor_input(descriptor: &StorageDescriptor) -> Result<sdk::StorageDescriptor, BuildError> {
    let orders = descriptor
        .sort_columns
        .iter()
        .map(|order| sdk::Order::builder().column(&order.column).sort_order(order.sort_order).build());
    let orders = orders.collect::<Result<Vec<_>, _>>()?;
    Ok(sdk::StorageDescriptor::builder()
        .set_columns(Some(columns_input(&descriptor.columns)?))
        .set_location(descriptor.location.clone())
        .set_additional_locations(some(&descriptor.additional_locations))
        .set_input_format(descriptor.input_format.clone())
        .set_output_format(descriptor.output_format.clone())
        .compressed(descriptor.compressed)
        .set_number_of_buckets(descriptor.number_of_buckets)
        .set_serde_info(descriptor.serde_info.as_ref().map(serde_input))
        .set_bucket_columns(some(&descriptor.bucket_columns))
        .set_sort_columns(some(&orders))
        .set_parameters(unsorted(&descriptor.parameters))
        .set_skewed_info(descriptor.skewed_info.as_ref().map(skewed_input))
        .stored_as_sub_directories(descriptor.stored_as_sub_directories)
        .set_schema_reference(descriptor.schema_reference.as_ref().map(schema_input))
        .build())
}

fn column(found: &sdk::Column) -> Column {
    Column {
        name: found.name().to_owned(),
        kind: own(found.r#type()),
        comment: own(found.comment()),
        parameters: sorted(found.parameters()),
        rest: BTreeMap::new(),
    }
}

fn columns_input(columns: &[Column]) -> Result<Vec<sdk::Column>, BuildError> {
    let column = |column: &Column| {
        sdk::Column::builder()
            .name(&column.name)
            .set_type(column.kind.clone())
            .set_comment(column.comment.clone())
            .set_parameters(unsorted(&column.parameters))
            .build()
    };
    columns.iter().map(column).collect()
}

fn serde_input(serde: &SerdeInfo) -> sdk::SerDeInfo {
    sdk::SerDeInfo::builder()
        .set_name(serde.name.clone())
        .set_serialization_library(serde.serialization_library.clone())
        .set_parameters(unsorted(&serde.parameters))
        .build()
}

fn skewed_input(skewed: &SkewedInfo) -> sdk::SkewedInfo {
    sdk::SkewedInfo::builder()
        .set_skewed_column_names(some(&skewed.skewed_column_names))
        .set_skewed_column_values(some(&skewed.skewed_column_values))
        .set_skewed_column_value_location_maps(unsorted(&skewed.skewed_column_value_location_maps))
        .build()
}

fn schema_input(reference: &SchemaReference) -> sdk::SchemaReference {
    let id = reference.schema_id.as_ref().map(|id| {
        sdk::SchemaId::builder()
            .set_schema_arn(id.schema_arn.clone())
            .set_schema_name(id.schema_name.clone())
            .set_registry_name(id.registry_name.clone())
            .build()
    });
    sdk::SchemaReference::builder()
        .set_schema_id(id)
        .set_schema_version_id(reference.schema_version_id.clone())
        .set_schema_version_number(reference.schema_version_number)
        .build()
}
