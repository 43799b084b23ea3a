//! `lifeboat plan SCENARIO …`: what would be done, from which recovery points, and what stands in the way; sealed in a
//! bundle that can be reviewed, compared and approved.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use super::bundling::{self, Made, Order};
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::home::NewRun;
use super::moment::Clean;
use super::prospect::{Prospect, not_as_expected, prospect};
use super::rebuild;
use super::recover::{Named, Subject};
use super::recover_aurora::PointOfCluster;
use super::recover_bucket::PointOfBucket;
use super::recover_catalog::PointOfCatalog;
use super::recover_table::PointOfTable;
use super::screen::Screen;
use super::{args, home, signals, wiring};
use crate::bundle::{self, Bundle};
use crate::manifest::CopyEngine;
use crate::report;
use crate::scenario;
use crate::terraform::GeneratedFile;

#[derive(Args)]
pub struct Plan {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Fail an environment over to its recovery region
    Failover(PlanFailover),
    /// Take a stack down after a breach and build it anew where it stood, from what was clean
    Rebuild(PlanRebuild),
    /// Take back what was corrupted to how it was at a time
    #[command(subcommand)]
    Recover(PlanRecover),
}

#[derive(Args)]
struct PlanFailover {
    /// The environment: a folder of that name with a lifeboat.hcl
    env: String,
    /// Write the generated backend and variable files to this folder and stop; nobody is asked
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "against", "detailed_exitcode"])]
    generate_only: Option<PathBuf>,
    /// What copies buckets: by the number of objects, this machine, or jobs of S3 Batch Operations
    #[arg(long, value_name = "auto|local|batch", value_parser = args::copy_engine, default_value = "auto")]
    engine: CopyEngine,
    #[command(flatten)]
    bundle: BundleArgs,
}

#[derive(Args)]
struct PlanRebuild {
    /// The environment: a folder of that name with a lifeboat.hcl
    env: String,
    #[command(flatten)]
    clean: Clean,
    #[command(flatten)]
    bundle: BundleArgs,
}

#[derive(Subcommand)]
enum PlanRecover {
    /// Restore a cluster to a point in time, or from its newest clean snapshot, beside itself under another identifier
    #[command(visible_alias = "cluster")]
    Aurora(PlanRecovery<PointOfCluster>),
    /// Take a bucket that keeps versions back to a time
    Bucket(PlanRecovery<PointOfBucket>),
    /// Recreate a Glue database as it was exported, beside itself under another name
    Catalog(PlanRecovery<PointOfCatalog>),
    /// Restore a table to a point in time, or from its newest clean backup, beside itself under another name
    Table(PlanRecovery<PointOfTable>),
}

#[derive(Args)]
struct PlanRecovery<S: Args> {
    #[command(flatten)]
    subject: S,
    #[command(flatten)]
    bundle: BundleArgs,
}

/// What becomes of the bundle, and how it is shown.
#[derive(Args)]
struct BundleArgs {
    /// Where the bundle goes: a folder, or an archive that ends with .tar.zst [default: a folder in LIFEBOAT_HOME/plans]
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Show what differs from this bundle instead
    #[arg(long, value_name = "BUNDLE")]
    against: Option<PathBuf>,
    #[arg(short, long, value_enum, default_value = "text")]
    output: Form,
    /// Exit with 2 where anything would be changed, as terraform plan does
    #[arg(long)]
    detailed_exitcode: bool,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For a terminal, folded
    #[value(alias = "table")]
    Text,
    /// For a comment on a pull request: less than 65,000 characters
    Markdown,
    /// Everything
    Json,
}

/// The command that plans a failover.
pub fn of_failover(env: &str, engine: CopyEngine) -> String {
    let engine = match engine {
        CopyEngine::Auto => "",
        CopyEngine::Local => " --engine local",
        CopyEngine::Batch => " --engine batch",
    };
    format!("lifeboat plan failover {env}{engine}")
}

/// # Errors
/// Exit 2 for a manifest that is not valid, 3 when something stands in the way of the scenario.
pub async fn run(command: &Plan, environment: &Environment) -> Result<Exit, CliError> {
    match &command.scenario {
        Scenario::Failover(command) => failover(command, environment).await,
        Scenario::Rebuild(command) => {
            let named = rebuild::named(&command.env, &command.clean, environment).await?;
            written(named, &command.bundle, environment).await
        }
        Scenario::Recover(PlanRecover::Aurora(command)) => recovery(command, environment).await,
        Scenario::Recover(PlanRecover::Bucket(command)) => recovery(command, environment).await,
        Scenario::Recover(PlanRecover::Catalog(command)) => recovery(command, environment).await,
        Scenario::Recover(PlanRecover::Table(command)) => recovery(command, environment).await,
    }
}

async fn failover(command: &PlanFailover, environment: &Environment) -> Result<Exit, CliError> {
    let plans = wiring::read(&command.env, environment)?;
    if let Some(dir) = &command.generate_only {
        return generate(dir, &plans.generated);
    }
    let runbook = scenario::failover(&scenario::copied_by(&plans.manifest, command.engine));
    let connected = wiring::connect(&plans.manifest).await?;
    let (aws, planned_by) = (connected.aws.clone(), of_failover(&command.env, command.engine));
    written(Named { plans, connected, aws, runbook, planned_by }, &command.bundle, environment).await
}

async fn recovery<S: Args + Subject>(command: &PlanRecovery<S>, environment: &Environment) -> Result<Exit, CliError> {
    command.subject.moment().plausible(Timestamp::now())?;
    written(command.subject.named(environment).await?, &command.bundle, environment).await
}

