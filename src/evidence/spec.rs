//! What a step that collects evidence carries through runbook and journal, what it returns, and what things are called.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::manifest::{Item, NotCollected, Snapshot};
use crate::runbook::StepId;
use crate::terraform::stage::hex;

/// The step that opens the place where evidence is kept. What it returns, the others go by.
pub const PLACE: &str = "evidence.place";
/// The step that seals it.
pub const SEAL: &str = "evidence.seal";
/// The step that reads everything back.
pub const VERIFY: &str = "evidence.verify";

/// Where evidence is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidencePlace {
    pub bucket: String,
    /// The bucket's.
    pub region: String,
    /// ARN of the role that writes and reads it, where whoever runs lifeboat may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Ends with a slash, or is empty; each run has a folder of its name below it.
    pub prefix: String,
    /// How long what is kept is locked, where the bucket has Object Lock; `None` leaves it to the bucket's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
}

impl EvidencePlace {
    /// What all keys of a run begin with.
    pub fn under(&self, run: &str) -> String {
        format!("{}{run}/", self.prefix)
    }
}

/// How long a version can be neither deleted nor overwritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    pub mode: RetentionMode,
    pub days: u32,
}

/// Who may shorten it (Amazon S3 User Guide: "Locking objects with Object Lock").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetentionMode {
    /// Whoever may bypass governance retention.
    #[default]
    Governance,
    /// Nobody, the account's root user included.
    Compliance,
}

impl RetentionMode {
    /// As S3 calls it.
    pub fn as_s3(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

/// A step of collecting evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceStep {
    pub place: EvidencePlace,
    pub what: Evidence,
}

/// What a step does for the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Prove that evidence can be kept, and say there what is going to be.
    Place { breach_at: Timestamp, steps: Vec<StepId> },
    /// A snapshot of the Aurora cluster of that identifier.
    Cluster(String),
    /// A backup of the DynamoDB table of that name.
    Table(String),
    /// Saved queries and history of the Athena workgroup of that name.
    WorkGroup(String),
    /// Every version and delete marker of the bucket of that name.
    Bucket(String),
    /// The Terraform state of the region's workspace.
    TerraformState,
    /// What Terraform would change in it.
    TerraformPlan,
    /// Credential report, users, groups, roles and policies.
    Identities,
    /// CloudTrail's event history, until the place was opened.
    Trail { region: String, from: Timestamp },
    /// A log group of CloudWatch Logs, until the place was opened.
    Logs { log_group: String, from: Timestamp },
    /// Security groups and network ACLs of the region.
    Network,
    /// The manifest over what these steps have collected.
    Seal { of: Vec<StepId> },
    /// Read everything back and compare it with the manifest.
    Verify,
}

/// What a step has collected: its output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Collected {
    #[serde(default)]
    pub items: Vec<Item>,
    #[serde(default)]
    pub snapshots: Vec<Snapshot>,
    #[serde(default)]
    pub not_collected: Vec<NotCollected>,
}

impl Collected {
    /// Nothing, and why.
    pub fn nothing(what: impl Into<String>, why: impl Into<String>) -> Self {
        let not_collected = vec![NotCollected { what: what.into(), why: why.into() }];
        Self { not_collected, ..Self::default() }
    }

    /// What a step returned.
    ///
    /// # Errors
    /// It was no step of collecting evidence.
    pub fn of(output: &Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(output.clone())
    }
}

/// Evidence that is sealed: the output of the step that does it, and all that is needed to read it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    pub place: EvidencePlace,
    pub run: String,
    /// Of the manifest in the bucket.
    pub key: String,
    pub version_id: Option<String>,
    /// The manifest's own hash.
    pub sha256: String,
    pub items: usize,
    pub snapshots: usize,
    pub not_collected: usize,
}

/// Identifier of the snapshot that a run makes of a cluster: letters, digits and single hyphens, 63 at most (RDS API:
/// "CreateDBClusterSnapshot").
pub fn snapshot_name(run: &str, cluster: &str) -> String {
    const LONGEST: usize = 63;
    let full = format!("lifeboat-{run}-{cluster}");
    let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let words: String = full.chars().map(fit).collect();
    let plain = words.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    if plain.len() <= LONGEST && plain.eq_ignore_ascii_case(&full) {
        return plain;
    }
    let digest = hex(&Sha256::digest(&full));
    let (kept, digest) = (&plain[..plain.len().min(LONGEST - 13)], &digest[..12]);
    format!("{}-{digest}", kept.trim_end_matches('-'))
}

/// Name of the backup that a run makes of a table (DynamoDB API: "CreateBackup").
pub fn backup_name(run: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '-' };
    format!("lifeboat-{run}").chars().map(fit).take(255).collect()
}

/// Name of the task that exports a log group for a run (CloudWatch Logs API: "CreateExportTask").
pub fn export_name(run: &str, log_group: &str) -> String {
    let digest = hex(&Sha256::digest(log_group));
    format!("lifeboat-{run}-{}", &digest[..12])
}

/// A name as one part of a key: `/aws/rds/cluster/a/error` becomes `aws.rds.cluster.a.error-1b2c…`. Two names never share one.
pub fn folder(name: &str) -> String {
    const LONGEST: usize = 100;
    let fit = |c: char| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '.' };
    let plain: String = name.chars().map(fit).collect();
    let words = plain.split('.').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(".");
    if words == name && words.len() <= LONGEST {
        return words;
    }
    let digest = hex(&Sha256::digest(name));
    format!("{}-{}", &words[..words.len().min(LONGEST)], &digest[..12])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_say_the_run_and_what_it_is_of() {
        let run = "20261122T0312-prod-7f3a";
        assert_eq!(snapshot_name(run, "logs-prod"), "lifeboat-20261122t0312-prod-7f3a-logs-prod");
        assert_eq!(backup_name(run), "lifeboat-20261122T0312-prod-7f3a");
        assert_eq!(folder("logs-prod"), "logs-prod");
        assert!(folder("/aws/rds/a").starts_with("aws.rds.a-"), "{}", folder("/aws/rds/a"));
        assert_ne!(folder("/a/b"), folder("/a.b"));
        assert_ne!(folder("/a/b"), folder("a.b"));
        assert_ne!(export_name(run, "/a/b"), export_name(run, "/a.b"));
    }

    #[test]
    fn a_name_that_is_too_long_ends_with_a_hash_of_all_of_it() {
        let (one, other) = ("a".repeat(63), format!("{}b", "a".repeat(62)));
        assert_ne!(snapshot_name("r", &one), snapshot_name("r", &other));
        assert_ne!(snapshot_name("r-a", "b"), snapshot_name("r--a", "b"));
    }

    proptest! {
        #[test]
        fn a_snapshots_name_is_one_that_rds_takes(run in "[A-Za-z0-9._-]{1,80}", cluster in "[a-z](-?[a-z0-9]){0,60}") {
            let name = snapshot_name(&run, &cluster);
            prop_assert_eq!(crate::manifest::cluster_name_fault(&name), None, "{}", name);
        }

        #[test]
        fn a_folder_is_one_part_of_a_key(name in "[ -~]{1,200}") {
            let folder = folder(&name);
            prop_assert!(!folder.is_empty() && !folder.contains('/') && folder != "." && folder != "..", "{}", folder);
        }
    }
}
