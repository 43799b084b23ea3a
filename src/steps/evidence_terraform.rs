//! Keeps what Terraform knows: the state as the backend has it, byte for byte, and what a plan would change, without secrets.

use std::collections::BTreeSet;

use serde_json::json;

use super::evidence::Found;
use super::evidence_keep::{About, Keeper, output};
use super::terraform_watch::Watch;
use super::{Cx, Output, StepError};
use crate::evidence::{Collected, EvidencePlace};
use crate::terraform::state::State;
use crate::terraform::{Address, Detail};

const STATE: &str = "terraform/state.tfstate";
const PLAN: &str = "terraform/plan.json";

/// The workspace that Terraform works in.
fn workspace(cx: &Cx) -> String {
    cx.world.manifest.region(cx.world.aws.region()).workspace.clone()
}

pub(super) async fn check(cx: &Cx, place: &EvidencePlace) -> Result<Found, StepError> {
    let workspace = workspace(cx);
    let Some(document) = cx.world.terraform.document(&Watch::new(cx)).await? else {
        return Ok(Found::missing(format!("workspace {workspace} has no Terraform state: none is kept")));
    };
    // One that is encrypted is kept all the same.
    let state = State::read(document.as_slice()).unwrap_or_default();
    let of_stack = state.resources.iter().find(|(address, id)| {
        **id == place.bucket && Address::parse(address).is_some_and(|it| it.kind == "aws_s3_bucket")
    });
    if let Some((address, bucket)) = of_stack {
        return Err(StepError::conflict(format!("evidence bucket {bucket} is {address} of the stack"))
            .hint("it would be taken down with the stack: name a bucket that is managed elsewhere"));
    }
    Ok(Found::to_write(format!("the Terraform state of workspace {workspace}, as it is: it holds secrets")))
}

pub(super) async fn collect_state(cx: &Cx, place: &EvidencePlace) -> Result<Output, StepError> {
    let keeper = Keeper::of(cx, place).await?;
    let what = format!("Terraform state of workspace {}", workspace(cx));
    let Some(document) = cx.world.terraform.document(&Watch::new(cx)).await? else {
        return Ok(output(&Collected::nothing(what, "there is none")));
    };
    let item = keeper.put(STATE, document, About { what: &what, request: "s3:GetObject" }).await?;
    Ok(output(&Collected { items: vec![item], ..Collected::default() }))
}

pub(super) async fn collect_plan(cx: &Cx, place: &EvidencePlace) -> Result<Output, StepError> {
    let keeper = Keeper::of(cx, place).await?;
    let what = format!("Terraform plan of workspace {}", workspace(cx));
    let watch = Watch::new(cx);
    let Some(_) = cx.world.terraform.document(&watch).await? else {
        return Ok(output(&Collected::nothing(what, "there is no state to plan on")));
    };
    let look = cx.world.terraform.look(&BTreeSet::new(), Detail::Kept, &watch).await?;
    let Some(masked) = look.masked else {
        return Err(StepError::failed("terraform has shown no plan"));
    };
    let item = keeper.put(PLAN, masked.json, About { what: &what, request: "terraform plan" }).await?;
    let mut output = output(&Collected { items: vec![item], ..Collected::default() });
    // A run that is taken up elsewhere plans the same files.
    output["staged"] = json!(look.staged);
    Ok(output)
}
