//! The staged copy of a root in a run's folder, and Terraform run in it.
//!
//! Layout of `run/terraform/`: `tree` (the copy), `generated` (backend arguments and values), `data`
//! (`TF_DATA_DIR`), `plans` (saved plans, deleted after use), `log` (all that Terraform said), `errored` (states that
//! could not be saved), and the markers `staged.json` and `init.json`. Folders are 0700, files 0600. The user's tree and
//! its `.terraform` are never written.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::approved::Approved;
use super::args::{self, Lock, Planning, Selection};
use super::calls::text;
use super::destroy_plan::TeardownLook;
use super::diagnostics::Diagnostic;
use super::environment::Environment;
use super::errored::Custody;
use super::events::{Event, Summary};
use super::graph::Graph;
use super::json_copy::{JsonCopy, Tee};
use super::lock::LockStore;
use super::look;
use super::plan::Plan;
use super::stage;
use super::state::{State, StateStore};
use super::version::Binary;
use super::{TerraformError, prepare};
use crate::manifest::Manifest;
use crate::templates::Templates;

/// Whoever follows Terraform at work, and may ask it to stop.
#[async_trait]
pub trait Observer: Send + Sync {
    fn event(&self, event: &Event);
    /// What is waited for where Terraform itself does not speak.
    fn status(&self, text: &str);
    /// What becomes of a state that could not be saved; for the journal.
    fn custody(&self, _custody: &Custody) {}
    /// Completes when the operator asks to stop.
    async fn stopped(&self);
}

/// For work that nobody follows.
pub struct Unobserved;

#[async_trait]
impl Observer for Unobserved {
    fn event(&self, _event: &Event) {}
    fn status(&self, _text: &str) {}
    async fn stopped(&self) {
        std::future::pending().await
    }
}

/// What a work folder is made for.
pub struct WorkdirOptions {
    /// The run's own folder, absolute.
    pub run_dir: PathBuf,
    pub manifest: Arc<Manifest>,
    /// `None` where nothing of the run needs Terraform.
    pub binary: Option<Binary>,
    /// The operator's environment; what Terraform gets of it is decided in `environment`.
    pub environment: Environment,
    pub templates: Templates,
    /// The state's lock; `None` where only Terraform can get at it.
    pub lock: Option<Arc<dyn LockStore>>,
    /// The state itself; `None` where only Terraform can get at it.
    pub states: Option<Arc<dyn StateStore>>,
}

/// A run's staged copy of the Terraform root. Nothing is on disk before the first use.
pub struct Workdir {
    pub(super) manifest: Arc<Manifest>,
    binary: Option<Binary>,
    pub(super) environment: Environment,
    pub(super) templates: Templates,
    pub(super) lock: Option<Arc<dyn LockStore>>,
    states: Option<Arc<dyn StateStore>>,
    pub(super) run_dir: PathBuf,
    pub(super) dir: PathBuf,
    /// Once this process has found or made everything ready.
    pub(super) ready: Mutex<Option<prepare::Ready>>,
    /// Held from the choice of import blocks to the end of the plan that shall see them: steps may plan at the same
    /// time, and they share one tree. Taken before `ready`, never after it.
    pub(super) tree: Mutex<()>,
    /// The root's graph and the digest of the staged files that it is of.
    graph: Mutex<Option<(String, Arc<Graph>)>>,
    /// Regions that providers were asked for, and the digest of the staged files that they are of.
    pub(super) regions: Mutex<Option<(String, BTreeMap<String, String>)>>,
    /// The survey of a look ahead, until a plan takes it over.
    pub(super) kept: Mutex<Option<look::Kept>>,
    /// The look ahead at a teardown.
    pub(super) teardown: Mutex<Option<Arc<TeardownLook>>>,
    pub(super) logs: AtomicU32,
    /// What was approved, where the run is bound to it.
    pub(super) approved: Option<Arc<Approved>>,
}

/// A plan that has been made and read.
#[derive(Debug)]
pub struct Planned {
    pub plan: Plan,
    pub warnings: Vec<String>,
    /// Where it was wanted.
    pub(super) copy: Option<JsonCopy>,
}

/// What a plan is made for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Name of its file.
    pub name: &'a str,
    pub selection: &'a Selection,
    pub refresh: bool,
    /// Whether the state lock is taken; needless for plans that are only read.
    pub lock: bool,
    /// Whether a copy of its JSON is kept, for who reads it again.
    pub copied: bool,
    /// Whether what is selected shall be destroyed.
    pub destroy: bool,
}

