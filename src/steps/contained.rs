//! What every step of containment does first: it makes sure that nobody is shut out who has to work on this.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Blocked, Cx, StepError};
use crate::aws::iam;
use crate::containment::{Kind, Principal, named_in_trust};

/// The name under which it is noted what was there before.
pub const BEFORE: &str = "before";

/// Refuses to shut out a break-glass principal, the caller, or whoever either works through. Asked before each effect,
/// because credentials and trust may have become others.
///
/// # Errors
/// It would shut somebody out who is needed, a break-glass principal does not exist, or AWS does not say.
pub(super) async fn may_shut_out(cx: &Cx, whom: &Principal, break_glass: &[String]) -> Result<(), StepError> {
    let session = &cx.world.aws;
    let caller = session.caller().await?;
    let spared = break_glass.iter().map(|arn| (arn.as_str(), "a break-glass principal"));
    for (arn, what) in spared.chain([(caller.arn.as_str(), "the caller of lifeboat")]) {
        let Some(spared) = Principal::parse(arn) else { continue };
        if spared == *whom {
            return Err(StepError::conflict(format!("{whom} is {what}: {arn}")).hint(
                "whoever has to work on this is never shut out: log in as a break-glass principal, or leave it out",
            ));
        }
        if spared.account != cx.world.manifest.account {
            continue;
        }
        let trust = match spared.kind {
            Kind::Role => iam::role(session, &spared.name).await?.map(|role| role.trust),
            Kind::User if arn == caller.arn => Some(String::new()),
            Kind::User => iam::user_exists(session, &spared.name).await?.then(String::new),
        };
        let Some(trust) = trust else {
            return Err(StepError::conflict(format!("{what} does not exist: {arn}"))
                .hint("nobody could undo this by it: correct break_glass in the manifest"));
        };
        if named_in_trust(&trust, whom) {
            return Err(StepError::conflict(format!("{whom} is how {what} is reached: {arn} trusts it"))
                .hint("let another principal assume that role first, or leave this one out"));
        }
    }
    Ok(())
}

/// The same before the run begins.
pub(super) async fn may_be_shut_out(cx: &Cx, whom: &Principal, break_glass: &[String]) -> Result<(), Blocked> {
    may_shut_out(cx, whom, break_glass).await.map_err(blocked)
}

pub(super) fn blocked(error: StepError) -> Blocked {
    Blocked { cause: error.cause, hint: error.hint }
}

/// What this step has noted of before, in this process or an earlier one.
pub(super) fn noted<T: DeserializeOwned>(cx: &Cx) -> Option<T> {
    cx.noted(BEFORE).and_then(|value| serde_json::from_value(value).ok())
}

/// Notes what was there before, unless the journal has exactly that.
///
/// # Errors
/// The journal could not be written, so that the effect must not happen.
pub(super) async fn note<T: Serialize>(cx: &Cx, before: &T) -> Result<(), StepError> {
    let value = json!(before);
    if cx.noted(BEFORE).as_ref() == Some(&value) { Ok(()) } else { cx.note(BEFORE, value).await }
}

/// The facts of a check: what would be written, verbatim.
pub(super) fn facts(writes: Vec<Value>, warnings: Vec<String>) -> Value {
    json!({"writes": writes, "warnings": warnings})
}

/// A policy document that is not readable.
pub(super) fn unreadable(what: &str, error: &serde_json::Error) -> StepError {
    StepError::failed(format!("the policy of {what} cannot be read: {error}")).hint("nothing was changed of it")
}
