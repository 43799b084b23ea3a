//! States that Terraform could not save (`errored.tfstate`): kept, hashed, and in the way of every further plan and
//! apply until the backend has them or the operator gives them up. Planning on without them would build everything a
//! second time.
//!
//! The backend has a kept state when it holds that very state: same lineage, same content. Its serial may be one more:
//! Terraform counts a push. A higher serial alone proves nothing; somebody else may have applied there meanwhile.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::lock::LockInfo;
use super::prepare::Ready;
use super::stage::{self, hex};
use super::state::State;
use super::workdir::{Observer, Workdir};
use super::{TerraformError, args};
use crate::journal::{Event, KeptState, RunState};

/// The name that Terraform gives it, in the folder that it runs in (Terraform: "Command: apply").
const ERRORED: &str = "errored.tfstate";
/// Endings of kept states that are in nobody's way any more.
const PUSHED: &str = "tfstate.pushed";
const DISCARDED: &str = "tfstate.discarded";

/// What becomes of a state that could not be saved, or of its lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Custody {
    Kept(KeptState),
    /// Found in the backend, or put there.
    Pushed(KeptState),
    /// Intent: the lock that a Terraform of this run has left behind is taken away.
    Unlocking(Box<LockInfo>),
}

impl Custody {
    /// The events that tell it, after what a journal knows already.
    pub fn events(&self, known: &RunState) -> Vec<Event> {
        let kept = match self {
            Self::Kept(kept) | Self::Pushed(kept) => kept,
            Self::Unlocking(lock) => {
                let (id, held_by, by) = (lock.id.clone(), lock.who.clone(), "lifeboat".to_owned());
                return vec![Event::StateUnlocking { id, held_by, by }];
            }
        };
        let new = (!known.unsaved.contains_key(&kept.sha256)).then(|| Event::StateKept(kept.clone()));
        let pushed = matches!(self, Self::Pushed(_)).then(|| Event::StatePushed {
            sha256: kept.sha256.clone(),
            lineage: kept.lineage.clone(),
            serial: kept.serial,
        });
        new.into_iter().chain(pushed).collect()
    }
}

/// How a kept state stands to the backend's.
enum Standing {
    Reached,
    /// It may be pushed.
    Behind,
    Refused(TerraformError),
}

impl Workdir {
    /// Keeps the state that the last apply could not save, where it left one.
    pub(super) fn keep_unsaved(
        &self,
        ready: &Ready,
        failure: Option<&TerraformError>,
        observer: &dyn Observer,
    ) -> Result<Option<TerraformError>, TerraformError> {
        let Some(kept) = self.keep_left(&ready.root, observer)? else { return Ok(None) };
        let cause = failure.map(|error| format!("{error}\n")).unwrap_or_default();
        Ok(Some(self.not_saved(cause, kept)))
    }

    /// Takes the state that Terraform left in `root` into custody.
    pub(super) fn keep_left(&self, root: &Path, observer: &dyn Observer) -> Result<Option<KeptState>, TerraformError> {
        let left = root.join(ERRORED);
        let content = match fs::read(&left) {
            Ok(content) => content,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(stage::at(&left, "read")(error).into()),
        };
        let sha256 = hex(&Sha256::digest(&content));
        let path = self.path("errored").join(format!("{}.tfstate", &sha256[..16]));
        stage::write(&path, &content)?;
        stage::remove(&left)?;
        let kept = kept(path)?.1;
        observer.custody(&Custody::Kept(kept.clone()));
        Ok(Some(kept))
    }

    /// Passes where no state waits to be pushed. One that the backend has was pushed.
    pub(super) async fn nothing_unsaved(&self, ready: &Ready, observer: &dyn Observer) -> Result<(), TerraformError> {
        // Left by a Terraform whose lifeboat did not live to see it end.
        self.keep_left(&ready.root, observer)?;
        for (content, kept) in in_custody(&self.path("errored"))? {
            match self.standing(ready, &content, &kept).await? {
                Standing::Reached => self.release(&kept, observer)?,
                Standing::Behind | Standing::Refused(_) => {
                    observer.custody(&Custody::Kept(kept.clone()));
                    return Err(self.not_saved(String::new(), kept));
                }
            }
        }
        Ok(())
    }

    /// Pushes the states in custody, oldest first, and returns what the backend has now of them.
    ///
    /// # Errors
    /// A backend that holds another lineage, a higher serial, or another state of the same serial; Terraform's own.
    pub async fn push_unsaved(&self, observer: &dyn Observer) -> Result<Vec<KeptState>, TerraformError> {
        let ready = self.ready(observer).await?;
        self.keep_left(&ready.root, observer)?;
        let mut pushed = Vec::new();
        for (content, kept) in in_custody(&self.path("errored"))? {
            match self.standing(&ready, &content, &kept).await? {
                Standing::Reached => {}
                Standing::Refused(error) => return Err(error),
                Standing::Behind => {
                    let args = args::state_push(&kept.path, self.manifest.terraform.lock_timeout);
                    self.follow(&ready, "state-push", args, &[0], observer).await?;
                    if !matches!(self.standing(&ready, &content, &kept).await?, Standing::Reached) {
                        return Err(self.not_saved("the backend took it and does not hold it\n".into(), kept));
                    }
                }
            }
            self.release(&kept, observer)?;
            pushed.push(kept);
        }
        Ok(pushed)
    }

