//! Rotates the access keys of an IAM user that is kept: a new one is stored in a secret, and all others are set inactive. None is
//! deleted that anybody may have had.
//!
//! IAM tells the secret half of a key once, and its request has no token. A key of this run whose reply was lost, or that could
//! not be stored, is nobody's: it has come since this step noted the keys of before and was never used. It is deleted, because
//! a user has no more than two, and another one is made.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::json;

use super::contained::{blocked, facts};
use super::rotate_secret::{current_text, unfit};
use super::rotated::{Begun, begin, begun, cannot, not_rotated, secret};
use super::{APPEARS, Blocked, Checked, Compensation, Cx, Output, Ready, Seen, Standing, Step, StepError, wait_until};
use crate::aws::iam;
use crate::aws::secrets::{self, AWSCURRENT, Secret, SecretDetail};
use crate::containment::{Kind, Principal};
use crate::rotation::{KeyRotation, key_id, own_rotation, with_access_key};

/// The name under which the id of a new key is noted as soon as it is known.
const KEY: &str = "key";
/// How many access keys a user can have (IAM User Guide: "IAM and AWS STS quotas").
const MOST: usize = 2;

/// The step `rotate.user.NAME`.
pub struct RotateKeys {
    pub rotation: KeyRotation,
}

/// How it stands.
struct Look {
    /// Whether each key is active.
    keys: BTreeMap<String, bool>,
    secret: SecretDetail,
    /// The key of this step that is stored.
    stored: Option<String>,
}

impl Look {
    fn others<'a>(&'a self, own: &'a str) -> impl Iterator<Item = &'a String> {
        self.keys.iter().filter(move |(key, active)| **active && *key != own).map(|(key, _)| key)
    }

    /// Whether any key works. Where none does, a new one would let somebody in who is out.
    fn opens(&self) -> bool {
        self.keys.values().any(|active| *active)
    }

    fn own(&self) -> Option<&str> {
        self.stored.as_deref()
    }

    fn is_done(&self) -> bool {
        let Some(own) = self.own() else { return false };
        self.keys.get(own) == Some(&true) && self.others(own).next().is_none()
    }
}

#[async_trait]
impl Step for RotateKeys {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        self.may(cx).await.map_err(blocked)?;
        let KeyRotation { user, secret: name } = &self.rotation;
        let look = self.look(cx).await.map_err(blocked)?;
        self.fits(cx, &look).await.map_err(blocked)?;
        if !look.opens() {
            return Ok(Checked { facts: cannot(&self.what(), NONE), standing: Standing::Unknown });
        }
        if look.keys.len() >= MOST {
            let unused = look.keys.iter().find(|(_, active)| !**active).map_or("KEY", |(key, _)| key.as_str());
            return Err(Blocked {
                cause: format!("user {user} has {} access keys, and IAM makes no third", look.keys.len()),
                hint: Some(format!(
                    "delete one that nobody uses (aws iam delete-access-key --user-name {user} --access-key-id {unused}), or leave \
                     the user out of the rotation block"
                )),
            });
        }
        let mut writes = vec![json!({ "create": format!("an access key of user {user}, stored in secret {name}") })];
        writes.extend(look.others("").map(|key| json!({ "set_inactive": format!("access key {key}") })));
        let warning =
            format!("whoever works as user {user} has to read secret {name} again: the old key stops working");
        Ok(Checked { facts: facts(writes, vec![warning]), standing: Standing::Unknown })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let look = self.look(cx).await?;
        match begun(cx) {
            Some(_) if look.is_done() => Ok(Seen::Done(self.output(&look))),
            Some(_) if look.stored.is_some() => {
                Ok(Seen::InProgress(format!("{}: the old ones are active", self.what())))
            }
            None if !look.opens() => Ok(Seen::Done(not_rotated(&self.what(), NONE))),
            _ => Ok(Seen::Absent),
        }
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        self.may(cx).await?;
        let mut look = self.look(cx).await?;
        if begun(cx).is_none() && !look.opens() {
            return Ok(not_rotated(&self.what(), NONE));
        }
        let begun = begin(cx, &look.secret, look.keys.keys().cloned().collect()).await?;
        if look.stored.is_none() {
            self.clear(cx, &look, &begun).await?;
            self.make(cx, &look, &begun).await?;
            look = self.until(cx, |look| look.own().is_some_and(|own| look.keys.contains_key(own))).await?;
        }
        let own = look.own().unwrap_or_default().to_owned();
        if look.keys.get(&own) != Some(&true) {
            return Err(StepError::conflict(format!(
                "access key {own}, which is stored, is not an active one of the user"
            ))
            .hint("see in CloudTrail who changed it; set it active, or start a new run"));
        }
        for key in look.others(&own) {
            iam::set_key(&cx.world.aws, &self.rotation.user, key, false).await?;
        }
        Ok(self.output(&self.until(cx, Look::is_done).await?))
    }

    async fn verify(&self, cx: &Cx, output: &Output) -> Result<(), StepError> {
        if output["rotated"] == false || self.look(cx).await?.is_done() {
            return Ok(());
        }
        Err(StepError::check_failed(format!(
            "user {} has other active keys than the one that is stored",
            self.rotation.user
        ))
        .hint("find out who made or switched one on, then retry the step"))
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual(format!(
            "set the old key active: aws iam update-access-key --user-name {} --status Active; it may have been read",
            self.rotation.user
        ))
    }
}

