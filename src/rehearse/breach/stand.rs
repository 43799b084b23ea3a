//! The stack in its primary region before anybody broke in: built by Terraform from the root and the manifest, as its operators
//! would have built it, in the emulator and never through the proxy.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};

use crate::aws::Session;
use crate::aws::s3::StateObject;
use crate::engine::{Ended, Engine, execute};
use crate::journal::{Event, Journal, RunStarted};
use crate::manifest::{Guards, Manifest};
use crate::rehearse::RehearseError;
use crate::runbook::{Phase, Runbook};
use crate::scenario;
use crate::steps::{self, World};
use crate::templates::Templates;
use crate::terraform::environment::Environment;
use crate::terraform::{Workdir, WorkdirOptions, version};

/// Where and with what it is built.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// An empty folder.
    pub dir: &'a Path,
    pub endpoint: &'a str,
    /// Of Terraform, without anything that leads to a real account.
    pub environment: &'a Environment,
    /// As `--tf-bin` names it.
    pub binary: Option<&'a str>,
}

/// Builds it; the state bucket is there.
///
/// # Errors
/// There is no usable Terraform, or it could not build.
pub async fn stand(manifest: &Manifest, site: Site<'_>) -> Result<(), RehearseError> {
    // Nothing is restored: what the manifest brings back is made by Terraform here, empty.
    let manifest = Manifest {
        clusters: Vec::new(),
        tables: Vec::new(),
        catalogs: Vec::new(),
        guards: Guards::default(),
        ..manifest.in_primary()
    };
    let unsupported = |error: &dyn std::fmt::Display| RehearseError::Unsupported(error.to_string());
    let wanted = manifest.terraform.binary.as_deref();
    let binary = version::find(site.binary, wanted, site.environment, site.dir).await;
    let binary = binary.map_err(|error| unsupported(&error))?;
    let aws = Session::emulated(&manifest.recovery.name, site.endpoint);
    let runbook = built_only(scenario::failover(&manifest));
    let manifest = Arc::new(manifest);
    let terraform = Workdir::new(WorkdirOptions {
        run_dir: site.dir.to_owned(),
        manifest: Arc::clone(&manifest),
        binary: Some(binary),
        environment: site.environment.clone(),
        templates: Templates::new(None).map_err(|error| unsupported(&error))?,
        lock: None,
        states: Some(Arc::new(StateObject::of(&aws, &manifest.recovery))),
    });
    let started = started(&manifest, &runbook);
    let run = started.run.clone();
    let world = World { run, run_dir: site.dir.to_owned(), manifest, aws, terraform, evidence: None };
    let (notices, _told) = mpsc::unbounded_channel();
    let (_nobody, stop) = watch::channel(false);
    let engine =
        Engine { runbook: Arc::new(runbook), world: Arc::new(world), make: Arc::new(steps::make), notices, stop };
    let journal = Journal::create(site.dir).map_err(|error| unsupported(&error))?;
    journal.append(Event::RunStarted(Box::new(started))).map_err(|error| unsupported(&error))?;
    match execute(&engine, Arc::new(journal)).await.map_err(|error| unsupported(&error))? {
        Ended::Done { .. } => Ok(()),
        Ended::Interrupted => Err(RehearseError::Interrupted),
        Ended::Held { failures } => {
            let causes: Vec<String> =
                failures.iter().map(|(step, failure)| format!("{step}: {}", failure.cause)).collect();
            Err(RehearseError::Unsupported(format!("Terraform does not build it: {}", causes.join("; "))))
        }
    }
}

/// Of a failover, what builds.
fn built_only(runbook: Runbook) -> Runbook {
    let steps = runbook.steps.into_iter().filter(|step| step.phase == Phase::Infrastructure).collect();
    Runbook { steps, ..runbook }
}

fn started(manifest: &Manifest, runbook: &Runbook) -> RunStarted {
    RunStarted {
        run: "before-the-breach".to_owned(),
        lifeboat: env!("CARGO_PKG_VERSION").to_owned(),
        manifest: manifest.path.clone(),
        manifest_sha256: String::new(),
        caller: "rehearsal".to_owned(),
        pid: std::process::id(),
        host: "rehearsal".to_owned(),
        impact_at: None,
        declared_at: Some(Timestamp::now()),
        inputs: None,
        tenure: None,
        bundle: None,
        runbook: runbook.clone(),
    }
}
