//! Proves that a bucket is as it was at a time, from a new listing of all its versions. Reads only.

use async_trait::async_trait;
use serde_json::json;

use super::restore_bucket::Pace;
use super::roll_back_bucket::{looked_at, todo};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::runbook::BucketRollback;
use crate::transfer::Proof;

/// The step `verify.bucket.NAME` of a recovery.
pub struct VerifyRollback {
    pub rollback: BucketRollback,
}

#[async_trait]
impl Step for VerifyRollback {
    async fn check(&self, _: &Cx) -> Result<Checked, Blocked> {
        Ok(Checked::default())
    }

    /// A proof is made anew each time.
    async fn observe(&self, _: &Cx) -> Result<Seen, StepError> {
        Ok(Seen::Absent)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let (rollback, pace) = (&self.rollback, Pace::new(cx.clone()));
        let tell = |keys| pace.tell(|| looked_at(keys));
        let found = todo(&cx.world.aws, rollback, Proof::Content, |_| {}, tell).await?;
        match found.unsettled() {
            None => Ok(json!({ "keys": found.keys })),
            Some(unsettled) => {
                let bucket = &rollback.bucket;
                let text = format!("{bucket} is not as it was at {}: it has {unsettled}", rollback.to);
                Err(StepError::check_failed(text).hint(format!(
                    "find out who still writes to it; then resume the run with --retry recover.bucket.{bucket} --retry \
                     verify.bucket.{bucket}"
                )))
            }
        }
    }

    async fn verify(&self, _: &Cx, _: &Output) -> Result<(), StepError> {
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Never
    }
}
