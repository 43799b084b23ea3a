//! The arguments that all commands share; each command's own stand in its file.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};

use super::{
    approve, check, contain, evidence, failover, plan, rebuild, recover, rehearse, report, resume, review, rotate,
    runs, state, status,
};
use crate::manifest::{CopyEngine, read_duration};

/// Reads a point in time.
///
/// # Errors
/// It is none, or does not say its zone: which clock was meant would be a guess.
pub fn time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "write date, time and zone, such as 2026-11-22T03:00:00Z or 2026-11-22T04:00:00+01:00".to_owned())
}

/// Reads a duration, as the manifest has them.
///
/// # Errors
/// It is none.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    read_duration(text).ok_or_else(|| "write hours, minutes and seconds, such as 15m, 1h or 1h30m".to_owned())
}

/// Moves a Terraform-managed AWS stack to another region.
#[derive(Parser)]
#[command(name = "lifeboat", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    /// Where runs are kept [default: $XDG_STATE_HOME/lifeboat or ~/.local/state/lifeboat]
    #[arg(long, global = true, env = "LIFEBOAT_HOME", value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// The folder that holds ENV/lifeboat.hcl
    #[arg(long, global = true, env = "LIFEBOAT_ENVIRONMENTS", value_name = "DIR", default_value = "environments")]
    pub environments: PathBuf,
    /// The terraform or tofu to run [default: the manifest's, then whichever is on PATH]
    #[arg(long, global = true, env = "LIFEBOAT_TF_BIN", value_name = "PROGRAM")]
    pub tf_bin: Option<String>,
    /// A folder whose templates replace the compiled-in ones
    #[arg(long, global = true, env = "LIFEBOAT_TEMPLATES", value_name = "DIR")]
    pub templates: Option<PathBuf>,
    /// Show what lifeboat does (-v) and what the AWS SDKs do (-vv)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  error
  2  usage, or the manifest is not valid
  3  blocked by a guard, another run or preflight; nothing was changed
  4  held; the command that goes on with it is printed
  5  finished, but a check failed, a step was left out, or an objective was missed";

#[derive(Subcommand)]
pub enum Command {
    /// Fail an environment over to its recovery region
    Failover(failover::Failover),
    /// Say whether an environment could fail over now, and what would be lost; changes nothing
    Check(check::Check),
    /// Show what a scenario would do and what stands in its way, and write it down as a bundle; changes nothing
    Plan(plan::Plan),
    /// Answer for what a bundle would do, after having seen it
    Approve(approve::Approve),
    /// Show what a Terraform plan would do, and what would be lost by it
    Review(review::Review),
    /// Shut users, roles, addresses and instances out after a breach, and close buckets; reversible
    Contain(Box<contain::Contain>),
    /// Replace secrets, passwords and access keys that may have been read
    Rotate(Box<rotate::Rotate>),
    /// Take back what was corrupted to how it was at a time
    Recover(Box<recover::Recover>),
    /// Keep evidence of a breach before anything is taken down, and prove that it is what was sealed
    Evidence(evidence::Evidence),
    /// After a breach: shut out, keep evidence, take the stack down, build it anew and restore what was clean
    Rebuild(Box<rebuild::Rebuild>),
    /// Go on with a run that was held, stopped or killed
    Resume(resume::Resume),
    /// Run the whole failover on this machine, against an emulated AWS
    Rehearse(rehearse::Rehearse),
    /// Look after a run's Terraform state: what could not be saved, and a lock that was left behind
    State(state::State),
    /// List the runs
    Runs(runs::Runs),
    /// Show where a run stands
    Status(status::Status),
    /// Print a run's report
    Report(report::Report),
}

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    Json,
}

/// What copies buckets.
///
/// # Errors
/// It is none of the three.
pub fn copy_engine(text: &str) -> Result<CopyEngine, String> {
    match text {
        "auto" => Ok(CopyEngine::Auto),
        "local" => Ok(CopyEngine::Local),
        "batch" => Ok(CopyEngine::Batch),
        _ => Err("auto, local or batch".to_owned()),
    }
}
