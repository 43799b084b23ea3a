//! Applies the plan that was saved for a scope. A plan that is gone or stale is made and guarded anew, never forced.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::terraform_plan::{name, plan};
use super::terraform_watch::{Watch, recorded_lineage};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::runbook::ApplyScope;
use crate::terraform::events::Summary;
use crate::terraform::half_made::half_made;
use crate::terraform::state::State;
use crate::terraform::{Saved, TerraformError};

pub struct TerraformApply {
    pub scope: ApplyScope,
}

/// Terraform's words for a plan that was made of another state (Terraform: "Command: apply").
pub(super) const STALE: &str = "Saved plan is stale";

/// The note of what the state was before an apply: `lineage` and `serial`.
pub const STATE_BEFORE: &str = "state_before";

#[async_trait]
impl Step for TerraformApply {
    async fn check(&self, _cx: &Cx) -> Result<Checked, Blocked> {
        Ok(Checked::default())
    }

    /// After an earlier start the cloud is asked what is left: a fresh plan of the scope. Where it is not empty it
    /// is saved, and `apply` takes it from there.
    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        if !cx.begun() {
            return Ok(Seen::Absent);
        }
        // A state that an apply was stopped in is put right first, and only then planned on.
        let state = cx.world.terraform.state_of(recorded_lineage(cx).as_deref(), &Watch::new(cx)).await?;
        if !half_made(&state).is_empty() {
            return Ok(Seen::Absent);
        }
        let saved = plan(cx, self.scope).await?;
        if !saved.is_empty() {
            return Ok(Seen::Absent);
        }
        done(cx, None).await.map(Seen::Done)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let state = cx.world.terraform.state_of(recorded_lineage(cx).as_deref(), &Watch::new(cx)).await?;
        cx.note_if_journalled(STATE_BEFORE, json!({ "lineage": state.lineage, "serial": state.serial })).await?;
        if cx.begun() {
            self.keep_half_made(cx, &state).await?;
        }
        let saved = match cx.world.terraform.saved(name(self.scope)) {
            Some(saved) => saved,
            None => plan(cx, self.scope).await?,
        };
        match self.attempt(cx, &saved).await {
            Err(TerraformError::Failed { told, .. }) if told.contains(STALE) => {
                cx.status("the state has moved since the plan was made: planning again");
                let saved = plan(cx, self.scope).await?;
                let summary = self.attempt(cx, &saved).await?;
                done(cx, summary).await
            }
            summary => done(cx, summary?).await,
        }
    }

    async fn verify(&self, cx: &Cx, output: &Output) -> Result<(), StepError> {
        let state = cx.world.terraform.state(&Watch::new(cx)).await?;
        let (lineage, serial) =
            (output["lineage"].as_str().unwrap_or_default(), output["serial"].as_u64().unwrap_or(0));
        if state.lineage == lineage && state.serial >= serial {
            return Ok(());
        }
        let found = format!("lineage {}, serial {}", state.lineage, state.serial);
        Err(StepError::check_failed(format!("the state is not the one that was applied: it has {found}")).hint(
            format!("the apply left lineage {lineage}, serial {serial}; look into the versions of the state object"),
        ))
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("terraform destroy in the recovery workspace, after the data is no longer needed".into())
    }
}

impl TerraformApply {
    /// What this run's apply has left half made. A plan of it is no longer one.
    async fn keep_half_made(&self, cx: &Cx, state: &State) -> Result<(), TerraformError> {
        let (terraform, watch) = (&cx.world.terraform, Watch::new(cx));
        if half_made(state).is_empty() {
            return Ok(());
        }
        terraform.forget(name(self.scope))?;
        terraform.keep_half_made(state, &watch).await
    }

    /// Applies a saved plan, or nothing where it is empty.
    async fn attempt(&self, cx: &Cx, saved: &Saved) -> Result<Option<Summary>, TerraformError> {
        if saved.is_empty() {
            return Ok(None);
        }
        let watch = Watch::applying(cx, saved.operations());
        let applied = cx.world.terraform.apply(name(self.scope), &watch).await;
        cx.world.terraform.forget(name(self.scope))?;
        Ok(applied?.summary)
    }
}

async fn done(cx: &Cx, summary: Option<Summary>) -> Result<Value, StepError> {
    let state = cx.world.terraform.state(&Watch::new(cx)).await?;
    Ok(output(&state, summary.as_ref()))
}

fn output(state: &State, summary: Option<&Summary>) -> Value {
    json!({
        "outputs": state.outputs,
        "lineage": state.lineage,
        "serial": state.serial,
        "added": summary.map_or(0, |it| it.add),
        "changed": summary.map_or(0, |it| it.change),
        "destroyed": summary.map_or(0, |it| it.remove),
        "imported": summary.map_or(0, |it| it.import),
    })
}
