//! What a catalog lacks of the desired one, and what in it stands in the way. Pure.

use std::collections::BTreeMap;

use super::formats::METADATA;
use super::model::{Catalog, Column, Partition, StorageDescriptor, Table};

/// Two catalogs compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    pub database_missing: bool,
    pub missing_tables: Vec<Table>,
    /// By table.
    pub missing_partitions: BTreeMap<String, Vec<Partition>>,
    /// What stands there with another definition, in words.
    pub conflicts: Vec<String>,
    /// Tables that only the standing catalog has; nobody says that they are wrong.
    pub extra_tables: Vec<String>,
    /// Partitions that only the standing catalog has, of tables that both have.
    pub extra_partitions: Vec<String>,
}

impl Difference {
    /// Whether all that is desired stands.
    pub fn is_done(&self) -> bool {
        !self.database_missing
            && self.missing_tables.is_empty()
            && self.missing_partitions.is_empty()
            && self.conflicts.is_empty()
    }

    pub fn missing_partition_count(&self) -> usize {
        self.missing_partitions.values().map(Vec::len).sum()
    }
}

/// Compares what is desired with what stands; `None` is a missing database. A table is equal to another one of the
/// same type, location, metadata file, formats, columns and partition keys; a partition to another one of the same location.
pub fn difference(desired: &Catalog, standing: Option<&Catalog>) -> Difference {
    let nothing = Catalog::default();
    let found = standing.unwrap_or(&nothing);
    let mut difference = Difference { database_missing: standing.is_none(), ..Difference::default() };
    for (name, table) in &desired.tables {
        match found.tables.get(name) {
            None => difference.missing_tables.push(table.clone()),
            Some(other) => {
                if let Some(what) = unlike(table, other) {
                    difference.conflicts.push(format!("table {name} stands with {what}"));
                }
            }
        }
        difference.partitions(name, desired.partitions.get(name), found.partitions.get(name));
    }
    difference.extra_tables = found.tables.keys().filter(|name| !desired.tables.contains_key(*name)).cloned().collect();
    difference
}

type Partitions = BTreeMap<Vec<String>, Partition>;

impl Difference {
    fn partitions(&mut self, table: &str, desired: Option<&Partitions>, standing: Option<&Partitions>) {
        for (values, partition) in desired.into_iter().flatten() {
            match standing.and_then(|standing| standing.get(values)) {
                None => self.missing_partitions.entry(table.to_owned()).or_default().push(partition.clone()),
                Some(other) => {
                    let (ours, theirs) = (at(&partition.storage_descriptor), at(&other.storage_descriptor));
                    if ours != theirs {
                        let label = format!("partition {} of table {table}", values.join("/"));
                        self.conflicts.push(format!("{label} stands with location {theirs:?} instead of {ours:?}"));
                    }
                }
            }
        }
        let extra =
            standing.into_iter().flatten().filter(|(values, _)| desired.is_none_or(|d| !d.contains_key(*values)));
        self.extra_partitions.extend(extra.map(|(values, _)| format!("{} of table {table}", values.join("/"))));
    }
}

/// What makes two tables differ, in words about the second one.
fn unlike(desired: &Table, standing: &Table) -> Option<String> {
    let differs = |what: &str, a: &str, b: &str| (a != b).then(|| format!("{what} {b:?} instead of {a:?}"));
    let (a, b) = (&desired.storage_descriptor, &standing.storage_descriptor);
    let format = |descriptor: &Option<StorageDescriptor>| {
        let descriptor = descriptor.as_ref();
        let serde = descriptor.and_then(|d| d.serde_info.as_ref()?.serialization_library.clone());
        [descriptor.and_then(|d| d.input_format.clone()), descriptor.and_then(|d| d.output_format.clone()), serde]
            .map(Option::unwrap_or_default)
            .join(" ")
    };
    let columns =
        |descriptor: &Option<StorageDescriptor>| descriptor.as_ref().map(|d| in_words(&d.columns)).unwrap_or_default();
    let kind = |table: &Table| table.table_type.clone().unwrap_or_default();
    // Two Iceberg tables at one place differ by what their newest metadata file is.
    let metadata = |table: &Table| match table.is_iceberg() {
        true => table.parameters.get(METADATA).cloned().unwrap_or_default(),
        false => String::new(),
    };
    differs("location", at(a), at(b))
        .or_else(|| differs("metadata file", &metadata(desired), &metadata(standing)))
        .or_else(|| differs("type", &kind(desired), &kind(standing)))
        .or_else(|| differs("formats", &format(a), &format(b)))
        .or_else(|| differs("columns", &columns(a), &columns(b)))
        .or_else(|| differs("partition keys", &in_words(&desired.partition_keys), &in_words(&standing.partition_keys)))
}

