//! Making a work folder ready: staged, filled in, initialized, in its workspace (`workspace`). Each part is skipped where
//! it is found done, so that every operation can begin with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::generate::{self, GeneratedFile};
use super::overlay::{self, BACKEND_CONFIG, IMPORTS};
use super::regions::forget_questions;
use super::root::Root;
use super::source::Source;
use super::stage::{self, Layout, Staged, hex};
use super::workdir::{Observer, Unobserved, Workdir};
use super::workspace::InitMark;
use super::{TerraformError, process};
use crate::manifest::CommitRule;

/// How often an earlier lifeboat's Terraform is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A work folder in which Terraform can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The root in the staged copy.
    pub root: PathBuf,
    pub var_files: Vec<PathBuf>,
    /// Names of the variables that the root declares.
    pub declared: BTreeSet<String>,
    /// Whether this run made the workspace.
    pub created: bool,
    /// What was left out of the copy although Terraform may want it.
    pub left_out: Vec<PathBuf>,
    /// SHA-256, in hexadecimal, of the copy as it was staged.
    pub staged: String,
    /// Where that comes from.
    pub source: Source,
    /// `TF_DATA_DIR`
    pub(super) data: PathBuf,
}

/// Written when the copy is whole.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StagedMark {
    digest: String,
    left_out: Vec<PathBuf>,
    /// The root's place in `tree`.
    root: PathBuf,
    declared: BTreeSet<String>,
}

impl Workdir {
    /// Makes everything ready, or finds it so.
    ///
    /// # Errors
    /// A root that cannot be read or copied, or what Terraform says against it.
    pub async fn ready(&self, observer: &dyn Observer) -> Result<Ready, TerraformError> {
        let mut known = self.ready.lock().await;
        if let Some(ready) = known.as_ref() {
            return Ok(ready.clone());
        }
        let (mut ready, mark) = self.initialized(observer).await?;
        ready.created = self.placed(&ready, mark, observer).await?;
        *known = Some(ready.clone());
        Ok(ready)
    }

    /// A work folder that is staged, filled in and initialized; its workspace is chosen by [`Workdir::placed`].
    pub(super) async fn initialized(&self, observer: &dyn Observer) -> Result<(Ready, InitMark), TerraformError> {
        self.folders()?;
        self.wait_for_earlier(observer).await?;
        let mark = self.staged()?;
        let source = self.source(&mark.digest).await?;
        let mut ready = Ready {
            root: self.path("tree").join(&mark.root),
            var_files: Vec::new(),
            declared: mark.declared,
            created: false,
            left_out: mark.left_out,
            staged: mark.digest,
            source,
            data: self.path("data"),
        };
        let backend = self.generate(&mut ready)?;
        forget_questions(&ready.root)?;
        self.import(&ready, &BTreeMap::new())?;
        let inputs = self.inputs(&ready, &backend)?;
        let mark = self.init(&ready, inputs, &backend, observer).await?;
        Ok((ready, mark))
    }

    pub(super) fn folders(&self) -> Result<(), TerraformError> {
        for folder in ["", "generated", "data", "plans", "log", "errored"] {
            stage::private_folder(&self.path(folder))?;
        }
        Ok(())
    }

    /// Stages the root where this machine has no copy of it in this run. It must be the one that the run was last
    /// planned with, maybe on another machine; so must a copy that is there.
    ///
    /// # Errors
    /// A root whose copy has another SHA-256 than `wanted`, or that cannot be read or copied.
    pub async fn stage_as(&self, wanted: &str) -> Result<(), TerraformError> {
        let _tree = self.tree.lock().await;
        let (tree, path) = (self.path("tree"), self.path("staged.json"));
        let there = read_mark::<StagedMark>(&path).filter(|_| tree.is_dir());
        self.folders()?;
        let found = self.staged()?.digest;
        if found == wanted {
            return Ok(());
        }
        if there.is_none() {
            stage::remove(&path)?;
            fs::remove_dir_all(&tree).map_err(stage::at(&tree, "removed"))?;
        }
        Err(TerraformError::OtherRoot { root: self.manifest.terraform.root.clone(), wanted: wanted.to_owned(), found })
    }

