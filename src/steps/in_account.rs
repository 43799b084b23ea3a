//! Asserts the account before a step that changes something: credentials may have become others since the run began.
//!
//! The one place for it, round every such step; AWS is asked each time, because an answer that is kept would outlive a
//! change of credentials.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};

/// A step that does nothing in another account than the manifest's.
pub struct InAccount(pub Arc<dyn Step>);

#[async_trait]
impl Step for InAccount {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        self.0.check(cx).await
    }

    /// Asked here too: what a step finds in another account is not what stands in this one.
    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        right_account(cx).await?;
        self.0.observe(cx).await
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        right_account(cx).await?;
        self.0.apply(cx).await
    }

    async fn verify(&self, cx: &Cx, output: &Output) -> Result<(), StepError> {
        self.0.verify(cx, output).await
    }

    fn compensation(&self) -> Compensation {
        self.0.compensation()
    }
}

/// Refuses an account other than the manifest's.
///
/// # Errors
/// Another account, or AWS does not say.
pub(super) async fn right_account(cx: &Cx) -> Result<(), StepError> {
    let caller = cx.world.aws.caller().await?;
    let wanted = &cx.world.manifest.account;
    if caller.account == *wanted {
        return Ok(());
    }
    Err(StepError::failed(format!("{} is in account {}; the manifest is for {wanted}", caller.arn, caller.account))
        .hint("log in to the manifest's account, or name the environment that belongs to this one"))
}
