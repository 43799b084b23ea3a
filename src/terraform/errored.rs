//! States that Terraform could not save (`errored.tfstate`): kept, hashed, and in the way of every further plan and
//! apply until they have been pushed. Planning on without them would build everything a second time.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::TerraformError;
use super::prepare::Ready;
use super::stage::{self, hex};
use super::state::State;
use super::workdir::Workdir;

/// The name that Terraform gives it, in the folder that it runs in (Terraform: "Command: apply").
const ERRORED: &str = "errored.tfstate";

impl Workdir {
    /// Keeps the state that the last apply could not save, where it left one.
    pub(super) fn keep_unsaved(
        &self,
        ready: &Ready,
        failure: Option<&TerraformError>,
    ) -> Result<Option<TerraformError>, TerraformError> {
        let left = ready.root.join(ERRORED);
        let content = match fs::read(&left) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(stage::at(&left, "read")(error).into()),
        };
        let sha256 = hex(&Sha256::digest(&content));
        let kept = self.path("errored").join(format!("{}.tfstate", &sha256[..16]));
        stage::write(&kept, &content)?;
        stage::remove(&left)?;
        let cause = failure.map(|error| format!("{error}\n")).unwrap_or_default();
        Ok(Some(self.not_saved(ready, cause, kept, sha256)))
    }

    /// Passes where no state waits to be pushed. One whose lineage and serial the backend has reached was pushed.
    pub(super) async fn nothing_unsaved(&self, ready: &Ready) -> Result<(), TerraformError> {
        let dir = self.path("errored");
        let kept = fs::read_dir(&dir).map_err(stage::at(&dir, "read"))?.flatten().map(|it| it.path());
        let kept: Vec<PathBuf> = kept.filter(|path| path.extension().is_some_and(|it| it == "tfstate")).collect();
        if kept.is_empty() {
            return Ok(());
        }
        let now = self.pull(ready).await?;
        for path in kept {
            let content = fs::read(&path).map_err(stage::at(&path, "read"))?;
            let state = State::read(content.as_slice())?;
            if now.lineage != state.lineage || now.serial < state.serial {
                let sha256 = hex(&Sha256::digest(&content));
                return Err(self.not_saved(ready, String::new(), path, sha256));
            }
            let pushed = path.with_extension("tfstate.pushed");
            fs::rename(&path, &pushed).map_err(stage::at(&path, "renamed"))?;
        }
        Ok(())
    }

    fn not_saved(&self, ready: &Ready, cause: String, kept: PathBuf, sha256: String) -> TerraformError {
        let push = format!(
            "cd {} && TF_DATA_DIR={} {} state push {}",
            shell(&ready.root),
            shell(&self.path("data")),
            shell(&self.binary.path),
            shell(&kept)
        );
        TerraformError::StateNotSaved { cause, kept, sha256, push }
    }
}

/// A path as a word of a shell.
fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
