//! A world that reaches nothing: for engines whose steps are simulated, and as the ground of other worlds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::SignedDuration;
use lifeboat::aws::Session;
use lifeboat::manifest::{Backend, Manifest, Region, TerraformRoot};
use lifeboat::steps::World;
use lifeboat::templates::Templates;
use lifeboat::terraform::version::OLDEST;
use lifeboat::terraform::{Binary, Product, Workdir, WorkdirOptions};

pub const PRIMARY: &str = "eu-west-2";
pub const RECOVERY: &str = "us-east-1";

/// A manifest of nothing but its two regions.
pub fn manifest() -> Manifest {
    let region = |name: &str, workspace: &str| Region {
        name: name.into(),
        workspace: workspace.into(),
        backend: Backend { bucket: "state".into(), key: "key".into(), use_lockfile: false, extra: Default::default() },
        variables: Default::default(),
    };
    Manifest {
        path: PathBuf::from("/nowhere/prod/lifeboat.hcl"),
        environment: "prod".into(),
        service: "streaming-logs".into(),
        account: "123456789012".into(),
        terraform: TerraformRoot {
            root: PathBuf::from("/nowhere/infra"),
            var_files: Vec::new(),
            binary: None,
            parallelism: None,
            lock_timeout: SignedDuration::from_secs(60),
        },
        primary: region(PRIMARY, "prod"),
        recovery: region(RECOVERY, "prod-dr"),
        objectives: Default::default(),
        clusters: Vec::new(),
        tables: Vec::new(),
        buckets: Vec::new(),
        catalogs: Vec::new(),
        checks: Vec::new(),
        cutovers: Vec::new(),
        approval: None,
        guards: Default::default(),
        containment: None,
        rotation: None,
        evidence: None,
        rebuild: Default::default(),
    }
}

/// A world in `run_dir` with those clients, whose Terraform is never started.
pub fn world(run: &str, run_dir: &Path, aws: Session) -> World {
    let manifest = Arc::new(manifest());
    let terraform = Workdir::new(WorkdirOptions {
        run_dir: run_dir.to_owned(),
        manifest: Arc::clone(&manifest),
        binary: Some(Binary { path: PathBuf::from("terraform"), product: Product::Terraform, version: OLDEST }),
        environment: Vec::new(),
        templates: Templates::new(None).expect("the compiled-in templates"),
        lock: None,
        states: None,
    });
    World { run: run.to_owned(), run_dir: run_dir.to_owned(), manifest, aws, terraform, evidence: None }
}

/// Clients that reach nobody.
pub fn nobody() -> Session {
    Session::emulated(RECOVERY, "http://127.0.0.1:9")
}
