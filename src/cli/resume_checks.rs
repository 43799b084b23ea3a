//! What must be so before a run is gone on with: the same steps, and the same Terraform root.

use super::error::CliError;
use super::resume::Resume;
use crate::engine::Engine;
use crate::journal::{Event, Loaded, RunStarted};
use crate::runbook::Runbook;
use crate::terraform::{Source, TerraformError};

/// What is left of a run is done by its own runbook. A manifest that would now give other steps (another workspace,
/// region, target or adopted address) cannot be mixed with it, accepted or not.
///
/// # Errors
/// Exit 3, naming the steps that differ.
pub fn same_steps(started: &RunStarted, now: &Runbook) -> Result<(), CliError> {
    let then = &started.runbook;
    let differing: Vec<&str> = then
        .steps
        .iter()
        .filter(|step| now.step(&step.id) != Some(step))
        .chain(now.steps.iter().filter(|step| then.step(&step.id).is_none()))
        .map(|step| step.id.as_str())
        .collect();
    let place = |runbook: &Runbook| (runbook.account.clone(), runbook.from_region.clone(), runbook.to_region.clone());
    if differing.is_empty() && place(then) == place(now) {
        return Ok(());
    }
    Err(CliError::blocked(format!("{} no longer describes run {}", started.manifest.display(), started.run))
        .cause(match differing.is_empty() {
            true => "account or regions are others".to_owned(),
            false => format!("these steps are others now: {}", differing.join(", ")),
        })
        .hint("put the manifest back as it was for this run, or give the run up with --abandon and start another"))
}

/// Has the root staged, anew where the operator said so. Returns the digest of a new copy, and where that comes from.
///
/// On a machine that has no copy of it yet, the root must be the one that the run was planned with.
///
/// # Errors
/// Exit 3: it is another, or cannot be staged; or a rebuild may not be built from it.
pub async fn staged(command: &Resume, engine: &Engine, loaded: &Loaded) -> Result<Option<(String, Source)>, CliError> {
    let (began_with, terraform) = (recorded(loaded), &engine.world.terraform);
    if terraform.binary().is_err() {
        return match command.restage {
            true => Err(CliError::usage("--restage is for runs that have a Terraform root, and this one has none")),
            false => Ok(None),
        };
    }
    if command.restage {
        let rule = engine.runbook.tears_down().then_some(engine.world.manifest.rebuild.commit);
        return terraform.restage(began_with.is_some(), rule).await.map(Some).map_err(refused);
    }
    match began_with {
        Some(digest) => terraform.stage_as(&digest).await.map(|()| None).map_err(refused),
        None => Ok(None),
    }
}

/// SHA-256 of the copy that the run was last planned with, where its journal has it.
fn recorded(loaded: &Loaded) -> Option<String> {
    let staged = |event: &Event| match event {
        Event::RunResumed { restaged, .. } => restaged.clone(),
        Event::StepApplied { output, .. } | Event::StepReconciled { output, .. } => {
            output["staged"].as_str().map(str::to_owned)
        }
        _ => None,
    };
    loaded.records.iter().rev().find_map(|record| staged(&record.event))
}

fn refused(error: TerraformError) -> CliError {
    let refused = CliError::blocked(error.to_string());
    match error.hint() {
        Some(hint) => refused.hint(hint),
        None => refused,
    }
}
