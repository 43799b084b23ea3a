//! Rotates a secret that may have been read: by its own rotation where it has one, else by a new random password.
//!
//! Once whatever happens: the new version's id is the step's token, noted before, and Secrets Manager makes one version of a
//! token.

use async_trait::async_trait;
use serde_json::json;

use super::contained::{blocked, facts};
use super::rotated::{Begun, begin, begun, by_its_own, cannot, not_rotated, output, proven, secret};
use super::{APPEARS, Blocked, Checked, Compensation, Cx, Output, Ready, Seen, Standing, Step, StepError, wait_until};
use crate::aws::secrets::{self, AWSCURRENT, Secret, SecretDetail};
use crate::rotation::{Unfit, Way, own_rotation, way, with_password};

/// The step `rotate.secret.NAME`.
pub struct RotateSecret {
    /// Name or ARN.
    pub secret: String,
}

#[async_trait]
impl Step for RotateSecret {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let detail = secret(cx, &self.secret).await.map_err(blocked)?;
        let facts = match self.way(cx, &detail).await.map_err(blocked)? {
            Way::Own(by) => facts(vec![json!({ "rotate": format!("{}, by {by}", self.what()) })], Vec::new()),
            Way::Password => facts(
                vec![json!({ "put": format!("a new random password into {}", self.what()) })],
                vec![format!("what {} opens is not told of the new password: tell it when this is done", self.what())],
            ),
            Way::Cannot(why) => cannot(&self.what(), &why),
        };
        Ok(Checked { facts, standing: Standing::Unknown })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let detail = secret(cx, &self.secret).await?;
        match begun(cx) {
            Some(begun) if begun.is_done(&detail) => Ok(Seen::Done(output(&self.secret, &begun, &detail))),
            Some(begun) if begun.is_put(&detail) => Ok(Seen::InProgress(format!("{} is being rotated", self.what()))),
            _ => Ok(match self.way(cx, &detail).await? {
                Way::Cannot(why) => Seen::Done(not_rotated(&self.what(), &why)),
                Way::Own(_) | Way::Password => Seen::Absent,
            }),
        }
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let detail = secret(cx, &self.secret).await?;
        let way = self.way(cx, &detail).await?;
        if let Way::Cannot(why) = &way {
            return Ok(not_rotated(&self.what(), why));
        }
        let begun = begin(cx, &detail, Vec::new()).await?;
        let detail = match way {
            _ if begun.is_done(&detail) => detail,
            Way::Own(by) => by_its_own(cx, &self.secret, &by, &begun).await?,
            Way::Password | Way::Cannot(_) => self.put(cx, &detail, &begun).await?,
        };
        Ok(output(&self.secret, &begun, &detail))
    }

    async fn verify(&self, cx: &Cx, output: &Output) -> Result<(), StepError> {
        proven(cx, &self.secret, output).await
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual(format!(
            "the version before is AWSPREVIOUS of secret {}, and may have been read: put it back only to gain time",
            self.secret
        ))
    }
}

impl RotateSecret {
    fn what(&self) -> String {
        format!("secret {}", self.secret)
    }

    /// How it is rotated. Its value is read only where that is asked for.
    async fn way(&self, cx: &Cx, detail: &SecretDetail) -> Result<Way, StepError> {
        let text = match own_rotation(detail) {
            Some(_) => None,
            None => current_text(cx, &self.secret, detail).await?,
        };
        Ok(way(detail, text.as_ref().map(Secret::reveal)))
    }

    async fn put(&self, cx: &Cx, detail: &SecretDetail, begun: &Begun) -> Result<SecretDetail, StepError> {
        let session = &cx.world.aws;
        let text =
            current_text(cx, &self.secret, detail).await?.ok_or_else(|| unfit(&self.secret, Unfit::NoPassword))?;
        let password = secrets::random_password(session).await?;
        let new = with_password(text.reveal(), password.reveal()).map_err(|why| unfit(&self.secret, why))?;
        let put = secrets::put(session, &self.secret, &begun.token, &Secret::new(new), AWSCURRENT).await;
        let lost = matches!(&put, Err(error) if error.is("ResourceExistsException"));
        if !lost {
            put?;
        }
        wait_until(cx, &self.what(), APPEARS, async || {
            let detail = secret(cx, &self.secret).await?;
            Ok(if begun.is_done(&detail) { Ready::Yes(detail) } else { Ready::NotYet("not changed yet".to_owned()) })
        })
        .await
    }
}

/// The text that everybody reads.
pub(super) async fn current_text(cx: &Cx, name: &str, detail: &SecretDetail) -> Result<Option<Secret>, StepError> {
    match detail.current() {
        Some(version) => Ok(secrets::version_text(&cx.world.aws, name, version).await?),
        None => Ok(None),
    }
}

pub(super) fn unfit(name: &str, why: Unfit) -> StepError {
    StepError::conflict(format!("secret {name} cannot take what is new: {}", why.why()))
        .hint("it has become another since the run was checked: look at it, then retry the step")
}
