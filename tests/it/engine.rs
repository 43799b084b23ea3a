//! The engine with simulated steps: order, failure, resume, interruption, overhead. The world behind them is counted,
//! so that an effect that happens twice, or before its intent is on disk, shows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::SignedDuration;
use lifeboat::engine::{Ended, Engine, EngineError, execute, preflight};
use lifeboat::journal::{self, Event, FailureKind, Journal, Outcome, RunStarted, Skipped, StepPhase};
use lifeboat::runbook::{Action, Phase, Runbook, StepId, StepSpec};
use lifeboat::steps::{Blocked, Checked, Compensation, Cx, MakeStep, Notice, Output, Seen, Standing, Step, StepError};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::{harness, offline};

/// What the simulated cloud holds: effects by step, and how each step shall misbehave.
#[derive(Default)]
struct Cloud {
    effects: Mutex<BTreeMap<String, u32>>,
    misbehave: Mutex<BTreeMap<String, Misbehaviour>>,
    /// Steps whose intent was not in the journal when their effect happened.
    unannounced: Mutex<BTreeSet<String>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Misbehaviour {
    FailOnce,
    /// The effect happens and the answer is an error.
    LoseReplyOnce,
    Panic,
    Foreign,
    Blocked,
    FailVerification,
    /// It is a proof of what `a` made, and does not find it.
    ProofFailsOnce,
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
    cloud: Arc<Cloud>,
    runbook: Runbook,
    stop: watch::Sender<bool>,
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

    fn misbehave(self, step: &str, how: Misbehaviour) -> Self {
        self.cloud.misbehave.lock().unwrap().insert(step.into(), how);
        self
    }

    fn engine(&self) -> (Engine, mpsc::UnboundedReceiver<Notice>) {
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

    async fn run(&self) -> Ended {
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
                accepted: vec![],
                tenure: None,
            })
            .unwrap();
        execute(&engine, Arc::new(journal)).await.unwrap()
    }

    fn started(&self) -> Event {
        Event::RunStarted(Box::new(RunStarted {
            run: "run".into(),
            lifeboat: "0".into(),
            manifest: "m".into(),
            manifest_sha256: String::new(),
            caller: String::new(),
            pid: 1,
            host: String::new(),
            impact_at: None,
            inputs: None,
            tenure: None,
            runbook: self.runbook.clone(),
        }))
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

#[tokio::test]
async fn every_step_runs_once_with_its_intent_on_disk_first() {
    let bench = Bench::new(DIAMOND);
    assert_eq!(bench.run().await, Ended::Done { changed: false });
    bench.each_effect_once();
}

#[tokio::test]
async fn each_step_failing_once_holds_what_depends_on_it_and_nothing_else() {
    let dependents: &[(&str, &[&str])] =
        &[("a", &["b", "c", "d"]), ("b", &["d"]), ("c", &["d"]), ("d", &[]), ("e", &[])];
    for (failing, held_back) in dependents {
        let bench = Bench::new(DIAMOND).misbehave(failing, Misbehaviour::FailOnce);
        let Ended::Held { failures } = bench.run().await else { panic!("{failing} failed and the run is not held") };
        assert_eq!(failures[0].0, StepId::from(*failing));
        let done: BTreeSet<String> = bench.effects().into_keys().collect();
        let expected: BTreeSet<String> = DIAMOND
            .iter()
            .map(|(id, ..)| (*id).to_owned())
            .filter(|id| id != failing && !held_back.contains(&id.as_str()))
            .collect();
        assert_eq!(done, expected, "when {failing} fails");
        assert!(matches!(bench.resume(&[]).await, Ended::Held { .. }), "a failed step waits for the operator");
        assert_eq!(bench.resume(&[failing]).await, Ended::Done { changed: false });
        bench.each_effect_once();
    }
}

#[tokio::test]
async fn resume_after_a_lost_reply_observes_and_does_not_repeat() {
    for step in ["a", "b", "d", "e"] {
        let bench = Bench::new(DIAMOND).misbehave(step, Misbehaviour::LoseReplyOnce);
        assert!(matches!(bench.run().await, Ended::Held { .. }));
        assert_eq!(bench.resume(&[step]).await, Ended::Done { changed: false });
        bench.each_effect_once();
    }
}

#[tokio::test]
async fn a_conflict_is_held_and_never_applied_over() {
    let bench = Bench::new(DIAMOND).misbehave("b", Misbehaviour::Foreign);
    let Ended::Held { failures } = bench.run().await else { panic!("not held") };
    assert_eq!(failures[0].1.kind, FailureKind::Conflict);
    assert!(matches!(bench.resume(&["b"]).await, Ended::Held { .. }), "a retry meets the same conflict");
    assert!(!bench.effects().contains_key("b"));
}

#[tokio::test]
async fn a_defect_in_one_step_does_not_end_the_others() {
    let bench = Bench::new(DIAMOND).misbehave("b", Misbehaviour::Panic);
    let Ended::Held { failures } = bench.run().await else { panic!("not held") };
    assert!(failures[0].1.cause.contains("a defect"), "{:?}", failures[0]);
    assert_eq!(bench.effects().len(), 3);
}

#[tokio::test]
async fn a_failed_verification_is_a_failed_check() {
    let bench = Bench::new(DIAMOND).misbehave("c", Misbehaviour::FailVerification);
    let Ended::Held { failures } = bench.run().await else { panic!("not held") };
    assert_eq!(failures[0].1.kind, FailureKind::CheckFailed);
    assert!(!bench.effects().contains_key("d"));
    assert_eq!(bench.resume(&["c"]).await, Ended::Done { changed: false });
    bench.each_effect_once();
}

#[tokio::test]
async fn what_waits_for_a_step_that_was_left_out_goes_on_and_is_said_to_be_unproven() {
    let bench = Bench::new(DIAMOND).misbehave("b", Misbehaviour::Foreign);
    assert!(matches!(bench.run().await, Ended::Held { .. }));
    let (journal, _) = Journal::open(bench.dir.path()).unwrap();
    journal
        .append(Event::RunResumed {
            pid: 1,
            host: "h".into(),
            retry: vec![],
            restaged: None,
            accepted: vec![],
            tenure: None,
        })
        .unwrap();
    let skipped = Skipped { by: "ops".into(), because: "done by hand".into() };
    journal.append(Event::StepSkipped { step: "b".into(), skipped }).unwrap();
    drop(journal);
    assert_eq!(bench.resume(&[]).await, Ended::Done { changed: false });
    let done: BTreeSet<String> = bench.effects().into_keys().collect();
    assert_eq!(done, ["a", "c", "d", "e"].map(str::to_owned).into());
    let Some(Outcome::Done { not_checked, .. }) = journal::load(bench.dir.path()).unwrap().state.outcome else {
        panic!("no end")
    };
    let not_checked: Vec<String> = not_checked.iter().map(|it| format!("{}: {}", it.what, it.why)).collect();
    assert_eq!(
        not_checked,
        ["step b: left out by ops: done by hand", "what step d builds on: it went on without b, which was left out"]
    );
}

#[tokio::test]
async fn a_restore_whose_proof_failed_is_done_again_with_it() {
    let bench = Bench::new(DIAMOND).misbehave("b", Misbehaviour::ProofFailsOnce);
    let Ended::Held { failures } = bench.run().await else { panic!("not held") };
    assert_eq!(failures[0].1.kind, FailureKind::CheckFailed);
    assert!(!bench.effects().contains_key("a"), "it was taken away");
    let state = journal::load(bench.dir.path()).unwrap().state;
    let steps = |ids: &[&str]| ids.iter().map(|id| StepId::from(*id)).collect::<Vec<_>>();
    assert!(!state.may_be_tried_again(&"a".into(), &steps(&["a"])), "alone it has nothing to mend");
    assert!(!state.may_be_tried_again(&"e".into(), &steps(&["e", "b"])), "the failed step does not wait for it");
    assert_eq!(bench.resume(&["a", "b"]).await, Ended::Done { changed: false });
    bench.each_effect_once();
}

#[tokio::test]
async fn a_blocked_step_is_known_before_the_first_effect() {
    let bench = Bench::new(DIAMOND).misbehave("d", Misbehaviour::Blocked);
    let (engine, _told) = bench.engine();
    let found = preflight(&engine).await;
    assert_eq!(found.blocked.len(), 1);
    assert_eq!(found.blocked[0].0, StepId::from("d"));
    assert!(bench.effects().is_empty());
}

#[tokio::test]
async fn a_stopped_run_parks_and_goes_on_later() {
    let bench = Bench::new(&[("a", &[], 1), ("b", &["a"], 10_000), ("c", &["b"], 1)]);
    let stop = bench.stop.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        stop.send_replace(true);
    });
    let began = Instant::now();
    assert_eq!(bench.run().await, Ended::Interrupted);
    assert!(began.elapsed() < Duration::from_secs(5), "it parks at once");
    let state = journal::load(bench.dir.path()).unwrap().state;
    assert_eq!(state.steps[&StepId::from("b")].phase, StepPhase::Started);
    assert!(state.held.is_some());
}

