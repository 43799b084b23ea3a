//! A world that reaches nothing, for engines whose steps are simulated.

use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;
use lifeboat::aws::Session;
use lifeboat::manifest::{Backend, Manifest, Region, TerraformRoot};
use lifeboat::steps::World;
use lifeboat::templates::Templates;
use lifeboat::terraform::{Binary, Product, Version, Workdir, WorkdirOptions};

/// A world in `dir` whose clients have no server and whose Terraform is never started.
pub fn offline(dir: &Path) -> World {
    let manifest = Arc::new(manifest(dir));
    let binary = Binary {
        path: "terraform".into(),
        product: Product::Terraform,
        version: Version { major: 1, minor: 11, patch: 4 },
    };
    let terraform = Workdir::new(WorkdirOptions {
        run_dir: dir.to_owned(),
        manifest: manifest.clone(),
        binary,
        environment: Vec::new(),
        templates: Templates::default(),
    });
    let aws = Session::emulated("us-east-1", "http://127.0.0.1:9");
    World { run: "run".into(), run_dir: dir.to_owned(), manifest, aws, terraform }
}

/// The smallest manifest there can be.
pub fn manifest(dir: &Path) -> Manifest {
    let region = |name: &str, workspace: &str| Region {
        name: name.into(),
        workspace: workspace.into(),
        backend: Backend {
            bucket: format!("state-{name}"),
            key: "test.tfstate".into(),
            use_lockfile: true,
            extra: Default::default(),
        },
        variables: Default::default(),
    };
    Manifest {
        path: dir.join("lifeboat.hcl"),
        environment: "test".into(),
        service: "test".into(),
        account: "123456789012".into(),
        terraform: TerraformRoot {
            root: dir.to_owned(),
            var_files: Vec::new(),
            binary: None,
            parallelism: None,
            lock_timeout: SignedDuration::from_secs(60),
        },
        primary: region("eu-west-2", "test"),
        recovery: region("us-east-1", "test-dr"),
        objectives: Default::default(),
        clusters: Vec::new(),
        tables: Vec::new(),
        buckets: Vec::new(),
        catalogs: Vec::new(),
        checks: Vec::new(),
        cutovers: Vec::new(),
    }
}