    fn release(&self, kept: &KeptState, observer: &dyn Observer) -> Result<(), TerraformError> {
        observer.custody(&Custody::Pushed(kept.clone()));
        rename(&kept.path, PUSHED)
    }

    async fn standing(&self, ready: &Ready, content: &[u8], kept: &KeptState) -> Result<Standing, TerraformError> {
        let pulled = self.read(ready, "state-pull", args::state_pull(), |output| {
            let mut bytes = Vec::new();
            output.read_to_end(&mut bytes).map(|_| bytes)
        });
        let now = pulled.await?.map_err(|source| TerraformError::Run { verb: "state pull", source })?;
        let state = State::read(now.as_slice())?;
        let refused = |why: &'static str| {
            Standing::Refused(TerraformError::NotPushed {
                why,
                kept: Box::new(kept.clone()),
                lineage: state.lineage.clone(),
                serial: state.serial,
                run: self.run(),
            })
        };
        Ok(if is_empty(&now) {
            Standing::Behind
        } else if state.lineage != kept.lineage {
            refused("the backend holds a state of another lineage")
        } else if state.serial < kept.serial {
            Standing::Behind
        } else if same(&now, content) {
            Standing::Reached
        } else if state.serial > kept.serial {
            refused("the backend holds a later state")
        } else {
            refused("the backend holds another state of the same serial")
        })
    }

    fn not_saved(&self, cause: String, kept: KeptState) -> TerraformError {
        TerraformError::StateNotSaved { cause, kept: Box::new(kept), run: self.run() }
    }

    /// The run's name, for commands that are told.
    pub(super) fn run(&self) -> String {
        self.run_dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The states that wait in a run's folder, by serial. Reads only.
///
/// # Errors
/// One of them cannot be read.
pub fn unsaved(run_dir: &Path) -> Result<Vec<KeptState>, TerraformError> {
    let dir = run_dir.join("terraform/errored");
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    Ok(in_custody(&dir)?.into_iter().map(|(_, kept)| kept).collect())
}

/// Takes a kept state out of the way of further plans. The file stays, under another name.
///
/// # Errors
/// It cannot be renamed.
pub fn discard(kept: &KeptState) -> Result<(), TerraformError> {
    rename(&kept.path, DISCARDED)
}

fn in_custody(dir: &Path) -> Result<Vec<(Vec<u8>, KeptState)>, TerraformError> {
    let there = fs::read_dir(dir).map_err(stage::at(dir, "read"))?.flatten().map(|it| it.path());
    let there = there.filter(|path| path.extension().is_some_and(|it| it == "tfstate"));
    let mut all = there.map(kept).collect::<Result<Vec<_>, _>>()?;
    all.sort_by_key(|(_, kept)| kept.serial);
    Ok(all)
}

/// Reads a kept state's file.
fn kept(path: PathBuf) -> Result<(Vec<u8>, KeptState), TerraformError> {
    let content = fs::read(&path).map_err(stage::at(&path, "read"))?;
    let State { lineage, serial, .. } = State::read(content.as_slice())?;
    let sha256 = hex(&Sha256::digest(&content));
    Ok((content, KeptState { path, sha256, lineage, serial }))
}

fn rename(path: &Path, ending: &str) -> Result<(), TerraformError> {
    fs::rename(path, path.with_extension(ending)).map_err(|error| stage::at(path, "renamed")(error).into())
}

/// Whether a state holds nothing at all. Terraform writes such a one, with a lineage of its own, as soon as it looks into
/// a workspace that is not there; any state may take its place.
fn is_empty(state: &[u8]) -> bool {
    let Ok(document) = serde_json::from_slice::<Value>(state) else {
        return state.trim_ascii().is_empty();
    };
    let none = |key: &str| match document.get(key) {
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(entries)) => entries.is_empty(),
        Some(Value::Null) | None => true,
        Some(_) => false,
    };
    none("resources") && none("outputs")
}

/// Whether two states hold the same, however they are laid out, whichever Terraform wrote them, and however often.
fn same(one: &[u8], other: &[u8]) -> bool {
    let read = |bytes: &[u8]| {
        let mut document: Value = serde_json::from_slice(bytes).ok()?;
        let fields = document.as_object_mut()?;
        fields.remove("terraform_version");
        fields.remove("serial");
        Some(document)
    };
    read(one).is_some_and(|one| Some(one) == read(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_compared_as_documents() {
        let one = br#"{"version":4,"terraform_version":"1.11.4","serial":3,"resources":[]}"#;
        assert!(same(one, b"{\n \"serial\": 4, \"version\": 4, \"resources\": [], \"terraform_version\": \"1.12\"}"));
        assert!(!same(one, br#"{"version":4,"serial":3,"resources":[{}]}"#));
        assert!(!same(b"", b""), "what is no state is not the same as another");
    }

    #[test]
    fn a_state_is_empty_only_without_resources_and_outputs() {
        assert!(is_empty(b"") && is_empty(b"\n"));
        assert!(is_empty(
            br#"{"version":4,"serial":1,"lineage":"x","outputs":{},"resources":[],"check_results":null}"#
        ));
        assert!(!is_empty(br#"{"version":4,"outputs":{},"resources":[{"mode":"data"}]}"#));
        assert!(!is_empty(br#"{"version":4,"outputs":{"a":{"value":1}},"resources":[]}"#));
        assert!(!is_empty(b"{\"version\":4,"), "half a state is not nothing");
    }
}
