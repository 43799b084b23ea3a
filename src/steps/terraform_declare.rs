//! Reads from a fresh plan what the root declares for the restored resources, now that what they stand on is there.

use async_trait::async_trait;
use serde_json::json;

use super::terraform_watch::{Watch, adopted};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};

pub struct TerraformDeclare;

#[async_trait]
impl Step for TerraformDeclare {
    async fn check(&self, _cx: &Cx) -> Result<Checked, Blocked> {
        Ok(Checked::default())
    }

    /// It leaves nothing behind that could be found: it is done again.
    async fn observe(&self, _cx: &Cx) -> Result<Seen, StepError> {
        Ok(Seen::Absent)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let adopted = adopted(&cx.world.manifest);
        if adopted.is_empty() {
            return Ok(json!({ "declared": {} }));
        }
        let declared = cx.world.terraform.declared(&adopted, &Watch::new(cx)).await?;
        Ok(json!({ "declared": declared }))
    }

    async fn verify(&self, _cx: &Cx, _output: &Output) -> Result<(), StepError> {
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Auto
    }
}
