//! A lock that was left behind: who holds it, and taking it away by its id.

use std::path::PathBuf;

use super::lock::LockInfo;
use super::prepare::Ready;
use super::workdir::{Observer, Workdir};
use super::{TerraformError, args, process};

impl Workdir {
    /// The log of a Terraform of this run that is still at work, where there is one.
    ///
    /// # Errors
    /// The folder of logs cannot be read.
    pub fn still_running(&self) -> Result<Option<PathBuf>, TerraformError> {
        let logs = self.path("log");
        if !logs.is_dir() {
            return Ok(None);
        }
        process::still_running(&logs).map_err(|source| TerraformError::Run { verb: "", source })
    }

    /// The lock that is held on the state, if any. Where it cannot be read, Terraform takes it and lets it go at once, or
    /// says who has it.
    ///
    /// # Errors
    /// AWS's or Terraform's own, other than that the lock is held.
    pub async fn held_lock(&self, observer: &dyn Observer) -> Result<Option<LockInfo>, TerraformError> {
        if let Some(lock) = &self.lock {
            return Ok(lock.held().await?);
        }
        let ready = self.ready(observer).await?;
        match self.followed(&ready, "untaint", args::ask_for_lock(), &[0], observer).await {
            Ok(_) => Ok(None),
            Err(TerraformError::Locked { lock, .. }) => Ok(Some(*lock)),
            Err(error) => Err(error),
        }
    }

    /// Takes the lock with that id away.
    ///
    /// # Errors
    /// Another lock is held, or none; AWS's or Terraform's own.
    pub async fn force_unlock(&self, id: &str, observer: &dyn Observer) -> Result<(), TerraformError> {
        if self.lock.is_some() {
            return self.remove(id).await;
        }
        let ready = self.ready(observer).await?;
        self.take_away(&ready, id, observer).await
    }

    pub(super) async fn take_away(
        &self,
        ready: &Ready,
        id: &str,
        observer: &dyn Observer,
    ) -> Result<(), TerraformError> {
        if self.lock.is_some() {
            return self.remove(id).await;
        }
        self.followed(ready, "force-unlock", args::force_unlock(id), &[0], observer).await.map(drop)
    }

    async fn remove(&self, id: &str) -> Result<(), TerraformError> {
        let Some(lock) = &self.lock else { return Ok(()) };
        if lock.remove(id).await? { Ok(()) } else { Err(TerraformError::OtherLock { id: id.to_owned() }) }
    }
}
