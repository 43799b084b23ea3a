//! `lifeboat check ENV`: could we fail over now, and what would be lost. Asks what a failover asks before it begins, and
//! changes nothing: no lease is taken, no lock, no workspace made.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use tokio::sync::watch;

use super::args::Output;
use super::credentials::{self, Verdict as Credentials};
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::home::NewRun;
use super::lease::Desk;
use super::wiring::{Connected, Plans, RunPlace};
use super::{check_terraform, home, textfile, wiring};
use crate::aws::s3::{BucketPlace, Versioning, find_bucket, versioning};
use crate::engine;
use crate::manifest::Manifest;
use crate::readiness::{Finding, Found, Readiness, Verdict};
use crate::report;
use crate::runbook::Runbook;
use crate::scenario;
use crate::steps::Blocked;

#[derive(Args)]
pub struct Check {
    /// The environment: a folder of that name with a lifeboat.hcl
    pub env: String,
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: Output,
    /// Also write metrics to this file, for the textfile collector of Prometheus's node exporter
    #[arg(long, value_name = "FILE")]
    pub prometheus: Option<PathBuf>,
    /// Make no Terraform plan, which is most of the time that a check takes
    #[arg(long)]
    pub no_plan: bool,
}

/// # Errors
/// Exit 2 for a manifest that is not valid. What stands in the way is no error of the check: it is in what is printed, and
/// the exit code is 3.
pub async fn run(command: &Check, environment: &Environment) -> Result<Exit, CliError> {
    let began = Instant::now();
    let plans = wiring::read(&command.env, environment)?;
    let runbook = scenario::failover(&plans.manifest);
    let found = look(plans, &runbook, command, environment).await;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let readiness = Readiness::of(&runbook, found, Timestamp::now(), took_ms)
        .map_err(|error| CliError::error("the runbook is not sound").cause(error.to_string()))?;
    let text = match command.output {
        Output::Text => report::readiness(&readiness, environment.stdout_look()),
        Output::Json => report::readiness_json(&readiness)
            .map_err(|error| CliError::error("the check is no JSON").cause(error.to_string()))?,
    };
    report::to_stdout(&text);
    if let Some(path) = &command.prometheus {
        textfile::write(path, &report::prometheus(&readiness))?;
    }
    Ok(match readiness.verdict {
        Verdict::Ready => Exit::Done,
        Verdict::ObjectiveMissed => Exit::CheckFailed,
        Verdict::NotReady => Exit::Blocked,
    })
}

async fn look(plans: Plans, runbook: &Runbook, command: &Check, environment: &Environment) -> Found {
    let manifest = plans.manifest.clone();
    let mut found = Found::default();
    if let Err(error) = home::refuse_unfinished(&environment.home, &manifest) {
        found.obstacles.push(finding("runs", &error));
    }
    // Its journal would be kept there, so that it is worth knowing whether it can be made.
    let new = match NewRun::make(&environment.home, home::new_run(&manifest.environment, Timestamp::now())) {
        Ok(new) => new,
        Err(error) => {
            found.obstacles.push(finding("runs", &error));
            found.unasked("Terraform, recovery points, state bucket, lease, records", &error.what);
            return found;
        }
    };
    check_terraform::offline(&manifest, &new.dir, environment, &mut found).await;
    match wiring::connect(&manifest).await {
        Ok(connected) => {
            let place = Place { new: &new, runbook, environment, plan: !command.no_plan };
            asked(plans, &connected, &place, &mut found).await;
        }
        Err(error) => {
            found.obstacles.push(finding("credentials", &error));
            found.unasked("recovery points, state bucket, lease, records, Terraform's plan", "AWS could not be asked");
        }
    }
    found
}

/// What is looked at, and from where.
struct Place<'a> {
    new: &'a NewRun,
    runbook: &'a Runbook,
    environment: &'a Environment,
    /// Whether Terraform is to plan.
    plan: bool,
}

/// Asks AWS.
async fn asked(plans: Plans, connected: &Connected, place: &Place<'_>, found: &mut Found) {
    let manifest = plans.manifest.clone();
    found.in_order.push(Finding::new("credentials", format!("of account {}", connected.caller.account)));
    let (lifetime, verdict) = credentials::judged(connected, place.runbook, place.environment).await;
    found.credentials_until = lifetime.and_then(|lifetime| lifetime.until);
    match verdict {
        Credentials::Enough => {}
        Credentials::Doubtful(words) => found.warnings.push(Finding::new("credentials", words)),
        Credentials::TooShort(words) => {
            let hint = Some("nothing renews them: log in again".to_owned());
            found.obstacles.push(Finding::new("credentials", words).hint(hint));
        }
    }
    let (bucket, steps) = tokio::join!(state_bucket(&manifest, connected, place), steps(plans, connected, place));
    found.add(bucket);
    found.add(steps);
}

