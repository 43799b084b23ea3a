//! What holds data: clusters, tables and buckets, what each is restored from, and what is expected of it.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::glob;
use crate::manifest::{AwsBackup, Batch, CleanBefore, CopyEngine};

/// An Aurora cluster that is restored from a snapshot, or the secondary cluster of a global database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    pub name: String,
    /// Identifier of the cluster in the primary region.
    pub source: String,
    /// Identifier of the cluster in the recovery region.
    pub target: String,
    pub from: ClusterSource,
    /// How many instances, where the Terraform root does not declare them.
    pub instances: u32,
    /// Terraform address of the cluster in the root.
    pub adopt: Option<String>,
    /// Explicit settings for a cluster that no Terraform root declares.
    pub subnet_group: Option<String>,
    pub security_groups: Vec<String>,
    /// What its rows are asked. Journals of versions that asked none have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Rows>,
}

/// What the rows of a cluster are asked, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    pub login: Login,
    /// The database of names that say none.
    pub database: Option<String>,
    /// `HOST:PORT` of a tunnel to the cluster, instead of its endpoint.
    pub via: Option<String>,
    /// A PEM file with the authorities that the server's certificate must come from; relative to the manifest's folder.
    pub ca: Option<PathBuf>,
    pub verify: Vec<RowCheck>,
}

/// Where a user name and a password are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// Name or ARN of a secret in the cluster's region: JSON with `username` and `password` (AWS Secrets Manager User
    /// Guide: "JSON structure of AWS Secrets Manager secrets").
    Secret(String),
    /// `NAME`, of the environment variables `NAME_USER` and `NAME_PASSWORD`.
    Env(String),
}

/// A question to a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowCheck {
    /// Name of a table that `CHECK TABLE` must find in order.
    CheckTable(String),
    /// A query that gives one number, and what is expected of it.
    Query { sql: String, comparison: Comparison, value: u64 },
}

/// Which snapshot a cluster is restored from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterSource {
    LatestSnapshot,
    /// Identifier or ARN.
    Snapshot(String),
    /// Nothing: the target is a secondary cluster of the global database of that identifier, which is failed over to it.
    Global(String),
    /// The continuous backup of a cluster that stands beside it, at that time. No manifest says it: a recovery does.
    PointInTime(Timestamp),
    /// The newest clean snapshot of before a breach. No manifest says it: a rebuild does.
    CleanBefore(CleanBefore),
}

/// A DynamoDB table that is restored from a backup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    pub source: String,
    pub target: String,
    pub from: TableSource,
    /// What AWS Backup restores with, where its recovery points count as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_backup: Option<AwsBackup>,
    pub adopt: Option<String>,
    /// `items …` expectations.
    pub verify: Vec<Expectation>,
}

/// What a table is restored from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableSource {
    LatestBackup,
    /// ARN of the backup, or of a recovery point of AWS Backup.
    Backup(String),
    /// None: it is a global table, whose replica stands in the recovery region.
    Replica,
    /// The continuous backups of a table that stands beside it, at that time. No manifest says it: a recovery does.
    PointInTime(Timestamp),
    /// The newest clean backup of before a breach. No manifest says it: a rebuild does.
    CleanBefore(CleanBefore),
}

/// A bucket whose objects are copied from another bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    pub name: String,
    pub source: String,
    /// ARN of the role that reads the source, where whoever runs this may not; everything then goes through this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_role: Option<String>,
    pub target: String,
    /// Which keys are copied: globs, in which `*` is any text. None for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Which of them are left out after all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// `objects …`, `bytes …` expectations, besides the full comparison.
    pub verify: Vec<Expectation>,
    /// What S3 Batch Operations copies with, where it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Batch>,
    /// What copies. No manifest says it: the operator may.
    #[serde(default, skip_serializing_if = "CopyEngine::is_auto")]
    pub engine: CopyEngine,
}

impl Bucket {
    /// Whether a key is copied.
    pub fn takes(&self, key: &str) -> bool {
        let any = |globs: &[String]| globs.iter().any(|glob| glob::matches(glob, key));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

/// `items >= 1000` and the like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    pub quantity: Quantity,
    pub comparison: Comparison,
    pub value: u64,
}

/// What an expectation counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    Items,
    Objects,
    Bytes,
    Tables,
    Partitions,
}

/// The comparison of an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    #[serde(rename = "==")]
    Equal,
    #[serde(rename = ">=")]
    AtLeast,
    #[serde(rename = ">")]
    MoreThan,
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = "<")]
    LessThan,
}
