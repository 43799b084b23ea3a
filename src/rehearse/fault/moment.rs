//! Moments of a run, as its journal tells them to whoever looks on from outside.

use std::path::{Path, PathBuf};

use super::{Asked, Fault, FaultError, Place};
use crate::document::nearest;
use crate::journal::{self, Event, Record};
use crate::manifest::Manifest;
use crate::runbook::{Phase, Runbook, StepId, StepSpec};

/// Something that a journal says of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Its intent is on disk, and nothing is known of its end.
    UnderWay,
    /// Its intent is on disk.
    Started,
    /// Its effect is on disk as done or found.
    Applied,
}

/// The folder of the newest run in a home.
pub fn run_of(home: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(home.join("runs")).ok()?;
    let mut runs: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    runs.retain(|run| run.join("journal.jsonl").is_file());
    runs.sort();
    runs.pop()
}

/// Whether the newest run's journal says so of a step. The intent of an effect is on disk before the effect, so that
/// what is asked when a request comes is answered exactly.
pub fn reached(home: &Path, step: &StepId, mark: Mark) -> bool {
    let loaded = run_of(home).and_then(|run| journal::load(&run).ok());
    loaded.is_some_and(|loaded| says(&loaded.records, step, mark))
}

fn says(records: &[Record], id: &StepId, mark: Mark) -> bool {
    let (mut started, mut applied, mut failed) = (false, false, false);
    for record in records {
        match &record.event {
            Event::StepStarted { step, .. } if step == id => (started, failed) = (true, false),
            Event::StepApplied { step, .. } | Event::StepReconciled { step, .. } if step == id => applied = true,
            Event::StepFailed { step, .. } if step == id => failed = true,
            _ => {}
        }
    }
    match mark {
        Mark::UnderWay => started && !applied && !failed,
        Mark::Started => started || applied,
        Mark::Applied => applied,
    }
}

/// Refuses faults at steps that the runbook does not have, and lost replies of steps that ask for nothing.
///
/// # Errors
/// The first such fault, with the name that was probably meant.
pub fn check_steps(faults: &[Asked], runbook: &Runbook, manifest: &Manifest) -> Result<(), FaultError> {
    for asked in faults {
        let Some(name) = step_of(&asked.fault) else { continue };
        let wrong = |why: String, hint| FaultError { fault: asked.text.clone(), why, hint };
        let Some(step) = runbook.step(&StepId::new(name)) else {
            let known = runbook.steps.iter().map(|step| step.id.as_str());
            let hint = match nearest(name, known.clone()) {
                Some(known) => format!("did you mean {known}?"),
                None => format!("the steps are {}", known.collect::<Vec<_>>().join(", ")),
            };
            return Err(wrong(format!("there is no step {name}"), Some(hint)));
        };
        if matches!(asked.fault, Fault::LoseReply { .. }) && super::effect_of(step, manifest).is_none() {
            let hint = Some("name the request whose reply is to be lost".to_owned());
            return Err(wrong(format!("{name} changes nothing, so there is no reply to lose"), hint));
        }
    }
    Ok(())
}

fn step_of(fault: &Fault) -> Option<&str> {
    let place = match fault {
        Fault::LoseReply { place, .. } | Fault::Kill { place, .. } => Some(place),
        Fault::Expire { place } | Fault::DiskFull { place } => place.as_ref(),
        Fault::Weather { .. } | Fault::TwoOperators => None,
    };
    match place {
        Some(Place::Step(name) | Place::Journal(name)) => Some(name),
        Some(Place::Request(_)) | None => None,
    }
}

/// Half-way: the first restore that begins once the infrastructure stands, or the last step where nothing is restored.
pub(super) fn half_way(runbook: &Runbook) -> Option<&StepSpec> {
    let restores = runbook.steps.iter().filter(|step| step.phase == Phase::Restore);
    let early = |step: &&StepSpec| step.after.iter().any(|id| id.as_str().ends_with(".plan"));
    restores.clone().find(|step| !early(step)).or(restores.clone().next()).or(runbook.steps.last())
}
