//! Simulated steps over a cloud that is counted, so that an effect that happens twice, or before its intent is on disk,
//! shows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use lifeboat::engine::{Ended, Engine, EngineError, execute, preflight};
use lifeboat::journal::{self, Event, Journal, StepPhase};
use lifeboat::runbook::{Action, Phase, Runbook, StepId, StepSpec};
use lifeboat::steps::{Blocked, Checked, Compensation, Cx, MakeStep, Notice, Output, Seen, Standing, Step, StepError};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::{harness, offline};

/// What the simulated cloud holds: effects by step, and how each step shall misbehave.
#[derive(Default)]
pub struct Cloud {
    pub effects: Mutex<BTreeMap<String, u32>>,
    pub misbehave: Mutex<BTreeMap<String, Misbehaviour>>,
    /// Steps whose intent was not in the journal when their effect happened.
    unannounced: Mutex<BTreeSet<String>>,
    /// How many steps that wait for others are under way.
    underway: watch::Sender<usize>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Misbehaviour {
    FailOnce,
    /// The effect happens and the answer is an error.
    LoseReplyOnce,
    Panic,
    Foreign,
    Blocked,
    FailVerification,
    /// It is a proof of what `a` made, and does not find it.
    ProofFailsOnce,
    /// It goes on once this many such steps are under way at the same time, and fails if they never are.
    WaitForOthers(usize),
}

struct Simulated {
    id: String,
    takes: Duration,
    cloud: Arc<Cloud>,
}

impl Simulated {
    fn once(&self, kind: Misbehaviour) -> bool {
        let mut all = self.cloud.misbehave.lock().unwrap();
        let hit = all.get(&self.id) == Some(&kind);
        if hit {
            all.remove(&self.id);
        }
        hit
    }

    fn is(&self, kind: Misbehaviour) -> bool {
        self.cloud.misbehave.lock().unwrap().get(&self.id) == Some(&kind)
    }

    async fn others(&self) -> Result<(), StepError> {
        let Some(Misbehaviour::WaitForOthers(number)) = self.cloud.misbehave.lock().unwrap().get(&self.id).copied()
        else {
            return Ok(());
        };
        self.cloud.underway.send_modify(|underway| *underway += 1);
        let mut seen = self.cloud.underway.subscribe();
        let together = seen.wait_for(|underway| *underway >= number);
        let alone = |_| StepError::failed("the others have not begun");
        tokio::time::timeout(Duration::from_secs(60), together).await.map_err(alone)?.map(drop).unwrap();
        Ok(())
    }

    fn effect(&self, run_dir: &Path) {
        *self.cloud.effects.lock().unwrap().entry(self.id.clone()).or_default() += 1;
        let state = journal::load(run_dir).unwrap().state;
        if state.steps[&StepId::new(&self.id)].phase != StepPhase::Started {
            self.cloud.unannounced.lock().unwrap().insert(self.id.clone());
        }
    }
}

#[async_trait]
impl Step for Simulated {
    async fn check(&self, _: &Cx) -> Result<Checked, Blocked> {
        if self.is(Misbehaviour::Blocked) {
            return Err(Blocked { cause: format!("{} has no snapshot", self.id), hint: None });
        }
        Ok(Checked { facts: json!({"of": self.id}), standing: Standing::Unknown })
    }

    async fn observe(&self, _: &Cx) -> Result<Seen, StepError> {
        if self.is(Misbehaviour::Foreign) {
            return Ok(Seen::Conflict { cause: "somebody else's".into(), hint: None });
        }
        let there = self.cloud.effects.lock().unwrap().contains_key(&self.id);
        Ok(if there { Seen::Done(json!({"id": self.id})) } else { Seen::Absent })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        assert_eq!(cx.facts()["of"], Value::from(self.id.clone()), "the check's facts reach the step");
        if self.is(Misbehaviour::Panic) {
            panic!("a defect");
        }
        if self.once(Misbehaviour::ProofFailsOnce) {
            // Somebody takes it away between the two.
            self.cloud.effects.lock().unwrap().remove("a");
            return Err(StepError::check_failed("a is missing"));
        }
        if self.once(Misbehaviour::FailOnce) {
            return Err(StepError::failed("throttled").hint("try again"));
        }
        tokio::select! {
            () = tokio::time::sleep(self.takes) => {}
            () = cx.stopped() => return Err(StepError::interrupted("stopped")),
        }
        self.others().await?;
        self.effect(&cx.world.run_dir);
        if self.once(Misbehaviour::LoseReplyOnce) {
            return Err(StepError::failed("connection reset"));
        }
        Ok(json!({"id": self.id}))
    }