/// How a call of Terraform went that did not fail.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    pub summary: Option<Summary>,
    pub diagnostics: Vec<Diagnostic>,
    pub log: PathBuf,
}

impl Workdir {
    pub fn new(options: WorkdirOptions) -> Self {
        let WorkdirOptions { run_dir, manifest, binary, environment, templates, lock, states } = options;
        let dir = run_dir.join("terraform");
        let (ready, tree, graph, logs) = (Mutex::new(None), Mutex::new(()), Mutex::new(None), AtomicU32::new(0));
        let (regions, kept, teardown) = (Mutex::new(None), Mutex::new(None), Mutex::new(None));
        Self {
            manifest,
            binary,
            environment,
            templates,
            lock,
            states,
            run_dir,
            dir,
            ready,
            tree,
            graph,
            regions,
            kept,
            teardown,
            logs,
            approved: None,
        }
    }

    /// Binds the plans that are applied here to what was approved.
    #[must_use]
    pub fn bound_to(mut self, approved: Option<Arc<Approved>>) -> Self {
        self.approved = approved;
        self
    }

    /// The Terraform that works here.
    ///
    /// # Errors
    /// None was looked for.
    pub fn binary(&self) -> Result<&Binary, TerraformError> {
        self.binary.as_ref().ok_or(TerraformError::NotWanted)
    }

    pub(super) fn path(&self, inside: &str) -> PathBuf {
        self.dir.join(inside)
    }

    pub(super) fn plan_file(&self, name: &str) -> PathBuf {
        self.dir.join("plans").join(format!("{name}.tfplan"))
    }

    /// Makes a plan and reads it. Its file stays for [`Workdir::apply`]; whoever only reads it calls
    /// [`Workdir::discard`].
    ///
    /// # Errors
    /// Terraform's own, or a plan that is not understood.
    pub async fn plan(&self, wanted: Wanted<'_>, observer: &dyn Observer) -> Result<Planned, TerraformError> {
        let ready = self.ready(observer).await?;
        self.nothing_unsaved(&ready, observer).await?;
        self.discard(wanted.name)?;
        let planned = self.planned(&ready, wanted, observer).await;
        if planned.is_err() {
            self.discard(wanted.name)?;
        }
        planned
    }

    async fn planned(
        &self,
        ready: &prepare::Ready,
        wanted: Wanted<'_>,
        observer: &dyn Observer,
    ) -> Result<Planned, TerraformError> {
        let warnings = self.make(ready, wanted, observer).await?;
        let out = self.plan_file(wanted.name);
        // `NAME.json` beside it says what is known of a saved plan.
        let copy = wanted.copied.then(|| JsonCopy::at(self.path("plans").join(format!("{}.shown.json", wanted.name))));
        let (copy, file) = copy.transpose()?.unzip();
        let show = move |output: &mut dyn Read| match file {
            Some(to) => Plan::read(Tee { from: output, to }),
            None => Plan::read(output),
        };
        let plan = self.read(ready, "show", args::show(&out), show).await??;
        Ok(Planned { plan, warnings, copy })
    }

    /// Makes a plan and saves it. Returns what Terraform warned of.
    async fn make(
        &self,
        ready: &prepare::Ready,
        wanted: Wanted<'_>,
        observer: &dyn Observer,
    ) -> Result<Vec<String>, TerraformError> {
        let out = self.plan_file(wanted.name);
        let terraform = &self.manifest.terraform;
        let var_files: Vec<&Path> = ready.var_files.iter().map(PathBuf::as_path).collect();
        let planning = Planning {
            out: &out,
            var_files: &var_files,
            lock: if wanted.lock { Lock::Wait(terraform.lock_timeout) } else { Lock::Without },
            refresh: wanted.refresh,
            parallelism: terraform.parallelism,
            selection: wanted.selection,
            destroy: wanted.destroy,
        };
        let done = self.follow(ready, "plan", args::plan(&planning), &[0, 2], observer).await?;
        Ok(done.diagnostics.iter().map(ToString::to_string).collect())
    }

    /// Deletes a saved plan: it holds secrets.
    ///
    /// # Errors
    /// It is there and cannot be deleted.
    pub fn discard(&self, name: &str) -> Result<(), TerraformError> {
        stage::remove(&self.plan_file(name)).map_err(Into::into)
    }

