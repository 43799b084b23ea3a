//! When what happened: a journal's records folded into times for each step.
//!
//! Within one process times are differences of its monotonic clock, so that a clock that jumps cannot falsify them;
//! only across a resume, where no such clock exists, the wall clock fills the gap. The fold takes what it is given: the
//! order of events was checked when they were written and read, and live events of different steps may arrive in
//! either order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::journal::{Event, Failure, Outcome, Record, RunStarted, Skipped};
use crate::runbook::StepId;

/// A point of the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    pub at: Timestamp,
    /// Milliseconds since the run started.
    pub offset_ms: u64,
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    Waiting,
    /// Taken in hand; once it has an attempt, its effect may or may not be there.
    Running,
    /// The effect is there and is being proven.
    Verifying,
    Verified,
    Failed,
    /// Left out by the operator after it had failed.
    Skipped,
}

/// One step's times and findings.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    pub status: Option<StepStatus>,
    /// How often it was begun, so that it may have had an effect.
    pub attempts: u32,
    /// When it was first taken in hand.
    pub first_started: Option<Moment>,
    /// When it was last taken in hand.
    pub started: Option<Moment>,
    /// When it was verified or failed.
    pub ended: Option<Moment>,
    /// The result stood there before this run did anything for it.
    pub in_place: bool,
    pub facts: Value,
    pub output: Value,
    pub failure: Option<Failure>,
    pub skipped: Option<Skipped>,
}

impl Track {
    pub fn status(&self) -> StepStatus {
        self.status.unwrap_or(StepStatus::Waiting)
    }
}

/// A run's records, folded.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    pub started: Option<Box<RunStarted>>,
    pub began: Option<Moment>,
    pub last: Option<Moment>,
    pub steps: BTreeMap<StepId, Track>,
    pub held: Option<String>,
    pub outcome: Option<Outcome>,
    session: Session,
}

/// The process whose events are being read.
#[derive(Clone, Copy, Debug, Default)]
struct Session {
    number: u32,
    /// Offset of its first record in the run.
    base_ms: u64,
    /// The monotonic clock at its first record.
    first_mono_ms: u64,
}

impl Timeline {
    pub fn of(records: &[Record]) -> Self {
        let mut timeline = Self::default();
        for record in records {
            timeline.add(record);
        }
        timeline
    }

    /// How often another process took the run up.
    pub fn resumes(&self) -> u32 {
        self.session.number
    }

    pub fn step(&self, id: &StepId) -> Option<&Track> {
        self.steps.get(id)
    }

    pub fn is(&self, id: &StepId, status: StepStatus) -> bool {
        self.step(id).is_some_and(|track| track.status() == status)
    }

    /// Whether what waits for the step may go on.
    pub fn is_settled(&self, id: &StepId) -> bool {
        self.is(id, StepStatus::Verified) || self.is(id, StepStatus::Skipped)
    }

    pub fn count(&self, status: StepStatus) -> usize {
        self.steps.values().filter(|track| track.status() == status).count()
    }

    /// Adds a record and says when in the run it was.
    pub fn add(&mut self, record: &Record) -> Moment {
        let moment = self.moment(record);
        self.last = Some(moment);
        match &record.event {
            Event::RunStarted(started) => {
                self.steps = started.runbook.steps.iter().map(|step| (step.id.clone(), Track::default())).collect();
                self.began = Some(moment);
                self.started = Some(started.clone());
            }
            Event::RunResumed { retry, .. } => {
                self.held = None;
                for (id, track) in &mut self.steps {
                    track.resume(retry.contains(id));
                }
            }
            Event::RunHeld { reason } => self.held = Some(reason.clone()),
            Event::RunFinished { outcome } => self.outcome = Some(outcome.clone()),
            event => {
                if let Some(track) = step_of(event).and_then(|id| self.steps.get_mut(id)) {
                    track.add(event, moment);
                }
            }
        }
        moment
    }

    fn moment(&mut self, record: &Record) -> Moment {
        if matches!(record.event, Event::RunResumed { .. })
            && let Some(last) = self.last
        {
            self.session = Session {
                number: self.session.number + 1,
                base_ms: last.offset_ms + wall_ms(last.at, record.at),
                first_mono_ms: record.mono_ms,
            };
        } else if self.last.is_none() {
            self.session.first_mono_ms = record.mono_ms;
        }
        let Session { base_ms, first_mono_ms, .. } = self.session;
        Moment { at: record.at, offset_ms: base_ms + record.mono_ms.saturating_sub(first_mono_ms) }
    }
}

impl Track {
    /// What a dead process had in hand waits until this one takes it; a proof that was under way is made at once.
    fn resume(&mut self, retry: bool) {
        if retry || self.status == Some(StepStatus::Running) {
            self.status = Some(StepStatus::Waiting);
            self.ended = None;
            self.failure = None;
        }
    }

    fn add(&mut self, event: &Event, moment: Moment) {
        match event {
            Event::StepChecked { facts, .. } => self.facts = facts.clone(),
            Event::StepTaken { .. } => {
                self.first_started.get_or_insert(moment);
                self.started = Some(moment);
                self.ended = None;
                self.failure = None;
                self.status = Some(StepStatus::Running);
            }
            Event::StepStarted { attempt, .. } => self.attempts = *attempt,
            Event::StepApplied { output, .. } => {
                self.output = output.clone();
                self.status = Some(StepStatus::Verifying);
            }
            Event::StepReconciled { output, .. } => {
                self.output = output.clone();
                self.in_place = self.attempts == 0;
                self.status = Some(StepStatus::Verifying);
            }
            Event::StepVerified { .. } => {
                self.ended = Some(moment);
                self.status = Some(StepStatus::Verified);
            }
            Event::StepFailed { failure, .. } => {
                self.ended = Some(moment);
                self.failure = Some(failure.clone());
                self.status = Some(StepStatus::Failed);
            }
            Event::StepSkipped { skipped, .. } => {
                self.skipped = Some(skipped.clone());
                self.failure = None;
                self.status = Some(StepStatus::Skipped);
            }
            _ => {}
        }
    }
}

/// The step that an event is about.
pub(super) fn step_of(event: &Event) -> Option<&StepId> {
    match event {
        Event::StepChecked { step, .. }
        | Event::StepTaken { step }
        | Event::StepStarted { step, .. }
        | Event::StepRetrying { step, .. }
        | Event::StepNoted { step, .. }
        | Event::StepApplied { step, .. }
        | Event::StepReconciled { step, .. }
        | Event::StepVerified { step }
        | Event::StepFailed { step, .. }
        | Event::StepSkipped { step, .. } => Some(step),
        _ => None,
    }
}

/// Milliseconds of wall clock from one time to a later one; none where the clock went back.
pub(super) fn wall_ms(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
}

/// What a step's check settled, as far as reports know it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    pub recovery_point: Option<String>,
    pub recovery_point_at: Option<Timestamp>,
    pub warnings: Vec<String>,
}

impl Facts {
    /// Reads the keys that reports know; a time that is none becomes a warning rather than nothing.
    pub fn of(facts: &Value) -> Self {
        let text = |key: &str| facts.get(key).and_then(Value::as_str);
        let mut warnings: Vec<String> = facts
            .get("warnings")
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default();
        let at = text("recovery_point_at").map(|at| (at, at.parse::<Timestamp>()));
        if let Some((at, Err(_))) = &at {
            warnings.push(format!("the time of the recovery point is not a time: {at}"));
        }
        Self {
            recovery_point: text("recovery_point").map(str::to_owned),
            recovery_point_at: at.and_then(|(_, parsed)| parsed.ok()),
            warnings,
        }
    }
}
