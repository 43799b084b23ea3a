//! Deletes an Athena workgroup that goes with the stack, with its saved queries and its history: Athena deletes none that
//! holds something, and Terraform only where `force_destroy` was applied before (Athena API: "DeleteWorkGroup").

use async_trait::async_trait;
use serde_json::{Value, json};

use super::evidence_gate::{guarded_by_evidence, relies_on_evidence};
use super::teardown_plan::planned;
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::aws::athena;
use crate::terraform::DESTROY;

/// The step `teardown.workgroup.NAME`.
pub struct DeleteWorkGroup {
    pub workgroup: String,
}

#[async_trait]
impl Step for DeleteWorkGroup {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        guarded_by_evidence(cx)?;
        Ok(Checked::default())
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        if !self.is_to_go(cx)? {
            return Ok(Seen::Done(self.output(Some("the plan of the teardown leaves it"))));
        }
        Ok(match athena::work_group(&cx.world.aws, &self.workgroup).await? {
            None => Seen::Done(self.output(None)),
            Some(_) => Seen::Absent,
        })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        if !self.is_to_go(cx)? {
            return Ok(self.output(Some("the plan of the teardown leaves it")));
        }
        let gate = relies_on_evidence(cx).await?;
        let (session, name) = (&cx.world.aws, &self.workgroup);
        if athena::holds_queries(session, name).await? && !gate.holds_queries(cx, name).await? {
            return Err(StepError::conflict(format!(
                "the evidence holds neither the saved queries nor the history of workgroup {name}"
            ))
            .hint("keep evidence of it, then retry the step"));
        }
        // The plan knows the workgroup, which is gone when it would be applied: it is made anew.
        cx.world.terraform.forget(DESTROY)?;
        athena::delete_work_group(session, name).await?;
        Ok(self.output(None))
    }

    async fn verify(&self, cx: &Cx, output: &Output) -> Result<(), StepError> {
        if output["left"] != Value::Null || athena::work_group(&cx.world.aws, &self.workgroup).await?.is_none() {
            return Ok(());
        }
        Err(StepError::check_failed(format!("workgroup {} is still there", self.workgroup)))
    }

    fn compensation(&self) -> Compensation {
        Compensation::Never
    }
}

impl DeleteWorkGroup {
    fn is_to_go(&self, cx: &Cx) -> Result<bool, StepError> {
        let teardown = planned(cx)?;
        Ok(teardown.destroys.values().any(|it| it.kind == "aws_athena_workgroup" && it.id == self.workgroup))
    }

    /// `left` is why it was not deleted, where that is so.
    fn output(&self, left: Option<&str>) -> Output {
        json!({ "workgroup": self.workgroup, "left": left })
    }
}