    /// Applies a saved plan and deletes it, whatever comes of it: Terraform takes a plan once.
    ///
    /// # Errors
    /// Terraform's own, or a state that it could not save: kept, and named in the error.
    pub async fn apply(&self, name: &str, observer: &dyn Observer) -> Result<Done, TerraformError> {
        let ready = self.ready(observer).await?;
        self.nothing_unsaved(&ready, observer).await?;
        let terraform = &self.manifest.terraform;
        let args = args::apply(&self.plan_file(name), terraform.lock_timeout, terraform.parallelism);
        let done = self.follow(&ready, "apply", args, &[0], observer).await;
        self.discard(name)?;
        match self.keep_unsaved(&ready, done.as_ref().err(), observer)? {
            Some(error) => Err(error),
            None => done,
        }
    }

    /// The state as it stands in the backend.
    ///
    /// # Errors
    /// Terraform's own, or a state that is not understood.
    pub async fn state(&self, observer: &dyn Observer) -> Result<State, TerraformError> {
        let ready = self.ready(observer).await?;
        self.pull(&ready).await
    }

    /// The state as it stands in the backend, if it is of the lineage that the run has recorded.
    ///
    /// # Errors
    /// As [`Workdir::state`]; another lineage: somebody has replaced the state.
    pub async fn state_of(&self, lineage: Option<&str>, observer: &dyn Observer) -> Result<State, TerraformError> {
        let state = self.state(observer).await?;
        match lineage {
            Some(recorded) if state.lineage != recorded => Err(TerraformError::OtherLineage {
                workspace: self.manifest.recovery.workspace.clone(),
                recorded: recorded.to_owned(),
                found: if state.lineage.is_empty() { "none".to_owned() } else { state.lineage },
                serial: state.serial,
            }),
            _ => Ok(state),
        }
    }

    /// Reads the state where the backend keeps it, and asks Terraform where that does not tell: its own credentials, or a
    /// state that OpenTofu has encrypted.
    pub(super) async fn pull(&self, ready: &prepare::Ready) -> Result<State, TerraformError> {
        if let Some(states) = &self.states
            && let Ok(document) = states.document().await
            && let Ok(state) = State::read(document.unwrap_or_default().as_slice())
        {
            return Ok(state);
        }
        self.read(ready, "state-pull", args::state_pull(), |output| State::read(output)).await?.map_err(Into::into)
    }

    /// The state's document as the backend keeps it, byte for byte; `None` where there is none. Terraform is asked where the
    /// backend cannot be read without it. Nothing is made for it, no workspace either.
    ///
    /// # Errors
    /// Terraform's own.
    pub async fn document(&self, observer: &dyn Observer) -> Result<Option<Vec<u8>>, TerraformError> {
        if let Some(states) = &self.states
            && let Ok(document) = states.document().await
        {
            return Ok(document);
        }
        let _tree = self.tree.lock().await;
        let (ready, _) = self.initialized(observer).await?;
        if !self.has_workspace(&ready).await? {
            return Ok(None);
        }
        self.select(&ready, observer).await?;
        self.assert_workspace(&ready).await?;
        let whole = |output: &mut dyn Read| {
            let mut bytes = Vec::new();
            output.read_to_end(&mut bytes).map(|_| bytes)
        };
        let read = self.read(&ready, "state-pull", args::state_pull(), whole).await?;
        let bytes = read.map_err(|source| TerraformError::Run { verb: "state pull", source })?;
        Ok((!bytes.is_empty()).then_some(bytes))
    }

    /// What depends on what in the root. Terraform is asked once for the same files: only their configuration decides.
    ///
    /// # Errors
    /// Terraform's own.
    pub async fn graph(&self, observer: &dyn Observer) -> Result<Arc<Graph>, TerraformError> {
        let ready = self.ready(observer).await?;
        let mut known = self.graph.lock().await;
        if let Some((_, graph)) = known.as_ref().filter(|(of, _)| *of == ready.staged) {
            return Ok(graph.clone());
        }
        let dot = self.read(&ready, "graph", args::graph(), |output| text(output, u64::MAX)).await?;
        let dot = dot.map_err(|source| TerraformError::Run { verb: "graph", source })?;
        let graph = Arc::new(Graph::from_dot(&dot));
        *known = Some((ready.staged, graph.clone()));
        Ok(graph)
    }
}
