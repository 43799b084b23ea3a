//! Table and partition definitions of a data catalog, as `aws glue get-tables` and `get-partitions` print them. Pure.

use serde_json::{Value, json};

pub const INPUT: &str = "org.apache.hadoop.mapred.TextInputFormat";
pub const OUTPUT: &str = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat";
pub const SERDE: &str = "org.openx.data.jsonserde.JsonSerDe";
/// When everything was made.
const MADE_AT: &str = "2026-10-01T06:00:00+00:00";
pub const PARTITION_KEYS: [&str; 3] = ["year", "month", "day"];

/// A table over a folder of the logs bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub name: String,
    pub description: &'static str,
    /// `s3://bucket/app/`
    pub location: String,
    pub columns: &'static [(&'static str, &'static str)],
    pub partitions: Vec<Partition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Year, month, day.
    pub values: [String; 3],
    pub location: String,
}

const APP: &[(&str, &str)] =
    &[("timestamp", "timestamp"), ("level", "string"), ("service", "string"), ("message", "string")];
const ACCESS: &[(&str, &str)] =
    &[("timestamp", "timestamp"), ("client", "string"), ("status", "int"), ("bytes", "bigint"), ("path", "string")];

/// `tables` tables under `base` (`s3://bucket/`), with `partitions` partitions among them, as even as may be.
pub fn definitions(base: &str, tables: u64, partitions: u64) -> Vec<Definition> {
    let base = base.trim_end_matches('/');
    (0..tables)
        .map(|number| {
            let (name, folder, columns, description) = match number {
                0 => ("app_logs".to_owned(), "app".to_owned(), APP, "Application logs, as Firehose delivers them"),
                1 => ("access_logs".to_owned(), "access".to_owned(), ACCESS, "One line per request"),
                _ => (format!("logs_{number}"), format!("logs-{number}"), APP, "Further logs"),
            };
            let location = format!("{base}/{folder}/");
            let share = partitions / tables + u64::from(number < partitions % tables);
            let partitions = (0..share).map(|number| partition(&location, number)).collect();
            Definition { name, description, location, columns, partitions }
        })
        .collect()
}

fn partition(location: &str, number: u64) -> Partition {
    let (year, month, day) = (2026 + number / 336, number / 28 % 12 + 1, number % 28 + 1);
    let values = [year.to_string(), format!("{month:02}"), format!("{day:02}")];
    let [year, month, day] = &values;
    let location = format!("{location}year={year}/month={month}/day={day}/");
    Partition { values, location }
}

/// The export of a database: `{"Database": …, "Tables": […], "Partitions": {TABLE: […]}}`.
pub fn export(database: &str, base: &str, account: &str, tables: &[Definition]) -> Value {
    let partitions: serde_json::Map<String, Value> = tables
        .iter()
        .map(|table| {
            let partitions = table.partitions.iter().map(|part| partition_json(database, account, table, part));
            (table.name.clone(), partitions.collect())
        })
        .collect();
    json!({
        "Database": {
            "Name": database,
            "Description": "Logs",
            "LocationUri": base,
            "CreateTime": MADE_AT,
            "CatalogId": account,
        },
        "Tables": tables.iter().map(|table| table_json(database, account, table)).collect::<Vec<_>>(),
        "Partitions": partitions,
    })
}

fn table_json(database: &str, account: &str, table: &Definition) -> Value {
    let keys = PARTITION_KEYS.map(|name| json!({ "Name": name, "Type": "string" }));
    json!({
        "Name": table.name,
        "DatabaseName": database,
        "Description": table.description,
        "CreateTime": MADE_AT,
        "UpdateTime": MADE_AT,
        "Retention": 0,
        "StorageDescriptor": storage(&table.location, table.columns),
        "PartitionKeys": keys,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": { "EXTERNAL": "TRUE", "classification": "json" },
        "CreatedBy": format!("arn:aws:iam::{account}:user/terraform"),
        "IsRegisteredWithLakeFormation": false,
        "CatalogId": account,
        "VersionId": "1",
    })
}

fn partition_json(database: &str, account: &str, table: &Definition, partition: &Partition) -> Value {
    json!({
        "Values": partition.values,
        "DatabaseName": database,
        "TableName": table.name,
        "CreationTime": MADE_AT,
        "StorageDescriptor": storage(&partition.location, table.columns),
        "Parameters": { "recordCount": "1000" },
        "CatalogId": account,
    })
}

fn storage(location: &str, columns: &[(&str, &str)]) -> Value {
    json!({
        "Columns": columns.iter().map(|(name, kind)| json!({ "Name": name, "Type": kind })).collect::<Vec<_>>(),
        "Location": location,
        "InputFormat": INPUT,
        "OutputFormat": OUTPUT,
        "Compressed": true,
        "NumberOfBuckets": 0,
        "SerdeInfo": {
            "Name": "json",
            "SerializationLibrary": SERDE,
            "Parameters": { "serialization.format": "1" },
        },
        "StoredAsSubDirectories": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_shared_out_and_lie_under_their_table() {
        let tables = definitions("s3://logs/", 2, 25);
        assert_eq!(tables.iter().map(|table| table.partitions.len()).collect::<Vec<_>>(), [13, 12]);
        assert_eq!(tables[1].partitions[0].location, "s3://logs/access/year=2026/month=01/day=01/");
    }

    #[test]
    fn no_two_partitions_of_a_table_are_the_same() {
        let tables = definitions("s3://logs/", 1, 1000);
        let values: std::collections::BTreeSet<_> = tables[0].partitions.iter().map(|part| &part.values).collect();
        assert_eq!(values.len(), 1000);
    }

    #[test]
    fn an_export_holds_every_partition_under_its_tables_name() {
        let tables = definitions("s3://logs/", 2, 24);
        let export = export("logs_prod", "s3://logs/", "123456789012", &tables);
        assert_eq!(export["Tables"][0]["Name"], "app_logs");
        assert_eq!(export["Partitions"]["access_logs"].as_array().map(Vec::len), Some(12));
        assert_eq!(
            export["Partitions"]["app_logs"][0]["StorageDescriptor"]["Location"],
            tables[0].partitions[0].location
        );
    }
}
