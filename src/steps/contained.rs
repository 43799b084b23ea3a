//! What every step of containment does first: it makes sure that nobody is shut out who has to work on this.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Blocked, Cx, StepError};
use crate::aws::iam;
use crate::containment::{Kind, Principal, named_in_trust};

/// The name under which it is noted what was there before.
pub const BEFORE: &str = "before";

pub(super) const GLASS: &str = "a break-glass principal";
pub(super) const INVESTIGATOR: &str = "an investigator";
const CALLER: &str = "the caller of lifeboat";

/// Refuses to shut out a break-glass principal, the caller, or whoever either works through. Asked before each effect,
/// because credentials and trust may have become others.
///
/// # Errors
/// It would shut somebody out who is needed, a break-glass principal does not exist, or AWS does not say.
pub(super) async fn may_shut_out(cx: &Cx, whom: &Principal, break_glass: &[String]) -> Result<(), StepError> {
    let caller = cx.world.aws.caller().await?;
    let spared = break_glass.iter().map(|arn| (arn.as_str(), GLASS));
    for (arn, what) in spared.chain([(caller.arn.as_str(), CALLER)]) {
        let Some(spared) = Principal::parse(arn) else { continue };
        if spared == *whom {
            return Err(StepError::conflict(format!("{whom} is {what}: {arn}")).hint(
                "whoever has to work on this is never shut out: log in as a break-glass principal, or leave it out",
            ));
        }
        // Nothing leads to a user who is at work already.
        if what == CALLER && spared.kind == Kind::User {
            continue;
        }
        if named_in_trust(&trust_of(cx, &spared, arn, what).await?, whom) {
            return Err(StepError::conflict(format!("{whom} is how {what} is reached: {arn} trusts it"))
                .hint("let another principal assume that role first, or leave this one out"));
        }
    }
    Ok(())
}

/// Refuses where one of those who stay let in does not exist, or is called otherwise: nobody could undo this by it. Asked
/// before each effect.
///
/// # Errors
/// One of them is not there, or AWS does not say.
pub(super) async fn are_there(cx: &Cx, arns: &[String], what: &str) -> Result<(), StepError> {
    for arn in arns {
        if let Some(principal) = Principal::parse(arn) {
            trust_of(cx, &principal, arn, what).await?;
        }
    }
    Ok(())
}

/// The trust policy of who is spared; empty for a user, and for who is of another account, whom nobody here can ask for.
async fn trust_of(cx: &Cx, spared: &Principal, arn: &str, what: &str) -> Result<String, StepError> {
    if spared.account != cx.world.manifest.account {
        return Ok(String::new());
    }
    let session = &cx.world.aws;
    let found = match spared.kind {
        Kind::Role => iam::role(session, &spared.name).await?.map(|role| (role.arn, role.trust)),
        Kind::User => iam::user_arn(session, &spared.name).await?.map(|arn| (arn, String::new())),
    };
    let Some((own, trust)) = found else {
        return Err(StepError::conflict(format!("{what} does not exist: {arn}"))
            .hint("nobody could undo this by it: correct the containment block in the manifest"));
    };
    // What a session is called says nothing of its role's path.
    if arn.contains(":iam:") && own != arn {
        return Err(StepError::conflict(format!("{what} is {own}, not {arn}"))
            .hint("policies compare the whole ARN, with its path: correct the containment block in the manifest"));
    }
    Ok(trust)
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

/// What a release says of who or what cannot be let in again, because it is gone.
pub(super) fn gone(what: &str) -> String {
    format!("{what} is gone: there is nothing to let in again")
}

/// A policy document that is not readable.
pub(super) fn unreadable(what: &str, error: &serde_json::Error) -> StepError {
    StepError::failed(format!("the policy of {what} cannot be read: {error}")).hint("nothing was changed of it")
}
