//! Applies the saved plan of the teardown, once the evidence verifies. A plan that is gone or stale is made anew of what is
//! left, and may destroy nothing that the first one did not.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::evidence_gate::{guarded_by_evidence, relies_on_evidence};
use super::quarantine;
use super::teardown_plan::{bucket_is_empty, plan_teardown, planned};
use super::teardown_protection::unprotect;
use super::terraform_apply::{STALE, STATE_BEFORE};
use super::terraform_watch::{Watch, recorded_lineage};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::terraform::events::Summary;
use crate::terraform::{DESTROY, Saved, Teardown, TerraformError};

/// The step's name.
pub const TEARDOWN_DESTROY: &str = "teardown.destroy";

/// The step `teardown.destroy`.
pub struct TeardownDestroy;

#[async_trait]
impl Step for TeardownDestroy {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        guarded_by_evidence(cx)?;
        Ok(Checked::default())
    }

    /// After an earlier start the cloud is asked what is left: a fresh plan. Where it is not empty it is saved, and `apply`
    /// takes it from there.
    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        if !cx.begun() {
            return Ok(Seen::Absent);
        }
        let teardown = planned(cx)?;
        let saved = plan_teardown(cx, Some(&teardown.destroys)).await?;
        if !saved.is_empty() {
            return Ok(Seen::Absent);
        }
        done(cx, &teardown, None).await.map(Seen::Done)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let teardown = planned(cx)?;
        relies_on_evidence(cx).await?;
        let saved = match cx.world.terraform.saved(DESTROY) {
            Some(saved) => saved,
            None => plan_teardown(cx, Some(&teardown.destroys)).await?,
        };
        nothing_is_held(cx, &saved.teardown).await?;
        let state = cx.world.terraform.state_of(recorded_lineage(cx).as_deref(), &Watch::new(cx)).await?;
        cx.note(STATE_BEFORE, json!({ "lineage": state.lineage, "serial": state.serial })).await?;
        unprotect(cx, &saved.teardown.destroys).await?;
        match attempt(cx, &saved).await {
            Err(TerraformError::Failed { told, .. }) if told.contains(STALE) => {
                cx.status("the state has moved since the plan was made: planning again");
                let saved = plan_teardown(cx, Some(&teardown.destroys)).await?;
                nothing_is_held(cx, &saved.teardown).await?;
                unprotect(cx, &saved.teardown.destroys).await?;
                let summary = attempt(cx, &saved).await?;
                done(cx, &teardown, summary).await
            }
            summary => done(cx, &teardown, summary?).await,
        }
    }

    async fn verify(&self, cx: &Cx, _output: &Output) -> Result<(), StepError> {
        let teardown = planned(cx)?;
        let state = cx.world.terraform.state_of(recorded_lineage(cx).as_deref(), &Watch::new(cx)).await?;
        let left: Vec<&str> =
            state.resources.keys().map(String::as_str).filter(|it| !teardown.stays.contains_key(*it)).collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(StepError::check_failed(format!("the state still holds what was to be destroyed: {}", left.join(", ")))
            .hint("retry the step: what is left is planned anew"))
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual(
            "what is destroyed is built again by the rebuild; protection from deletion that was switched off is in the \
             step's notes"
                .into(),
        )
    }
}

/// Applies a saved plan, or nothing where it is empty.
async fn attempt(cx: &Cx, saved: &Saved) -> Result<Option<Summary>, TerraformError> {
    if saved.is_empty() {
        return Ok(None);
    }
    let watch = Watch::applying(cx, saved.operations());
    let vpcs = saved.teardown.destroys.values().filter(|it| it.kind == "aws_vpc").map(|it| it.id.clone());
    let vpcs: Vec<String> = vpcs.collect();
    let applied = tokio::select! {
        applied = cx.world.terraform.apply(DESTROY, &watch) => applied,
        never = quarantine::clear_quarantines(&cx.world.aws, &vpcs) => match never {},
    };
    cx.world.terraform.forget(DESTROY)?;
    Ok(applied?.summary)
}

/// What a bucket holds goes by the step that empties it, which asks the evidence: never by the way.
async fn nothing_is_held(cx: &Cx, teardown: &Teardown) -> Result<(), StepError> {
    for doomed in teardown.destroys.values().filter(|it| it.kind == "aws_s3_bucket") {
        let bucket = &doomed.id;
        if !bucket_is_empty(cx, bucket).await? {
            return Err(StepError::conflict(format!("bucket {bucket} is not empty, so nothing is destroyed")).hint(
                format!(
                    "shut out whoever writes to it and keep evidence of it; then resume with --retry teardown.empty.{bucket} \
                     --retry {TEARDOWN_DESTROY}"
                ),
            ));
        }
    }
    Ok(())
}

async fn done(cx: &Cx, teardown: &Teardown, summary: Option<Summary>) -> Result<Value, StepError> {
    let state = cx.world.terraform.state(&Watch::new(cx)).await?;
    let snapshots: Vec<&String> = teardown.destroys.values().filter_map(|it| it.final_snapshot.as_ref()).collect();
    Ok(json!({
        "destroyed": summary.map_or(0, |it| it.remove),
        "stays": state.resources.keys().collect::<Vec<_>>(),
        "final_snapshots": snapshots,
        "lineage": state.lineage,
        "serial": state.serial,
    }))
}
