//! Tables whose format keeps a list of their files itself: Iceberg, Delta Lake, Hudi. To rewrite the location of such a table
//! is not always to move it.
//!
//! An Iceberg table is named by its newest metadata file, and every file from there on is named by its whole address (Iceberg:
//! "Table Spec", "Table Metadata Fields"). So it cannot be moved by its definition: it is recreated only where it stays where
//! it is, and its metadata file leads nowhere else. Logs of Delta Lake and timelines of Hudi name files relative to their
//! table, but for clones and bootstrapped tables (Delta Transaction Log Protocol: "Add File and Remove File"; Hudi:
//! "Bootstrapping"). Pure.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::locations::Rules;
use super::model::{Catalog, Parameters, Table};

/// The parameter that names the newest metadata file (AWS Glue: "Using the Iceberg framework"; Iceberg: "AWS Integrations").
pub const METADATA: &str = "metadata_location";
/// And the one before it, which only tells commits apart.
const PREVIOUS: &str = "previous_metadata_location";
/// Names that one sentence lists; the rest is counted.
const SHOWN: usize = 3;
const REGISTER: &str = "rewrite its metadata to the new place (Iceberg's Spark procedure rewrite_table_path), register it from \
                        there (register_table), and take it out of the export";

/// Properties that say where writers put files (Iceberg: "Configuration", "Write properties").
const WRITTEN_TO: [&str; 4] =
    ["write.data.path", "write.metadata.path", "write.object-storage.path", "write.folder-storage.path"];

/// What an Iceberg table's metadata file has to be looked at for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcebergTable {
    pub table: String,
    /// Address of the metadata file.
    pub metadata: String,
}

impl Table {
    pub fn is_iceberg(&self) -> bool {
        self.parameters.get("table_type").is_some_and(|kind| kind.eq_ignore_ascii_case("ICEBERG"))
    }

    /// `Delta Lake` or `Hudi`, however it was registered.
    fn other_format(&self) -> Option<&'static str> {
        let descriptor = self.storage_descriptor.as_ref();
        let serde = descriptor.and_then(|descriptor| descriptor.serde_info.as_ref());
        let reader = descriptor.and_then(|descriptor| descriptor.input_format.as_deref()).unwrap_or_default();
        let said = |name: &str| {
            let is = |parameters: &Parameters| {
                ["spark.sql.sources.provider", "table_type", "classification"]
                    .into_iter()
                    .any(|key| parameters.get(key).is_some_and(|value| value.eq_ignore_ascii_case(name)))
            };
            is(&self.parameters) || serde.is_some_and(|serde| is(&serde.parameters))
        };
        if said("delta") || reader.starts_with("io.delta.") {
            Some("Delta Lake")
        } else if said("hudi") || reader.starts_with("org.apache.hudi.") {
            Some("Hudi")
        } else {
            None
        }
    }
}

/// The Iceberg tables of a catalog whose locations are not rewritten yet: why some cannot be recreated, and the metadata files of
/// the others.
pub fn iceberg(catalog: &Catalog, rules: &Rules) -> (Vec<String>, Vec<IcebergTable>) {
    let (mut refused, mut kept) = (Vec::new(), Vec::new());
    for (name, table) in catalog.tables.iter().filter(|(_, table)| table.is_iceberg()) {
        let Some(metadata) = table.parameters.get(METADATA) else {
            refused.push(format!("table {name} is an Iceberg table, and {METADATA} names no metadata file"));
            continue;
        };
        let at = table.storage_descriptor.as_ref().and_then(|descriptor| descriptor.location.as_ref());
        let places = at.into_iter().chain([metadata]).chain(table.parameters.get(PREVIOUS));
        match places.into_iter().find(|place| !rules.keeps(place)) {
            Some(place) => refused.push(format!(
                "table {name} is an Iceberg table at {place}: its metadata files name that place in every snapshot, so that with \
                 another {METADATA} it would still be read from there; {REGISTER}"
            )),
            None => kept.push(IcebergTable { table: name.clone(), metadata: metadata.clone() }),
        }
    }
    (refused, kept)
}

