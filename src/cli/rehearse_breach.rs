//! `lifeboat rehearse [ENV] --scenario breach`: somebody breaks in, and the stack is taken down and rebuilt, on this machine.

use std::path::Path;

use super::error::{CliError, Exit};
use super::faulted::{self, Happened};
use super::rehearse::{failed, leave_report, print_iam_policy};
use crate::rehearse::breach::{self, BreachPlan, BreachRehearsal, BreachStage};
use crate::report::{self, Look};

/// Rehearses, and leaves a report. The exit code is that of the last command; 5 where something of the verdict does not hold, or a
/// fault did not fire.
///
/// # Errors
/// The rehearsal could not be held.
pub async fn run(plan: BreachPlan, prints_policy: bool, look: Look) -> Result<Exit, CliError> {
    let dir = plan.dir.clone();
    let rehearsal = breach::run(plan, &tell).await.map_err(failed)?;
    if prints_policy {
        print_iam_policy(&rehearsal.requests_log)?;
    }
    conclude(&rehearsal, &dir, look)
}

fn tell(stage: BreachStage<'_>) {
    let words = match stage {
        BreachStage::EmulatorReady { endpoint } => {
            format!("emulator ready at {endpoint}\nbuilding the stack in its primary region with Terraform\n")
        }
        BreachStage::Stands { took } => format!("it stands, with its data ({:.1}s)\n", took.as_secs_f64()),
        BreachStage::BrokenInto => "somebody has broken in and poisoned the data\n".to_owned(),
        BreachStage::Happened { what } => what.to_owned(),
    };
    report::to_stderr(&words);
}

fn conclude(rehearsal: &BreachRehearsal, dir: &Path, look: Look) -> Result<Exit, CliError> {
    if let Some(run_dir) = crate::rehearse::fault::run_of(&rehearsal.home) {
        leave_report(&rehearsal.requests_log, &run_dir, dir, look)?;
    }
    let BreachRehearsal { fired, asked, commands, .. } = rehearsal;
    let told = faulted::of(Happened { fired, asked, commands, other: None });
    report::to_stderr(&told.words);
    let Some(verdict) = &rehearsal.verdict else {
        return Ok(match rehearsal.end.code {
            Some(0) | None => Exit::Error,
            Some(code) => Exit::of(code),
        });
    };
    for finding in &verdict.findings {
        let mark = if finding.holds { "ok     " } else { "FAILED " };
        report::to_stderr(&format!("{mark} {}\n", report::escape(&finding.what)));
    }
    Ok(if verdict.holds() && told.all_well { Exit::Done } else { Exit::CheckFailed })
}
