//! Brings together what a command works with: manifest, Terraform root, AWS session, world and engine.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};

use super::environment::Environment;
use super::error::{CliError, Exit};
use crate::aws::s3::{LockFile, StateObject};
use crate::aws::{Caller, Session};
use crate::document::Invalid;
use crate::engine::Engine;
use crate::evidence::Evidence;
use crate::manifest::{self, Manifest};
use crate::runbook::{Action, Runbook, StepSpec};
use crate::scenario::REBUILD;
use crate::steps::{self, EvidenceGate, KeptEvidence, Notice, World};
use crate::templates::Templates;
use crate::terraform::approved::Approved;
use crate::terraform::lock::LockStore;
use crate::terraform::tfvars::TfvarsError;
use crate::terraform::{Binary, GeneratedFile, Root, Variable, Workdir, WorkdirOptions, generate, version};

/// A manifest that was found valid, with what follows from it on this machine alone.
#[derive(Clone)]
pub struct Plans {
    pub manifest: Arc<Manifest>,
    pub templates: Templates,
    /// The recovery region's backend and variables.
    pub generated: Vec<GeneratedFile>,
    /// Names of the variables that the root declares.
    pub declared: BTreeSet<String>,
    /// Those of them that it declares as sensitive.
    pub sensitive: BTreeSet<String>,
}

/// Who is asking, and the clients to ask with.
pub struct Connected {
    pub aws: Session,
    pub caller: Caller,
}

/// A run, as the engine is made for it.
pub struct RunPlace<'a> {
    pub run: &'a str,
    pub run_dir: &'a Path,
    pub runbook: Runbook,
    /// Turns true when the operator asks to stop.
    pub stop: watch::Receiver<bool>,
    /// What was approved, where the run may do no more than that.
    pub approved: Option<Arc<Approved>>,
}

/// Reads and validates everything about an environment that is on this machine. Asks nobody.
///
/// # Errors
/// Exit 2, with every problem at once.
pub fn read(env: &str, environment: &Environment) -> Result<Plans, CliError> {
    let manifest = manifest::load(&environment.environments, env).map_err(|error| invalid(&error, environment))?;
    complete(manifest, environment)
}

/// The same for a manifest by its path.
///
/// # Errors
/// As [`read`].
pub fn read_file(path: &Path, environment: &Environment) -> Result<Plans, CliError> {
    let manifest = manifest::load_file(path).map_err(|error| invalid(&error, environment))?;
    complete(manifest, environment)
}

fn complete(manifest: Manifest, environment: &Environment) -> Result<Plans, CliError> {
    let templates = Templates::new(environment.templates.as_deref())
        .map_err(|error| CliError::usage("the templates cannot be used").cause(error.to_string()))?;
    let root = Root::read(&manifest.terraform.root)
        .map_err(|error| CliError::usage("the Terraform root cannot be used").cause(error.to_string()))?;
    let generated = generate::in_environment(&manifest, &root, &templates, &environment.variables);
    let generated = generated.map_err(|error| match error {
        TfvarsError::Invalid(error) => invalid(&error, environment),
        error => CliError::usage("the recovery region's variables cannot be made").cause(error.to_string()),
    })?;
    let secret = |(name, variable): (&String, &Variable)| variable.sensitive.then(|| name.clone());
    let sensitive = root.variables.iter().filter_map(secret).collect();
    let declared = root.variables.into_keys().collect();
    Ok(Plans { manifest: Arc::new(manifest), templates, generated, declared, sensitive })
}

fn invalid(error: &Invalid, environment: &Environment) -> CliError {
    let look = environment.stderr_look();
    let count = error.problems.len();
    let what =
        format!("{count} problem{} in what was given; nothing was asked or changed", if count == 1 { "" } else { "s" });
    CliError::new(Exit::Usage, what).details(error.render(look.color, look.width))
}

