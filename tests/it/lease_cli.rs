//! Runs of another machine as the command meets them: listed, in the way of a new one, given up from here, and refused
//! where two copies conflict.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lifeboat::aws::Session;
use lifeboat::journal::lease::{Body, Claim, Holder, Lease, LeaseObject, SCHEMA_VERSION, Taking, judge};
use lifeboat::journal::replica::{Replica, ReplicaPlace};
use lifeboat::journal::{self, BootClock, Event, Held, Journal, Outcome, RunStarted, Tenure};
use lifeboat::manifest::{self, Manifest};
use lifeboat::scenario;
use tokio::sync::watch;

use crate::command::{self, project, said};
use crate::harness::{self, TestEmulator};

const RUN: &str = "20261122T0312-prod-7f3a";

struct Machines {
    moto: TestEmulator,
    manifest: Manifest,
    /// Where the run was begun.
    first: tempfile::TempDir,
    other: tempfile::TempDir,
}

fn run_dir(home: &Path) -> PathBuf {
    let dir = home.join("state/runs").join(RUN);
    std::fs::create_dir_all(&dir).expect("a folder");
    dir
}

impl Machines {
    async fn new() -> Self {
        let folder = || tempfile::tempdir().expect("a folder");
        let manifest = manifest::load(&project().join("environments"), "prod").expect("the example");
        let machines = Self { moto: harness::emulator().await, manifest, first: folder(), other: folder() };
        machines.session().s3().create_bucket().bucket(machines.bucket()).send().await.expect("a bucket");
        machines
    }

    fn bucket(&self) -> &str {
        &self.manifest.recovery.backend.bucket
    }

    fn session(&self) -> Session {
        self.moto.session(&self.manifest.recovery.name)
    }

    fn lease(&self) -> LeaseObject {
        LeaseObject::new(self.session(), self.bucket(), &self.manifest.service, "prod")
    }

    fn copy(&self) -> ReplicaPlace {
        ReplicaPlace::new(self.session(), self.bucket(), &self.manifest.service, "prod", RUN)
    }

    /// A run that began on the first machine, was held there, and let go in order.
    async fn held_run(&self) {
        let held = self.held().await;
        let journal = Journal::create(&run_dir(self.first.path())).expect("a journal").guarded(held.clone());
        journal.append(self.started()).expect("appended");
        journal.append(Event::RunHeld { reason: "failed: restore.aurora.logs".into() }).expect("appended");
        let gone = held.let_go(journal.next(), false).await;
        assert_eq!((gone.not_replicated, gone.not_released), (None, None));
    }

    async fn held(&self) -> Arc<Held> {
        let claim = Claim { run: RUN, of_the_dead: None, take_over: None, other_is_over: false };
        let permit = judge(self.lease().read().await.expect("the bucket").as_ref(), &claim).expect("it is free");
        let holder = Holder { host: "desk".into(), pid: 4711, caller: "arn:desk".into(), token: "first".into() };
        let body = Body {
            schema_version: SCHEMA_VERSION,
            service: self.manifest.service.clone(),
            environment: "prod".into(),
            run: RUN.into(),
            fence: permit.fence,
            beat: 0,
            ttl_seconds: 60,
            since: Timestamp::now(),
            holder,
            released: false,
            finished: false,
        };
        let (object, ttl, (stop, _)) = (self.lease(), Duration::from_secs(60), watch::channel(false));
        let taking = Taking { object, body, permit, ttl, clock: Arc::new(BootClock), stop };
        let lease = Lease::take(taking).await.expect("S3 answers").expect("it is free");
        let replica = Replica::start(self.copy(), lease.keeping(), 0, b"");
        Arc::new(Held { lease, replica })
    }

    fn started(&self) -> Event {
        Event::RunStarted(Box::new(RunStarted {
            run: RUN.into(),
            lifeboat: "0".into(),
            manifest: self.manifest.path.clone(),
            manifest_sha256: String::new(),
            caller: "arn:desk".into(),
            pid: 4711,
            host: "desk".into(),
            impact_at: None,
            declared_at: None,
            bundle: None,
            inputs: None,
            tenure: Some(Tenure::Held { bucket: self.bucket().into(), fence: 1 }),
            runbook: scenario::failover(&self.manifest),
        }))
    }

    async fn on_first(&self, args: &[&str]) -> (Option<i32>, String) {
        self.on(self.first.path(), args).await
    }

