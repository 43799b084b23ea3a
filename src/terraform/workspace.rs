//! Terraform initialized, and its workspace chosen. Both are skipped where they are found done.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::calls::text;
use super::prepare::{Ready, digest_of, read_mark, write_mark};
use super::workdir::{Observer, Workdir};
use super::{TerraformError, args, stage};

/// Written when `init` has succeeded, and again when the workspace is chosen.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct InitMark {
    /// Over binary, staged files and backend arguments.
    inputs: String,
    /// Of the dependency lock file, as `init` left it.
    lock_file: Option<String>,
    /// Of the list of installed modules.
    modules: Option<String>,
    /// `None` before it is chosen.
    pub workspace: Option<String>,
    created: bool,
}

impl Workdir {
    /// Runs `init`, unless that has been done with the same inputs and is still there: it hashes every provider again.
    pub(super) async fn init(
        &self,
        ready: &Ready,
        inputs: String,
        backend: &[PathBuf],
        observer: &dyn Observer,
    ) -> Result<InitMark, TerraformError> {
        let path = self.path("init.json");
        let before: Option<InitMark> = read_mark(&path);
        let marks = |workspace, created| InitMark {
            inputs: inputs.clone(),
            lock_file: digest_of(&ready.root.join(".terraform.lock.hcl")),
            modules: digest_of(&ready.data.join("modules/modules.json")),
            workspace,
            created,
        };
        let created_before = before.as_ref().is_some_and(|it| it.created);
        let same = before.filter(|before| *before == marks(before.workspace.clone(), before.created));
        if let Some(before) = same.filter(|_| ready.data.join("terraform.tfstate").is_file()) {
            return Ok(before);
        }
        stage::remove(&path)?;
        // A workspace chosen in an earlier attempt would make `init` ask about it.
        stage::remove(&ready.data.join("environment"))?;
        observer.status("terraform init");
        let config: Vec<&Path> = backend.iter().map(PathBuf::as_path).collect();
        let args = args::init(self.binary()?.product, &config, self.manifest.terraform.lock_timeout);
        self.follow(ready, "init", args, &[0], observer).await?;
        let mark = marks(None, created_before);
        write_mark(&path, &mark)?;
        Ok(mark)
    }

    /// Sees to it that Terraform is in the recovery region's workspace, and says whether that was made by this run.
    pub(super) async fn placed(
        &self,
        ready: &Ready,
        mark: InitMark,
        observer: &dyn Observer,
    ) -> Result<bool, TerraformError> {
        let workspace = &self.manifest.recovery.workspace;
        if mark.workspace.as_ref() == Some(workspace) {
            self.assert_workspace(ready).await?;
            return Ok(mark.created);
        }
        let there = self.has_workspace(ready).await?;
        if there {
            self.select(ready, observer).await?;
        } else {
            let args = args::workspace_new(workspace, self.manifest.terraform.lock_timeout);
            self.follow(ready, "workspace-new", args, &[0], observer).await?;
        }
        self.assert_workspace(ready).await?;
        self.chosen(mark, !there)
    }

    /// Whether the recovery region's workspace is in the list, which was read without error.
    pub(super) async fn has_workspace(&self, ready: &Ready) -> Result<bool, TerraformError> {
        let listed = self.read(ready, "workspace-list", args::workspace_list(), |it| text(it, 1 << 24));
        let listed = listed.await?.map_err(|source| TerraformError::Run { verb: "workspace list", source })?;
        let mut there = listed.lines().map(|line| line.trim_start_matches('*').trim());
        Ok(there.any(|name| name == self.manifest.recovery.workspace))
    }

    pub(super) async fn select(&self, ready: &Ready, observer: &dyn Observer) -> Result<(), TerraformError> {
        let args = args::workspace_select(&self.manifest.recovery.workspace);
        self.follow(ready, "workspace-select", args, &[0], observer).await.map(drop)
    }

    /// Remembers that the workspace is chosen. Says whether this run has made it, now or before.
    pub(super) fn chosen(&self, mark: InitMark, created: bool) -> Result<bool, TerraformError> {
        let created = created || mark.created;
        let workspace = Some(self.manifest.recovery.workspace.clone());
        write_mark(&self.path("init.json"), &InitMark { workspace, created, ..mark })?;
        Ok(created)
    }

    pub(super) async fn assert_workspace(&self, ready: &Ready) -> Result<(), TerraformError> {
        let wanted = &self.manifest.recovery.workspace;
        let shown = self.read(ready, "workspace-show", args::workspace_show(), |it| text(it, 1 << 16));
        let shown = shown.await?.map_err(|source| TerraformError::Run { verb: "workspace show", source })?;
        if shown.trim() == wanted {
            return Ok(());
        }
        Err(TerraformError::Workspace { wanted: wanted.clone(), found: shown.trim().to_owned() })
    }
}
