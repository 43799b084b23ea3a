//! Plans what of the stack is destroyed, past the guard and what was approved, and saves that plan. What AWS would refuse
//! half-way, and what would take data along that nobody has named, is told now.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::evidence_gate::guarded_by_evidence;
use super::terraform_watch::{Watch, recorded_lineage};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::aws::s3::is_empty;
use crate::aws::{athena, rds};
use crate::terraform::{DESTROY, Doomed, Saved, Teardown};

/// The step's name.
pub const TEARDOWN_PLAN: &str = "teardown.plan";

/// The step `teardown.plan`.
pub struct TeardownPlan;

#[async_trait]
impl Step for TeardownPlan {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        guarded_by_evidence(cx)?;
        let Some(look) = cx.world.terraform.look_at_teardown(&Watch::new(cx)).await? else {
            return Ok(Checked { facts: facts(&Teardown::default(), &[]), ..Checked::default() });
        };
        may_go(cx, &look.teardown).await.map_err(|error| Blocked { cause: error.cause, hint: error.hint })?;
        Ok(Checked { facts: facts(&look.teardown, &look.warnings), ..Checked::default() })
    }

    /// A plan is harmless to make again, and only one that was made to the end may be used.
    async fn observe(&self, _cx: &Cx) -> Result<Seen, StepError> {
        Ok(Seen::Absent)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let saved = plan_teardown(cx, None).await?;
        if let Err(error) = may_go(cx, &saved.teardown).await {
            cx.world.terraform.forget(DESTROY)?;
            return Err(error);
        }
        let Saved { teardown, destroy, warnings, let_through, .. } = &saved;
        Ok(json!({
            "destroy": destroy, "destroys": teardown.destroys, "stays": teardown.stays,
            "warnings": warnings, "let_through": let_through,
        }))
    }

    async fn verify(&self, _cx: &Cx, _output: &Output) -> Result<(), StepError> {
        // The guard has judged it before it was saved.
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Auto
    }
}

/// Plans the teardown; what comes back has passed its guard and is saved. `foreseen` is what may be destroyed, where that is
/// settled already.
pub(super) async fn plan_teardown(cx: &Cx, foreseen: Option<&BTreeMap<String, Doomed>>) -> Result<Saved, StepError> {
    let state = cx.journal.as_ref().map(|journal| journal.state()).unwrap_or_default();
    let (lineage, overridden) = (recorded_lineage(cx), state.overridden_guards());
    let terraform = &cx.world.terraform;
    Ok(terraform.plan_destroy(foreseen, lineage.as_deref(), &overridden, &Watch::new(cx)).await?)
}

/// What the plan of this run's teardown destroys and leaves, by its output.
///
/// # Errors
/// There is none yet.
pub(super) fn planned(cx: &Cx) -> Result<Teardown, StepError> {
    let output = cx.output(TEARDOWN_PLAN).unwrap_or_default();
    serde_json::from_value(output).map_err(|_| {
        StepError::failed(format!("{TEARDOWN_PLAN} has not returned what is torn down"))
            .hint("nothing is destroyed but what was planned: do not leave that step out")
    })
}

/// What the plan does not tell and AWS does: content that nobody has named, and names of final snapshots that are taken.
async fn may_go(cx: &Cx, teardown: &Teardown) -> Result<(), StepError> {
    let (session, rebuild) = (&cx.world.aws, &cx.world.manifest.rebuild);
    let evidence = cx.world.evidence.as_ref().map(|it| it.buckets()).unwrap_or_default();
    let mut refused = Vec::new();
    for (address, doomed) in &teardown.destroys {
        let id = &doomed.id;
        match doomed.kind.as_str() {
            "aws_s3_bucket" if evidence.contains(id) => {
                refused.push(format!("- {address} ({id}) holds the evidence: keep it"));
            }
            "aws_s3_bucket" if !rebuild.empty.contains(id) && !bucket_is_empty(cx, id).await? => {
                refused
                    .push(format!("- {address}: bucket {id} is not empty: name it in `empty`, or {address} in `keep`"));
            }
            "aws_athena_workgroup"
                if !rebuild.workgroups.contains(id) && athena::holds_queries(session, id).await? =>
            {
                refused.push(format!(
                    "- {address}: workgroup {id} holds saved queries or a history: name it in `workgroups`, or {address} in \
                     `keep`"
                ));
            }
            _ => {}
        }
        if let Some(name) = &doomed.final_snapshot
            && snapshot_stands(cx, &doomed.kind, name).await?
        {
            refused.push(format!(
                "- {address} would leave the final snapshot {name}, and there is one of that name: apply another \
                 final_snapshot_identifier first"
            ));
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    Err(StepError::conflict(format!("the teardown is refused:\n{}", refused.join("\n")))
        .hint("keep, empty and workgroups are keys of the manifest's rebuild block; nothing was changed"))
}

/// A bucket that is gone holds nothing.
pub(super) async fn bucket_is_empty(cx: &Cx, bucket: &str) -> Result<bool, StepError> {
    match is_empty(&cx.world.aws, bucket).await {
        Err(error) if error.is("NoSuchBucket") => Ok(true),
        answer => Ok(answer?),
    }
}

async fn snapshot_stands(cx: &Cx, kind: &str, name: &str) -> Result<bool, StepError> {
    Ok(match kind {
        "aws_db_instance" => rds::has_instance_snapshot(&cx.world.aws, name).await?,
        _ => rds::has_cluster_snapshot(&cx.world.aws, name).await?,
    })
}

/// What is settled, and what somebody has to look at before it is approved.
fn facts(teardown: &Teardown, warnings: &[String]) -> Value {
    let addresses = |is: fn(&Doomed) -> bool| {
        let those = teardown.destroys.iter().filter(|(_, doomed)| is(doomed));
        those.map(|(address, _)| address.as_str()).collect::<Vec<_>>()
    };
    let lines = [
        ("destroyed although protected on an ordinary day", addresses(|it| it.released.is_some())),
        ("protection from deletion is switched off for", addresses(|it| it.protected)),
        ("what these hold is gone, but for recovery points and evidence", addresses(|it| it.stateful)),
    ];
    let mut told = vec![format!("{} resources are destroyed, {} stay", teardown.destroys.len(), teardown.stays.len())];
    let lines = lines.into_iter().filter(|(_, addresses)| !addresses.is_empty());
    told.extend(lines.map(|(what, addresses)| format!("{what}: {}", addresses.join(", "))));
    told.extend_from_slice(warnings);
    json!({ "destroys": teardown.destroys, "stays": teardown.stays, "warnings": told })
}
