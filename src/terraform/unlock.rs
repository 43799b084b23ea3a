//! A lock that was left behind: who holds it, and taking it away by its id.

use std::path::PathBuf;

use super::lock::LockInfo;
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

    /// The lock that is held on the state, by Terraform's own words; for backends whose lock cannot be read otherwise.
    /// `None` where it could be taken, and was let go at once.
    ///
    /// # Errors
    /// Terraform's own, other than that the lock is held.
    pub async fn held_lock(&self, observer: &dyn Observer) -> Result<Option<LockInfo>, TerraformError> {
        let ready = self.ready(observer).await?;
        match self.follow(&ready, "untaint", args::ask_for_lock(), &[0], observer).await {
            Ok(_) => Ok(None),
            Err(TerraformError::Locked { lock, .. }) => Ok(Some(*lock)),
            Err(error) => Err(error),
        }
    }

    /// Takes the lock with that id away. Terraform refuses where another is held.
    ///
    /// # Errors
    /// Terraform's own.
    pub async fn force_unlock(&self, id: &str, observer: &dyn Observer) -> Result<(), TerraformError> {
        let ready = self.ready(observer).await?;
        self.follow(&ready, "force-unlock", args::force_unlock(id), &[0], observer).await.map(drop)
    }
}