/// Plans, shows, and writes the bundle down.
async fn written(named: Named, command: &BundleArgs, environment: &Environment) -> Result<Exit, CliError> {
    let Named { plans, connected, aws, runbook, planned_by } = named;
    let against = command.against.as_deref().map(read).transpose()?;
    let new = NewRun::make(&environment.home, home::new_run(&plans.manifest.environment, Timestamp::now()))?;
    let stop = signals::listen()?;
    let salt = against.as_ref().and_then(|bundle| bundle.index.inputs.as_ref()).map(|inputs| inputs.salt.clone());
    let plans = wiring::worked(&plans, &runbook, environment)?;
    let order = Order {
        plans,
        connected: &connected,
        aws,
        runbook,
        command: planned_by,
        new: &new,
        stop: stop.subscribe(),
        salt,
    };
    let Made { bundle, view } = bundling::make(order, environment).await?;
    let found = bundle.as_ref().filter(|_| view.blocked.is_empty() && against.is_none());
    match found.and_then(|bundle| prospect(&bundle.steps.runbook, bundle.facts())) {
        Some(Prospect::InPlace(words)) => {
            report::to_stderr(&format!("{words}\nThere is nothing to approve.\n"));
            return Ok(Exit::Done);
        }
        Some(Prospect::Unexpected { words, unmet }) => return Err(not_as_expected(words, unmet)),
        Some(Prospect::ToDo(_)) | None => {}
    }
    let screen = Screen::of(bundle.as_ref(), view);
    let written = match &bundle {
        Some(bundle) => {
            let path = command.out.clone().unwrap_or_else(|| environment.home.join("plans").join(&new.name));
            bundle::write(&bundle.contents, &path).map_err(|error| {
                CliError::error("the bundle cannot be written").cause(error.to_string()).hint("name another with --out")
            })?;
            Some(path)
        }
        None => None,
    };
    let text = match (&against, &bundle) {
        (Some(then), Some(now)) => compared(then, now, command.output, environment),
        (Some(_), None) => {
            return Err(CliError::blocked("Terraform cannot plan, so that there is nothing to compare")
                .details(screen.foreseen().text(environment.stderr_look())));
        }
        (None, _) => shown(&screen, command.output, environment),
    };
    report::to_stdout(&text?);
    match &written {
        Some(path) if screen.is_blocked() => report::to_stderr(&format!("bundle: {}\n", path.display())),
        Some(path) => {
            let path = path.display();
            report::to_stderr(&format!("next: lifeboat approve {path}\nbundle: {path}\n"));
        }
        None => report::to_stderr("there is no bundle: Terraform cannot plan\n"),
    }
    Ok(match () {
        () if screen.is_blocked() => Exit::Blocked,
        // The 2 of `terraform plan -detailed-exitcode`, which is asked for by name.
        () if command.detailed_exitcode && screen.changes() => Exit::Usage,
        () => Exit::Done,
    })
}

/// Reads a bundle that the operator has named.
///
/// # Errors
/// Exit 3: there is none, or it is not whole.
pub fn read(path: &Path) -> Result<Bundle, CliError> {
    bundle::read(path).map_err(|error| {
        CliError::blocked(format!("{} cannot be used; nothing was changed", path.display()))
            .cause(error.to_string())
            .hint("a bundle is made by lifeboat plan, and is used as it was made")
    })
}

fn shown(screen: &Screen, form: Form, environment: &Environment) -> Result<String, CliError> {
    let foreseen = screen.foreseen();
    match form {
        Form::Text => Ok(foreseen.text(environment.stdout_look())),
        Form::Markdown => Ok(foreseen.markdown()),
        Form::Json => foreseen.json().map_err(|error| CliError::error("the plan is no JSON").cause(error.to_string())),
    }
}

fn compared(then: &Bundle, now: &Bundle, form: Form, environment: &Environment) -> Result<String, CliError> {
    let comparison = bundle::compare(then, now);
    match form {
        Form::Text => Ok(report::comparison(&comparison, environment.stdout_look())),
        Form::Markdown => Err(CliError::usage("a comparison is text or json")),
        Form::Json => report::comparison_json(&comparison)
            .map_err(|error| CliError::error("the comparison is no JSON").cause(error.to_string())),
    }
}

/// Writes the files; one that is there with other content is left alone.
fn generate(dir: &Path, files: &[GeneratedFile]) -> Result<Exit, CliError> {
    let failed = |path: &Path, error: std::io::Error| {
        CliError::error(format!("{} cannot be written", path.display())).cause(error.to_string())
    };
    fs::create_dir_all(dir).map_err(|error| failed(dir, error))?;
    for file in files {
        let path = dir.join(&file.name);
        match fs::read_to_string(&path) {
            Ok(there) if there == file.contents => {}
            Ok(_) => {
                return Err(CliError::error(format!("{} is there with other content", path.display()))
                    .hint("name another folder, or move the file away"));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // Variables may hold secrets.
                let mut new = OpenOptions::new()
                    .write(true)
                    .create_new(true)
                    .mode(0o600)
                    .open(&path)
                    .map_err(|error| failed(&path, error))?;
                new.write_all(file.contents.as_bytes()).map_err(|error| failed(&path, error))?;
            }
            Err(error) => return Err(failed(&path, error)),
        }
        report::to_stdout(&format!("{}\n", path.display()));
    }
    Ok(Exit::Done)
}
