//! What the events of a run add up to. One pure function decides which event may follow which.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Event, Failure, KeptState, Outcome, Overridden, RunStarted, Skipped, Tenure};
use crate::runbook::{NotChecked, Phase, StepId};

/// Where a step stands.
#[derive(Clone, Debug, PartialEq)]
pub enum StepPhase {
    Waiting,
    /// Being observed before its first effect.
    Taken,
    /// Intent is recorded; the effect is unknown until observed.
    Started,
    /// The effect is there; `reconciled` where it was found rather than made.
    Applied {
        reconciled: bool,
    },
    Verified {
        reconciled: bool,
    },
    Failed(Failure),
    /// Left out by the operator. What waits for it goes on without it.
    Skipped(Skipped),
}

impl StepPhase {
    /// Whether what waits for the step may go on.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Verified { .. } | Self::Skipped(_))
    }
}

/// One step of a run as the journal tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct StepState {
    pub phase: StepPhase,
    pub attempts: u32,
    pub facts: Value,
    pub notes: BTreeMap<String, Value>,
    pub output: Value,
}

impl StepState {
    fn new() -> Self {
        Self { phase: StepPhase::Waiting, attempts: 0, facts: Value::Null, notes: BTreeMap::new(), output: Value::Null }
    }
}

/// A run as its journal tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunState {
    pub started: Option<Box<RunStarted>>,
    pub steps: BTreeMap<StepId, StepState>,
    /// Why the run waits for the operator, where it does.
    pub held: Option<String>,
    pub outcome: Option<Outcome>,
    /// Why it was worked on without a lease, where it was.
    pub without_lease: Vec<String>,
    /// States that Terraform could not save and that are neither pushed nor given up, by SHA-256.
    pub unsaved: BTreeMap<String, KeptState>,
    /// What the operator had taken into the Terraform state, address to id.
    pub imports: BTreeMap<String, String>,
    /// What the operator overrode, in the order of the journal.
    pub overridden: Vec<Overridden>,
}

/// An event that cannot follow those before it: the journal was not written by lifeboat, or was altered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot follow: {why}")]
pub struct IllegalTransition {
    pub event: String,
    pub why: String,
}

