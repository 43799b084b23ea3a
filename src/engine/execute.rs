//! Runs the steps of a journalled run until all are verified or none can go on.
//!
//! A step starts as soon as all that it waits for is verified. A failure holds what depends on it and nothing else;
//! what runs goes on. Nothing is undone by itself.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::task::JoinSet;

use super::Engine;
use super::retry::Budget;
use crate::journal::{Event, Failure, FailureKind, Journal, JournalError, Outcome, Refusal, RunState, StepPhase};
use crate::runbook::{StepId, StepSpec};
use crate::steps::{Cx, Notice, Output, Outputs, Seen, Step, StepError};

/// How a run came to its end, for now or for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every step is verified. `changed` is false where each was found done already.
    Done { changed: bool },
    /// Some steps failed; the operator chooses.
    Held { failures: Vec<(StepId, Failure)> },
    /// Stopped on request, or for want of valid credentials; it can be taken up again as it is.
    Interrupted,
}

/// Why the engine gave up in the middle: only the journal can make it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// How one step ended.
enum StepEnd {
    Verified,
    Failed,
    /// Parked on request.
    Parked,
}

/// Carries on with a run whose journal says that it has started.
///
/// # Errors
/// The journal could not be written, or its lease is lost. No effect starts after that; what runs is waited for.
pub async fn execute(engine: &Engine, journal: Arc<Journal>) -> Result<Ended, EngineError> {
    let state = journal.state();
    let run = Run { engine: engine.clone(), journal, outputs: known_outputs(&state), expired: Arc::default() };
    let mut settled: BTreeSet<StepId> = by_phase(&state, StepPhase::is_settled);
    // Steps that are running, have failed, or were parked: not to be started (again) here.
    let mut taken: BTreeSet<StepId> = by_phase(&state, |phase| matches!(phase, StepPhase::Failed(_)));
    let mut tasks = JoinSet::new();
    let mut fatal = None;
    // Why no further effect may begin, although the journal can still be written.
    let mut parked = None;
    loop {
        if fatal.is_none() && parked.is_none() && !*engine.stop.borrow() && run.expired().is_none() {
            for spec in &engine.runbook.steps {
                let waits = spec.after.iter().any(|id| !settled.contains(id));
                if waits || settled.contains(&spec.id) || !taken.insert(spec.id.clone()) {
                    continue;
                }
                let run = run.clone();
                let spec = spec.clone();
                tasks.spawn(async move { (spec.id.clone(), run.step(&spec).await) });
            }
        }
        let Some(joined) = tasks.join_next().await else { break };
        match joined {
            Ok((id, Ok(StepEnd::Verified))) => drop(settled.insert(id)),
            Ok((_, Ok(StepEnd::Failed | StepEnd::Parked))) => {}
            Ok((_, Err(JournalError::Refused(why @ Refusal::NotReplicated(_))))) => parked = Some(why.to_string()),
            Ok((_, Err(error))) => fatal = fatal.or(Some(error)),
            // Steps catch their own panics below; this is the runtime going down.
            Err(error) => fatal = fatal.or(Some(JournalError::Broken(error.to_string()))),
        }
    }
    if let Some(error) = fatal {
        return Err(error.into());
    }
    run.conclude(parked)
}

fn by_phase(state: &RunState, is: impl Fn(&StepPhase) -> bool) -> BTreeSet<StepId> {
    state.steps.iter().filter(|(_, step)| is(&step.phase)).map(|(id, _)| id.clone()).collect()
}

pub(super) fn known_outputs(state: &RunState) -> Outputs {
    let outputs = Outputs::default();
    let done = state.steps.iter().filter(|(_, step)| matches!(step.phase, StepPhase::Verified { .. }));
    remember(&outputs, done.map(|(id, step)| (id.clone(), step.output.clone())));
    outputs
}

fn remember(outputs: &Outputs, new: impl IntoIterator<Item = (StepId, Output)>) {
    outputs.write().unwrap_or_else(std::sync::PoisonError::into_inner).extend(new);
}

