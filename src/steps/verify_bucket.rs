//! Proves that the restored bucket has every object of the source, equal, and nothing else but what was written there
//! since the run began; and what the manifest expects of it. Reads only.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;

use super::restore_bucket::{Pace, began, check_time, compared, survey_buckets};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::aws::Session;
use crate::manifest::{Bucket, Quantity};
use crate::transfer::{Bounds, Survey};
use crate::verify::unmet;

/// The step `verify.bucket.NAME`.
pub struct VerifyBucket {
    pub bucket: Bucket,
}

#[async_trait]
impl Step for VerifyBucket {
    async fn check(&self, _: &Cx) -> Result<Checked, Blocked> {
        Ok(Checked { facts: check_time(Timestamp::now()), ..Checked::default() })
    }

    /// A proof is made anew each time.
    async fn observe(&self, _: &Cx) -> Result<Seen, StepError> {
        Ok(Seen::Absent)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let pace = Pace::new(cx.clone());
        verify_bucket(&cx.world.aws, &self.bucket, began(cx), |keys| pace.tell(|| compared(keys))).await
    }

    async fn verify(&self, _: &Cx, _: &Output) -> Result<(), StepError> {
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Never
    }
}

/// Lists both buckets again and compares every key. Gives back `objects`, `bytes`, and `extra`: how
/// many objects the target alone has, written since `began`.
///
/// # Errors
/// Anything is missing, different, foreign or not comparable; an expectation is not met; or AWS refused.
pub async fn verify_bucket(
    session: &Session,
    bucket: &Bucket,
    began: Option<Timestamp>,
    tell: impl Fn(u64),
) -> Result<Output, StepError> {
    let found = survey_buckets(session, bucket, Bounds::WHOLE, began, tell).await?;
    if let Some(unequal) = found.unequal() {
        let text = format!("bucket {} is not equal to {}: {unequal}", bucket.target, bucket.source);
        return Err(StepError::check_failed(text).hint(way_on(bucket, &found)));
    }
    let unmet = unmet(&bucket.verify, |quantity| match quantity {
        Quantity::Objects => Some(found.same),
        Quantity::Bytes => Some(found.same_bytes),
        Quantity::Items | Quantity::Tables | Quantity::Partitions => None,
    });
    match unmet {
        Some(unmet) => Err(StepError::check_failed(format!("bucket {}: {unmet}", bucket.target))),
        None => Ok(json!({ "objects": found.same, "bytes": found.same_bytes, "extra": found.recent.count })),
    }
}

/// What helps: a restore that is done copies nothing by itself, it has to be named beside its proof.
fn way_on(bucket: &Bucket, found: &Survey) -> String {
    let name = &bucket.name;
    match found.foreign() {
        None => format!(
            "copy what is missing: resume the run with --retry restore.bucket.{name} --retry verify.bucket.{name}"
        ),
        Some(_) => format!(
            "nothing is overwritten or deleted: find out who writes to {}, move those objects away, then resume the run \
             with --retry restore.bucket.{name} --retry verify.bucket.{name}",
            bucket.target
        ),
    }
}