    /// Whether an earlier process of this run has left everything ready; reads only.
    pub fn was_ready(&self) -> bool {
        let staged: Option<StagedMark> = read_mark(&self.path("staged.json"));
        let init: Option<InitMark> = read_mark(&self.path("init.json"));
        staged.is_some_and(|it| self.path("tree").join(it.root).is_dir())
            && init.is_some_and(|it| it.workspace.as_ref() == Some(&self.manifest.recovery.workspace))
    }

    /// Waits for the Terraform that a lifeboat which is gone has left behind: two must never work on one state.
    async fn wait_for_earlier(&self, observer: &dyn Observer) -> Result<(), TerraformError> {
        let logs = self.path("log");
        loop {
            let running = process::still_running(&logs).map_err(|source| TerraformError::Run { verb: "", source })?;
            let Some(log) = running else { return Ok(()) };
            observer.status("waiting for the terraform of an earlier lifeboat process");
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = observer.stopped() => return Err(TerraformError::StoppedWaiting { log }),
            }
        }
    }

    /// The staged copy: made once in a run, so that all its plans are of the same files.
    pub(super) fn staged(&self) -> Result<StagedMark, TerraformError> {
        let (tree, path) = (self.path("tree"), self.path("staged.json"));
        if let Some(mark) = read_mark::<StagedMark>(&path).filter(|_| tree.is_dir()) {
            return Ok(mark);
        }
        if tree.exists() {
            fs::remove_dir_all(&tree).map_err(stage::at(&tree, "removed"))?;
        }
        let (root, layout, staged) = self.copied(&tree)?;
        let mark = StagedMark {
            digest: staged.digest,
            left_out: staged.left_out,
            root: layout.root_in(Path::new("")),
            declared: root.variables.keys().cloned().collect(),
        };
        write_mark(&path, &mark)?;
        Ok(mark)
    }

    /// Copies the root as it is now, with its local modules.
    pub(super) fn copied(&self, tree: &Path) -> Result<(Root, Layout, Staged), TerraformError> {
        let root = Root::read(&self.manifest.terraform.root)?;
        let layout = Layout::new(&root.path, &root.local_modules);
        let run_dir = fs::canonicalize(&self.run_dir).map_err(stage::at(&self.run_dir, "read"))?;
        let staged = stage::stage(&layout, tree, &run_dir)?;
        Ok((root, layout, staged))
    }

    /// Stages the root anew, so that what is planned from here on is of the files as they are now. Returns the SHA-256
    /// of the new copy, and where that comes from. `init` is run again by whatever comes next. `elsewhere`: the run has a copy
    /// on another machine, so that this one need not have any; `rule`: what is asked of the commit.
    ///
    /// # Errors
    /// A saved plan of the old copy that is not applied yet, a Terraform that is still at work, or a root that cannot
    /// be read or copied, or is not of such a commit. The old copy stays then.
    pub async fn restage(&self, elsewhere: bool, rule: Option<CommitRule>) -> Result<(String, Source), TerraformError> {
        let _tree = self.tree.lock().await;
        let mut known = self.ready.lock().await;
        if !self.dir.is_dir() && elsewhere {
            self.folders()?;
        }
        if !self.dir.is_dir() {
            return Err(TerraformError::NotRestaged("nothing has been staged in this run: that is yet to come".into()));
        }
        for name in ["base", "adoption", "destroy"] {
            if self.saved(name).is_some_and(|it| !it.is_empty()) {
                let why = format!("the {name} plan of the old copy is saved and not applied yet");
                return Err(TerraformError::NotRestaged(why));
            }
        }
        let running = process::still_running(&self.path("log"));
        if running.map_err(|source| TerraformError::Run { verb: "", source })?.is_some() {
            let why = "the terraform of an earlier lifeboat process is still at work in the old copy";
            return Err(TerraformError::NotRestaged(why.into()));
        }
        self.check()?;
        let source = self.source_now().await?;
        if let Some(why) = rule.and_then(|rule| source.refused(rule)) {
            return Err(TerraformError::NotRestaged(format!("the root {why}")));
        }
        // What is left is torn, or of a plan without changes: an apply must not go by it.
        for name in ["base", "adoption", "destroy"] {
            self.forget(name)?;
        }
        *known = None;
        // A state that a dead lifeboat's Terraform left in the old copy must not go with it.
        if let Some(mark) = read_mark::<StagedMark>(&self.path("staged.json")) {
            self.keep_left(&self.path("tree").join(mark.root), &Unobserved)?;
        }
        stage::remove(&self.path("staged.json"))?;
        Ok((self.staged()?.digest, source))
    }

    /// Whether the root can be read and its inputs can be made, without writing any.
    ///
    /// # Errors
    /// What is wrong with the root, the var files or the recovery region's variables.
    pub fn check(&self) -> Result<(), TerraformError> {
        self.additions(&Root::read(&self.manifest.terraform.root)?).map(drop)
    }

    /// What lifeboat adds to a root.
    fn additions(&self, root: &Root) -> Result<Vec<GeneratedFile>, TerraformError> {
        generate::in_environment(&self.manifest, root, &self.templates, &self.environment)
            .map_err(|error| TerraformError::Generate { name: "recovery values".into(), why: chain(&error) })
    }

    /// Writes what lifeboat adds, and returns the files for `-backend-config`.
    fn generate(&self, ready: &mut Ready) -> Result<Vec<PathBuf>, TerraformError> {
        let files = self.additions(&Root::read(&ready.root)?)?;
        let mut backend = Vec::new();
        for file in files {
            let path = match file.name.as_str() {
                name if name.ends_with(".tf") => ready.root.join(name),
                name => self.path("generated").join(name),
            };
            stage::write(&path, file.contents.as_bytes())?;
            if file.name == BACKEND_CONFIG {
                backend.push(path);
            } else if !file.name.ends_with(".tf") {
                ready.var_files.push(path);
            }
        }
        Ok(backend)
    }

    /// Puts import blocks into the copy, or takes them out where there are none.
    ///
    /// # Errors
    /// The file cannot be made or written.
    pub(super) fn import(&self, ready: &Ready, imports: &BTreeMap<String, String>) -> Result<(), TerraformError> {
        let path = ready.root.join(IMPORTS);
        if imports.is_empty() {
            return Ok(stage::remove(&path)?);
        }
        let pairs: Vec<(String, String)> = imports.iter().map(|(address, id)| (address.clone(), id.clone())).collect();
        let blocks = overlay::imports(&self.templates, &pairs)
            .map_err(|error| TerraformError::Generate { name: IMPORTS.to_owned(), why: chain(&error) })?;
        Ok(stage::write(&path, blocks.as_bytes())?)
    }

    /// What an earlier `init` must have been given so that it need not be done again.
    fn inputs(&self, ready: &Ready, backend: &[PathBuf]) -> Result<String, TerraformError> {
        let mut digest = Sha256::new();
        let (staged, binary) = (&ready.staged, self.binary()?);
        digest.update(format!("{}\0{}\0{staged}\0", binary.path.display(), binary.version));
        let overrides = ready.root.join(overlay::BACKEND_OVERRIDE);
        for path in backend.iter().chain([&overrides]) {
            digest.update(fs::read(path).map_err(stage::at(path, "read"))?);
        }
        Ok(hex(&digest.finalize()))
    }
}

/// An error with its causes: the places in the files are in those.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |it| it.source()).map(ToString::to_string);
    std::iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": ")
}

pub(super) fn digest_of(path: &Path) -> Option<String> {
    fs::read(path).ok().map(|content| hex(&Sha256::digest(content)))
}

/// A mark that is missing or torn means that the work has to be done again.
pub(super) fn read_mark<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

pub(super) fn write_mark<T: Serialize>(path: &Path, mark: &T) -> Result<(), TerraformError> {
    let json = serde_json::to_vec_pretty(mark)
        .map_err(|error| TerraformError::Generate { name: path.display().to_string(), why: error.to_string() })?;
    Ok(stage::write(path, &json)?)
}
