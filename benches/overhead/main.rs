//! What lifeboat itself costs: starting, resuming, the journal, and orchestration over the critical path. `make bench`.
//!
//! Prints a table with the goal beside each figure; a miss is marked as one, and the exit code is 1 then.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark prints, and starts what it measures")]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::SignedDuration;
use lifeboat::engine::{Engine, execute};
use lifeboat::journal::{Event, Journal, RunStarted};
use lifeboat::runbook::{Action, Phase, Runbook, StepId, StepSpec};
use lifeboat::steps::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError};
use serde_json::json;
use tokio::sync::{mpsc, watch};

#[path = "../../tests/support/offline.rs"]
mod offline;
mod resume;

struct Figure {
    what: &'static str,
    measured: String,
    goal: &'static str,
    met: bool,
}

fn main() -> ExitCode {
    let figures = [start_up(), journal(), resume::first_request(), orchestration()];
    println!("| figure | measured | goal | |\n|---|---|---|---|");
    for Figure { what, measured, goal, met } in &figures {
        println!("| {what} | {measured} | {goal} | {} |", if *met { "met" } else { "MISSED" });
    }
    if figures.iter().all(|figure| figure.met) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Pairs of `lifeboat --version` and `/bin/true`, in turn.
fn start_up() -> Figure {
    let time = |program: &str, args: &[&str]| {
        let began = Instant::now();
        let output = Command::new(program).args(args).output().expect("a program to start");
        assert!(output.status.success());
        began.elapsed()
    };
    let lifeboat = env!("CARGO_BIN_EXE_lifeboat");
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..60 {
        ours.push(time(lifeboat, &["--version"]));
        bare.push(time("/bin/true", &[]));
    }
    let over = median(ours).saturating_sub(median(bare));
    let measured = format!("{:.1} ms over /bin/true", over.as_secs_f64() * 1e3);
    Figure {
        what: "`lifeboat --version`, median of 60",
        measured,
        goal: "10 ms",
        met: over <= Duration::from_millis(10),
    }
}

/// 10,000 appends against lines of their length written and synced bare, in turn by hundreds.
fn journal() -> Figure {
    let dir = tempfile::tempdir().expect("a folder");
    let runbook = graph(10_000, 0);
    let journal = Journal::create(dir.path()).expect("a journal");
    journal.append(started(&runbook)).expect("an append");
    let mut bare = OpenOptions::new().append(true).create(true).open(dir.path().join("bare")).expect("a file");
    let checked = |n: usize| Event::StepChecked { step: StepId::new(format!("wide.{n}")), facts: json!({"n": n}) };
    let line = vec![b'x'; 260];
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for chunk in 0..100 {
        let began = Instant::now();
        for n in 0..100 {
            journal.append(checked(chunk * 100 + n)).expect("an append");
        }
        ours.push(began.elapsed());
        let began = Instant::now();
        for _ in 0..100 {
            bare.write_all(&line).and_then(|()| bare.sync_data()).expect("a write");
        }
        theirs.push(began.elapsed());
    }
    let ratio = median(ours).as_secs_f64() / median(theirs).as_secs_f64();
    let measured = format!("{ratio:.2} × bare write and sync");
    Figure { what: "10,000 journal appends", measured, goal: "1.2 ×", met: ratio <= 1.2 }
}

/// 40 steps of two seconds beside a chain of eleven of one second.
fn orchestration() -> Figure {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    let runbook = graph(40, 11);
    let critical = runbook.critical_path().expect("a sound graph").total.unsigned_abs();
    let wall = runtime.block_on(carry_out(dir.path(), runbook));
    let limit = critical.mul_f64(1.02) + Duration::from_millis(300);
    let measured = format!("{:.3} s for a critical path of {:.0} s", wall.as_secs_f64(), critical.as_secs_f64());
    let goal = "1.02 × + 0.3 s = 11.52 s";
    Figure { what: "40 × 2 s beside a chain of 11 s", measured, goal, met: wall <= limit }
}

fn graph(wide: usize, long: usize) -> Runbook {
    let step = |id: String, after: Vec<StepId>, seconds| StepSpec {
        title: id.clone(),
        id: StepId::new(id),
        phase: Phase::Restore,
        after,
        component: None,
        expected: SignedDuration::from_secs(seconds),
        action: Action::TerraformSettled,
    };
    let chain = |n: usize| match n {
        0 => vec![],
        n => vec![StepId::new(format!("chain.{}", n - 1))],
    };
    let mut steps: Vec<StepSpec> = (0..wide).map(|n| step(format!("wide.{n}"), vec![], 2)).collect();
    steps.extend((0..long).map(|n| step(format!("chain.{n}"), chain(n), 1)));
    Runbook {
        scenario: "failover".into(),
        environment: "bench".into(),
        service: "bench".into(),
        account: "123456789012".into(),
        from_region: "eu-west-2".into(),
        to_region: "us-east-1".into(),
        steps,
        objectives: vec![],
        not_checked: vec![],
    }
}

fn started(runbook: &Runbook) -> Event {
    Event::RunStarted(Box::new(RunStarted {
        run: "bench".into(),
        lifeboat: env!("CARGO_PKG_VERSION").into(),
        manifest: PathBuf::new(),
        manifest_sha256: String::new(),
        caller: String::new(),
        pid: std::process::id(),
        host: String::new(),
        impact_at: None,
        declared_at: None,
        bundle: None,
        inputs: None,
        tenure: None,
        runbook: runbook.clone(),
    }))
}

async fn carry_out(dir: &Path, runbook: Runbook) -> Duration {
    let journal = Arc::new(Journal::create(dir).expect("a journal"));
    journal.append(started(&runbook)).expect("an append");
    let (notices, _told) = mpsc::unbounded_channel();
    let (_stop, stopped) = watch::channel(false);
    let engine = Engine {
        runbook: Arc::new(runbook),
        world: Arc::new(offline::world("bench", dir, offline::nobody())),
        make: Arc::new(|spec: &StepSpec| -> Arc<dyn Step> { Arc::new(Sleeps(spec.expected.unsigned_abs())) }),
        notices,
        stop: stopped,
    };
    let began = Instant::now();
    execute(&engine, journal).await.expect("a whole journal");
    began.elapsed()
}

struct Sleeps(Duration);

#[async_trait]
impl Step for Sleeps {
    async fn check(&self, _: &Cx) -> Result<Checked, Blocked> {
        Ok(Checked::default())
    }
    async fn observe(&self, _: &Cx) -> Result<Seen, StepError> {
        Ok(Seen::Absent)
    }
    async fn apply(&self, _: &Cx) -> Result<Output, StepError> {
        tokio::time::sleep(self.0).await;
        Ok(json!({}))
    }
    async fn verify(&self, _: &Cx, _: &Output) -> Result<(), StepError> {
        Ok(())
    }
    fn compensation(&self) -> Compensation {
        Compensation::Never
    }
}