const NONE: &str = "the user has no active one, and gets none";

impl RotateKeys {
    fn what(&self) -> String {
        format!("access keys of user {}", self.rotation.user)
    }

    /// Whoever runs this may not take the key away that it works with.
    async fn may(&self, cx: &Cx) -> Result<(), StepError> {
        let caller = cx.world.aws.caller().await?;
        let own = Principal::new(&cx.world.manifest.account, Kind::User, &self.rotation.user);
        match Principal::parse(&caller.arn) {
            Some(it) if it == own => {
                Err(StepError::conflict(format!("{own} is the caller of lifeboat: {}", caller.arn))
                    .hint("its key would stop working in the middle: run this as somebody else, or leave the user out"))
            }
            _ => Ok(()),
        }
    }

    async fn look(&self, cx: &Cx) -> Result<Look, StepError> {
        let KeyRotation { user, secret: name } = &self.rotation;
        let session = &cx.world.aws;
        if !iam::user_exists(session, user).await? {
            return Err(StepError::conflict(format!("there is no user {user}"))
                .hint("correct the rotation block of the manifest"));
        }
        let keys = iam::keys(session, user).await?;
        let secret = secret(cx, name).await?;
        let stored = match begun(cx).filter(|begun| begun.is_put(&secret)) {
            Some(begun) => secrets::version_text(session, name, &begun.token).await?,
            None => None,
        };
        Ok(Look { keys, secret, stored: stored.and_then(|text| key_id(text.reveal())) })
    }

    /// Waits until IAM and Secrets Manager tell what they have accepted: both may lag behind a moment.
    async fn until(&self, cx: &Cx, is: impl Fn(&Look) -> bool) -> Result<Look, StepError> {
        wait_until(cx, &self.what(), APPEARS, async || {
            let look = self.look(cx).await?;
            Ok(if is(&look) { Ready::Yes(look) } else { Ready::NotYet("not changed yet".to_owned()) })
        })
        .await
    }

    /// Whether the secret can take a key.
    async fn fits(&self, cx: &Cx, look: &Look) -> Result<(), StepError> {
        let name = &self.rotation.secret;
        if let Some(by) = own_rotation(&look.secret) {
            return Err(StepError::conflict(format!("secret {name} is rotated by {by}"))
                .hint("name it under `secrets` of the rotation block instead"));
        }
        let text = current_text(cx, name, &look.secret).await?;
        if look.secret.current().is_some() && text.is_none() {
            return Err(StepError::conflict(format!("secret {name} is binary")).hint("name another secret"));
        }
        with_access_key(text.as_ref().map(Secret::reveal), "", "").map(drop).map_err(|unfit| {
            StepError::conflict(format!("secret {name} is not overwritten: {}", unfit.why())).hint(
                "name a secret that has no value yet, {} as its value, or JSON with access_key_id and secret_access_key",
            )
        })
    }

    /// Deletes what this step has made and could not store.
    async fn clear(&self, cx: &Cx, look: &Look, begun: &Begun) -> Result<(), StepError> {
        let (session, user) = (&cx.world.aws, &self.rotation.user);
        for key in look.keys.keys().filter(|key| !begun.keys.contains(key)) {
            let known = cx.noted(KEY).is_some_and(|noted| noted == json!(key));
            if !known && iam::was_used(session, key).await? {
                return Err(StepError::conflict(format!(
                    "access key {key} of user {user} has come meanwhile, and was used"
                ))
                .hint(
                    "it is not this run's: see in CloudTrail who made it, set it inactive or delete it, then retry",
                ));
            }
            iam::delete_key(session, user, key).await?;
        }
        Ok(())
    }

    async fn make(&self, cx: &Cx, look: &Look, begun: &Begun) -> Result<(), StepError> {
        let (session, name) = (&cx.world.aws, &self.rotation.secret);
        self.fits(cx, look).await?;
        let text = current_text(cx, name, &look.secret).await?;
        let (id, half) = match iam::create_key(session, &self.rotation.user).await {
            // A request of ours may have been sent again after its reply was lost.
            Err(error) if error.is_any(&["LimitExceeded", "LimitExceededException"]) => {
                self.clear(cx, &self.look(cx).await?, begun).await?;
                iam::create_key(session, &self.rotation.user).await?
            }
            made => made?,
        };
        cx.note(KEY, json!(id)).await?;
        let new =
            with_access_key(text.as_ref().map(Secret::reveal), &id, half.reveal()).map_err(|why| unfit(name, why))?;
        Ok(secrets::put(session, name, &begun.token, &Secret::new(new), AWSCURRENT).await?)
    }

    fn output(&self, look: &Look) -> Output {
        let inactive: Vec<&String> = look.keys.iter().filter(|(_, active)| !**active).map(|(key, _)| key).collect();
        json!({
            "user": self.rotation.user,
            "secret": self.rotation.secret,
            "rotated": true,
            "key": look.stored,
            "inactive": inactive,
        })
    }
}
