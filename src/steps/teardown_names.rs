//! Sees to names that AWS still holds after the teardown and that the rebuild needs: secrets that are scheduled for deletion,
//! and log groups that a service has made again. What comes back is imported by the rebuild instead of being made.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::teardown_plan::planned;
use super::wait::{Ready, SETTLES, wait_until};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use crate::aws::logs::has_log_group;
use crate::aws::secrets::{SecretState, delete_secret_now, restore_secret, secret};
use crate::manifest::LingeringSecrets;
use crate::terraform::Doomed;

/// The step's name.
pub const TEARDOWN_NAMES: &str = "teardown.names";

/// The note of the secrets whose deletion is taken back or made final.
const SECRETS: &str = "secrets";

/// The step `teardown.names`.
pub struct TeardownNames {
    pub secrets: LingeringSecrets,
}

/// What lingers of what was destroyed.
#[derive(Default)]
struct Lingering {
    /// Secrets that are scheduled for deletion, by address: what AWS knows them by.
    deleting: BTreeMap<String, String>,
    /// Secrets that stand although they were destroyed: their deletion was taken back.
    standing: BTreeMap<String, String>,
    /// Log groups that were made again, by address.
    log_groups: BTreeMap<String, String>,
}

#[async_trait]
impl Step for TeardownNames {
    async fn check(&self, _cx: &Cx) -> Result<Checked, Blocked> {
        Ok(Checked::default())
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let found = look(cx).await?;
        Ok(if found.deleting.is_empty() { Seen::Done(output(&found)) } else { Seen::Absent })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let found = look(cx).await?;
        let what = match self.secrets {
            LingeringSecrets::Restore => "restored",
            LingeringSecrets::ForceDelete => "deleted for good",
        };
        if !found.deleting.is_empty() {
            cx.note(SECRETS, json!({ "what": what, "secrets": found.deleting })).await?;
        }
        for (address, id) in &found.deleting {
            cx.status(format!("{address}: the secret is {what}"));
            match self.secrets {
                LingeringSecrets::Restore => restore_secret(&cx.world.aws, id).await?,
                LingeringSecrets::ForceDelete => delete_secret_now(&cx.world.aws, id).await?,
            }
            wait_until(cx, &format!("secret {id}"), SETTLES, async || {
                Ok(match secret(&cx.world.aws, id).await? {
                    SecretState::Deleting { .. } => Ready::NotYet("scheduled for deletion".to_owned()),
                    SecretState::Present | SecretState::Missing => Ready::Yes(()),
                })
            })
            .await?;
        }
        Ok(output(&look(cx).await?))
    }

    async fn verify(&self, cx: &Cx, _output: &Output) -> Result<(), StepError> {
        let found = look(cx).await?;
        if found.deleting.is_empty() {
            return Ok(());
        }
        let named: Vec<&str> = found.deleting.values().map(String::as_str).collect();
        Err(StepError::check_failed(format!("still scheduled for deletion: {}", named.join(", ")))
            .hint("their names are not free before that is over: retry the step"))
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("a restored secret is deleted again with aws secretsmanager delete-secret".into())
    }
}

/// A name that the provider has made up is made up anew, so that nothing stands in its way.
async fn look(cx: &Cx) -> Result<Lingering, StepError> {
    let teardown = planned(cx)?;
    let (session, mut found) = (&cx.world.aws, Lingering::default());
    for (address, Doomed { kind, id, name, .. }) in &teardown.destroys {
        let Some(name) = name else { continue };
        match kind.as_str() {
            "aws_secretsmanager_secret" => match secret(session, id).await? {
                SecretState::Missing => {}
                SecretState::Deleting { .. } => drop(found.deleting.insert(address.clone(), id.clone())),
                SecretState::Present => drop(found.standing.insert(address.clone(), id.clone())),
            },
            "aws_cloudwatch_log_group" if has_log_group(session, name).await? => {
                found.log_groups.insert(address.clone(), name.clone());
            }
            _ => {}
        }
    }
    Ok(found)
}

fn output(found: &Lingering) -> Output {
    let import: BTreeMap<&String, &String> = found.standing.iter().chain(&found.log_groups).collect();
    json!({ "import": import, "secrets": found.standing, "log_groups": found.log_groups })
}

/// What the rebuild imports instead of making it: address to id. Nothing where no teardown went before.
pub(super) fn to_import(cx: &Cx) -> BTreeMap<String, String> {
    let output = cx.output(TEARDOWN_NAMES).unwrap_or(Value::Null);
    serde_json::from_value(output["import"].clone()).unwrap_or_default()
}
