//! Proves that the teardown has taken down what it was to: the state holds nothing but what stays, and AWS has none of the
//! rest. What AWS is not asked about is told.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::teardown_names::to_import;
use super::teardown_plan::planned;
use super::terraform_watch::{Watch, recorded_lineage};
use super::wait::{Ready, wait_until};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::aws::{AwsError, Session, stands};
use crate::terraform::{Doomed, Teardown};

const AT_ONCE: usize = 8;

/// The step `teardown.proof`.
pub struct TeardownProof {
    /// How long what is deleted may still be shown.
    pub within: Duration,
}

/// What AWS says of what was destroyed.
#[derive(Default)]
struct Found {
    /// `address (id)` of what stands.
    left: Vec<String>,
    asked: u64,
    /// How many of each kind AWS was not asked about.
    not_asked: BTreeMap<String, u64>,
}

#[async_trait]
impl Step for TeardownProof {
    async fn check(&self, _cx: &Cx) -> Result<Checked, Blocked> {
        Ok(Checked::default())
    }

    /// It leaves nothing behind that could be found: it is done again.
    async fn observe(&self, _cx: &Cx) -> Result<Seen, StepError> {
        Ok(Seen::Absent)
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let teardown = planned(cx)?;
        let state = cx.world.terraform.state_of(recorded_lineage(cx).as_deref(), &Watch::new(cx)).await?;
        let held: Vec<&str> =
            state.resources.keys().map(String::as_str).filter(|it| !teardown.stays.contains_key(*it)).collect();
        if !held.is_empty() {
            let cause = format!("the state holds more than what stays: {}", held.join(", "));
            return Err(StepError::check_failed(cause).hint("retry teardown.destroy with this step"));
        }
        let lost: Vec<&str> =
            teardown.stays.keys().map(String::as_str).filter(|it| !state.resources.contains_key(*it)).collect();
        if !lost.is_empty() {
            let cause = format!("the state no longer holds what was to stay: {}", lost.join(", "));
            return Err(StepError::check_failed(cause).hint(
                "look whether it stands: a rebuild would make it anew; import what is there with terraform import",
            ));
        }
        let mut left = Vec::new();
        let asked = wait_until(cx, "what was destroyed", self.within, async || {
            let found = look(cx, &teardown).await?;
            Ok(match found.left.is_empty() {
                true => Ready::Yes(found),
                false => Ready::NotYet(format!("still shown: {}", found.left.join(", "))),
            })
        });
        let found = match asked.await {
            Ok(found) => found,
            Err(error) if error.parks() => return Err(error),
            Err(error) => {
                left.extend(look(cx, &teardown).await?.left);
                if left.is_empty() {
                    return Err(error);
                }
                return Err(StepError::check_failed(format!("AWS still has what was destroyed: {}", left.join(", ")))
                    .hint("somebody may have made it again: look into CloudTrail before anything is built on it"));
            }
        };
        Ok(json!({ "stays": state.resources.len(), "gone": found.asked, "not_asked": found.not_asked }))
    }

    async fn verify(&self, _cx: &Cx, _output: &Output) -> Result<(), StepError> {
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Auto
    }
}

async fn ask<'a>(
    session: &Session,
    address: &'a str,
    doomed: &'a Doomed,
) -> Result<(&'a str, &'a Doomed, Option<bool>), AwsError> {
    let standing = if doomed.id.is_empty() { None } else { stands(session, &doomed.kind, &doomed.id).await? };
    Ok((address, doomed, standing))
}

/// What was made again or taken back on purpose is known, and is no remnant.
async fn look(cx: &Cx, teardown: &Teardown) -> Result<Found, StepError> {
    let known = to_import(cx);
    let mut asks = Vec::new();
    for (address, doomed) in &teardown.destroys {
        if !known.contains_key(address) {
            asks.push(ask(&cx.world.aws, address, doomed));
        }
    }
    let answers: Vec<_> = stream::iter(asks).buffered(AT_ONCE).try_collect().await?;
    let mut found = Found::default();
    for (address, doomed, standing) in answers {
        match standing {
            None => *found.not_asked.entry(doomed.kind.clone()).or_default() += 1,
            // Its name is its own: another one of it is made, and nothing waits for this to be over.
            Some(true) if doomed.kind == "aws_secretsmanager_secret" && doomed.name.is_none() => found.asked += 1,
            Some(true) => found.left.push(format!("{address} ({})", doomed.id)),
            Some(false) => found.asked += 1,
        }
    }
    Ok(found)
}
