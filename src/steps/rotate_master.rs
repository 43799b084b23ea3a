//! Rotates the password of an Aurora cluster's master user. Where RDS manages it, RDS does. Else the new one is written into the
//! secret as its pending version, then given to the cluster, and only then becomes the one that everybody reads: at no time is
//! there a password that nobody has.
//!
//! The same again is harmless: the pending version is this step's own by its token, and the password is the one in it.

use async_trait::async_trait;
use serde_json::json;

use super::contained::{blocked, facts};
use super::rotate_secret::{current_text, unfit};
use super::rotated::{Begun, begin, begun, by_its_own, cannot, not_rotated, output, proven, secret};
use super::{Blocked, Checked, Compensation, Cx, Output, Ready, SETTLES, Seen, Standing, Step, StepError, wait_until};
use crate::aws::rds::{self, Master};
use crate::aws::secrets::{self, AWSPENDING, Secret, SecretDetail};
use crate::rotation::{MasterRotation, Unfit, own_rotation, password, username, with_password};

/// The step `rotate.cluster.ID`.
pub struct RotateMaster {
    pub rotation: MasterRotation,
}

/// Which secret holds the login, and who changes it.
enum Keeper {
    /// Its own rotation, in words.
    Own {
        secret: String,
        by: String,
    },
    /// Lifeboat.
    Named {
        secret: String,
    },
    Nobody(String),
}

#[async_trait]
impl Step for RotateMaster {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let keeper = self.keeper(cx).await.map_err(blocked)?;
        let what = self.what();
        let facts = match keeper {
            Keeper::Own { secret, by } => {
                facts(vec![json!({ "rotate": format!("{what}, secret {secret}, by {by}") })], vec![])
            }
            Keeper::Named { secret } => facts(
                vec![
                    json!({ "put": format!("a new random password into secret {secret}, as its pending version") }),
                    json!({ "set": what }),
                    json!({ "move": format!("AWSCURRENT of secret {secret} to it") }),
                ],
                vec![format!(
                    "whoever logs in as the master user of cluster {} has to read the secret again",
                    self.rotation.cluster
                )],
            ),
            Keeper::Nobody(why) => cannot(&what, &why),
        };
        Ok(Checked { facts, standing: Standing::Unknown })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let keeper = self.keeper(cx).await?;
        let name = match &keeper {
            Keeper::Nobody(why) => return Ok(Seen::Done(not_rotated(&self.what(), why))),
            Keeper::Own { secret, .. } | Keeper::Named { secret } => secret,
        };
        let detail = secret(cx, name).await?;
        let Some(begun) = begun(cx) else { return Ok(Seen::Absent) };
        let own = matches!(keeper, Keeper::Own { .. });
        if !own && let Some(error) = foreign(name, &begun, &detail) {
            return Ok(Seen::Conflict { cause: error.cause, hint: error.hint });
        }
        Ok(match begun.is_done(&detail) {
            true => Seen::Done(output(name, &begun, &detail)),
            false if begun.is_put(&detail) => Seen::InProgress(format!("{} is being rotated", self.what())),
            false => Seen::Absent,
        })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let keeper = self.keeper(cx).await?;
        let name = match &keeper {
            Keeper::Nobody(why) => return Ok(not_rotated(&self.what(), why)),
            Keeper::Own { secret, .. } | Keeper::Named { secret } => secret,
        };
        let detail = secret(cx, name).await?;
        let begun = begin(cx, &detail, Vec::new()).await?;
        let detail = match &keeper {
            Keeper::Own { by, .. } => by_its_own(cx, name, by, &begun).await?,
            _ => self.give(cx, name, detail, &begun).await?,
        };
        Ok(output(name, &begun, &detail))
    }

    async fn verify(&self, cx: &Cx, output: &Output) -> Result<(), StepError> {
        let Some(name) = output["secret"].as_str() else { return Ok(()) };
        proven(cx, name, output).await?;
        let master = self.master(cx).await?;
        match master.pending {
            false => Ok(()),
            true => Err(StepError::check_failed(format!("{} is not in force yet", self.what())).hint("retry the step")),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual(format!(
            "the secret's version before is AWSPREVIOUS: aws rds modify-db-cluster --db-cluster-identifier {} gives the cluster its \
             password again, which may have been read",
            self.rotation.cluster
        ))
    }
}

impl RotateMaster {
    fn what(&self) -> String {
        format!("the master user's password of cluster {}", self.rotation.cluster)
    }

    async fn master(&self, cx: &Cx) -> Result<Master, StepError> {
        let cluster = &self.rotation.cluster;
        rds::master(&cx.world.aws, cluster).await?.ok_or_else(|| {
            StepError::conflict(format!("there is no cluster {cluster} in {}", cx.world.aws.region()))
                .hint("correct the rotation block of the manifest, or give --region")
        })
    }

