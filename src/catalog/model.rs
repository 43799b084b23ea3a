//! The definitions as the Glue API has them (Glue API: "Table", "Partition", "StorageDescriptor"), and what of them is
//! not recreated.
//!
//! Skipped without a word, because Glue sets them itself: owner account and catalog, version, who created it, the times
//! of creation, update, access and analysis, whether Lake Formation governs it, a database's default permissions.
//! Every other attribute that is not known here is kept in `rest` and named in a warning, never dropped silently.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Key-value parameters.
pub type Parameters = BTreeMap<String, String>;
/// Attributes that are not known here.
type Rest = BTreeMap<String, Value>;

/// A database with everything in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    pub database: Database,
    /// By name, in lower case as Glue keeps it.
    pub tables: BTreeMap<String, Table>,
    /// By table, then by values.
    pub partitions: BTreeMap<String, BTreeMap<Vec<String>, Partition>>,
}

impl Catalog {
    pub fn partition_count(&self) -> u64 {
        self.partitions.values().map(|partitions| partitions.len() as u64).sum()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Database {
    pub name: String,
    pub description: Option<String>,
    pub location_uri: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub parameters: Parameters,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Table {
    pub name: String,
    pub description: Option<String>,
    pub owner: Option<String>,
    pub retention: Option<i32>,
    pub storage_descriptor: Option<StorageDescriptor>,
    #[serde(deserialize_with = "nullable")]
    pub partition_keys: Vec<Column>,
    pub view_original_text: Option<String>,
    pub view_expanded_text: Option<String>,
    pub table_type: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub parameters: Parameters,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Partition {
    #[serde(deserialize_with = "nullable")]
    pub values: Vec<String>,
    pub storage_descriptor: Option<StorageDescriptor>,
    #[serde(deserialize_with = "nullable")]
    pub parameters: Parameters,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StorageDescriptor {
    #[serde(deserialize_with = "nullable")]
    pub columns: Vec<Column>,
    pub location: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub additional_locations: Vec<String>,
    pub input_format: Option<String>,
    pub output_format: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub compressed: bool,
    pub number_of_buckets: Option<i32>,
    pub serde_info: Option<SerdeInfo>,
    #[serde(deserialize_with = "nullable")]
    pub bucket_columns: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub sort_columns: Vec<Order>,
    #[serde(deserialize_with = "nullable")]
    pub parameters: Parameters,
    pub skewed_info: Option<SkewedInfo>,
    #[serde(deserialize_with = "nullable")]
    pub stored_as_sub_directories: bool,
    pub schema_reference: Option<SchemaReference>,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SerdeInfo {
    pub name: Option<String>,
    pub serialization_library: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub parameters: Parameters,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Column {
    pub name: String,
    #[serde(rename = "Type")]
    pub kind: Option<String>,
    pub comment: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub parameters: Parameters,
    #[serde(flatten)]
    pub rest: Rest,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Order {
    pub column: String,
    pub sort_order: i32,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SkewedInfo {
    #[serde(deserialize_with = "nullable")]
    pub skewed_column_names: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub skewed_column_values: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub skewed_column_value_location_maps: Parameters,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SchemaReference {
    pub schema_id: Option<SchemaId>,
    pub schema_version_id: Option<String>,
    pub schema_version_number: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SchemaId {
    pub schema_arn: Option<String>,
    pub schema_name: Option<String>,
    pub registry_name: Option<String>,
}

/// Some tools write `null` where the CLI writes nothing.
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

const DATABASE_SKIPPED: [&str; 3] = ["CreateTime", "CatalogId", "CreateTableDefaultPermissions"];
const TABLE_SKIPPED: [&str; 12] = [
    "DatabaseName",
    "CreateTime",
    "UpdateTime",
    "LastAccessTime",
    "LastAnalyzedTime",
    "CreatedBy",
    "IsRegisteredWithLakeFormation",
    "CatalogId",
    "VersionId",
    "IsMultiDialectView",
    "IsMaterializedView",
    "Status",
];
const PARTITION_SKIPPED: [&str; 6] =
    ["DatabaseName", "TableName", "CreationTime", "LastAccessTime", "LastAnalyzedTime", "CatalogId"];

/// Attributes that make a database a link to another one, which cannot be recreated from its definition.
const LINKS: [&str; 4] = ["TargetDatabase", "FederatedDatabase", "TargetTable", "FederatedTable"];

impl Database {
    /// Why it cannot be recreated, where it cannot.
    pub fn refusal(&self) -> Option<String> {
        link(&self.rest).map(|link| format!("database {} is a link ({link})", self.name))
    }

    /// What of it is not recreated.
    pub fn warnings(&self) -> Vec<String> {
        unknown(&self.rest, &DATABASE_SKIPPED, &format!("database {}", self.name))
    }
}

impl Table {
    /// Why it cannot be recreated from its definition, where it cannot.
    pub fn refusal(&self) -> Option<String> {
        let name = &self.name;
        if let Some(link) = link(&self.rest) {
            return Some(format!("table {name} is a link to a table elsewhere ({link})"));
        }
        let multi_dialect = self.rest.get("ViewDefinition").is_some_and(|value| !value.is_null());
        multi_dialect.then(|| format!("table {name} is a multi-dialect view, which only its own engine can recreate"))
    }

    /// What of it is not recreated, or may not work as before.
    pub fn warnings(&self) -> Vec<String> {
        let label = format!("table {}", self.name);
        let mut warnings = unknown(&self.rest, &TABLE_SKIPPED, &label);
        if self.rest.get("IsRegisteredWithLakeFormation") == Some(&Value::Bool(true)) {
            warnings.push(format!("{label} is governed by Lake Formation; its permissions are not recreated"));
        }
        if self.view_original_text.as_deref().is_some_and(|text| !text.is_empty()) {
            warnings.push(format!("{label} is a view; its text is taken over as it stands"));
        }
        if self.parameters.get("projection.enabled").is_some_and(|on| on.eq_ignore_ascii_case("true")) {
            warnings.push(format!("{label} projects its partitions; only registered ones are counted"));
        }
        if let Some(descriptor) = &self.storage_descriptor {
            let format = descriptor.input_format.as_deref().unwrap_or_default();
            if format.ends_with("SymlinkTextInputFormat") {
                warnings
                    .push(format!("{label} reads symlink manifests, which may name the old bucket in their content"));
            }
            warnings.extend(descriptor.warnings(&label));
        }
        warnings.extend(self.partition_keys.iter().flat_map(|column| unknown(&column.rest, &[], &label)));
        warnings
    }
}

impl Partition {
    /// What of it is not recreated.
    pub fn warnings(&self, table: &str) -> Vec<String> {
        let label = format!("partition {} of table {table}", self.values.join("/"));
        let mut warnings = unknown(&self.rest, &PARTITION_SKIPPED, &label);
        if let Some(descriptor) = &self.storage_descriptor {
            warnings.extend(descriptor.warnings(&label));
        }
        warnings
    }
}

impl StorageDescriptor {
    fn warnings(&self, label: &str) -> Vec<String> {
        let mut warnings = unknown(&self.rest, &[], label);
        if let Some(serde) = &self.serde_info {
            warnings.extend(unknown(&serde.rest, &[], label));
        }
        warnings.extend(self.columns.iter().flat_map(|column| unknown(&column.rest, &[], label)));
        warnings
    }
}

fn link(rest: &Rest) -> Option<&'static str> {
    LINKS.into_iter().find(|name| rest.get(*name).is_some_and(|value| !value.is_null()))
}

fn unknown(rest: &Rest, skipped: &[&str], label: &str) -> Vec<String> {
    let names = rest.iter().filter(|(name, value)| !value.is_null() && !skipped.contains(&name.as_str()));
    names.map(|(name, _)| format!("{label} has {name}, which is not recreated")).collect()
}
