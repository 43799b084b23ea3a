//! What a `catalog` block says: plain data, as `model` has the rest.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Comparison, Expectation};

/// A Glue database that is recreated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    pub name: String,
    /// Database name in the primary region.
    pub source: String,
    /// Database name in the recovery region.
    pub target: String,
    pub from: CatalogSource,
    /// S3 location prefixes: old to new; the longest match wins.
    pub locations: BTreeMap<String, String>,
    /// `tables …`, `partitions …` expectations.
    pub verify: Vec<Expectation>,
    /// What Athena is asked about its tables. Journals of versions that asked nothing have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub athena: Option<Athena>,
}

impl Catalog {
    /// Whether it becomes a new database beside the one that is recovered.
    pub fn is_beside(&self) -> bool {
        matches!(&self.from, CatalogSource::Version(version) if !version.in_place)
    }
}

/// Where a catalog's definitions come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatalogSource {
    /// `s3://bucket/key` of an export, readable in the recovery region.
    Export(String),
    /// A database of the recovery region's own catalog.
    Replica(String),
    /// The version of an export that was the newest one at a time. No manifest says it: a recovery does. `source` is then the
    /// database that is recovered, and `target` the one that it becomes, both in the region of the recovery.
    Version(ExportVersion),
}

/// One version of an export: the catalog as it was when it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportVersion {
    /// `s3://bucket/key`
    pub uri: String,
    /// The region of its bucket.
    pub region: String,
    /// `null` in a bucket that keeps no versions.
    pub version_id: String,
    /// In whole seconds. Of an upload in parts: when it was begun.
    pub written_at: Timestamp,
    /// When the export was deleted after that, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// The time that was asked for.
    pub to: Timestamp,
    /// Whether it comes back under its own name, into what stands there by then, and not beside it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_place: bool,
    /// Whether locations are rewritten, as a failover does it: so in the recovery region. Else they stay as they were.
    pub relocated: bool,
}

/// Whom Athena's questions are asked by, and what they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Athena {
    pub workgroup: String,
    /// `s3://bucket/prefix` for the results, where the workgroup has none.
    pub output: Option<String>,
    pub verify: Vec<AthenaCheck>,
}

/// A query that gives one number, and what is expected of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AthenaCheck {
    pub sql: String,
    pub comparison: Comparison,
    pub value: u64,
}
