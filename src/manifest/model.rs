//! What a `lifeboat.hcl` says, after it was found valid: plain data without positions.
//!
//! Everything here is serializable, because steps carry their part of it into the runbook and the journal.

use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Catalog;
use crate::document::glob;

/// One environment's manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The file it was read from, absolute.
    pub path: PathBuf,
    /// Name of the environment: the folder's name that holds the manifest.
    pub environment: String,
    pub service: String,
    /// The AWS account, twelve digits, asserted before every write.
    pub account: String,
    pub terraform: TerraformRoot,
    pub primary: Region,
    pub recovery: Region,
    pub objectives: BTreeMap<Component, Objective>,
    pub clusters: Vec<Cluster>,
    pub tables: Vec<Table>,
    pub buckets: Vec<Bucket>,
    pub catalogs: Vec<Catalog>,
    pub checks: Vec<Check>,
    pub cutovers: Vec<Cutover>,
    /// `None` where a run needs no approval.
    #[serde(default)]
    pub approval: Option<ApprovalRule>,
    #[serde(default)]
    pub guards: Guards,
    /// Who is shut out after a breach; `None` where nobody has thought of it.
    #[serde(default)]
    pub containment: Option<super::ContainmentRule>,
    /// What is kept of a breach, and where; `None` where nobody has thought of it.
    #[serde(default)]
    pub evidence: Option<super::EvidenceRule>,
}

/// What a run needs before it may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRule {
    /// 1 or 2. With 2, whoever approves has not planned.
    pub people: u8,
    /// How long an approval holds.
    pub expires: SignedDuration,
}

impl Default for ApprovalRule {
    fn default() -> Self {
        Self { people: 1, expires: SignedDuration::from_hours(24) }
    }
}

/// What a plan must keep to, beyond what lifeboat refuses by itself. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Guards {
    /// Replacements count as destroys.
    pub max_destroys: Option<u64>,
    /// Addresses and modules, with `*` and `?`.
    pub protect: Vec<String>,
    /// Resource types, with `*` and `?`.
    pub protect_types: Vec<String>,
    /// Besides the recovery region; `None` where any will do.
    pub regions: Option<Vec<String>>,
    /// Besides the manifest's own; `None` where any will do.
    pub accounts: Option<Vec<String>>,
    pub required_tags: Vec<String>,
    /// Whether Terraform may not need a control plane that stands in one region for all.
    pub control_planes: bool,
    pub quotas: bool,
    pub names: bool,
    /// Absolute path of a folder of policies for conftest.
    pub policies: Option<PathBuf>,
}

/// Where the Terraform root stands and how it is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TerraformRoot {
    /// Absolute path of the root module.
    pub root: PathBuf,
    /// Absolute paths of the base var files, in the order in which Terraform would read them.
    pub var_files: Vec<PathBuf>,
    /// `terraform`, `tofu`, or a path; `None` leaves the choice to the command line and `PATH`.
    pub binary: Option<String>,
    pub parallelism: Option<u32>,
    /// How long Terraform waits for a state lock that another holds.
    pub lock_timeout: SignedDuration,
}

/// A region with the Terraform workspace and S3 backend that belong to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Region {
    pub name: String,
    pub workspace: String,
    pub backend: Backend,
    /// Overrides of root variables in this region, as JSON values of the HCL expressions.
    pub variables: BTreeMap<String, serde_json::Value>,
}

/// Arguments of Terraform's S3 backend (Terraform: "Backend Type: s3").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backend {
    pub bucket: String,
    pub key: String,
    pub use_lockfile: bool,
    /// Further arguments, passed on as they stand (`dynamodb_table`, `kms_key_id`, …).
    pub extra: BTreeMap<String, serde_json::Value>,
}

/// What an objective is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    System,
    Infrastructure,
    Aurora,
    Table,
    Bucket,
    Catalog,
}

impl Component {
    /// How people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Infrastructure => "infrastructure",
            Self::Aurora => "aurora",
            Self::Table => "table",
            Self::Bucket => "bucket",
            Self::Catalog => "catalog",
        }
    }
}

/// Which of the two an objective is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectiveKind {
    /// Recovery time: until the component's last step was verified; the system's until the end of the run.
    Rto,
    /// Recovery point: the age of the oldest data that the component was restored from.
    Rpo,
}

/// Recovery time and recovery point objective.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    pub rto: Option<SignedDuration>,
    pub rpo: Option<SignedDuration>,
}

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
    pub aws_backup: Option<super::AwsBackup>,
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
    pub batch: Option<super::Batch>,
    /// What copies. No manifest says it: the operator may.
    #[serde(default, skip_serializing_if = "super::CopyEngine::is_auto")]
    pub engine: super::CopyEngine,
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

/// A health check of the recovered service, made before the cutover.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    pub probe: Probe,
    pub timeout: SignedDuration,
}

/// How a check asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    Http {
        url: Text,
        status: u16,
        contains: Option<String>,
    },
    /// A marked record that is put into a Firehose stream must come to rest in its bucket.
    Firehose {
        stream: Text,
        /// What is put, with `{mark}` where the mark shall be; by default a JSON object of its own.
        record: Option<String>,
    },
    /// Program and arguments; run in the manifest's folder, a relative program is relative to it.
    Command {
        argv: Vec<String>,
    },
}

/// Record sets of one hosted zone that are changed in one change batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cutover {
    pub name: String,
    pub zone: Zone,
    pub records: Vec<Record>,
}

/// A Route 53 hosted zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Zone {
    Name(String),
    Id(String),
}

/// A record set as it shall be after the cutover (Route 53 API: "ResourceRecordSet").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub name: String,
    /// `A`, `AAAA`, `CNAME`, `TXT`, …
    pub kind: String,
    pub answer: Answer,
    pub set_identifier: Option<String>,
    /// 0 to 255.
    pub weight: Option<u8>,
    /// `PRIMARY` or `SECONDARY`.
    pub failover: Option<String>,
    pub health_check_id: Option<String>,
}

/// What a record answers with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Values { ttl_seconds: u32, values: Vec<Text> },
    Alias { name: Text, zone_id: Text, evaluate_target_health: bool },
}

/// A string, or a reference to something that is known only once the run has made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Text {
    Literal(String),
    /// `aurora.NAME.endpoint` or `aurora.NAME.reader_endpoint`
    Cluster {
        name: String,
        attribute: String,
    },
    /// `terraform.output.NAME`
    TerraformOutput(String),
}
