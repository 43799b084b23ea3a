//! The staged copy of a root in a run's folder, and Terraform run in it.
//!
//! Layout of `run/terraform/`: `tree` (the copy), `generated` (backend arguments and values), `data`
//! (`TF_DATA_DIR`), `plans` (saved plans, deleted after use), `log` (all that Terraform said), `errored` (states that
//! could not be saved), and the markers `staged.json` and `init.json`. Folders are 0700, files 0600. The user's tree and
//! its `.terraform` are never written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::args::{self, Args, Lock, Planning, Selection};
use super::diagnostics::{self, Diagnostic};
use super::environment::{self, Environment};
use super::error::credentials_expired;
use super::errored::Custody;
use super::events::{self, Event, Summary};
use super::graph::Graph;
use super::lock::LockInfo;
use super::plan::Plan;
use super::process::{self, Call, Ended};
use super::stage;
use super::state::State;
use super::version::Binary;
use super::{TerraformError, prepare};
use crate::manifest::Manifest;
use crate::templates::Templates;

/// Diagnostics and text of one call that are kept in memory; the log has everything.
const KEPT: usize = 100;
const KEPT_BYTES: u64 = 64 * 1024;

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
    pub binary: Binary,
    /// The operator's environment; what Terraform gets of it is decided in `environment`.
    pub environment: Environment,
    pub templates: Templates,
}

/// A run's staged copy of the Terraform root. Nothing is on disk before the first use.
pub struct Workdir {
    pub(super) manifest: Arc<Manifest>,
    pub(super) binary: Binary,
    pub(super) environment: Environment,
    pub(super) templates: Templates,
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
    logs: AtomicU32,
}

