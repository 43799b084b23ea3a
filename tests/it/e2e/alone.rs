//! The rehearsal as people call it: the real command, the real Terraform, and then the world that it leaves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use lifeboat::journal::{self, Event};
use lifeboat::rehearse::proxy::read_records;
use rustix::process::{Pid, Signal, kill_process};

use crate::command::{self, after};
use crate::recovered::Clouds;

/// Each restore is made to take this long.
const RESTORES_TAKE: f64 = 20.0;
/// Below what it takes when one waits for another, and far above what a busy machine adds.
const RESTORES_MAY_TAKE: f64 = 2.0 * RESTORES_TAKE;
const MAY_WAIT: f64 = RESTORES_TAKE / 2.0;
const MEMORY_MIB: u64 = 100;

/// An emulator that a rehearsal has left running; ended by its process id, as the rehearsal says.
struct Kept {
    pid: Pid,
    endpoint: String,
    /// The home of the failover that was rehearsed.
    state: PathBuf,
}

impl Drop for Kept {
    fn drop(&mut self) {
        kill_process(self.pid, Signal::TERM).ok();
    }
}

impl Kept {
    fn told_in(said: &str) -> Self {
        let pid = after(said, "stop it with: kill ").parse().ok().and_then(Pid::from_raw);
        Self {
            pid: pid.expect("a process id"),
            endpoint: after(said, "AWS_ENDPOINT_URL=").to_owned(),
            state: after(said, "LIFEBOAT_HOME=").into(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rehearsal_ends_with_the_stack_in_the_recovery_region() {
    let _turn = command::quiet_turn().await;
    let home = tempfile::tempdir().expect("a folder");
    let mut rehearse = command::lifeboat("http://127.0.0.1:9", home.path());
    rehearse.args(["rehearse", "prod", "--keep", "--restores-take", &format!("{RESTORES_TAKE}s")]);
    let (code, said) = command::said(rehearse).await;
    let kept = Kept::told_in(&said);
    assert_eq!(code, Some(0), "{said}");

    let clouds = Clouds::at(&kept.endpoint);
    clouds.hold_the_recovered_stack().await;
    let mib: u64 = after(&said, "at most ").parse().expect("a number");
    assert!((5..=MEMORY_MIB).contains(&mib), "{mib} MiB");
    let requests = read_records(&kept.state.join("../requests.jsonl")).expect("requests");
    let lost: Vec<_> = requests.iter().filter(|request| request.region == "eu-west-2").collect();
    assert!(requests.len() > 2000 && lost.is_empty(), "{} requests, {lost:?}", requests.len());
    restores_went_side_by_side(&kept.state);
    terraform_has_nothing_left_to_change(&kept.endpoint).await;
    a_second_failover_changes_nothing(&kept, &clouds).await;
}

/// None waits for another: each begins as soon as there is what it needs, and ends in its own time.
fn restores_went_side_by_side(state: &Path) {
    let runs = command::runs(state);
    let [run] = runs.as_slice() else { panic!("{runs:?}") };
    let (mut taken, mut applied, mut verified) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for record in journal::load(run).expect("a journal").records {
        match &record.event {
            Event::StepTaken { step } => taken.insert(step.to_string(), record.at),
            Event::StepApplied { step, .. } => applied.insert(step.to_string(), record.at),
            Event::StepVerified { step } => verified.insert(step.to_string(), record.at),
            _ => None,
        };
    }
    let seconds = |from: Timestamp, to: Timestamp| to.duration_since(from).as_secs_f64();
    let restores = [
        ("restore.table.metadata", "infrastructure.plan"),
        ("restore.bucket.logs", "infrastructure.apply"),
        ("restore.aurora.logs", "infrastructure.declare"),
    ];
    for (step, needs) in restores {
        let (waited, took) = (seconds(verified[needs], taken[step]), seconds(taken[step], applied[step]));
        assert!((0.0..MAY_WAIT).contains(&waited), "{step} waited {waited} s");
        assert!((RESTORES_TAKE - 0.5..RESTORES_MAY_TAKE).contains(&took), "{step} took {took} s");
    }
}

/// Asked of a copy of the root that the test makes itself, with the files that lifeboat writes for people.
async fn terraform_has_nothing_left_to_change(endpoint: &str) {
    let home = tempfile::tempdir().expect("a folder");
    let mut generate = command::lifeboat(endpoint, home.path());
    generate.args(["plan", "failover", "prod", "--generate-only", "generated"]);
    let (code, said) = command::said(generate).await;
    assert_eq!(code, Some(0), "{said}");
    let root = home.path().join("root");
    copy(&command::project().join("examples/streaming-logs/infra"), &root);
    let generated = home.path().join("generated");
    std::fs::copy(generated.join("lifeboat_backend_override.tf"), root.join("lifeboat_backend_override.tf"))
        .expect("it");
    let terraform = async |args: &[&str]| {
        let mut terraform = command::command("terraform", endpoint, home.path());
        terraform.args(args).current_dir(&root).env("TF_IN_AUTOMATION", "1").env("AWS_REGION", "us-east-1");
        let output = command::output(terraform).await;
        let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned()).concat();
        (output.status.code(), said)
    };
    let (code, said) =
        terraform(&["init", "-input=false", "-no-color", "-backend-config=../generated/backend.hcl"]).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = terraform(&["workspace", "select", "-no-color", "prod-dr"]).await;
    assert_eq!(code, Some(0), "{said}");
    let plan = ["plan", "-input=false", "-no-color", "-lock=false", "-detailed-exitcode"];
    let (code, said) = terraform(&[&plan[..], &["-var-file=../generated/recovery.tfvars"]].concat()).await;
    assert_eq!(code, Some(0), "2 means that there are changes:\n{said}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        match path.is_dir() {
            true if path.ends_with(".terraform") => {}
            true => copy(&path, &to),
            false => drop(std::fs::copy(&path, &to).expect("a copy")),
        }
    }
}

async fn a_second_failover_changes_nothing(kept: &Kept, clouds: &Clouds) {
    let before = clouds.fingerprint().await;
    let other = tempfile::tempdir().expect("a folder");
    for (state, runs) in [(kept.state.clone(), 1), (other.path().join("state"), 0)] {
        let mut again = command::lifeboat(&kept.endpoint, other.path());
        again.args(["failover", "prod", "--confirm", "prod"]).env("LIFEBOAT_HOME", &state);
        let (code, said) = command::said(again).await;
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("already failed over to us-east-1"), "{said}");
        assert_eq!(command::runs(&state).len(), runs, "no run of its own is left");
    }
    let after = clouds.fingerprint().await;
    let changed: Vec<&String> = before.symmetric_difference(&after).collect();
    assert!(changed.is_empty(), "{changed:?}");
}
