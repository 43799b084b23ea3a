//! What a teardown asks of the evidence before it takes anything away. Who keeps the evidence answers; where nobody does,
//! nothing is taken away.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Blocked, Cx, StepError};
use crate::aws::s3::Version;

/// Answers for the evidence of a run.
#[async_trait]
pub trait EvidenceGate: Send + Sync {
    /// Verifies all that is kept, as it stands now: each file against the manifest, the manifest against the journal.
    /// Returns the manifest's SHA-256 in hexadecimal.
    ///
    /// # Errors
    /// Something of it is missing or another, or it cannot be read.
    async fn verify(&self, cx: &Cx) -> Result<String, StepError>;

    /// Of these versions of a bucket, in S3's order, those that its inventory in the evidence does not list.
    ///
    /// # Errors
    /// There is no inventory of the bucket, or it cannot be read.
    async fn unlisted(&self, cx: &Cx, bucket: &str, versions: &[Version]) -> Result<Vec<Version>, StepError>;

    /// Whether the evidence holds the saved queries and the history of an Athena workgroup.
    ///
    /// # Errors
    /// It cannot be read.
    async fn holds_queries(&self, cx: &Cx, workgroup: &str) -> Result<bool, StepError>;

    /// Where the evidence lies: these are neither emptied nor destroyed.
    fn buckets(&self) -> Vec<String>;
}

const NONE: &str = "no evidence is kept in this run, so nothing may be taken away";
const KEEP_SOME: &str = "what an intruder has left is gone with the stack: keep evidence first";

/// Who answers for the evidence of this run.
///
/// # Errors
/// Nobody does.
pub(super) fn gate(cx: &Cx) -> Result<Arc<dyn EvidenceGate>, StepError> {
    cx.world.evidence.clone().ok_or_else(|| StepError::conflict(NONE).hint(KEEP_SOME))
}

/// The same before the run begins.
pub(super) fn guarded_by_evidence(cx: &Cx) -> Result<Arc<dyn EvidenceGate>, Blocked> {
    gate(cx).map_err(|error| Blocked { cause: error.cause, hint: error.hint })
}

/// Verifies the evidence and notes by which manifest it was verified, before the effect that relies on it.
///
/// # Errors
/// It does not verify, nobody answers for it, or the journal cannot be written.
pub(super) async fn relies_on_evidence(cx: &Cx) -> Result<Arc<dyn EvidenceGate>, StepError> {
    let gate = gate(cx)?;
    cx.status("verifying the evidence");
    let sha256 = gate.verify(cx).await?;
    let value = serde_json::json!({ "manifest_sha256": sha256 });
    if cx.noted(EVIDENCE).as_ref() != Some(&value) {
        cx.note(EVIDENCE, value).await?;
    }
    Ok(gate)
}

/// The note of the evidence that a step has relied on.
pub const EVIDENCE: &str = "evidence";