#[tokio::test]
async fn a_run_that_was_killed_goes_on_where_its_journal_ends() {
    let bench = Bench::new(DIAMOND);
    bench.run().await;
    let path = bench.dir.path().join("journal.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    // Each prefix of the journal after its first records is where a kill could have left it. The effects that come
    // after it in time may or may not have happened: what `Started` says nothing about is left in the cloud here.
    for kept in DIAMOND.len() + 1..lines.len() {
        std::fs::write(&path, lines[..kept].join("\n") + "\n").unwrap();
        assert_eq!(bench.resume(&[]).await, Ended::Done { changed: false }, "from line {kept}");
        bench.each_effect_once();
    }
}

/// 40 steps side by side and a chain, at a twentieth of the size that `benches/` measures.
#[tokio::test]
async fn what_does_not_depend_on_one_another_runs_side_by_side() {
    let names: Vec<String> = (0..51).map(|n| format!("s{n:02}")).collect();
    let chain: Vec<[&str; 1]> = (40..50).map(|n| [names[n].as_str()]).collect();
    let mut steps: Vec<(&str, &[&str], u64)> = (0..41).map(|n| (names[n].as_str(), &[] as &[&str], 100)).collect();
    steps[40].2 = 50;
    steps.extend((41..51).map(|n| (names[n].as_str(), chain[n - 41].as_slice(), 50)));
    let bench = Bench::new(&steps);
    let began = Instant::now();
    assert_eq!(bench.run().await, Ended::Done { changed: false });
    let wall = began.elapsed();
    let critical = bench.runbook.critical_path().unwrap().total.unsigned_abs();
    assert_eq!(critical, Duration::from_millis(550));
    // A syncing disk beside other tests is slow: this finds steps that wait for one another, the bench finds overhead.
    let one_by_one: Duration = bench.runbook.steps.iter().map(|step| step.expected.unsigned_abs()).sum();
    assert!(wall < one_by_one / 2, "{wall:?}; one by one it would be {one_by_one:?}");
}
