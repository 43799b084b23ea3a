//! What a step is given: the run's world, what the steps before it returned, and the ways to report.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use super::{EvidenceGate, StepError};
use crate::aws::Session;
use crate::journal::{Event, Journal, JournalError, Record};
use crate::manifest::Manifest;
use crate::runbook::StepId;
use crate::terraform::{Custody, Workdir};

/// What all steps of a run share.
pub struct World {
    pub run: String,
    /// The run's own folder; nothing is written outside it.
    pub run_dir: PathBuf,
    pub manifest: Arc<Manifest>,
    /// Clients for the region that the run works in: the recovery region, but for what is recovered in another.
    pub aws: Session,
    /// The staged copy of the Terraform root.
    pub terraform: Workdir,
    /// Who answers for the evidence; `None` where none is kept, so that nothing may be taken away.
    pub evidence: Option<Arc<dyn EvidenceGate>>,
}

/// What reporters are told. Records are in the journal before they are told; progress never is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Notice {
    Record(Record),
    Progress { step: StepId, progress: Progress },
}

/// How far a running step is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum Progress {
    /// A word about what is being waited for, with AWS's or Terraform's own status: "cluster logs-dr: creating".
    Status { text: String },
    /// `done` of `total` in `unit` ("objects", "bytes", "resources", "items").
    Count { done: u64, total: Option<u64>, unit: String },
    /// Objects that are copied, and their bytes: either alone says little of how long it will take.
    Copy { objects: Portion, bytes: Portion },
}

/// So much of a whole, which may not be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portion {
    pub done: u64,
    pub total: Option<u64>,
}

/// What verified steps returned, by step.
pub type Outputs = Arc<RwLock<HashMap<StepId, Value>>>;

/// One step's view of its run.
#[derive(Clone)]
pub struct Cx {
    pub step: StepId,
    pub world: Arc<World>,
    pub(crate) facts: Value,
    pub(crate) outputs: Outputs,
    /// Absent while steps are only checked: nothing may be noted then.
    pub(crate) journal: Option<Arc<Journal>>,
    /// Whether this run has begun the step before, so that what stands there may be its own doing.
    pub(crate) begun: bool,
    pub(crate) notices: mpsc::UnboundedSender<Notice>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Cx {
    /// A view of a run that no engine drives, for tests and embedding: what is told goes nowhere, nothing may be
    /// noted, and nobody asks to stop.
    pub fn detached(world: Arc<World>, step: &str, facts: Value, outputs: HashMap<StepId, Value>) -> Self {
        let (notices, _) = mpsc::unbounded_channel();
        let (_, stop) = watch::channel(false);
        let outputs = Arc::new(RwLock::new(outputs));
        Self { step: StepId::new(step), world, facts, outputs, journal: None, begun: false, notices, stop }
    }

    /// The same view, of a run that has begun the step before.
    #[must_use]
    pub fn resumed(mut self) -> Self {
        self.begun = true;
        self
    }

    /// What this step's check settled.
    pub fn facts(&self) -> &Value {
        &self.facts
    }

    /// Whether this run's journal holds an earlier start of this step.
    pub fn begun(&self) -> bool {
        self.begun
    }

    /// What another step returned; `None` before that step is done.
    pub fn output(&self, step: &str) -> Option<Value> {
        let outputs = self.outputs.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        outputs.get(&StepId::new(step)).cloned()
    }

    /// Puts something into the journal, here and in its copy, that must be known before an effect.
    ///
    /// # Errors
    /// The journal or its copy could not be written, or the lease is lost, so the effect must not happen.
    pub async fn note(&self, name: &str, value: Value) -> Result<(), StepError> {
        let journal =
            self.journal.as_ref().ok_or_else(|| StepError::failed("nothing may be changed while steps are checked"))?;
        let event = Event::StepNoted { step: self.step.clone(), name: name.to_owned(), value };
        // Neither is the step's own failure: it parks, to be observed by whoever goes on.
        let refused = |error: JournalError| match error {
            JournalError::Refused(refusal) => StepError::interrupted(refusal.to_string()),
            error => StepError::failed(error.to_string()),
        };
        let record = journal.append(event).map_err(refused)?;
        self.notices.send(Notice::Record(record)).ok();
        journal.settled().await.map_err(refused)
    }

    /// What this step has noted under that name, in this process or one before it.
    pub fn noted(&self, name: &str) -> Option<Value> {
        self.journal.as_ref()?.state().steps.get(&self.step)?.notes.get(name).cloned()
    }

    /// Notes something where a journal is kept: what is only worth knowing, and no condition of an effect.
    pub(super) async fn note_if_journalled(&self, name: &str, value: Value) -> Result<(), StepError> {
        if self.journal.is_some() { self.note(name, value).await } else { Ok(()) }
    }

    /// Journals what becomes of a state that Terraform could not save. What the journal knows is not told again.
    pub(super) fn custody(&self, custody: &Custody) {
        let Some(journal) = &self.journal else { return };
        for event in custody.events(&journal.state()) {
            match journal.append(event) {
                Ok(record) => drop(self.notices.send(Notice::Record(record))),
                // The file is what blocks further applies; a journal that cannot be written stops the run by itself.
                Err(error) => tracing::error!(%error, "the custody of a state is not journalled"),
            }
        }
    }

    pub fn status(&self, text: impl Into<String>) {
        self.progress(Progress::Status { text: text.into() });
    }

    pub fn progress(&self, progress: Progress) {
        self.notices.send(Notice::Progress { step: self.step.clone(), progress }).ok();
    }

    /// Whether the operator asked to stop; long work parks at the next place where it can be taken up again.
    pub fn stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits until the operator asks to stop.
    pub async fn stopped(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
