//! Empties a bucket that goes with the stack: every version and every delete marker, for good. Only what the evidence lists
//! is deleted, and only if the plan of the teardown destroys the bucket.
//!
//! A version that is gone needs no note: what is left is what is still listed, so that an interrupted one is gone on with.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::evidence_gate::{guarded_by_evidence, relies_on_evidence};
use super::teardown_plan::{bucket_is_empty, planned};
use super::{Blocked, Checked, Compensation, Cx, Output, Progress, Seen, Step, StepError};
use crate::aws::s3::{DELETED_AT_ONCE, Undeleted, Version, VersionPage, delete_versions, list_versions};
use crate::terraform::destroy::{is_data, is_state};

/// The most keys that an error names.
const NAMED: usize = 5;
const NOT_PLANNED: &str = "the plan of the teardown leaves it";

/// The step `teardown.empty.NAME`.
pub struct EmptyBucket {
    pub bucket: String,
}

#[async_trait]
impl Step for EmptyBucket {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let (bucket, manifest) = (&self.bucket, &cx.world.manifest);
        let evidence = guarded_by_evidence(cx)?.buckets();
        let refused = [
            (is_state(manifest, bucket), "holds Terraform's state and the journals of runs"),
            (is_data(manifest, bucket), "holds the data of a bucket block"),
            (evidence.contains(bucket), "holds the evidence"),
        ];
        match refused.iter().find(|(is, _)| *is) {
            None => Ok(Checked::default()),
            Some((_, why)) => Err(Blocked {
                cause: format!("bucket {bucket} {why}, and is never emptied"),
                hint: Some("take it out of `empty` in the manifest's rebuild block".into()),
            }),
        }
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        if !self.is_to_go(cx)? {
            return Ok(Seen::Done(self.output(0, Some(NOT_PLANNED))));
        }
        Ok(match bucket_is_empty(cx, &self.bucket).await? {
            true => Seen::Done(self.output(0, None)),
            false => Seen::Absent,
        })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        if !self.is_to_go(cx)? {
            return Ok(self.output(0, Some(NOT_PLANNED)));
        }
        let gate = relies_on_evidence(cx).await?;
        let client = cx.world.aws.s3();
        let mut deleted = 0;
        let mut before: Option<Version> = None;
        loop {
            // From the beginning each time: what is listed is what is left, and no page begins behind a version that is gone.
            let VersionPage { versions, .. } = list_versions(&client, &self.bucket, "", None).await?;
            if versions.is_empty() {
                return Ok(self.output(deleted, None));
            }
            if before.as_ref() == versions.first() {
                return Err(StepError::failed(format!("S3 still lists in {} what it has deleted", self.bucket))
                    .hint("retry the step: what is left is deleted"));
            }
            if cx.stopping() {
                return Err(StepError::interrupted(format!("stopped after {deleted} versions of {}", self.bucket)));
            }
            let unlisted = gate.unlisted(cx, &self.bucket, &versions).await?;
            if !unlisted.is_empty() {
                return Err(self.not_in_evidence(&unlisted));
            }
            for batch in versions.chunks(DELETED_AT_ONCE) {
                let undeleted = delete_versions(&client, &self.bucket, batch).await?;
                if !undeleted.is_empty() {
                    return Err(self.undeleted(&undeleted));
                }
            }
            deleted += versions.len() as u64;
            cx.progress(Progress::Count { done: deleted, total: None, unit: "versions".into() });
            before = versions.into_iter().next();
        }
    }

    async fn verify(&self, cx: &Cx, output: &Output) -> Result<(), StepError> {
        if output["left"] != Value::Null || bucket_is_empty(cx, &self.bucket).await? {
            return Ok(());
        }
        Err(StepError::check_failed(format!("bucket {} has been written to while it was emptied", self.bucket))
            .hint("shut out whoever writes to it, keep evidence of what was written, and retry the step"))
    }

    fn compensation(&self) -> Compensation {
        Compensation::Never
    }
}

impl EmptyBucket {
    /// Whether the plan of the teardown destroys the bucket.
    fn is_to_go(&self, cx: &Cx) -> Result<bool, StepError> {
        let teardown = planned(cx)?;
        Ok(teardown.destroys.values().any(|it| it.kind == "aws_s3_bucket" && it.id == self.bucket))
    }

    fn undeleted(&self, undeleted: &[Undeleted]) -> StepError {
        let first = &undeleted[0];
        let named: Vec<String> =
            undeleted.iter().take(NAMED).map(|it| format!("{} ({})", it.key, it.version_id)).collect();
        let error = StepError::failed(format!(
            "S3 does not delete {} versions of {}, the first for {}: {}; {}",
            undeleted.len(),
            self.bucket,
            first.code,
            first.message,
            named.join(", ")
        ));
        error.hint(
            "what is locked (Object Lock) or denied by the bucket's own policy stays until that is over: lift it, or add the \
             bucket to `keep` in the manifest's rebuild block and plan again",
        )
    }

    fn not_in_evidence(&self, unlisted: &[Version]) -> StepError {
        let named: Vec<String> =
            unlisted.iter().take(NAMED).map(|it| format!("{} ({})", it.key, it.version_id)).collect();
        let error = StepError::conflict(format!(
            "the evidence does not list {} versions of {}: {}",
            unlisted.len(),
            self.bucket,
            named.join(", ")
        ));
        error.hint(
            "they were written after its inventory was made: keep evidence of the bucket again, then retry the step",
        )
    }

    /// `left` is why nothing was to be deleted, where that is so.
    fn output(&self, deleted: u64, left: Option<&str>) -> Output {
        json!({ "bucket": self.bucket, "deleted": deleted, "left": left })
    }
}