    async fn keeper(&self, cx: &Cx) -> Result<Keeper, StepError> {
        let master = self.master(cx).await?;
        if let Some(secret) = master.managed {
            return Ok(Keeper::Own { secret, by: "RDS, which manages it".to_owned() });
        }
        let Some(name) = self.rotation.secret.clone() else {
            return Ok(Keeper::Nobody("no secret is named that a new one could be written to".to_owned()));
        };
        let detail = secret(cx, &name).await?;
        if let Some(by) = own_rotation(&detail) {
            return Ok(Keeper::Own { secret: name, by });
        }
        // What was begun is gone on with, whatever the secret holds by now.
        if begun(cx).is_some() {
            return Ok(Keeper::Named { secret: name });
        }
        let Some(text) = current_text(cx, &name, &detail).await? else {
            return Ok(Keeper::Nobody(format!("secret {name} is binary, or has no value")));
        };
        if let (Some(of), Some(user)) = (username(text.reveal()), &master.user)
            && of != *user
        {
            let cluster = &self.rotation.cluster;
            return Err(StepError::conflict(format!("secret {name} is not the master user's of cluster {cluster}"))
                .hint(format!("the master user is {user}; name its secret in the rotation block")));
        }
        Ok(match with_password(text.reveal(), "x") {
            Ok(_) => Keeper::Named { secret: name },
            Err(unfit) => Keeper::Nobody(format!("secret {name}: {}", unfit.why())),
        })
    }

    /// Writes, sets and moves, each unless it is done.
    async fn give(&self, cx: &Cx, name: &str, detail: SecretDetail, begun: &Begun) -> Result<SecretDetail, StepError> {
        if let Some(error) = foreign(name, begun, &detail) {
            return Err(error);
        }
        if begun.is_done(&detail) {
            return Ok(detail);
        }
        let session = &cx.world.aws;
        if !begun.is_put(&detail) {
            let text = current_text(cx, name, &detail).await?.ok_or_else(|| unfit(name, Unfit::NoPassword))?;
            let random = secrets::random_password(session).await?;
            let new = with_password(text.reveal(), random.reveal()).map_err(|why| unfit(name, why))?;
            match secrets::put(session, name, &begun.token, &Secret::new(new), AWSPENDING).await {
                Ok(()) => {}
                // The answer to a request of ours whose reply was lost.
                Err(error) if error.is("ResourceExistsException") => {}
                Err(error) => return Err(error.into()),
            }
        }
        // What was put is what counts: of two attempts the first one's value stands.
        let written = secrets::version_text(session, name, &begun.token).await?;
        let new = written.as_ref().and_then(|text| password(text.reveal())).map(Secret::new);
        let new = new.ok_or_else(|| {
            StepError::failed(format!("the pending version {} of secret {name} is gone", begun.token))
                .hint("see in CloudTrail who took it away, then retry the step")
        })?;
        self.set(cx, &new).await?;
        let from = secret(cx, name).await?.current().map(str::to_owned);
        if from.as_deref() != Some(&begun.token) {
            let moved = secrets::move_current(session, name, from.as_deref(), &begun.token).await;
            // It may be the answer to a request of ours whose reply was lost, and that was sent again.
            if let Err(error) = moved
                && !begun.is_done(&secret(cx, name).await?)
            {
                return Err(error.into());
            }
        }
        wait_until(cx, &format!("secret {name}"), SETTLES, async || {
            let detail = secret(cx, name).await?;
            Ok(if begun.is_done(&detail) { Ready::Yes(detail) } else { Ready::NotYet("not changed yet".to_owned()) })
        })
        .await
    }

    /// Gives the password to the cluster, and waits until it is in force.
    async fn set(&self, cx: &Cx, new: &Secret) -> Result<(), StepError> {
        let (session, cluster, what) = (&cx.world.aws, &self.rotation.cluster, self.what());
        wait_until(cx, &what, SETTLES, async || match rds::set_master_password(session, cluster, new).await {
            Ok(()) => Ok(Ready::Yes(())),
            Err(error) if error.is_any(&["InvalidDBClusterStateFault", "InvalidDBClusterState"]) => {
                Ok(Ready::NotYet("waiting for a cluster that is available".to_owned()))
            }
            Err(error) => Err(error.into()),
        })
        .await?;
        wait_until(cx, &what, SETTLES, async || {
            let master = self.master(cx).await?;
            let set = master.status == "available" && !master.pending;
            Ok(if set { Ready::Yes(()) } else { Ready::NotYet(master.status) })
        })
        .await
    }
}

/// Somebody else's version that has become the current one meanwhile: what the cluster's password is then is not known.
fn foreign(name: &str, begun: &Begun, detail: &SecretDetail) -> Option<StepError> {
    let current = detail.current()?;
    let known = current == begun.token || begun.before.as_deref() == Some(current);
    (!known).then(|| {
        StepError::conflict(format!("secret {name} was changed by somebody else while it was being rotated")).hint(
            "see in CloudTrail who put it; where that is the cluster's password, skip the step, else start a new run",
        )
    })
}