    async fn verify(&self, _: &Cx, output: &Output) -> Result<(), StepError> {
        if self.once(Misbehaviour::FailVerification) {
            return Err(StepError::check_failed("999 items, expected 1000"));
        }
        assert_eq!(output["id"], Value::from(self.id.clone()));
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Never
    }
}

pub struct Bench {
    pub dir: tempfile::TempDir,
    pub cloud: Arc<Cloud>,
    pub runbook: Runbook,
    pub stop: watch::Sender<bool>,
}

impl Bench {
    pub fn new(steps: &[(&str, &[&str], u64)]) -> Self {
        let spec = |(id, after, millis): &(&str, &[&str], u64)| StepSpec {
            id: StepId::from(*id),
            phase: Phase::Restore,
            title: format!("do {id}"),
            after: after.iter().map(|id| StepId::from(*id)).collect(),
            component: None,
            expected: SignedDuration::from_millis(i64::try_from(*millis).unwrap()),
            action: Action::TerraformSettled,
        };
        let runbook = Runbook {
            scenario: "failover".into(),
            environment: "test".into(),
            service: "test".into(),
            account: harness::ACCOUNT.into(),
            from_region: "eu-west-2".into(),
            to_region: "us-east-1".into(),
            steps: steps.iter().map(spec).collect(),
            objectives: vec![],
            not_checked: vec![],
        };
        let (stop, _) = watch::channel(false);
        Self { dir: tempfile::tempdir().unwrap(), cloud: Arc::default(), runbook, stop }
    }

    pub fn misbehave(self, step: &str, how: Misbehaviour) -> Self {
        self.cloud.misbehave.lock().unwrap().insert(step.into(), how);
        self
    }

    pub fn engine(&self) -> (Engine, mpsc::UnboundedReceiver<Notice>) {
        let cloud = self.cloud.clone();
        let make: Arc<MakeStep> = Arc::new(move |spec: &StepSpec| -> Arc<dyn Step> {
            let takes = spec.expected.unsigned_abs();
            Arc::new(Simulated { id: spec.id.as_str().into(), takes, cloud: cloud.clone() })
        });
        let (notices, told) = mpsc::unbounded_channel();
        let world = Arc::new(offline::world("run", self.dir.path(), offline::nobody()));
        let runbook = Arc::new(self.runbook.clone());
        (Engine { runbook, world, make, notices, stop: self.stop.subscribe() }, told)
    }

    pub async fn run(&self) -> Ended {
        self.run_with(|journal| journal).await.unwrap()
    }

    /// Starts the run as the command does: checks, then the journal's first records, then the steps.
    pub async fn run_with(&self, prepared: impl FnOnce(Journal) -> Journal) -> Result<Ended, EngineError> {
        let (engine, _told) = self.engine();
        let found = preflight(&engine).await;
        assert!(found.blocked.is_empty());
        let journal = Arc::new(prepared(Journal::create(self.dir.path()).unwrap()));
        journal.append(self.started()).unwrap();
        for spec in &self.runbook.steps {
            let facts = found.facts(&spec.id);
            journal.append(Event::StepChecked { step: spec.id.clone(), facts }).unwrap();
        }
        execute(&engine, journal).await
    }

    pub async fn resume(&self, retry: &[&str]) -> Ended {
        let (engine, _told) = self.engine();
        let (journal, _) = Journal::open(self.dir.path()).unwrap();
        let retry = retry.iter().map(|id| StepId::from(*id)).collect();
        journal
            .append(Event::RunResumed {
                pid: 1,
                host: "other".into(),
                retry,
                restaged: None,
                source: None,
                accepted: vec![],
                tenure: None,
            })
            .unwrap();
        execute(&engine, Arc::new(journal)).await.unwrap()
    }

    pub fn started(&self) -> Event {
        Event::RunStarted(Box::new(harness::started("run", self.runbook.clone())))
    }

    pub fn effects(&self) -> BTreeMap<String, u32> {
        self.cloud.effects.lock().unwrap().clone()
    }

    pub fn each_effect_once(&self) {
        let once: BTreeMap<String, u32> = self.runbook.steps.iter().map(|spec| (spec.id.to_string(), 1)).collect();
        assert_eq!(self.effects(), once);
        assert_eq!(*self.cloud.unannounced.lock().unwrap(), BTreeSet::new(), "an effect came before its intent");
    }
}

/// a → b → d, a → c → d, and e alone.
pub const DIAMOND: &[(&str, &[&str], u64)] =
    &[("a", &[], 5), ("b", &["a"], 5), ("c", &["a"], 5), ("d", &["b", "c"], 5), ("e", &[], 5)];