/// A plan that has been made and read.
#[derive(Debug)]
pub struct Planned {
    pub plan: Plan,
    pub warnings: Vec<String>,
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
        let WorkdirOptions { run_dir, manifest, binary, environment, templates } = options;
        let dir = run_dir.join("terraform");
        let (ready, tree, graph, logs) = (Mutex::new(None), Mutex::new(()), Mutex::new(None), AtomicU32::new(0));
        let regions = Mutex::new(None);
        Self { manifest, binary, environment, templates, run_dir, dir, ready, tree, graph, regions, logs }
    }

    pub fn binary(&self) -> &Binary {
        &self.binary
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
        };
        let done = self.follow(ready, "plan", args::plan(&planning), &[0, 2], observer).await?;
        let warnings = done.diagnostics.iter().map(ToString::to_string).collect();
        let plan = self.read(ready, "show", args::show(&out), |output| Plan::read(output)).await??;
        Ok(Planned { plan, warnings })
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

    pub(super) async fn pull(&self, ready: &prepare::Ready) -> Result<State, TerraformError> {
        self.read(ready, "state-pull", args::state_pull(), |output| State::read(output)).await?.map_err(Into::into)
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

    /// Runs Terraform and follows what it says; any exit code but those in `fine` is an error.
    pub(super) async fn follow(
        &self,
        ready: &prepare::Ready,
        verb: &'static str,
        args: Args,
        fine: &[i32],
        observer: &dyn Observer,
    ) -> Result<Done, TerraformError> {
        let call = self.call(ready, verb, args)?;
        let log = call.log.clone();
        let mut heard = Heard::default();
        let ended = process::follow(call, observer.stopped(), |line| {
            let event = events::parse(line);
            observer.event(&event);
            heard.take(event);
        });
        let ended = ended.await.map_err(|source| TerraformError::Run { verb, source })?;
        if ended.code.is_some_and(|code| fine.contains(&code)) {
            return Ok(Done { code: ended.code, summary: heard.summary, diagnostics: heard.diagnostics, log });
        }
        Err(self.failure(verb, ended, heard.told(), log))
    }

    /// Runs a Terraform that only reads, and gives its output to `parse`. A request to stop does not touch it: it ends
    /// soon by itself, and what it tells may be what a finished apply has to return.
    pub(super) async fn read<T, F>(
        &self,
        ready: &prepare::Ready,
        verb: &'static str,
        args: Args,
        parse: F,
    ) -> Result<T, TerraformError>
    where
        F: FnOnce(&mut dyn Read) -> T + Send + 'static,
        T: Send + 'static,
    {
        let call = self.call(ready, verb, args)?;
        let log = call.log.clone();
        let read = process::read(call, std::future::pending(), parse).await;
        let (parsed, ended) = read.map_err(|source| TerraformError::Run { verb, source })?;
        if ended.code == Some(0) {
            return Ok(parsed);
        }
        let said = fs::File::open(&log).and_then(|mut file| text(&mut file, KEPT_BYTES)).unwrap_or_default();
        // The first line is ours: the call.
        let said = said.split_once('\n').map_or("", |(_, rest)| rest);
        Err(self.failure(verb, ended, diagnostics::errors(&diagnostics::from_text(said)), log))
    }

    fn call(&self, ready: &prepare::Ready, verb: &str, args: Args) -> Result<Call, TerraformError> {
        let region = &self.manifest.recovery.name;
        let env = environment::terraform(&self.environment, &ready.declared, &self.path("data"), region);
        let program = self.binary.path.clone();
        Ok(Call { program, args, dir: ready.root.clone(), env, log: self.next_log(verb)? })
    }

    fn failure(&self, verb: &'static str, ended: Ended, told: Option<String>, log: PathBuf) -> TerraformError {
        if ended.interrupted {
            return TerraformError::Interrupted { verb, log };
        }
        let told = told.unwrap_or_else(|| match (ended.code, ended.signal) {
            (Some(code), _) => format!("it said nothing and ended with status {code}"),
            (None, signal) => format!("signal {} ended it", signal.unwrap_or_default()),
        });
        if let Some(lock) = LockInfo::from_text(&told) {
            return TerraformError::Locked { verb, lock: Box::new(lock), run: self.run(), log };
        }
        match credentials_expired(&told) {
            true => TerraformError::Credentials { verb, told, log },
            false => TerraformError::Failed { verb, told, log },
        }
    }

    /// A name for a log that no earlier call of this run has, in the order of the calls.
    fn next_log(&self, verb: &str) -> Result<PathBuf, TerraformError> {
        let dir = self.path("log");
        let there = fs::read_dir(&dir).map_err(stage::at(&dir, "read"))?.flatten();
        let taken: BTreeSet<u32> = there.filter_map(|it| number(&it.file_name().to_string_lossy())).collect();
        let last = taken.last().copied().unwrap_or(0);
        self.logs.fetch_max(last, Ordering::SeqCst);
        let next = self.logs.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(dir.join(format!("{next:02}-{verb}.log")))
    }
}

/// `7` of `07-plan.log`.
fn number(name: &str) -> Option<u32> {
    name.split_once('-')?.0.parse().ok()
}

/// What Terraform said in one call, as far as it is kept.
#[derive(Default)]
struct Heard {
    summary: Option<Summary>,
    diagnostics: Vec<Diagnostic>,
    text: String,
}

impl Heard {
    fn take(&mut self, event: Event) {
        match event {
            Event::Summary(summary) => self.summary = Some(summary),
            Event::Diagnostic(diagnostic) if self.diagnostics.len() < KEPT => self.diagnostics.push(diagnostic),
            Event::Text(line) if (self.text.len() as u64) < KEPT_BYTES => {
                self.text.push_str(&line);
                self.text.push('\n');
            }
            _ => {}
        }
    }

    fn told(&self) -> Option<String> {
        diagnostics::errors(&self.diagnostics).or_else(|| diagnostics::errors(&diagnostics::from_text(&self.text)))
    }
}

pub(super) fn text(source: &mut dyn Read, most: u64) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    source.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