#[derive(Clone)]
struct Run {
    engine: Engine,
    journal: Arc<Journal>,
    outputs: Outputs,
    /// The first step that the credentials were too old for, and what AWS said.
    expired: Arc<Mutex<Option<String>>>,
}

impl Run {
    fn append(&self, event: Event) -> Result<(), JournalError> {
        let record = self.journal.append(event)?;
        self.engine.notices.send(Notice::Record(record)).ok();
        Ok(())
    }

    /// One step, and what its requests have met on their way.
    async fn step(&self, spec: &StepSpec) -> Result<StepEnd, JournalError> {
        let end = self.carry(spec).await?;
        let services = self.engine.world.aws.traffic().take();
        if !services.is_empty() {
            self.append(Event::RequestsDisturbed { services })?;
        }
        Ok(end)
    }

    /// One step, from where the journal says that it stands.
    async fn carry(&self, spec: &StepSpec) -> Result<StepEnd, JournalError> {
        let state = self.journal.state();
        let before = state.steps.get(&spec.id).cloned();
        let (attempts, facts, phase, output) = before
            .map_or((0, Value::Null, StepPhase::Waiting, Value::Null), |step| {
                (step.attempts, step.facts, step.phase, step.output)
            });
        let step: Arc<dyn Step> = (self.engine.make)(spec);
        let mut budget = Budget::default();
        let mut cx = Cx {
            step: spec.id.clone(),
            world: self.engine.world.clone(),
            facts,
            outputs: self.outputs.clone(),
            journal: Some(self.journal.clone()),
            begun: attempts > 0,
            notices: self.engine.notices.clone(),
            stop: self.engine.stop.clone(),
        };
        let output = if matches!(phase, StepPhase::Applied { .. }) {
            output
        } else {
            loop {
                match self.bring_about(step.as_ref(), &cx).await? {
                    Ok(output) => break output,
                    Err(error) => {
                        if let Some(end) = self.end(&cx, error, &mut budget).await? {
                            return Ok(end);
                        }
                    }
                }
                cx.begun = self.attempts(&spec.id) > 0;
            }
        };
        while let Err(error) = guarded(step.verify(&cx, &output)).await {
            if let Some(end) = self.end(&cx, error, &mut budget).await? {
                return Ok(end);
            }
        }
        // The outputs are there before anything that waits for them can start.
        remember(&self.outputs, [(spec.id.clone(), output)]);
        self.append(Event::StepVerified { step: spec.id.clone() })?;
        Ok(StepEnd::Verified)
    }

