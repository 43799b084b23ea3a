//! Shuts an IAM user out, and lets it in again: an inline policy that denies everything, access keys inactive, no password
//! for the console. MFA devices are left alone.
//!
//! A password cannot be read, so that letting in again says that it has to be set anew.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::contained::{blocked, facts, may_be_shut_out, may_shut_out, note, noted};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Standing, Step, StepError};
use crate::aws::iam;
use crate::containment::{Kind, POLICY_NAME, Principal, SpareUser, UserBefore, deny_all, same};

/// The step `contain.user.NAME`.
pub struct ContainUser {
    pub user: SpareUser,
}

/// The step `release.user.NAME`.
pub struct ReleaseUser {
    pub user: SpareUser,
    pub before: UserBefore,
}

async fn look(cx: &Cx, name: &str) -> Result<UserBefore, StepError> {
    let session = &cx.world.aws;
    if !iam::user_exists(session, name).await? {
        return Err(StepError::conflict(format!("there is no user {name}")).hint("look: aws iam list-users"));
    }
    Ok(UserBefore {
        policy: iam::user_policy(session, name, POLICY_NAME).await?,
        keys: iam::keys(session, name).await?,
        login_profile: iam::has_login_profile(session, name).await?,
    })
}

fn denies(policy: Option<&str>) -> bool {
    policy.is_some_and(|policy| same(policy, &deny_all().to_string()))
}

fn is_shut_out(now: &UserBefore) -> bool {
    denies(now.policy.as_deref()) && !now.login_profile && now.keys.values().all(|active| !active)
}

fn foreign(now: &UserBefore, name: &str) -> Option<StepError> {
    let foreign = now.policy.is_some() && !denies(now.policy.as_deref());
    foreign.then(|| {
        StepError::conflict(format!("user {name} has another inline policy {POLICY_NAME}"))
            .hint("it is not lifeboat's, and is not overwritten: rename it")
    })
}

impl ContainUser {
    fn principal(&self, cx: &Cx) -> Principal {
        Principal::new(&cx.world.manifest.account, Kind::User, &self.user.name)
    }
}

#[async_trait]
impl Step for ContainUser {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        may_be_shut_out(cx, &self.principal(cx), &self.user.break_glass).await?;
        let now = look(cx, &self.user.name).await.map_err(blocked)?;
        if let Some(error) = foreign(&now, &self.user.name) {
            return Err(blocked(error));
        }
        let active: Vec<&String> = now.keys.iter().filter(|(_, active)| **active).map(|(key, _)| key).collect();
        let mut writes = vec![json!({"put": format!("inline policy {POLICY_NAME}"), "document": deny_all()})];
        writes.extend(active.iter().map(|key| json!({"set_inactive": format!("access key {key}")})));
        let mut warnings = Vec::new();
        if now.login_profile {
            writes.push(json!({"delete": "console password"}));
            warnings
                .push(format!("the console password of {} cannot be put back: it has to be set anew", self.user.name));
        }
        let standing = if is_shut_out(&now) { Standing::InPlace } else { Standing::Unknown };
        Ok(Checked { facts: facts(writes, warnings), standing })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let now = look(cx, &self.user.name).await?;
        if let Some(StepError { cause, hint, .. }) = foreign(&now, &self.user.name) {
            return Ok(Seen::Conflict { cause, hint });
        }
        Ok(if is_shut_out(&now) { Seen::Done(self.output(cx)) } else { Seen::Absent })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let (session, name) = (&cx.world.aws, self.user.name.as_str());
        may_shut_out(cx, &self.principal(cx), &self.user.break_glass).await?;
        let now = look(cx, name).await?;
        if let Some(error) = foreign(&now, name) {
            return Err(error);
        }
        let before = noted::<UserBefore>(cx).map_or_else(|| now.clone(), |noted| noted.with(&now));
        note(cx, &before).await?;
        iam::put_user_policy(session, name, POLICY_NAME, &deny_all().to_string()).await?;
        for key in now.keys.iter().filter(|(_, active)| **active).map(|(key, _)| key) {
            iam::set_key(session, name, key, false).await?;
        }
        if now.login_profile {
            iam::delete_login_profile(session, name).await?;
        }
        Ok(self.output(cx))
    }

    async fn verify(&self, cx: &Cx, _: &Output) -> Result<(), StepError> {
        match is_shut_out(&look(cx, &self.user.name).await?) {
            true => Ok(()),
            false => Err(StepError::check_failed(format!("user {} is not shut out", self.user.name))),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("lifeboat contain ENV --undo RUN; a console password has to be set anew".into())
    }
}

