//! Shuts the sessions of an IAM role out, and lets the role be as it was: an inline policy that denies everything to sessions
//! that began before now, and, where wanted, trust that is narrowed to the break-glass principals.
//!
//! The time is in the journal before the effect, so that a step that is taken up again writes the same document. A role that
//! is linked to a service is left alone: only its service may change it (IAM User Guide: "Create a service-linked role").

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::contained::{BEFORE, blocked, facts, may_be_shut_out, may_shut_out, note, noted, unreadable};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Standing, Step, StepError};
use crate::aws::iam;
use crate::containment::{
    Kind, POLICY_NAME, Principal, RoleBefore, SpareRole, deny_sessions_before, deny_trust, is_deny_sessions, merged,
    policy_time, released, same,
};

const SERVICE_LINKED: &str = "/aws-service-role/";

/// The step `contain.role.NAME`.
pub struct ContainRole {
    pub role: SpareRole,
}

/// The step `release.role.NAME`.
pub struct ReleaseRole {
    pub role: SpareRole,
    pub before: RoleBefore,
}

struct Now {
    service_linked: bool,
    policy: Option<String>,
    trust: String,
}

async fn look(cx: &Cx, name: &str) -> Result<Now, StepError> {
    let Some(role) = iam::role(&cx.world.aws, name).await? else {
        return Err(StepError::conflict(format!("there is no role {name}")).hint("look: aws iam list-roles"));
    };
    let policy = iam::role_policy(&cx.world.aws, name, POLICY_NAME).await?;
    Ok(Now { service_linked: role.path.starts_with(SERVICE_LINKED), policy, trust: role.trust })
}

fn foreign(now: &Now, name: &str) -> Option<StepError> {
    let foreign = now.policy.as_deref().is_some_and(|policy| !is_deny_sessions(policy));
    foreign.then(|| {
        StepError::conflict(format!("role {name} has another inline policy {POLICY_NAME}"))
            .hint("it is not lifeboat's, and is not overwritten: rename it")
    })
}

impl ContainRole {
    fn principal(&self, cx: &Cx) -> Principal {
        Principal::new(&cx.world.manifest.account, Kind::Role, &self.role.name)
    }

    /// The trust that the role has afterwards.
    fn trust(&self, now: &str) -> Result<String, StepError> {
        if !self.role.narrow_trust {
            return Ok(now.to_owned());
        }
        merged(Some(now), &deny_trust(&self.role.break_glass)).map_err(|error| unreadable(&self.role.name, &error))
    }

    /// Whether it is as this run has meant it; of what a run before has done nothing is known.
    fn is_done(&self, now: &Now, before: &RoleBefore) -> Result<bool, StepError> {
        let document = deny_sessions_before(&before.issued_before).to_string();
        let policy = now.policy.as_deref().is_some_and(|policy| same(policy, &document));
        Ok(policy && same(&now.trust, &self.trust(&now.trust)?))
    }

    fn left_alone(&self) -> Output {
        json!({"role": self.role.name, "skipped": "it is linked to a service, which alone may change it", "changed": false})
    }

    fn output(&self, before: &RoleBefore) -> Output {
        json!({"role": self.role.name, "sessions_before": before.issued_before, "changed": true})
    }
}