    async fn on_other(&self, args: &[&str]) -> (Option<i32>, String) {
        self.on(self.other.path(), args).await
    }

    async fn on(&self, home: &Path, args: &[&str]) -> (Option<i32>, String) {
        let mut command = command::lifeboat(&self.moto.endpoint(), home);
        command.args(args);
        said(command).await
    }

    async fn listed(&self) -> String {
        let mut command = command::lifeboat(&self.moto.endpoint(), self.other.path());
        command.args(["runs", "prod", "--remote"]);
        let output = command::output(command).await;
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_another_machine_is_listed_blocks_a_new_one_and_can_be_given_up_from_here() {
    let machines = Machines::new().await;
    assert!(machines.listed().await.contains("no lease was ever taken"));
    machines.held_run().await;
    let listed = machines.listed().await;
    assert!(listed.contains(RUN) && listed.contains(&format!("has no end: lifeboat resume {RUN}")), "{listed}");

    let (code, told) = machines.on_other(&["failover", "prod", "--confirm", "prod"]).await;
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains(&format!("run {RUN} of prod has no end yet")) && told.contains("desk"), "{told}");
    let (code, told) = machines.on_other(&["resume"]).await;
    assert!(code == Some(3) && told.contains("lifeboat runs ENV --remote"), "{told}");

    let (code, told) = machines.on_other(&["resume", RUN, "--abandon", "--because", "restored by hand"]).await;
    assert_eq!(code, Some(0), "{told}");
    let copy = machines.copy().fetch().await.expect("the copy");
    let loaded = journal::check(&copy, Path::new("copy")).expect("a whole chain");
    assert_eq!(loaded.state.outcome, Some(Outcome::Abandoned { because: "restored by hand".into() }));
    let lease = machines.lease().read().await.expect("the bucket").expect("the lease").body;
    assert!(lease.released && lease.finished && lease.fence == 2, "{lease:?}");

    let (code, told) = machines.on_first(&["resume", RUN]).await;
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("another machine went on") && told.contains("is finished"), "{told}");
    assert_eq!(journal::lines_of(&run_dir(machines.first.path())).expect("lines"), copy, "both have the same journal");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_conflict_are_refused_by_the_record_and_nothing_is_changed() {
    let machines = Machines::new().await;
    machines.held_run().await;
    let dir = run_dir(machines.other.path());
    let begun: Vec<u8> = {
        let lines = journal::lines_of(&run_dir(machines.first.path())).expect("lines");
        lines.split_inclusive(|byte| *byte == b'\n').next().expect("a line").to_vec()
    };
    std::fs::write(dir.join("journal.jsonl"), begun).expect("written");
    let (journal, _) = Journal::open(&dir).expect("a journal");
    journal.append(Event::RunHeld { reason: "something else".into() }).expect("appended");
    drop(journal);
    let (here, there) = (journal::lines_of(&dir).expect("lines"), machines.copy().fetch().await.expect("the copy"));

    let (code, told) = machines.on_other(&["resume", RUN]).await;
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("conflict") && told.contains("from record 1 on"), "{told}");
    assert_eq!(journal::lines_of(&dir).expect("lines"), here);
    assert_eq!(machines.copy().fetch().await.expect("the copy"), there);
    let lease = machines.lease().read().await.expect("the bucket").expect("the lease").body;
    assert_eq!((lease.fence, lease.released), (1, true), "nobody took the lease");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bucket_the_operator_chooses_and_the_journal_keeps_the_choice() {
    let machines = Machines::new().await;
    machines.held_run().await;
    let away = harness::emulator().await;
    let on_away = async |args: &[&str]| {
        let mut command = command::lifeboat(&away.endpoint(), machines.first.path());
        command.args(args);
        said(command).await
    };
    let abandon = ["resume", RUN, "--abandon", "--because", "the bucket is gone"];
    let (code, told) = on_away(&abandon).await;
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("--without-lease --because") && told.contains(machines.bucket()), "{told}");
    let (code, told) = on_away(&["resume", RUN, "--without-lease"]).await;
    assert_eq!(code, Some(2), "never without a reason: {told}");
    let (code, told) = on_away(&[&abandon[..], &["--without-lease"]].concat()).await;
    assert_eq!(code, Some(0), "{told}");
    let state = journal::load(&run_dir(machines.first.path())).expect("a journal").state;
    assert!(matches!(state.outcome, Some(Outcome::Abandoned { .. })));
}