/// Why a metadata file cannot be relied on: it leads to where the table may not be read from, or is none.
pub fn leads_elsewhere(of: &IcebergTable, metadata: &[u8], rules: &Rules) -> Option<String> {
    let IcebergTable { table, metadata: file } = of;
    let places = match places(metadata) {
        Ok(places) => places,
        Err(why) => return Some(format!("table {table} is an Iceberg table, and {file} is no metadata file: {why}")),
    };
    let outside: Vec<&String> = places.iter().filter(|place| !rules.keeps(place)).collect();
    let first = outside.iter().take(SHOWN).map(|place| place.as_str()).collect::<Vec<_>>().join(", ");
    (!outside.is_empty()).then(|| {
        let count = outside.len();
        format!("table {table} is an Iceberg table, and {file} names {count} places elsewhere: {first}; {REGISTER}")
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Metadata {
    location: String,
    #[serde(default)]
    snapshots: Vec<Value>,
    #[serde(default)]
    metadata_log: Vec<Value>,
    #[serde(default)]
    statistics: Vec<Value>,
    #[serde(default)]
    partition_statistics: Vec<Value>,
    #[serde(default)]
    properties: Parameters,
}

/// Every place that a metadata file names.
fn places(metadata: &[u8]) -> Result<BTreeSet<String>, String> {
    let metadata: Metadata = serde_json::from_slice(metadata).map_err(|error| error.to_string())?;
    let mut places = BTreeSet::from([metadata.location]);
    let named = |entries: &[Value], key: &str| -> Vec<String> {
        entries.iter().filter_map(|entry| entry[key].as_str().map(str::to_owned)).collect()
    };
    places.extend(named(&metadata.snapshots, "manifest-list"));
    // Snapshots of the first version may list their manifests themselves.
    let manifests = metadata.snapshots.iter().filter_map(|snapshot| snapshot["manifests"].as_array()).flatten();
    places.extend(manifests.filter_map(|manifest| manifest.as_str().map(str::to_owned)));
    places.extend(named(&metadata.metadata_log, "metadata-file"));
    places.extend(named(&metadata.statistics, "statistics-path"));
    places.extend(named(&metadata.partition_statistics, "statistics-path"));
    places.extend(WRITTEN_TO.iter().filter_map(|key| metadata.properties.get(*key).cloned()));
    Ok(places)
}

/// What is known of tables that are moved although their format lists their files.
pub fn moved_warnings(catalog: &Catalog, rules: &Rules) -> Vec<String> {
    let moved = |table: &&Table| {
        let at = table.storage_descriptor.as_ref().and_then(|descriptor| descriptor.location.as_deref());
        at.is_some_and(|at| !rules.keeps(at))
    };
    let said = |table: &Table| {
        let (format, but) = match table.other_format()? {
            format @ "Hudi" => (format, "bootstrapped from other files reads those"),
            format => (format, "cloned from another one reads that one's"),
        };
        let name = &table.name;
        Some(format!(
            "table {name} is a {format} table: it lists its files relative to itself, but one that was {but} where they were"
        ))
    };
    catalog.tables.values().filter(moved).filter_map(said).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::{Database, SerdeInfo, StorageDescriptor};

    fn table(name: &str, location: &str, parameters: &[(&str, &str)]) -> Table {
        let descriptor = StorageDescriptor { location: Some(location.into()), ..StorageDescriptor::default() };
        let parameters = parameters.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Table { name: name.into(), storage_descriptor: Some(descriptor), parameters, ..Table::default() }
    }

    fn catalog(table: Table) -> Catalog {
        Catalog::build(Database::default(), vec![table], []).expect("a catalog")
    }

    fn moving() -> Rules {
        let prefixes = [("s3://old".to_owned(), "s3://new".to_owned())].into();
        Rules::new(&prefixes, ["ours"])
    }

    #[test]
    fn an_iceberg_table_is_recreated_only_where_it_stays() {
        let ice = |at: &str| {
            let (metadata, before) = (format!("{at}/metadata/2.json"), format!("{at}/metadata/1.json"));
            let parameters = [("table_type", "iceberg"), (METADATA, metadata.as_str()), (PREVIOUS, before.as_str())];
            catalog(table("ice", at, &parameters))
        };
        let (refused, kept) = iceberg(&ice("s3://old/ice"), &moving());
        assert_eq!(kept, []);
        assert!(refused[0].starts_with("table ice is an Iceberg table at s3://old/ice: its metadata"), "{refused:?}");
        let stays = IcebergTable { table: "ice".into(), metadata: "s3://ours/ice/metadata/2.json".into() };
        assert_eq!(iceberg(&ice("s3://ours/ice"), &moving()), (vec![], vec![stays]));
        assert_eq!(iceberg(&ice("s3://old/ice"), &Rules::as_it_was()).0, Vec::<String>::new());
        // A place that nobody knows is no place to stay.
        assert_eq!(iceberg(&ice("s3://elsewhere/ice"), &moving()).0.len(), 1);
        let (refused, _) = iceberg(&catalog(table("ice", "s3://ours/ice", &[("table_type", "ICEBERG")])), &moving());
        assert!(refused[0].contains("names no metadata file"), "{refused:?}");
    }

    #[test]
    fn a_metadata_file_that_leads_elsewhere_is_found_out() {
        let of = IcebergTable { table: "ice".into(), metadata: "s3://ours/ice/metadata/2.json".into() };
        let file = |list: &str, log: &str, data: &str| {
            json!({
                "format-version": 2,
                "location": "s3://ours/ice",
                "snapshots": [{ "snapshot-id": 1, "manifest-list": list }],
                "metadata-log": [{ "metadata-file": log }],
                "properties": { "write.data.path": data, "owner": "s3://anywhere" },
            })
            .to_string()
        };
        let ours = "s3://ours/ice/x";
        let said = |text: String| leads_elsewhere(&of, text.as_bytes(), &moving());
        assert_eq!(said(file(ours, ours, ours)), None);
        for text in [
            file("s3://old/ice/x", ours, ours),
            file(ours, "s3://old/ice/x", ours),
            file(ours, ours, "s3://old/ice/x"),
            json!({ "location": "s3://ours", "snapshots": [{ "manifests": ["s3://old/ice/x"] }] }).to_string(),
        ] {
            let said = said(text).expect("it leads to the old bucket");
            assert!(said.contains("names 1 places elsewhere: s3://old/ice/x;"), "{said}");
        }
        assert!(said("{}".into()).expect("no place").contains("is no metadata file"));
        assert_eq!(leads_elsewhere(&of, file("s3://old/x", ours, ours).as_bytes(), &Rules::as_it_was()), None);
    }

    #[test]
    fn of_tables_that_list_their_files_it_is_told_what_a_move_may_break() {
        let mut by_serde = table("serde", "s3://old/d", &[]);
        let serde = SerdeInfo {
            parameters: [("spark.sql.sources.provider".to_owned(), "delta".to_owned())].into(),
            ..SerdeInfo::default()
        };
        by_serde.storage_descriptor.as_mut().expect("one").serde_info = Some(serde);
        let mut by_format = table("format", "s3://old/h", &[]);
        by_format.storage_descriptor.as_mut().expect("one").input_format =
            Some("org.apache.hudi.hadoop.HoodieParquetInputFormat".into());
        for (made, format) in [
            (table("p", "s3://old/d", &[("spark.sql.sources.provider", "DELTA")]), "Delta Lake"),
            (by_serde, "Delta Lake"),
            (by_format, "Hudi"),
        ] {
            let said = moved_warnings(&catalog(made.clone()), &moving());
            assert!(said.len() == 1 && said[0].contains(&format!("is a {format} table")), "{said:?}");
            assert_eq!(moved_warnings(&catalog(made), &Rules::as_it_was()), Vec::<String>::new(), "it is not moved");
        }
        assert_eq!(moved_warnings(&catalog(table("plain", "s3://old/p", &[])), &moving()), Vec::<String>::new());
    }
}