#[async_trait]
impl Step for ContainRole {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        may_be_shut_out(cx, &self.principal(cx), &self.role.break_glass).await?;
        let now = look(cx, &self.role.name).await.map_err(blocked)?;
        if now.service_linked {
            let words = format!("role {} is linked to a service and is left alone", self.role.name);
            return Ok(Checked { facts: facts(Vec::new(), vec![words]), standing: Standing::InPlace });
        }
        if let Some(error) = foreign(&now, &self.role.name) {
            return Err(blocked(error));
        }
        // The time is that of the effect; what is shown has the time of now.
        let document = deny_sessions_before(&policy_time(Timestamp::now()));
        let mut writes = vec![json!({"put": format!("inline policy {POLICY_NAME}"), "document": document})];
        if self.role.narrow_trust {
            let trust: Value = serde_json::from_str(&self.trust(&now.trust).map_err(blocked)?).unwrap_or_default();
            writes.push(json!({"put": "trust policy", "document": trust}));
        }
        Ok(Checked { facts: facts(writes, Vec::new()), standing: Standing::Unknown })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let now = look(cx, &self.role.name).await?;
        if now.service_linked {
            return Ok(Seen::Done(self.left_alone()));
        }
        if let Some(StepError { cause, hint, .. }) = foreign(&now, &self.role.name) {
            return Ok(Seen::Conflict { cause, hint });
        }
        Ok(match noted::<RoleBefore>(cx) {
            Some(before) if self.is_done(&now, &before)? => Seen::Done(self.output(&before)),
            _ => Seen::Absent,
        })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let (session, name) = (&cx.world.aws, self.role.name.as_str());
        may_shut_out(cx, &self.principal(cx), &self.role.break_glass).await?;
        let now = look(cx, name).await?;
        if now.service_linked {
            return Ok(self.left_alone());
        }
        if let Some(error) = foreign(&now, name) {
            return Err(error);
        }
        let trust = self.trust(&now.trust)?;
        let before = noted(cx).unwrap_or_else(|| RoleBefore {
            policy: now.policy.clone(),
            trust: now.trust.clone(),
            issued_before: policy_time(Timestamp::now()),
        });
        note(cx, &before).await?;
        let document = deny_sessions_before(&before.issued_before).to_string();
        iam::put_role_policy(session, name, POLICY_NAME, &document).await?;
        if !same(&trust, &now.trust) {
            iam::put_trust(session, name, &trust).await?;
        }
        Ok(self.output(&before))
    }

    async fn verify(&self, cx: &Cx, _: &Output) -> Result<(), StepError> {
        let now = look(cx, &self.role.name).await?;
        if now.service_linked && cx.noted(BEFORE).is_none() {
            return Ok(());
        }
        let Some(before) = noted::<RoleBefore>(cx) else {
            return Err(StepError::check_failed(format!(
                "the journal does not say since when role {} is shut out",
                self.role.name
            )));
        };
        match self.is_done(&now, &before)? {
            true => Ok(()),
            false => Err(StepError::check_failed(format!("role {} is not shut out", self.role.name))),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("lifeboat contain ENV --undo RUN".into())
    }
}

impl ReleaseRole {
    /// The trust that the role has afterwards: that of before, with what somebody else has changed since.
    fn trust(&self, now: &Now) -> Result<String, StepError> {
        if !self.role.narrow_trust {
            return Ok(now.trust.clone());
        }
        let trust = released(Some(&now.trust), Some(&self.before.trust));
        let trust = trust.map_err(|error| unreadable(&self.role.name, &error))?;
        Ok(trust.unwrap_or_else(|| self.before.trust.clone()))
    }

    fn is_done(&self, now: &Now) -> Result<bool, StepError> {
        let policy = match (&now.policy, &self.before.policy) {
            (Some(now), Some(then)) => same(now, then),
            (now, then) => now == then,
        };
        Ok(policy && same(&now.trust, &self.trust(now)?))
    }

    fn output(&self) -> Output {
        json!({"role": self.role.name, "changed": true})
    }
}

#[async_trait]
impl Step for ReleaseRole {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let now = look(cx, &self.role.name).await.map_err(blocked)?;
        if let Some(error) = foreign(&now, &self.role.name) {
            return Err(blocked(error));
        }
        let mut writes = vec![match &self.before.policy {
            Some(text) => json!({"put": format!("inline policy {POLICY_NAME}"), "document": text}),
            None => json!({"delete": format!("inline policy {POLICY_NAME}")}),
        }];
        let trust = self.trust(&now).map_err(blocked)?;
        if !same(&trust, &now.trust) {
            writes.push(json!({"put": "trust policy", "document": trust}));
        }
        let done = self.is_done(&now).map_err(blocked)?;
        let (writes, standing) = if done { (Vec::new(), Standing::InPlace) } else { (writes, Standing::Unknown) };
        Ok(Checked { facts: facts(writes, Vec::new()), standing })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let now = look(cx, &self.role.name).await?;
        if let Some(StepError { cause, hint, .. }) = foreign(&now, &self.role.name) {
            return Ok(Seen::Conflict { cause, hint });
        }
        Ok(if self.is_done(&now)? { Seen::Done(self.output()) } else { Seen::Absent })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let (session, name) = (&cx.world.aws, self.role.name.as_str());
        let now = look(cx, name).await?;
        let trust = self.trust(&now)?;
        if !same(&trust, &now.trust) {
            iam::put_trust(session, name, &trust).await?;
        }
        match &self.before.policy {
            Some(text) => iam::put_role_policy(session, name, POLICY_NAME, text).await?,
            None => iam::delete_role_policy(session, name, POLICY_NAME).await?,
        }
        Ok(self.output())
    }

    async fn verify(&self, cx: &Cx, _: &Output) -> Result<(), StepError> {
        match self.is_done(&look(cx, &self.role.name).await?)? {
            true => Ok(()),
            false => Err(StepError::check_failed(format!("role {} is not as it was before", self.role.name))),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("lifeboat contain ENV shuts it out again".into())
    }
}
