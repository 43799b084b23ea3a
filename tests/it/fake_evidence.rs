//! A fake that answers for the evidence of a run: what keeps it is not part of these tests.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use lifeboat::aws::s3::Version;
use lifeboat::steps::{Cx, EvidenceGate, StepError};
use sha2::{Digest, Sha256};

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// A fake: two files that stand for the evidence of a run, `inventory` and its `sha256`.
pub struct FakeEvidence {
    pub dir: PathBuf,
}

impl FakeEvidence {
    fn inventory(&self) -> Result<String, StepError> {
        let read = |path: &Path| std::fs::read_to_string(path);
        read(&self.dir.join("inventory")).map_err(|error| StepError::failed(format!("no evidence: {error}")))
    }
}

#[async_trait]
impl EvidenceGate for FakeEvidence {
    async fn verify(&self, _cx: &Cx) -> Result<String, StepError> {
        let found = sha256(self.inventory()?.as_bytes());
        let sealed = std::fs::read_to_string(self.dir.join("sha256")).unwrap_or_default();
        if found == sealed { Ok(found) } else { Err(StepError::conflict("the evidence is not what was sealed")) }
    }

    async fn unlisted(&self, _cx: &Cx, bucket: &str, versions: &[Version]) -> Result<Vec<Version>, StepError> {
        let inventory = self.inventory()?;
        if !inventory.lines().any(|line| line == format!("bucket {bucket}")) {
            return Err(StepError::conflict(format!("the evidence has no inventory of {bucket}")));
        }
        let listed: BTreeSet<&str> = inventory.lines().collect();
        let missing = |it: &&Version| !listed.contains(format!("{bucket} {} {}", it.version_id, it.key).as_str());
        Ok(versions.iter().filter(missing).cloned().collect())
    }

    async fn holds_queries(&self, _cx: &Cx, workgroup: &str) -> Result<bool, StepError> {
        Ok(self.inventory()?.lines().any(|line| line == format!("queries {workgroup}")))
    }

    fn buckets(&self) -> Vec<String> {
        vec!["shop-evidence".into()]
    }
}
