//! An exported catalog: one JSON object `{"Database": …, "Tables": […], "Partitions": {"TABLE": […]}}` of what
//! `aws glue get-database`, `get-tables` and `get-partitions` print, with or without their outer member.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::model::{Catalog, Database, Partition, Table};

/// Why an export cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    #[error("it is not an export of a catalog: {0}")]
    Shape(String),
    #[error("it has partitions of {0}, but not that table")]
    Orphans(String),
    #[error("it has {0} twice")]
    Twice(String),
    #[error("a partition of table {table} has {found} values for {expected} partition keys")]
    Values { table: String, found: usize, expected: usize },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Export {
    database: OneOf<Database>,
    #[serde(default)]
    tables: ListOf<Table>,
    #[serde(default)]
    partitions: BTreeMap<String, ListOf<Partition>>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// `{…}` or `{"Database": {…}}`.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned", try_from = "Value")]
struct OneOf<T>(T);

/// `[…]` or `{"TableList": […]}`, `{"Partitions": […]}`. Read without an intermediate tree: an export may be large.
struct ListOf<T>(Vec<T>);

impl<T> Default for ListOf<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ListOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = ListOf<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list, as the AWS CLI prints it")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(ListOf(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut outer: A) -> Result<Self::Value, A::Error> {
        let mut items = None;
        while let Some(name) = outer.next_key::<String>()? {
            match name.as_str() {
                "TableList" | "Partitions" => items = Some(outer.next_value::<Vec<T>>()?),
                "NextToken" => return Err(A::Error::custom("the list is cut short: it has a NextToken")),
                _ => drop(outer.next_value::<IgnoredAny>()?),
            }
        }
        items.map(ListOf).ok_or_else(|| A::Error::missing_field("TableList or Partitions"))
    }
}

impl<T: DeserializeOwned> TryFrom<Value> for OneOf<T> {
    type Error = serde_json::Error;

    fn try_from(mut value: Value) -> Result<Self, Self::Error> {
        serde_json::from_value(match value.get_mut("Database") {
            Some(inner) => inner.take(),
            None => value,
        })
        .map(Self)
    }
}

/// Reads an export; gives back the catalog and what of it is not recreated.
///
/// # Errors
/// It is not JSON of the documented shape, or contradicts itself.
pub fn parse(json: &[u8]) -> Result<(Catalog, Vec<String>), ExportError> {
    let export: Export = serde_json::from_slice(json).map_err(|error| ExportError::Shape(error.to_string()))?;
    let mut warnings: Vec<String> =
        export.rest.keys().map(|name| format!("the export has {name}, which is not recreated")).collect();
    let partitions = export.partitions.into_iter().map(|(table, list)| (table, list.0));
    let catalog = Catalog::build(export.database.0, export.tables.0, partitions)?;
    warnings.extend(catalog.warnings());
    Ok((catalog, warnings))
}

impl Catalog {
    /// Puts definitions together, by name.
    ///
    /// # Errors
    /// They contradict one another.
    pub fn build(
        database: Database,
        tables: Vec<Table>,
        partitions: impl IntoIterator<Item = (String, Vec<Partition>)>,
    ) -> Result<Self, ExportError> {
        let mut catalog = Self { database, ..Self::default() };
        for mut table in tables {
            table.name = table.name.to_lowercase();
            if table.name.is_empty() {
                return Err(ExportError::Shape("a table has no name".to_owned()));
            }
            let name = table.name.clone();
            if catalog.tables.insert(name.clone(), table).is_some() {
                return Err(ExportError::Twice(format!("table {name}")));
            }
        }
        for (name, list) in partitions {
            let name = name.to_lowercase();
            let table = catalog.tables.get(&name).ok_or_else(|| ExportError::Orphans(name.clone()))?;
            let expected = table.partition_keys.len();
            let known = catalog.partitions.entry(name.clone()).or_default();
            for partition in list {
                if partition.values.len() != expected {
                    let found = partition.values.len();
                    return Err(ExportError::Values { table: name, found, expected });
                }
                let values = partition.values.clone();
                if known.insert(values.clone(), partition).is_some() {
                    return Err(ExportError::Twice(format!("partition {} of table {name}", values.join("/"))));
                }
            }
        }
        Ok(catalog)
    }