impl RunState {
    /// Adds an event.
    ///
    /// # Errors
    /// The event cannot follow the ones before it; `self` is unchanged then.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalTransition> {
        let illegal = |name: &str, why: String| Err(IllegalTransition { event: name.to_owned(), why });
        // A run may end with a state that is still to be pushed: custody of it outlives the run.
        if self.outcome.is_some() && !is_custody(event) {
            return illegal("an event", "the run is finished".into());
        }
        if self.started.is_none() {
            let Event::RunStarted(started) = event else {
                return illegal("an event", "the run has not started".into());
            };
            let ids = started.runbook.steps.iter().map(|step| (step.id.clone(), StepState::new()));
            self.steps = ids.collect();
            self.tenure(started.tenure.as_ref());
            self.started = Some(started.clone());
            return Ok(());
        }
        match event {
            Event::RunStarted(_) => return illegal("run_started", "the run has started".into()),
            Event::RunResumed { retry, tenure, .. } => {
                if let Some(step) = retry.iter().find(|id| !self.may_be_tried_again(id, retry)) {
                    return illegal("run_resumed", format!("step {step}, to be tried again, has not failed"));
                }
                for id in retry {
                    if let Some(step) = self.steps.get_mut(id) {
                        step.phase = if step.attempts > 0 { StepPhase::Started } else { StepPhase::Waiting };
                    }
                }
                self.held = None;
                self.tenure(tenure.as_ref());
            }
            Event::RunHeld { reason } => self.held = Some(reason.clone()),
            Event::RunFinished { outcome } => {
                if let Outcome::Done { .. } = outcome
                    && let Some((step, _)) = self.steps.iter().find(|(_, step)| !step.phase.is_settled())
                {
                    return illegal("run_finished", format!("step {step} is not verified"));
                }
                self.outcome = Some(outcome.clone());
            }
            Event::StateKept(kept) => drop(self.unsaved.insert(kept.sha256.clone(), kept.clone())),
            Event::StatePushed { sha256, .. } | Event::StateDiscarded { sha256, .. } => {
                if self.unsaved.remove(sha256).is_none() {
                    return illegal(name(event), format!("no state with SHA-256 {sha256} is kept"));
                }
            }
            Event::ImportChosen { address, id, .. } if id.is_empty() => drop(self.imports.remove(address)),
            Event::ImportChosen { address, id, .. } => drop(self.imports.insert(address.clone(), id.clone())),
            Event::GuardOverridden { guard, because, by } => {
                let (guard, because, by) = (guard.clone(), because.clone(), by.clone());
                self.overridden.push(Overridden { guard, because, by });
            }
            Event::StateUnlocking { .. } | Event::RequestsDisturbed { .. } => {}
            Event::StepChecked { step, .. }
            | Event::StepTaken { step }
            | Event::StepStarted { step, .. }
            | Event::StepRetrying { step, .. }
            | Event::StepNoted { step, .. }
            | Event::StepApplied { step, .. }
            | Event::StepReconciled { step, .. }
            | Event::StepVerified { step }
            | Event::StepFailed { step, .. }
            | Event::StepSkipped { step, .. } => {
                if self.held.is_some() {
                    return illegal("a step's event", "the run is held".into());
                }
                self.step_event(step, event)?;
            }
        }
        Ok(())
    }

    fn step_event(&mut self, id: &StepId, event: &Event) -> Result<(), IllegalTransition> {
        let unmet = self.unmet(id);
        let Some(step) = self.steps.get_mut(id) else {
            return Err(IllegalTransition { event: format!("an event of {id}"), why: "no such step".into() });
        };
        let next = match (event, &step.phase) {
            (Event::StepChecked { facts, .. }, StepPhase::Waiting) => {
                step.facts = facts.clone();
                StepPhase::Waiting
            }
            (Event::StepTaken { .. }, StepPhase::Waiting | StepPhase::Taken | StepPhase::Started) => {
                if let Some(unmet) = unmet {
                    return Err(IllegalTransition {
                        event: format!("start of {id}"),
                        why: format!("{unmet} is not verified"),
                    });
                }
                StepPhase::Taken
            }
            (Event::StepStarted { attempt, .. }, StepPhase::Taken) if *attempt == step.attempts + 1 => {
                step.attempts = *attempt;
                StepPhase::Started
            }
            (Event::StepNoted { name, value, .. }, StepPhase::Started) => {
                step.notes.insert(name.clone(), value.clone());
                StepPhase::Started
            }
            (
                Event::StepRetrying { .. },
                phase @ (StepPhase::Taken | StepPhase::Started | StepPhase::Applied { .. }),
            ) => phase.clone(),
            (Event::StepApplied { output, .. }, StepPhase::Started) => {
                step.output = output.clone();
                StepPhase::Applied { reconciled: false }
            }
            (Event::StepReconciled { output, .. }, StepPhase::Taken) => {
                step.output = output.clone();
                StepPhase::Applied { reconciled: true }
            }
            (Event::StepVerified { .. }, StepPhase::Applied { reconciled }) => {
                StepPhase::Verified { reconciled: *reconciled }
            }
            (Event::StepFailed { failure, .. }, StepPhase::Taken | StepPhase::Started | StepPhase::Applied { .. }) => {
                StepPhase::Failed(failure.clone())
            }
            (Event::StepSkipped { skipped, .. }, StepPhase::Failed(_)) => StepPhase::Skipped(skipped.clone()),
            (event, phase) => {
                return Err(IllegalTransition {
                    event: format!("{} of {id}", name(event)),
                    why: format!("the step is {phase:?}"),
                });
            }
        };
        step.phase = next;
        Ok(())
    }

    fn has_failed(&self, id: &StepId) -> bool {
        self.steps.get(id).is_some_and(|step| matches!(step.phase, StepPhase::Failed(_)))
    }

    fn tenure(&mut self, tenure: Option<&Tenure>) {
        if let Some(Tenure::Without { because }) = tenure {
            self.without_lease.push(because.clone());
        }
    }

    /// What nobody could know while no lease was held.
    pub fn lease_less(&self) -> Vec<NotChecked> {
        let why = |because: &String| {
            format!(
                "no lease was held: {because}; another operator could have worked at the same time, and no other machine \
                 had a copy of the journal"
            )
        };
        self.without_lease.iter().map(|because| NotChecked { what: "lease".into(), why: why(because) }).collect()
    }

    /// The guards that let through what they find.
    pub fn overridden_guards(&self) -> BTreeSet<String> {
        self.overridden.iter().map(|it| it.guard.clone()).collect()
    }

    /// What nobody has held against a plan, because the guards for it were overridden.
    pub fn unguarded(&self) -> Vec<NotChecked> {
        let said = |it: &Overridden| NotChecked {
            what: format!("guard {}", it.guard),
            why: format!("overridden by {}: {}", it.by, it.because),
        };
        self.overridden.iter().map(said).collect()
    }

    /// What the steps that were left out leave unproven: they themselves, and all that went on without them.
    pub fn skipped(&self) -> Vec<NotChecked> {
        let Some(started) = &self.started else { return Vec::new() };
        let mut list = Vec::new();
        for (id, step) in &self.steps {
            let StepPhase::Skipped(Skipped { by, because }) = &step.phase else { continue };
            list.push(NotChecked { what: format!("step {id}"), why: format!("left out by {by}: {because}") });
            list.extend(started.runbook.dependents(id).into_iter().map(|weakened| NotChecked {
                what: format!("what step {weakened} builds on"),
                why: format!("it went on without {id}, which was left out"),
            }));
        }
        list
    }

    /// What the steps themselves say that they have left open, for example a secret that could not be rotated.
    pub fn left_open(&self) -> Vec<NotChecked> {
        let told = self.steps.values().filter_map(|step| step.output.get("not_checked").cloned());
        told.filter_map(|told| serde_json::from_value::<Vec<NotChecked>>(told).ok()).flatten().collect()
    }

    /// Whether the operator may have a step tried again, together with those of `with`: one that has failed, or the
    /// restore whose proof has. A restore that is done looks again and makes only what is missing by now.
    pub fn may_be_tried_again(&self, id: &StepId, with: &[StepId]) -> bool {
        let restored = || {
            let runbook = self.started.as_ref().map(|started| &started.runbook);
            runbook.and_then(|runbook| runbook.step(id)).is_some_and(|spec| spec.phase == Phase::Restore)
                && self.steps.get(id).is_some_and(|step| matches!(step.phase, StepPhase::Verified { .. }))
        };
        self.has_failed(id) || (restored() && with.iter().any(|failed| self.waits_for(failed, id)))
    }

    /// Whether a failed step waits for another.
    fn waits_for(&self, failed: &StepId, other: &StepId) -> bool {
        let spec = self.started.as_ref().and_then(|started| started.runbook.step(failed));
        self.has_failed(failed) && spec.is_some_and(|spec| spec.after.contains(other))
    }

    /// The first step that `id` waits for and that is neither verified nor left out.
    fn unmet(&self, id: &StepId) -> Option<StepId> {
        let spec = self.started.as_ref()?.runbook.step(id)?;
        let settled = |id: &StepId| self.steps.get(id).is_some_and(|step| step.phase.is_settled());
        spec.after.iter().find(|id| !settled(id)).cloned()
    }
}

