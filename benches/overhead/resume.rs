//! How long `lifeboat resume` takes until its first request, where a run of 200 steps is finished but for the last.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lifeboat::journal::{Event, Journal, RunStarted};
use lifeboat::runbook::StepId;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{Figure, graph, median, started};

const STEPS: usize = 200;
const MANIFEST: &str = r#"service = "bench"
account = "123456789012"
terraform { root = "../../root" }
region "primary" {
  name      = "eu-west-2"
  workspace = "bench"
  backend   = { bucket = "away", key = "bench.tfstate" }
}
region "recovery" {
  name      = "us-east-1"
  workspace = "bench-dr"
  backend   = { bucket = "state", key = "bench.tfstate", use_lockfile = true }
}
"#;

pub fn first_request() -> Figure {
    let home = tempfile::tempdir().expect("a folder");
    journalled(home.path());
    let times = (0..11).map(|_| once(home.path())).collect();
    let median = median(times);
    Figure {
        what: "resume of a run of 200 steps, up to its first request, median of 11",
        measured: format!("{:.0} ms", median.as_secs_f64() * 1e3),
        goal: "1 s",
        met: median < Duration::from_secs(1),
    }
}

/// An environment and a journal as a run leaves it that was killed before its last step.
fn journalled(home: &Path) {
    let manifest = home.join("environments/bench/lifeboat.hcl");
    std::fs::create_dir_all(manifest.parent().expect("a parent")).expect("a folder");
    std::fs::create_dir_all(home.join("root")).expect("a folder");
    std::fs::write(&manifest, MANIFEST).expect("a manifest");
    std::fs::write(home.join("root/main.tf"), "").expect("a root");
    let run = home.join("state/runs/20261122T0312-bench-0001");
    std::fs::create_dir_all(&run).expect("a folder");
    let runbook = graph(STEPS, 0);
    let Event::RunStarted(begun) = started(&runbook) else { unreachable!("it starts") };
    let manifest_sha256 = Sha256::digest(MANIFEST).iter().map(|byte| format!("{byte:02x}")).collect();
    let begun = RunStarted { run: "20261122T0312-bench-0001".into(), manifest, manifest_sha256, ..*begun };
    let journal = Journal::create(&run).expect("a journal");
    let append = |event| drop(journal.append(event).expect("an append"));
    append(Event::RunStarted(Box::new(begun)));
    let ids: Vec<StepId> = runbook.steps.iter().map(|step| step.id.clone()).collect();
    for step in &ids {
        append(Event::StepChecked { step: step.clone(), facts: json!({}) });
    }
    for step in &ids[1..] {
        append(Event::StepTaken { step: step.clone() });
        append(Event::StepStarted { step: step.clone(), attempt: 1 });
        append(Event::StepApplied { step: step.clone(), output: json!({ "id": step.as_str() }) });
        append(Event::StepVerified { step: step.clone() });
    }
}

/// Until it connects to what it takes for AWS; then it is killed.
fn once(home: &Path) -> Duration {
    let aws = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", aws.local_addr().expect("an address"));
    let began = Instant::now();
    let mut lifeboat = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
        .arg("resume")
        .env("LIFEBOAT_HOME", home.join("state"))
        .env("LIFEBOAT_ENVIRONMENTS", home.join("environments"))
        .env("AWS_ENDPOINT_URL", endpoint)
        .envs([("AWS_ACCESS_KEY_ID", "bench"), ("AWS_SECRET_ACCESS_KEY", "bench")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("lifeboat starts");
    aws.set_nonblocking(true).expect("a socket");
    let took = loop {
        match aws.accept() {
            Ok(_) => break began.elapsed(),
            Err(_) if lifeboat.try_wait().expect("a child").is_none() && began.elapsed() < Duration::from_secs(30) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(_) => {
                lifeboat.kill().ok();
                let output = lifeboat.wait_with_output().expect("its output");
                panic!("it asked for nothing: {}", String::from_utf8_lossy(&output.stderr));
            }
        }
    };
    lifeboat.kill().expect("it lives");
    lifeboat.wait().expect("it ends");
    took
}
