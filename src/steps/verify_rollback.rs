//! Proves that a bucket is as it was at a time, from a new listing of all its versions, and that what is current then is
//! what the operator expects. Reads only.

use async_trait::async_trait;
use serde_json::json;

use super::roll_back_bucket::todo_unless_stopped;
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::manifest::Quantity;
use crate::runbook::BucketRollback;
use crate::transfer::{Amount, Known, Proof, RollbackSurvey};
use crate::verify::unmet;

const WHO_WRITES: &str = "what is written after it was looked at is left alone: find out who still writes to it, then recover it \
                          again, which takes that back as well";
const WAS_IT_THEN: &str = "it is as it was, so that another time may be meant: the same command with another --to, or with the \
                           time right before this run to go back";

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
        let faults: Vec<String> =
            not_as_it_was(rollback, &found).into_iter().chain(unexpected(rollback, found.current)).collect();
        if !faults.is_empty() {
            let hint = if found.is_settled() { WAS_IT_THEN } else { WHO_WRITES };
            return Err(StepError::check_failed(faults.join("; ")).hint(hint));
        }
        let expected: Vec<String> = rollback.expect.iter().map(ToString::to_string).collect();
        let Amount { objects, bytes } = found.current;
        Ok(json!({
            "keys": found.keys,
            "unknown": found.unknown,
            "objects": objects,
            "bytes": bytes,
            "expected": expected,
        }))
    }

    async fn verify(&self, _: &Cx, _: &Output) -> Result<(), StepError> {
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Never
    }
}

fn not_as_it_was(rollback: &BucketRollback, found: &RollbackSurvey) -> Option<String> {
    let unsettled = found.unsettled()?;
    Some(format!("{} is not as it was at {}: it has {unsettled}", rollback.bucket, rollback.to))
}

/// What of the expectations does not hold where so much is current under the prefix.
pub fn unexpected(rollback: &BucketRollback, current: Amount) -> Option<String> {
    let unmet = unmet(&rollback.expect, |quantity| match quantity {
        Quantity::Objects => Some(current.objects),
        Quantity::Bytes => Some(current.bytes),
        Quantity::Items | Quantity::Tables | Quantity::Partitions => None,
    })?;
    let under = if rollback.prefix.is_empty() { String::new() } else { format!(" under {}", rollback.prefix) };
    Some(format!("{}{under}: {unmet}", rollback.bucket))
}