/// Whether an event is about a state itself, not about the run.
fn is_custody(event: &Event) -> bool {
    matches!(
        event,
        Event::StateKept(_) | Event::StatePushed { .. } | Event::StateDiscarded { .. } | Event::StateUnlocking { .. }
    )
}

/// An event's name as the journal spells it.
fn name(event: &Event) -> &'static str {
    match event {
        Event::RunStarted(_) => "run_started",
        Event::RunResumed { .. } => "run_resumed",
        Event::ImportChosen { .. } => "import_chosen",
        Event::GuardOverridden { .. } => "guard_overridden",
        Event::StepChecked { .. } => "step_checked",
        Event::StepTaken { .. } => "step_taken",
        Event::StepStarted { .. } => "step_started",
        Event::StepNoted { .. } => "step_noted",
        Event::StepApplied { .. } => "step_applied",
        Event::StepReconciled { .. } => "step_reconciled",
        Event::StepVerified { .. } => "step_verified",
        Event::StepFailed { .. } => "step_failed",
        Event::StepSkipped { .. } => "step_skipped",
        Event::StepRetrying { .. } => "step_retrying",
        Event::RequestsDisturbed { .. } => "requests_disturbed",
        Event::StateKept(_) => "state_kept",
        Event::StatePushed { .. } => "state_pushed",
        Event::StateDiscarded { .. } => "state_discarded",
        Event::StateUnlocking { .. } => "state_unlocking",
        Event::RunHeld { .. } => "run_held",
        Event::RunFinished { .. } => "run_finished",
    }
}
