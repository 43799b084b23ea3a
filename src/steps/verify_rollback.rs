//! Proves that a bucket is as it was at a time, from a new listing of all its versions. Reads only.

use async_trait::async_trait;
use serde_json::json;

use super::roll_back_bucket::todo_unless_stopped;
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::runbook::BucketRollback;
use crate::transfer::{Known, Proof};

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
        let rollback = &self.rollback;
        // What the restore found out in its check holds for its proof.
        let restored = cx.output(rollback.step().as_str()).unwrap_or_default();
        let hides = restored["hides"].as_bool().unwrap_or_default();
        // A proof asks where ETags differ.
        let known = Known { hides, etags_tell: false };
        let found = todo_unless_stopped(cx, rollback, Proof::Content, known).await?;
        match found.unsettled() {
            None => Ok(json!({ "keys": found.keys, "unknown": found.unknown })),
            Some(unsettled) => {
                let bucket = &rollback.bucket;
                let text = format!("{bucket} is not as it was at {}: it has {unsettled}", rollback.to);
                let hint = "what is written after it was looked at is left alone: find out who still writes to it, then recover \
                            it again, which takes that back as well";
                Err(StepError::check_failed(text).hint(hint))
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
