//! Answers for the evidence that a run has kept itself, wherever something is about to be taken away.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader};
use std::sync::Arc;

use async_trait::async_trait;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::evidence_gate::EvidenceGate;
use super::evidence_keep::session;
use super::evidence_verify::{evidence_verifies, sealed_manifest};
use super::{Cx, StepError, evidence_bucket, evidence_workgroup};
use crate::aws::s3::{self, Version};
use crate::evidence::{Item, Manifest};
use crate::terraform::stage::hex;

/// Larger than any part of an inventory.
const PART_BYTES: u64 = 1 << 30;

/// A version, as its inventory is remembered: the beginning of a hash of key and version id. A million of them take some 40 MiB.
type Mark = [u8; 16];
type Inventory = Arc<HashSet<Mark>>;

/// The evidence of the run itself.
#[derive(Default)]
pub struct KeptEvidence {
    /// The buckets that hold evidence.
    buckets: Vec<String>,
    /// Inventories that were read, by bucket.
    read: Mutex<BTreeMap<String, Inventory>>,
}

impl KeptEvidence {
    pub fn in_buckets(buckets: Vec<String>) -> Self {
        Self { buckets, ..Self::default() }
    }

    async fn inventory(&self, cx: &Cx, bucket: &str) -> Result<Inventory, StepError> {
        let mut read = self.read.lock().await;
        if let Some(inventory) = read.get(bucket) {
            return Ok(Arc::clone(inventory));
        }
        let (sealed, manifest) = sealed_manifest(cx).await?;
        let session = session(cx, &sealed.place).await;
        let mut parts = items_of(&manifest, &evidence_bucket::stem(bucket)).peekable();
        if parts.peek().is_none() {
            return Err(StepError::conflict(format!("the evidence holds no list of bucket {bucket}"))
                .hint("name the bucket in `buckets` of the manifest's evidence block, and plan again"));
        }
        let mut marks = HashSet::new();
        for item in parts {
            let key = format!("{}{}", manifest.draft.prefix, item.key);
            let part = s3::read(&session, &sealed.place.bucket, &key, PART_BYTES).await?;
            let part = part.ok_or_else(|| StepError::check_failed(format!("{key} of the evidence is gone")))?;
            if hex(&Sha256::digest(&part.bytes)) != item.sha256 {
                return Err(StepError::check_failed(format!("{key} is not what was sealed as evidence")));
            }
            marks.extend(
                versions_in(&part.bytes)
                    .map_err(|why| StepError::failed(format!("{key} of the evidence is not understood: {why}")))?,
            );
        }
        let inventory = Arc::new(marks);
        read.insert(bucket.to_owned(), Arc::clone(&inventory));
        Ok(inventory)
    }
}

#[async_trait]
impl EvidenceGate for KeptEvidence {
    async fn verify(&self, cx: &Cx) -> Result<String, StepError> {
        Ok(evidence_verifies(cx).await?.sha256)
    }

    async fn unlisted(&self, cx: &Cx, bucket: &str, versions: &[Version]) -> Result<Vec<Version>, StepError> {
        let inventory = self.inventory(cx, bucket).await?;
        let listed = |it: &&Version| inventory.contains(&mark(&it.key, &it.version_id));
        Ok(versions.iter().filter(|it| !listed(it)).cloned().collect())
    }

    async fn holds_queries(&self, cx: &Cx, workgroup: &str) -> Result<bool, StepError> {
        let (_, manifest) = sealed_manifest(cx).await?;
        Ok(items_of(&manifest, &evidence_workgroup::stem(workgroup)).next().is_some())
    }

    fn buckets(&self) -> Vec<String> {
        self.buckets.clone()
    }
}

/// The parts that were written as lines under a stem: `STEM-00001.jsonl.gz` and so on.
fn items_of<'a>(manifest: &'a Manifest, stem: &str) -> impl Iterator<Item = &'a Item> + use<'a> {
    let begins = format!("{stem}-");
    manifest.draft.items.iter().filter(move |item| {
        let number = item.key.strip_prefix(&begins).and_then(|rest| rest.strip_suffix(".jsonl.gz"));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
    })
}

fn mark(key: &str, version_id: &str) -> Mark {
    let digest = Sha256::new().chain_update(key).chain_update([0]).chain_update(version_id).finalize();
    let mut mark = Mark::default();
    mark.copy_from_slice(&digest[..size_of::<Mark>()]);
    mark
}

#[derive(Deserialize)]
struct Line {
    key: String,
    version_id: String,
}

fn versions_in(part: &[u8]) -> Result<Vec<Mark>, String> {
    let lines = BufReader::new(MultiGzDecoder::new(part)).lines();
    let marks = lines.map(|line| {
        let line = line.map_err(|error| error.to_string())?;
        let Line { key, version_id } = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        Ok(mark(&key, &version_id))
    });
    marks.collect()
}
