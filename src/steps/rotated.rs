//! What every step of rotation does alike: the token that makes its effect the only one, the look at a secret, and what it says
//! where something cannot be rotated. No value of a secret leaves this module but as a [`Secret`](crate::aws::secrets::Secret).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::contained::facts;
use super::{Cx, Output, Ready, SETTLES, StepError, wait_until};
use crate::aws::secrets::{self, SecretDetail, SecretState};

/// The name under which it is noted what was there before.
pub(super) const ROTATION: &str = "rotation";

/// What a step has begun: noted before anything is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    /// Names the new version of the secret: the same in every attempt of this step of this run.
    pub token: String,
    /// The version that everybody read before.
    pub before: Option<String>,
    /// The access keys of before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

impl Begun {
    /// Whether a version of this step's own has been made, whatever has become of it.
    pub fn is_put(&self, detail: &SecretDetail) -> bool {
        detail.versions.contains_key(&self.token)
    }

    /// Whether everybody reads another version than before.
    pub fn is_done(&self, detail: &SecretDetail) -> bool {
        detail.current().is_some() && detail.current() != self.before.as_deref()
    }
}

/// What this step has begun, in this process or an earlier one.
pub(super) fn begun(cx: &Cx) -> Option<Begun> {
    cx.noted(ROTATION).and_then(|value| serde_json::from_value(value).ok())
}

/// Notes what is there before anything is changed, unless an earlier attempt has.
///
/// # Errors
/// The journal could not be written, so that the effect must not happen.
pub(super) async fn begin(cx: &Cx, detail: &SecretDetail, keys: Vec<String>) -> Result<Begun, StepError> {
    if let Some(begun) = begun(cx) {
        return Ok(begun);
    }
    // A token has 32 to 64 characters (Secrets Manager API: "PutSecretValue").
    let digest = Sha256::digest(format!("{}/{}", cx.world.run, cx.step));
    let token = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let begun = Begun { token, before: detail.current().map(str::to_owned), keys };
    cx.note(ROTATION, json!(begun)).await?;
    Ok(begun)
}

/// A secret that may be written in this region.
///
/// # Errors
/// It is not there, is about to be deleted, or is a replica.
pub(super) async fn secret(cx: &Cx, name: &str) -> Result<SecretDetail, StepError> {
    let region = cx.world.aws.region();
    if let Some(other) = name.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2)).filter(|it| *it != region) {
        return Err(StepError::conflict(format!("secret {name} is in {other}, not in {region}"))
            .hint("name secrets of the region that is worked in, or give --region"));
    }
    let Some(detail) = secrets::describe(&cx.world.aws, name).await? else {
        return Err(StepError::conflict(format!("there is no secret {name} in {region}"))
            .hint("correct the rotation block of the manifest"));
    };
    if let SecretState::Deleting { .. } = detail.state {
        return Err(StepError::conflict(format!("secret {name} is to be deleted")).hint(format!(
            "restore it first (aws secretsmanager restore-secret --secret-id {name}), or leave it out of the rotation block"
        )));
    }
    if let Some(primary) = &detail.primary_region {
        return Err(StepError::conflict(format!("secret {name} in {region} is a replica of the one in {primary}"))
            .hint(format!("rotate it there: --region {primary}")));
    }
    Ok(detail)
}

/// Has a secret rotated by its own rotation, which `by` tells in words, and waits until everybody reads another version.
///
/// # Errors
/// Secrets Manager refuses, or the rotation does not come to its end.
pub(super) async fn by_its_own(cx: &Cx, name: &str, by: &str, begun: &Begun) -> Result<SecretDetail, StepError> {
    let session = &cx.world.aws;
    let detail = secret(cx, name).await?;
    if !begun.is_done(&detail)
        && let Err(error) = secrets::rotate(session, name, &begun.token).await
    {
        // It may be the answer to a request of ours whose reply was lost: then a version of ours is under way.
        let ours = begun.is_put(&secret(cx, name).await?);
        if !(ours && error.is_any(&["InvalidRequestException", "ResourceExistsException"])) {
            return Err(StepError::from(error).hint(
                "another rotation of it may not be complete: see its versions (aws secretsmanager describe-secret) and the logs of \
                 its function, then retry the step",
            ));
        }
    }
    let being = format!("being rotated by {by}, whose logs tell more");
    wait_until(cx, &format!("secret {name}"), SETTLES, async || {
        let detail = secret(cx, name).await?;
        Ok(if begun.is_done(&detail) { Ready::Yes(detail) } else { Ready::NotYet(being.clone()) })
    })
    .await
}

/// What a step returns that has rotated a secret.
pub(super) fn output(name: &str, begun: &Begun, detail: &SecretDetail) -> Output {
    json!({ "secret": name, "rotated": true, "version": detail.current(), "before": begun.before })
}

/// What a step returns that could not: the report lists it among what was not checked.
pub(super) fn not_rotated(what: &str, why: &str) -> Output {
    json!({ "rotated": false, "not_checked": [{ "what": what, "why": format!("it was not rotated: {why}") }] })
}

/// The same in a check.
pub(super) fn cannot(what: &str, why: &str) -> Value {
    facts(vec![json!({ "cannot_rotate": format!("{what}: {why}") })], vec![format!("{what} is not rotated: {why}")])
}

/// Proves that everybody reads another version than before.
///
/// # Errors
/// They do not.
pub(super) async fn proven(cx: &Cx, name: &str, output: &Output) -> Result<(), StepError> {
    if output["rotated"] == Value::Bool(false) {
        return Ok(());
    }
    let detail = secret(cx, name).await?;
    match detail.current().is_some() && detail.current() != output["before"].as_str() {
        true => Ok(()),
        false => Err(StepError::check_failed(format!("secret {name} has the version that it had before"))
            .hint("somebody has put it back: find out who, then retry the step")),
    }
}