/// Finds out who is asking, and refuses any account but the manifest's.
///
/// # Errors
/// Exit 3: no credentials, or another account.
pub async fn connect(manifest: &Manifest) -> Result<Connected, CliError> {
    let aws = Session::connect(&manifest.recovery.name).await;
    let caller = aws.caller().await.map_err(|error| {
        CliError::blocked("AWS does not say who is asking; nothing was changed")
            .cause(error.to_string())
            .hint("log in, or set AWS_PROFILE; then run the same command again")
    })?;
    if caller.account != manifest.account {
        return Err(CliError::blocked(format!("these credentials are of account {}", caller.account))
            .cause(format!("{} is for account {}", manifest.path.display(), manifest.account))
            .hint(format!("the caller is {}; nothing was changed", caller.arn)));
    }
    Ok(Connected { aws, caller })
}

impl Connected {
    /// Clients for the region that a run works in: the recovery region of most, the primary one of some.
    pub async fn aws_in(&self, region: &str) -> Session {
        match region == self.aws.region() {
            true => self.aws.clone(),
            false => Session::connect(region).await,
        }
    }
}

/// The world and the engine for a run in its folder.
///
/// # Errors
/// Exit 3: no usable Terraform.
pub async fn engine(
    plans: Plans,
    aws: Session,
    place: RunPlace<'_>,
    environment: &Environment,
) -> Result<(Engine, mpsc::UnboundedReceiver<Notice>), CliError> {
    let Plans { manifest, templates, .. } = plans;
    let RunPlace { run, run_dir, runbook, stop, approved } = place;
    let binary = match runbook.uses_terraform() {
        true => Some(terraform(&manifest, run_dir, environment).await?),
        false => None,
    };
    // What Terraform works in is the region that the run works in.
    let turned = runbook.uses_terraform() && runbook.to_region == manifest.primary.name;
    let seen = if turned { Arc::new(manifest.in_primary()) } else { manifest.clone() };
    let lock = LockFile::of(&aws, &seen.recovery).map(|lock| Arc::new(lock) as Arc<dyn LockStore>);
    let states = Arc::new(StateObject::of(&aws, &seen.recovery));
    let terraform = Workdir::new(WorkdirOptions {
        run_dir: run_dir.to_owned(),
        manifest: seen,
        binary,
        environment: environment.variables.clone(),
        templates,
        lock,
        states: Some(states),
    });
    let terraform = terraform.bound_to(approved);
    let evidence = evidence_of(&runbook);
    let world = World { run: run.to_owned(), run_dir: run_dir.to_owned(), manifest, aws, terraform, evidence };
    let (notices, told) = mpsc::unbounded_channel();
    let make = Arc::new(steps::make);
    Ok((Engine { runbook: Arc::new(runbook), world: Arc::new(world), make, notices, stop }, told))
}

/// Who answers for the evidence of a run: the run itself, where it seals some.
fn evidence_of(runbook: &Runbook) -> Option<Arc<dyn EvidenceGate>> {
    let place = |step: &StepSpec| match &step.action {
        Action::Evidence { evidence } if matches!(evidence.what, Evidence::Seal { .. }) => {
            Some(evidence.place.bucket.clone())
        }
        _ => None,
    };
    let buckets: Vec<String> = runbook.steps.iter().filter_map(place).collect();
    if buckets.is_empty() {
        return None;
    }
    Some(Arc::new(KeptEvidence::in_buckets(buckets)))
}

/// What a run of that runbook works with: a rebuild has the primary region where others have the recovery region.
///
/// # Errors
/// Exit 2: the primary region's backend and variables cannot be made.
pub fn worked(plans: &Plans, runbook: &Runbook, environment: &Environment) -> Result<Plans, CliError> {
    match runbook.scenario == REBUILD {
        true => complete(plans.manifest.in_primary(), environment),
        false => Ok(plans.clone()),
    }
}

async fn terraform(manifest: &Manifest, run_dir: &Path, environment: &Environment) -> Result<Binary, CliError> {
    let (flag, wanted) = (environment.tf_bin.as_deref(), manifest.terraform.binary.as_deref());
    version::find(flag, wanted, &environment.variables, run_dir)
        .await
        .map_err(|error| CliError::blocked(error.to_string()).hint(error.hint()))
}

/// The machine's name, for the journal.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// It cannot be read.
pub fn sha256(path: &Path) -> Result<String, CliError> {
    let bytes = std::fs::read(path)
        .map_err(|error| CliError::error(format!("{} cannot be read", path.display())).cause(error.to_string()))?;
    Ok(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}
