//! `lifeboat rotate ENV`: what an intruder may have read is replaced, as the manifest's `rotation` block names it.

use clap::Args;
use jiff::Timestamp;

use super::environment::Environment;
use super::error::{CliError, Exit};
use super::recover::{Named, Recovery, RunArgs};
use super::wiring;
use crate::manifest::Manifest;
use crate::scenario;

#[derive(Args)]
pub struct Rotate {
    /// The environment: a folder of that name with a lifeboat.hcl
    env: String,
    /// The region of the secrets and clusters [default: the primary region]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Say what would be rotated and how, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// # Errors
/// Exit 2 for a manifest that is not valid or has no rotation block; 3 where something stands in the way; nothing was changed
/// then.
pub async fn run(command: &Rotate, environment: &Environment) -> Result<Exit, CliError> {
    let declared_at = Timestamp::now();
    command.run.plausible(&command.env, declared_at)?;
    let plans = wiring::read(&command.env, environment)?;
    let manifest = plans.manifest.clone();
    if manifest.rotation.is_none() {
        return Err(CliError::usage(format!("{} has no rotation block", manifest.path.display()))
            .cause("it says what is rotated")
            .hint("write rotation { secrets = [\"NAME\"] }"));
    }
    let region = command.region(&manifest)?;
    let connected = wiring::connect(&manifest).await?;
    let runbook = scenario::rotate(&manifest, region);
    let aws = connected.aws_in(region).await;
    let planned_by = format!("lifeboat rotate {} --dry-run", command.env);
    let named = Named { plans, connected, aws, runbook, planned_by };
    Recovery { run: &command.run, declared_at, named, bundle: None, dry_run: command.dry_run }
        .carry_out(environment)
        .await
}

impl Rotate {
    fn region<'a>(&'a self, manifest: &'a Manifest) -> Result<&'a str, CliError> {
        let (first, second) = (&manifest.primary.name, &manifest.recovery.name);
        match &self.region {
            None => Ok(first),
            Some(region) if region == first || region == second => Ok(region),
            Some(region) => Err(CliError::usage(format!("{region} is no region of {}", manifest.environment))
                .cause(format!("{} knows {first} and {second}", manifest.path.display()))),
        }
    }
}
