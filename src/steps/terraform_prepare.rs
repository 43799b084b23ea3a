//! Stages the Terraform root, generates its inputs, initializes it and selects or creates the recovery workspace.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::terraform_watch::{Watch, adopted, right_account};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::terraform::state::State;
use crate::terraform::{Address, Ready, Resources};

pub struct TerraformPrepare;

/// Instances of an adopted cluster are restored with it, so that what the state holds of them matters too.
const INSTANCE: &str = "aws_rds_cluster_instance";

#[async_trait]
impl Step for TerraformPrepare {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        right_account(cx).await.map_err(|error| Blocked { cause: error.cause, hint: error.hint })?;
        cx.world.terraform.check()?;
        Ok(Checked::default())
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        if !cx.world.terraform.was_ready() {
            return Ok(Seen::Absent);
        }
        prepare(cx).await.map(Seen::Done)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        right_account(cx).await?;
        prepare(cx).await
    }

    async fn verify(&self, _cx: &Cx, _output: &Output) -> Result<(), StepError> {
        // `ready` has asserted the workspace, and reading the state has proven the backend.
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("an empty workspace may be deleted: terraform workspace delete".into())
    }
}

async fn prepare(cx: &Cx) -> Result<Value, StepError> {
    let watch = Watch::new(cx);
    let ready = cx.world.terraform.ready(&watch).await?;
    let state = cx.world.terraform.state(&watch).await?;
    let workspace = &cx.world.manifest.recovery.workspace;
    let addresses = adopted(&cx.world.manifest);
    let held = |address: &str| addresses.contains(address) || is_instance(address);
    Ok(output(workspace, &ready, &state, held))
}

fn output(workspace: &str, ready: &Ready, state: &State, held: impl Fn(&str) -> bool) -> Value {
    let adopted: Resources =
        state.resources.iter().filter(|(address, _)| held(address)).map(|(at, id)| (at.clone(), id.clone())).collect();
    json!({
        "workspace": workspace,
        "created": ready.created,
        "lineage": state.lineage,
        "serial": state.serial,
        "adopted": adopted,
        "left_out": ready.left_out,
        "staged": ready.staged,
    })
}

fn is_instance(address: &str) -> bool {
    Address::parse(address).is_some_and(|it| it.kind == INSTANCE)
}