fn in_words(columns: &[Column]) -> String {
    let words: Vec<String> = columns
        .iter()
        .map(|column| format!("{} {}", column.name.to_lowercase(), column.kind.as_deref().unwrap_or_default()))
        .collect();
    words.join(", ")
}

/// The location; a slash at its end makes no difference to those who read there.
fn at(descriptor: &Option<StorageDescriptor>) -> &str {
    let location = descriptor.as_ref().and_then(|descriptor| descriptor.location.as_deref());
    location.unwrap_or_default().trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Database;

    fn table(name: &str, location: &str, columns: &[&str]) -> Table {
        let columns = columns.iter().map(|name| Column {
            name: (*name).into(),
            kind: Some("string".into()),
            ..Column::default()
        });
        let descriptor =
            StorageDescriptor { location: Some(location.into()), columns: columns.collect(), ..Default::default() };
        let keys = vec![Column { name: "day".into(), ..Column::default() }];
        Table { name: name.into(), storage_descriptor: Some(descriptor), partition_keys: keys, ..Table::default() }
    }

    fn partition(day: &str, location: &str) -> Partition {
        let descriptor = StorageDescriptor { location: Some(location.into()), ..Default::default() };
        Partition { values: vec![day.into()], storage_descriptor: Some(descriptor), ..Partition::default() }
    }

    fn catalog(tables: Vec<Table>, partitions: Vec<Partition>) -> Catalog {
        let of = tables.first().map(|table| (table.name.clone(), partitions));
        Catalog::build(Database::default(), tables, of).expect("a catalog")
    }

    #[test]
    fn a_missing_database_lacks_everything() {
        let desired = catalog(vec![table("t", "s3://b/t", &["a"])], vec![partition("1", "s3://b/t/1")]);
        let found = difference(&desired, None);
        assert!(found.database_missing && !found.is_done());
        assert_eq!((found.missing_tables.len(), found.missing_partition_count()), (1, 1));
        assert!(difference(&desired, Some(&desired)).is_done());
    }

    #[test]
    fn another_location_or_column_is_a_conflict_and_a_slash_is_none() {
        let desired = catalog(vec![table("t", "s3://b/t", &["a"])], vec![partition("1", "s3://b/t/1/")]);
        let slash = catalog(vec![table("t", "s3://b/t/", &["A"])], vec![partition("1", "s3://b/t/1")]);
        assert!(difference(&desired, Some(&slash)).is_done());
        let moved = catalog(vec![table("t", "s3://c/t", &["a"])], vec![partition("1", "s3://c/t/1")]);
        assert_eq!(
            difference(&desired, Some(&moved)).conflicts,
            [
                "table t stands with location \"s3://c/t\" instead of \"s3://b/t\"",
                "partition 1 of table t stands with location \"s3://c/t/1\" instead of \"s3://b/t/1\"",
            ]
        );
        let wider = catalog(vec![table("t", "s3://b/t", &["a", "b"])], vec![partition("1", "s3://b/t/1")]);
        assert_eq!(
            difference(&desired, Some(&wider)).conflicts,
            ["table t stands with columns \"a string, b string\" instead of \"a string\""]
        );
    }

    #[test]
    fn what_only_stands_is_told_apart() {
        let desired = catalog(vec![table("t", "s3://b/t", &[])], vec![]);
        let standing =
            catalog(vec![table("t", "s3://b/t", &[]), table("u", "s3://b/u", &[])], vec![partition("1", "x")]);
        let found = difference(&desired, Some(&standing));
        assert!(found.is_done());
        assert_eq!(found.extra_tables, ["u"]);
        assert_eq!(found.extra_partitions, ["1 of table t"]);
    }
}