    /// What is not recreated; alike warnings of many partitions only once.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.database.warnings();
        for (name, table) in &self.tables {
            warnings.extend(table.warnings());
            let of_partitions = self.partitions.get(name).into_iter().flat_map(BTreeMap::values);
            warnings.extend(
                of_partitions
                    .map(|partition| partition.warnings(name))
                    .find(|said| !said.is_empty())
                    .into_iter()
                    .flatten(),
            );
        }
        warnings
    }

    /// Why it cannot be recreated, with every table that stands in the way.
    pub fn refusals(&self) -> Vec<String> {
        self.database.refusal().into_iter().chain(self.tables.values().filter_map(Table::refusal)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(value: &Value) -> Vec<u8> {
        value.to_string().into_bytes()
    }

    #[test]
    fn what_the_cli_prints_is_read_with_or_without_its_outer_member() {
        let table = json!({ "Name": "Logs", "PartitionKeys": [{ "Name": "day", "Type": "string" }], "Parameters": null,
                            "CreateTime": "2026-01-01T00:00:00+00:00", "VersionId": "3" });
        let partition = json!({ "Values": ["2026-01-01"], "CreationTime": 1.5 });
        let plain = json!({ "Database": { "Name": "logs" }, "Tables": [table], "Partitions": { "Logs": [partition] } });
        let wrapped = json!({
            "Database": { "Database": { "Name": "logs" } },
            "Tables": { "TableList": [table] },
            "Partitions": { "Logs": { "Partitions": [partition] } },
        });
        let (catalog, warnings) = parse(&text(&plain)).expect("an export");
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(catalog.partition_count(), 1);
        assert!(catalog.tables.contains_key("logs"));
        assert_eq!(parse(&text(&wrapped)).expect("an export").0, catalog);
    }

    #[test]
    fn what_is_not_recreated_is_named() {
        let export = json!({
            "Database": { "Name": "logs", "Novelty": 1 },
            "Tables": [{ "Name": "t", "StorageDescriptor": { "SerdeInfo": { "Magic": true } },
                         "IsRegisteredWithLakeFormation": true }],
            "Indexes": [],
        });
        let (_, warnings) = parse(&text(&export)).expect("an export");
        assert_eq!(
            warnings,
            [
                "the export has Indexes, which is not recreated",
                "database logs has Novelty, which is not recreated",
                "table t is governed by Lake Formation; its permissions are not recreated",
                "table t has Magic, which is not recreated",
            ]
        );
    }

    #[test]
    fn tables_that_a_definition_does_not_make_are_refused() {
        let export = json!({ "Database": { "Name": "logs" }, "Tables": [
            { "Name": "ice", "Parameters": { "table_type": "ICEBERG", "metadata_location": "s3://old/m.json" } },
            { "Name": "link", "TargetTable": { "Name": "x" } },
            { "Name": "plain" },
        ]});
        let refusals = parse(&text(&export)).expect("an export").0.refusals();
        assert_eq!(refusals.len(), 1, "whether an Iceberg table can be recreated depends on where it goes");
        assert!(refusals[0].starts_with("table link is a link"), "{refusals:?}");
    }

    #[test]
    fn an_export_that_contradicts_itself_is_refused() {
        let of = |tables: Value, partitions: Value| {
            parse(&text(&json!({ "Database": { "Name": "d" }, "Tables": tables, "Partitions": partitions })))
        };
        let twice = of(json!([{ "Name": "a" }, { "Name": "A" }]), json!({}));
        assert_eq!(twice.expect_err("twice"), ExportError::Twice("table a".into()));
        let orphan = of(json!([]), json!({ "b": [] }));
        assert_eq!(orphan.expect_err("no table"), ExportError::Orphans("b".into()));
        let values = of(json!([{ "Name": "a" }]), json!({ "a": [{ "Values": ["1"] }] }));
        assert!(matches!(values, Err(ExportError::Values { found: 1, expected: 0, .. })));
        assert!(matches!(parse(b"[]"), Err(ExportError::Shape(_))));
        let cut = of(json!({ "TableList": [], "NextToken": "more" }), json!({}));
        assert!(cut.expect_err("cut short").to_string().contains("cut short"));
    }
}
