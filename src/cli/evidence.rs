//! `lifeboat evidence collect ENV`: keeps what a breach has left, before anything is taken down. `lifeboat evidence verify FILE`:
//! proves, without any cloud, that evidence is what was sealed.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::args::Output;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::recover::{Named, Recovery, RunArgs};
use super::{args, wiring};
use crate::evidence::{Fault, Finding, Verified, VerifyError, verify_folder};
use crate::report::{self, escape};
use crate::scenario;

#[derive(Args)]
pub struct Evidence {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Keep snapshots, lists, logs and settings of the primary region in the evidence bucket, sealed; changes nothing of the service
    Collect(Box<Collect>),
    /// Prove that what lies beside a manifest of evidence is what was sealed; asks nobody
    Verify(Verify),
}

#[derive(Args)]
struct Collect {
    /// The environment: a folder of that name with a lifeboat.hcl
    env: String,
    /// The first that is known of the breach, with its zone; events are collected from before it [default: now]
    #[arg(long, value_name = "TIME", value_parser = args::time)]
    breach_at: Option<Timestamp>,
    /// Say what would be kept, and keep nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Args)]
struct Verify {
    /// The manifest, evidence.json
    file: PathBuf,
    /// Where the evidence lies [default: beside the manifest]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// `json`: everything that was found, on standard output
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
}

/// # Errors
/// As the one of the two commands that is meant.
pub async fn run(command: &Evidence, environment: &Environment) -> Result<Exit, CliError> {
    match &command.what {
        What::Collect(command) => collect(command, environment).await,
        What::Verify(command) => verify(command).await,
    }
}

/// # Errors
/// Exit 2 for a manifest that is not valid or says no place for evidence; 3 where evidence cannot be kept there, or anything else
/// stands in the way; nothing was made then.
async fn collect(command: &Collect, environment: &Environment) -> Result<Exit, CliError> {
    let declared_at = Timestamp::now();
    command.run.plausible(&command.env, declared_at)?;
    let breach_at = command.breach_at.unwrap_or(declared_at);
    if breach_at > declared_at {
        return Err(CliError::usage(format!("--breach-at {breach_at} is in the future")));
    }
    let plans = wiring::read(&command.env, environment)?;
    let manifest = plans.manifest.clone();
    let Some(rule) = &manifest.evidence else {
        return Err(CliError::usage(format!("{} has no evidence block", manifest.path.display()))
            .cause("it says where evidence is kept")
            .hint("write evidence { bucket = \"BUCKET\" }: a bucket that is not the service's own"));
    };
    let connected = wiring::connect(&manifest).await?;
    let runbook = scenario::evidence(&manifest, &manifest.primary.name, rule, breach_at);
    let aws = connected.aws_in(&runbook.to_region).await;
    // Used where an approval is asked for, which collecting evidence cannot have.
    let planned_by = format!("lifeboat evidence collect {} --dry-run", command.env);
    let named = Named { plans, connected, aws, runbook, planned_by };
    Recovery { run: &command.run, declared_at, named, bundle: None, dry_run: command.dry_run }
        .carry_out(environment)
        .await
}

/// # Errors
/// Exit 2: the file is no manifest of evidence; 1: something could not be read.
async fn verify(command: &Verify) -> Result<Exit, CliError> {
    let Verify { file, folder, output } = command;
    let (path, beside) = (file.clone(), folder.clone());
    let verified = tokio::task::spawn_blocking(move || verify_folder(&path, beside.as_deref())).await;
    let verified = verified.map_err(|error| CliError::error("nothing was verified").cause(error.to_string()))?;
    let verified = verified.map_err(|error| match &error {
        VerifyError::NotAManifest { .. } => CliError::usage(escape(&error.to_string()))
            .hint("name the evidence.json that was sealed; where it is that file, it was altered beyond reading"),
        VerifyError::Io { .. } => CliError::error(escape(&error.to_string())),
    })?;
    match output {
        Output::Json => {
            let json = serde_json::to_string_pretty(&verified)
                .map_err(|error| CliError::error("what was found is no JSON").cause(error.to_string()))?;
            report::to_stdout(&format!("{json}\n"));
        }
        Output::Text => report::to_stdout(&text(&verified)),
    }
    Ok(if verified.whole { Exit::Done } else { Exit::CheckFailed })
}

fn text(verified: &Verified) -> String {
    let Verified { run, environment, items, unchanged, manifest_sha256, .. } = verified;
    let mut text: String = verified.findings.iter().map(line).collect();
    let word = if verified.whole { "whole" } else { "NOT WHOLE" };
    text += &format!(
        "{word}: {unchanged} of {items} items unchanged; run {}, environment {}\nmanifest {manifest_sha256}\n",
        escape(run),
        escape(environment)
    );
    if verified.unlocked > 0 {
        text += &format!("not locked: {} of {items} items were kept without Object Lock\n", verified.unlocked);
    }
    for snapshot in &verified.not_checked {
        text += &format!("not checked: {} ({}) stays in AWS\n", escape(&snapshot.arn), escape(&snapshot.what));
    }
    for missing in &verified.not_collected {
        text += &format!("not collected: {}: {}\n", escape(&missing.what), escape(&missing.why));
    }
    text
}

fn line(Finding { key, fault }: &Finding) -> String {
    let key = escape(key);
    match fault {
        Fault::Missing => format!("missing  {key}\n"),
        Fault::Changed { expected_sha256, found_sha256 } => {
            format!("changed  {key}\n  expected {expected_sha256}\n  found    {found_sha256}\n")
        }
        Fault::Journal { why } => format!("journal  {key}: {}\n", escape(why)),
        Fault::Extra => format!("extra    {key}\n"),
    }
}