/// What every step of the failover says to whether it may start.
async fn steps(plans: Plans, connected: &Connected, place: &Place<'_>) -> Found {
    let mut found = Found::default();
    let (_keep, stop) = watch::channel(false);
    let Place { new, runbook, .. } = *place;
    let run = RunPlace { run: &new.name, run_dir: &new.dir, runbook: runbook.clone(), stop, approved: None };
    match wiring::engine(plans, connected.aws.clone(), run, place.environment).await {
        Ok((engine, _told)) => {
            let planned = async {
                match place.plan {
                    true => check_terraform::plan(&engine).await,
                    false => check_terraform::unplanned("--no-plan"),
                }
            };
            let (checked, planned) = tokio::join!(engine::preflight(&engine), planned);
            found.add(planned);
            found.in_place = checked.in_place;
            let all = checked.checked.len() + checked.blocked.len();
            found.in_order.push(Finding::new("steps", format!("{} of {all} may start", checked.checked.len())));
            for (step, Blocked { cause, hint }) in checked.blocked {
                found.obstacles.push(Finding::new(step.as_str(), cause).hint(hint));
            }
            found.facts = checked.checked.into_iter().map(|(step, checked)| (step, checked.facts)).collect();
        }
        Err(error) => {
            found.obstacles.push(finding("terraform", &error));
            found.unasked("recovery points, records", &error.what);
        }
    }
    found
}

/// The bucket that holds Terraform's state, the lease and the copies of journals.
async fn state_bucket(manifest: &Manifest, connected: &Connected, place: &Place<'_>) -> Found {
    let mut found = Found::default();
    let bucket = &manifest.recovery.backend.bucket;
    let region = connected.aws.region();
    let obstacle = match find_bucket(&connected.aws, bucket).await {
        Ok(BucketPlace::Here) => None,
        Ok(BucketPlace::Missing) => {
            let hint = format!("make it in {region}, with versioning, before it is needed");
            Some(Finding::new("state bucket", format!("{bucket} does not exist")).hint(Some(hint)))
        }
        Ok(BucketPlace::Elsewhere(other)) => {
            let hint = format!("a state bucket of the recovery region has to stand in {region}");
            Some(Finding::new("state bucket", format!("{bucket} is in {other}, not in {region}")).hint(Some(hint)))
        }
        Err(error) => Some(Finding::new("state bucket", error.to_string())),
    };
    if let Some(obstacle) = obstacle {
        found.obstacles.push(obstacle);
        found.unasked("the lease", "the state bucket cannot be used");
        return found;
    }
    match versioning(&connected.aws, bucket).await {
        Ok(Versioning::Enabled) => {
            found.in_order.push(Finding::new("state bucket", format!("{bucket} is there, and versioned")))
        }
        Ok(_) => {
            let hint = format!(
                "switch it on: aws s3api put-bucket-versioning --region {region} --bucket {bucket} \
                 --versioning-configuration Status=Enabled"
            );
            let words = format!("{bucket} is not versioned: a state that is overwritten or deleted is gone");
            found.warnings.push(Finding::new("state bucket", words).hint(Some(hint)));
        }
        Err(error) => {
            let words = format!("nobody knows whether {bucket} is versioned: {error}");
            found.warnings.push(Finding::new("state bucket", words));
        }
    }
    let desk = Desk::of(place.environment, connected, manifest, None);
    match lease(&desk, &place.new.name).await {
        Ok(words) => found.in_order.push(Finding::new("lease", words)),
        Err(error) => found.obstacles.push(finding("lease", &error)),
    }
    found
}

/// Who has the lease, where that keeps nobody out.
async fn lease(desk: &Desk<'_>, run: &str) -> Result<String, CliError> {
    let last = desk.look().await?;
    desk.permit(run, last.as_ref()).await?;
    Ok(match last {
        Some(last) => format!("free; the last to hold it was run {} on {}", last.body.run, last.body.holder.host),
        None => "nobody has ever held it".to_owned(),
    })
}

/// An error of a part, as something that was found.
fn finding(about: &str, error: &CliError) -> Finding {
    let what = error.what.trim_end_matches("; nothing was changed");
    let text = error.cause.as_ref().map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}"));
    let next = error.next.as_ref().map(|next| format!("next: {next}"));
    let hint: Vec<String> = error.hint.clone().into_iter().chain(next).collect();
    Finding::new(about, text).hint((!hint.is_empty()).then(|| hint.join("; ")))
}
