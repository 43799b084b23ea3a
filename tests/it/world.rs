//! A run's world for tests of single steps: an emulator's clients, a small manifest, and what earlier steps returned.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::SignedDuration;
use lifeboat::aws::Session;
use lifeboat::manifest::{Backend, Manifest, Region, TerraformRoot};
use lifeboat::runbook::StepId;
use lifeboat::steps::{Cx, World};
use lifeboat::templates::Templates;
use lifeboat::terraform::version::{Binary, OLDEST, Product};
use lifeboat::terraform::{Workdir, WorkdirOptions};
use serde_json::Value;

use crate::harness::{ACCOUNT, TestEmulator};

pub const PRIMARY: &str = "eu-west-2";
pub const RECOVERY: &str = "us-east-1";
pub const RUN: &str = "20261122T1600-prod-7f3a";

/// A manifest of nothing but its two regions.
pub fn manifest() -> Manifest {
    let region = |name: &str, workspace: &str| Region {
        name: name.into(),
        workspace: workspace.into(),
        backend: Backend { bucket: "state".into(), key: "key".into(), use_lockfile: false, extra: BTreeMap::new() },
        variables: BTreeMap::new(),
    };
    Manifest {
        path: PathBuf::from("/nowhere/prod/lifeboat.hcl"),
        environment: "prod".into(),
        service: "streaming-logs".into(),
        account: ACCOUNT.into(),
        terraform: TerraformRoot {
            root: PathBuf::from("/nowhere/infra"),
            var_files: Vec::new(),
            binary: None,
            parallelism: None,
            lock_timeout: SignedDuration::from_secs(60),
        },
        primary: region(PRIMARY, "prod"),
        recovery: region(RECOVERY, "prod-dr"),
        objectives: BTreeMap::new(),
        clusters: Vec::new(),
        tables: Vec::new(),
        buckets: Vec::new(),
        catalogs: Vec::new(),
        checks: Vec::new(),
        cutovers: Vec::new(),
    }
}

/// A step's view of a run with that id in the recovery region.
pub fn cx(moto: &TestEmulator, run: &str, step: &str, facts: Value, outputs: &[(&str, Value)]) -> Cx {
    cx_by(moto.session(RECOVERY), moto, run, step, facts, outputs)
}

/// The same with clients of the test's own, for example through a proxy.
pub fn cx_by(aws: Session, moto: &TestEmulator, run: &str, step: &str, facts: Value, outputs: &[(&str, Value)]) -> Cx {
    let (run_dir, manifest) = (moto.dir.path().to_owned(), Arc::new(manifest()));
    // Never started: these steps leave Terraform alone.
    let terraform = Workdir::new(WorkdirOptions {
        run_dir: run_dir.clone(),
        manifest: Arc::clone(&manifest),
        binary: Binary { path: "/nowhere/terraform".into(), product: Product::Terraform, version: OLDEST },
        environment: Vec::new(),
        templates: Templates::new(None).expect("the compiled-in templates"),
    });
    let world = World { run: run.into(), run_dir, manifest, aws, terraform };
    let outputs: HashMap<StepId, Value> = outputs.iter().map(|(id, value)| (StepId::new(*id), value.clone())).collect();
    Cx::detached(Arc::new(world), step, facts, outputs)
}
