//! `lifeboat rehearse [ENV] --scenario breach`: somebody breaks in, and the stack is taken down and rebuilt, on this machine.

use std::path::{Path, PathBuf};

use super::args::Output;
use super::environment::Environment;
use super::error::{CliError, Exit};
use super::faulted::{self, Happened};
use super::rehearse::{
    OutageKind, Rehearse, common, failed, hold, leave_report, many, new_seed, print_iam_policy, this_program,
    wrong_fault,
};
use crate::manifest::Manifest;
use crate::rehearse::breach::{self, BreachPlan, BreachRehearsal, BreachStage};
use crate::rehearse::campaign::Scenario;
use crate::rehearse::fault::{self, Wanted};
use crate::report::{self, Look};

/// Rehearses, once with a report, or as a campaign. The exit code is that of the last command; 5 where something of the verdict does
/// not hold, a fault did not fire, or a rehearsal of a campaign came to another end.
///
/// # Errors
/// The rehearsal could not be held.
pub async fn run(
    command: &Rehearse,
    wanted: Wanted,
    manifest: &Manifest,
    dir: PathBuf,
    environment: &Environment,
) -> Result<Exit, CliError> {
    let once = matches!(wanted, Wanted::Faults(_));
    for (given, option) in [
        (command.keep, "--keep"),
        (command.outage != OutageKind::Refuses, "--outage"),
        (command.restores_take.is_some(), "--restores-take"),
        (once && command.output != Output::Text, "--output"),
    ] {
        if given {
            return Err(CliError::usage(format!("{option} says nothing of a breach"))
                .hint("leave it out, or rehearse a failover"));
        }
    }
    let runbook = breach::foreseen(manifest).map_err(failed)?;
    let faults = match wanted {
        Wanted::Faults(faults) => faults,
        Wanted::Campaign(campaign) => {
            let scenario = Scenario::Breach { binary: environment.tf_bin.clone() };
            let plan = many(command, scenario, (manifest, dir, common(environment)), environment)?;
            return hold(command, campaign, &runbook, plan).await;
        }
    };
    fault::check_steps(&faults, &runbook, &manifest.in_primary()).map_err(|error| wrong_fault(&error))?;
    let seed = command.seed.unwrap_or_else(new_seed);
    if !faults.is_empty() {
        report::to_stderr(&format!("seed {seed}: repeat with --seed {seed}\n"));
    }
    let plan = BreachPlan {
        manifest: manifest.clone(),
        dir,
        moto: environment.moto.clone().unwrap_or_else(|| PathBuf::from("moto_server")),
        port: command.port,
        lifeboat: this_program()?,
        common: common(environment),
        variables: environment.variables.clone(),
        binary: environment.tf_bin.clone(),
        faults,
        seed,
    };
    let dir = plan.dir.clone();
    let rehearsal = breach::run(plan, &tell).await.map_err(failed)?;
    if command.print_iam_policy {
        print_iam_policy(&rehearsal.requests_log)?;
    }
    conclude(&rehearsal, &dir, environment.stderr_look())
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
