//! `lifeboat evidence verify FILE`: proves, without any cloud, that evidence is what was sealed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::args::Output;
use super::error::{CliError, Exit};
use crate::evidence::{Fault, Finding, Verified, VerifyError, verify_folder};
use crate::report::{self, escape};

#[derive(Args)]
pub struct Evidence {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Prove that what lies beside a manifest of evidence is what was sealed; asks nobody
    Verify(Verify),
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
/// Exit 2: the file is no manifest of evidence; 1: something could not be read.
pub async fn run(command: &Evidence) -> Result<Exit, CliError> {
    let What::Verify(Verify { file, folder, output }) = &command.what;
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
