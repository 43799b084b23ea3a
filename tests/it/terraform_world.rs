//! Terraform roots of a test's own, of resources that need no provider, and the world that steps see them in.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lifeboat::aws::Session;
use lifeboat::manifest::{Manifest, Table, TableSource};
use lifeboat::runbook::StepId;
use lifeboat::steps::{Cx, World};
use lifeboat::templates::Templates;
use lifeboat::terraform::events::Event;
use lifeboat::terraform::{Observer, Workdir, WorkdirOptions, version};
use serde_json::Value;
use tokio::sync::Notify;

use crate::{harness, world};

/// A root on disk, the state beside it, and the folder of a run.
pub struct Site {
    pub dir: tempfile::TempDir,
    /// The emulator's address, where state is in S3.
    endpoint: Option<String>,
    pub adopt: Option<&'static str>,
    /// The account that the manifest names.
    pub account: &'static str,
}

/// An observer that remembers, and asks to stop when it is told to.
#[derive(Default)]
pub struct Notes {
    pub events: Mutex<Vec<Event>>,
    pub stop: Notify,
    /// Asks to stop when this address is begun.
    pub stop_at: Option<&'static str>,
}

#[async_trait]
impl Observer for Notes {
    fn event(&self, event: &Event) {
        if let (Event::Started { address, .. }, Some(at)) = (event, self.stop_at)
            && address == at
        {
            self.stop.notify_one();
        }
        self.events.lock().expect("no poison").push(event.clone());
    }

    fn status(&self, _text: &str) {}

    async fn stopped(&self) {
        self.stop.notified().await;
    }
}

impl Site {
    /// A root of these files, with state in a folder.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let site = Self {
            dir: tempfile::tempdir().expect("a folder"),
            endpoint: None,
            adopt: None,
            account: harness::ACCOUNT,
        };
        for (name, text) in files {
            site.write(&format!("root/{name}"), text);
        }
        let state = site.path("state");
        fs::create_dir_all(&state).expect("a folder for state");
        site.write("templates/terraform/backend_override.tf.tera", "terraform {\n  backend \"local\" {}\n}\n");
        let (file, workspaces) = (state.join("default.tfstate"), state.display().to_string());
        let backend = format!("path = \"{}\"\nworkspace_dir = \"{workspaces}\"\n", file.display());
        site.write("templates/terraform/backend.hcl.tera", &backend);
        site
    }

    /// The same with state in the emulator's S3.
    pub fn in_s3(files: &[(&str, &str)], endpoint: String) -> Self {
        Self { endpoint: Some(endpoint), ..Self::new(files) }
    }

    pub fn path(&self, inside: &str) -> PathBuf {
        fs::canonicalize(self.dir.path()).expect("the folder").join(inside)
    }

    pub fn write(&self, inside: &str, text: &str) {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub fn manifest(&self) -> Manifest {
        let mut manifest = world::manifest();
        manifest.account = self.account.into();
        manifest.path = self.path("lifeboat.hcl");
        manifest.terraform.root = self.path("root");
        manifest.recovery.backend.use_lockfile = self.endpoint.is_some();
        manifest.terraform.lock_timeout = jiff::SignedDuration::from_secs(1);
        manifest.tables = self.adopt.map(table).into_iter().collect();
        manifest
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut all = vec![
            ("PATH".into(), std::env::var_os("PATH").unwrap_or_default()),
            ("HOME".into(), self.path("").into()),
            ("AWS_ACCESS_KEY_ID".into(), "test".into()),
            ("AWS_SECRET_ACCESS_KEY".into(), "test".into()),
        ];
        all.extend(std::env::var_os("TF_CLI_CONFIG_FILE").map(|file| ("TF_CLI_CONFIG_FILE".into(), file)));
        if let Some(endpoint) = &self.endpoint {
            all.push(("AWS_ENDPOINT_URL".into(), endpoint.into()));
        }
        all
    }

    /// The work folder as a new process would make it.
    pub async fn workdir(&self) -> Workdir {
        let run_dir = self.path("run");
        fs::create_dir_all(&run_dir).expect("the run's folder");
        let environment = self.environment();
        let binary = version::find(None, None, &environment, &run_dir).await.expect("terraform on PATH");
        let templates = match self.endpoint {
            Some(_) => Templates::new(None),
            None => Templates::new(Some(&self.path("templates"))),
        };
        Workdir::new(WorkdirOptions {
            run_dir,
            manifest: Arc::new(self.manifest()),
            binary: Some(binary),
            environment,
            templates: templates.expect("templates"),
            lock: None,
            states: None,
        })
    }

    /// The world of a step, as a new process would make it.
    pub async fn world(&self, aws: Session) -> Arc<World> {
        Arc::new(World {
            run: "test".into(),
            run_dir: self.path("run"),
            manifest: Arc::new(self.manifest()),
            aws,
            terraform: self.workdir().await,
            evidence: None,
        })
    }

    /// The logs of the run, in order: `01-git`, `02-init`, …
    pub fn logs(&self) -> Vec<String> {
        let mut names: Vec<String> = files(&self.path("run/terraform/log"));
        names.sort();
        names.iter().filter_map(|it| it.strip_suffix(".log").map(str::to_owned)).collect()
    }
}

fn table(adopt: &str) -> Table {
    Table {
        name: "metadata".into(),
        source: "metadata-prod".into(),
        target: "metadata-dr".into(),
        from: TableSource::LatestBackup,
        aws_backup: None,
        adopt: Some(adopt.into()),
        verify: vec![],
    }
}

/// The names in a folder.
pub fn files(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a folder").map(|it| it.expect("an entry").file_name());
    entries.map(|it| it.to_string_lossy().into_owned()).collect()
}

/// A step's view, with what earlier steps have returned.
pub fn cx(world: &Arc<World>, step: &str, outputs: &[(&str, Value)]) -> Cx {
    let outputs: HashMap<StepId, Value> = outputs.iter().map(|(id, value)| (StepId::new(*id), value.clone())).collect();
    Cx::detached(Arc::clone(world), step, Value::Null, outputs)
}