impl ContainUser {
    fn output(&self, cx: &Cx) -> Output {
        json!({"user": self.user.name, "changed": cx.noted(super::contained::BEFORE).is_some()})
    }
}

impl ReleaseUser {
    /// What is not yet as it was: the policy, and keys.
    fn left(&self, now: &UserBefore) -> (bool, Vec<String>) {
        let keys = self.before.keys.iter().filter(|(key, was)| **was && now.keys.get(*key) == Some(&false));
        (now.policy != self.before.policy, keys.map(|(key, _)| key.clone()).collect())
    }

    fn output(&self, now: &UserBefore) -> Output {
        let gone: Vec<&String> = self.before.keys.keys().filter(|key| !now.keys.contains_key(*key)).collect();
        let password = (self.before.login_profile && !now.login_profile)
            .then(|| format!("set it anew: aws iam create-login-profile --user-name {}", self.user.name));
        json!({"user": self.user.name, "console_password": password, "keys_deleted_since": gone, "changed": true})
    }
}

#[async_trait]
impl Step for ReleaseUser {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let now = look(cx, &self.user.name).await.map_err(blocked)?;
        if let Some(error) = foreign(&now, &self.user.name) {
            return Err(blocked(error));
        }
        let (policy, keys) = self.left(&now);
        let mut writes: Vec<Value> = Vec::new();
        if policy {
            writes.push(match &self.before.policy {
                Some(text) => json!({"put": format!("inline policy {POLICY_NAME}"), "document": text}),
                None => json!({"delete": format!("inline policy {POLICY_NAME}")}),
            });
        }
        writes.extend(keys.iter().map(|key| json!({"set_active": format!("access key {key}")})));
        let standing = if writes.is_empty() { Standing::InPlace } else { Standing::Unknown };
        Ok(Checked { facts: facts(writes, Vec::new()), standing })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let now = look(cx, &self.user.name).await?;
        if let Some(StepError { cause, hint, .. }) = foreign(&now, &self.user.name) {
            return Ok(Seen::Conflict { cause, hint });
        }
        let (policy, keys) = self.left(&now);
        Ok(if policy || !keys.is_empty() { Seen::Absent } else { Seen::Done(self.output(&now)) })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let (session, name) = (&cx.world.aws, self.user.name.as_str());
        let now = look(cx, name).await?;
        let (policy, keys) = self.left(&now);
        for key in keys {
            iam::set_key(session, name, &key, true).await?;
        }
        match (policy, &self.before.policy) {
            (false, _) => {}
            (true, Some(text)) => iam::put_user_policy(session, name, POLICY_NAME, text).await?,
            (true, None) => iam::delete_user_policy(session, name, POLICY_NAME).await?,
        }
        Ok(self.output(&now))
    }

    async fn verify(&self, cx: &Cx, _: &Output) -> Result<(), StepError> {
        let (policy, keys) = self.left(&look(cx, &self.user.name).await?);
        match policy || !keys.is_empty() {
            false => Ok(()),
            true => Err(StepError::check_failed(format!("user {} is not as it was before", self.user.name))),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("lifeboat contain ENV shuts it out again".into())
    }
}