    /// Observes, and applies what is not there.
    async fn bring_about(&self, step: &dyn Step, cx: &Cx) -> Result<Result<Output, StepError>, JournalError> {
        self.append(Event::StepTaken { step: cx.step.clone() })?;
        match guarded(step.observe(cx)).await {
            Err(error) => Ok(Err(error)),
            Ok(Seen::Conflict { cause, hint }) => {
                let error = StepError::conflict(cause);
                Ok(Err(match hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                }))
            }
            Ok(Seen::Done(output)) => {
                self.append(Event::StepReconciled { step: cx.step.clone(), output: output.clone() })?;
                Ok(Ok(output))
            }
            Ok(Seen::Absent | Seen::InProgress(_)) => {
                if cx.stopping() {
                    return Ok(Err(StepError::interrupted("stopped before it began")));
                }
                let attempt = self.attempts(&cx.step) + 1;
                self.append(Event::StepStarted { step: cx.step.clone(), attempt })?;
                // An effect whose intent only this machine knows of would be unsafe for another to go on from.
                self.journal.settled().await?;
                let output = match guarded(step.apply(cx)).await {
                    Ok(output) => output,
                    Err(error) => return Ok(Err(error)),
                };
                self.append(Event::StepApplied { step: cx.step.clone(), output: output.clone() })?;
                Ok(Ok(output))
            }
        }
    }

    /// How often a step was begun.
    fn attempts(&self, id: &StepId) -> u32 {
        self.journal.state().steps.get(id).map_or(0, |step| step.attempts)
    }

    /// How a step ends with an error; `None`, after a pause, where it is to be tried again.
    async fn end(&self, cx: &Cx, error: StepError, budget: &mut Budget) -> Result<Option<StepEnd>, JournalError> {
        let Some(retry) = budget.spend(&error) else { return self.failed(&cx.step, error).map(Some) };
        if cx.stopping() {
            return Ok(Some(StepEnd::Parked));
        }
        let in_ms = u64::try_from(retry.after.as_millis()).unwrap_or(u64::MAX);
        let (step, cause) = (cx.step.clone(), error.cause.clone());
        self.append(Event::StepRetrying { step, cause, in_ms, nth: retry.nth, most: retry.most })?;
        let seconds = retry.after.as_secs_f64();
        cx.status(format!("{error}; retrying in {seconds:.0} s ({} of {})", retry.nth, retry.most));
        tokio::select! {
            () = tokio::time::sleep(retry.after) => Ok(None),
            () = cx.stopped() => Ok(Some(StepEnd::Parked)),
        }
    }

    fn expired(&self) -> Option<String> {
        self.expired.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A step that was interrupted, or whose credentials have expired, stays as the journal has it, to be observed by
    /// whoever resumes.
    fn failed(&self, id: &StepId, error: StepError) -> Result<StepEnd, JournalError> {
        if error.kind == FailureKind::CredentialsExpired {
            let hint = error.hint.as_deref().unwrap_or("resume the run with new credentials");
            let words = format!("the credentials are no longer valid: {id}: {}; {hint}", error.cause);
            self.expired.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(words);
        }
        if error.parks() {
            return Ok(StepEnd::Parked);
        }
        self.append(Event::StepFailed { step: id.clone(), failure: error.into() })?;
        Ok(StepEnd::Failed)
    }

    /// Writes how the run ended. `parked` is why no further effect could begin, where that is so.
    fn conclude(&self, parked: Option<String>) -> Result<Ended, EngineError> {
        let state = self.journal.state();
        let failures: Vec<(StepId, Failure)> = state
            .steps
            .iter()
            .filter_map(|(id, step)| match &step.phase {
                StepPhase::Failed(failure) => Some((id.clone(), failure.clone())),
                _ => None,
            })
            .collect();
        if !failures.is_empty() {
            let names: Vec<&str> = failures.iter().map(|(id, _)| id.as_str()).collect();
            let expired = self.expired().map(|words| format!("; {words}")).unwrap_or_default();
            self.append(Event::RunHeld { reason: format!("failed: {}{expired}", names.join(", ")) })?;
            return Ok(Ended::Held { failures });
        }
        if !state.steps.values().all(|step| step.phase.is_settled()) {
            let reason = parked.or_else(|| self.expired()).unwrap_or_else(|| "stopped by the operator".into());
            self.append(Event::RunHeld { reason })?;
            return Ok(Ended::Interrupted);
        }
        let changed = self.engine.runbook.steps.iter().any(|spec| {
            state.steps.get(&spec.id).is_some_and(|step| {
                matches!(step.phase, StepPhase::Verified { reconciled: false }) && spec.action.changed(&step.output)
            })
        });
        let mut not_checked = self.engine.runbook.not_checked.clone();
        let found = state.skipped().into_iter().chain(state.lease_less()).chain(state.unguarded());
        not_checked.extend(found.chain(state.left_open()));
        self.append(Event::RunFinished { outcome: Outcome::Done { changed, not_checked } })?;
        Ok(Ended::Done { changed })
    }
}

/// A panic in a step is that step's failure, not the end of a recovery that runs beside it.
async fn guarded<T>(work: impl Future<Output = Result<T, StepError>>) -> Result<T, StepError> {
    use futures::FutureExt;
    match std::panic::AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(panic) => {
            let words = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Err(StepError::failed(format!("internal error: {words}"))
                .hint("this is a defect of lifeboat: report it with the journal; retry observes before it acts"))
        }
    }
}
