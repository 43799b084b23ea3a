//! A run summed up from its journal: what every report, listing and status is made from.
//!
//! Pure: the journal's records and the time in, a [`Summary`] out; [`read`] alone touches files. Texts in a summary are
//! as they came; whoever shows them escapes them.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::evidence::{self, EvidenceSummary};
use super::incident::{self, Incident};
use super::let_through::{self, LetThrough};
use super::objectives::{ObjectiveResult, Verdict, declared_at, measure};
use super::requests::{self, Requests};
use super::timeline::{Facts, StepStatus, Timeline, Track, wall_ms};
use super::trouble::{self, AppliedState, Retries, UnsavedState};
use crate::journal::{
    self, ApprovedBundle, Event, Failure, FailureKind, JournalError, Loaded, Outcome, Record, RunStarted, Skipped,
};
use crate::manifest::Component;
use crate::runbook::{NotChecked, Phase, StepId, StepSpec};
use crate::terraform::Source;

/// The shape of [`Summary`] in JSON; raised when a reader of the old one would misread the new one.
pub const SCHEMA_VERSION: u32 = 1;

/// A run, summed up. All `_ms` are milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    pub schema_version: u32,
    pub run: String,
    pub scenario: String,
    pub environment: String,
    pub service: String,
    pub account: String,
    pub from_region: String,
    pub to_region: String,
    /// ARN of who started it.
    pub caller: String,
    /// What it was bound to, and who has approved that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<ApprovedBundle>,
    /// Version of the lifeboat that started it.
    pub lifeboat: String,
    pub ending: Ending,
    /// Why it is held, or was abandoned.
    pub reason: Option<String>,
    pub impact_at: Option<Timestamp>,
    /// When the command was given; in journals that do not say it, when the run began.
    pub declared_at: Timestamp,
    /// The last event's time; `None` while it is running.
    pub ended_at: Option<Timestamp>,
    /// From the declaration to the end, or until now.
    pub wall_ms: u64,
    /// How often another process took it up.
    pub resumes: u32,
    /// The journal's last line was torn and is left out.
    pub torn: bool,
    /// In the order of the runbook.
    pub steps: Vec<StepSummary>,
    pub critical_path: CriticalPath,
    pub objectives: Vec<ObjectiveResult>,
    pub not_checked: Vec<NotChecked>,
    /// The guards that the operator overrode.
    pub overridden: Vec<LetThrough>,
    /// The evidence of a breach that it has sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceSummary>,
    /// The breach that it is an answer to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<Incident>,
    /// Which commit the root is of; `None` where it was not asked, as in runs of an older lifeboat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Where cutovers left what undoes them.
    pub undo: Vec<Undo>,
    /// What had to be asked or done again.
    pub retries: Retries,
    /// Terraform's state before and after each apply.
    pub applied: Vec<AppliedState>,
    /// States that Terraform could not save, as long as they are neither pushed nor given up.
    pub unsaved: Vec<UnsavedState>,
    /// Only where the run's requests were recorded.
    pub requests: Option<Requests>,
    /// The command that goes on from here.
    pub next: Option<String>,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Done,
    /// Every step's result was there before.
    AlreadyInPlace,
    /// Held, because what was done could not be proven right.
    CheckFailed,
    /// Waits for the operator.
    Held,
    Running,
    /// Its process died: no end is recorded, and nobody holds its journal.
    Interrupted,
    Abandoned,
}

/// The longest chain of steps by the time that they took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CriticalPath {
    pub steps: Vec<StepId>,
    pub total_ms: u64,
}

/// What undoes a cutover, as a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undo {
    pub step: StepId,
    pub path: String,
}

/// One step of a run, summed up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepSummary {
    pub id: StepId,
    pub phase: Phase,
    pub title: String,
    pub component: Option<Component>,
    pub status: StepStatus,
    /// Its result was there before this run did anything for it.
    pub in_place: bool,
    /// How often it was begun.
    pub attempts: u32,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// From the declaration until it was first taken in hand.
    pub offset_ms: Option<u64>,
    /// From when it was first taken in hand until it was verified or failed, or until now.
    pub duration_ms: Option<u64>,
    /// The last of the steps that it had to wait for; what it still waits for, where it has not begun.
    pub waited_for: Vec<StepId>,
    pub recovery_point: Option<String>,
    pub recovery_point_at: Option<Timestamp>,
    /// Age of the recovery point at the declaration.
    pub recovery_point_age_ms: Option<u64>,
    /// Age of the recovery point at the impact.
    pub recovery_point_age_at_impact_ms: Option<u64>,
    pub failure: Option<Failure>,
    /// Who left it out, and why.
    pub skipped: Option<Skipped>,
    pub warnings: Vec<String>,
}

impl StepSummary {
    /// It was begun and no end of it is recorded.
    pub fn is_open(&self) -> bool {
        self.attempts > 0 && !matches!(self.status, StepStatus::Verified | StepStatus::Failed | StepStatus::Skipped)
    }
}

impl Summary {
    /// Whether an objective was missed for certain.
    pub fn missed(&self) -> bool {
        self.objectives.iter().any(|objective| objective.verdict() == Some(Verdict::Missed))
    }

    /// Whether the operator left anything out.
    pub fn skipped(&self) -> bool {
        self.steps.iter().any(|step| step.status == StepStatus::Skipped)
    }

    pub fn verified(&self) -> usize {
        self.steps.iter().filter(|step| step.status == StepStatus::Verified).count()
    }

    pub fn failed(&self) -> impl Iterator<Item = (&StepSummary, &Failure)> {
        self.steps.iter().filter_map(|step| step.failure.as_ref().map(|failure| (step, failure)))
    }
}

/// Sums up the run in a folder as it stands now.
///
/// # Errors
/// Its journal or its recorded requests cannot be read, or the journal is damaged or empty.
pub fn read(run_dir: &Path) -> Result<Summary, JournalError> {
    // Asked first: a run that ends in between is then seen as running, never as dead.
    let held = journal::is_held(run_dir);
    let loaded = journal::load(run_dir)?;
    let mut summary = summarize(&loaded, held, Timestamp::now()).ok_or_else(|| JournalError::Damaged {
        path: run_dir.join("journal.jsonl"),
        line: 1,
        why: "the run's first event is not there".into(),
    })?;
    summary.requests = requests::read(run_dir, &summary.from_region, &summary.to_region)
        .map_err(|source| JournalError::Io { path: run_dir.join("requests.jsonl"), doing: "read", source })?;
    Ok(summary)
}

/// Sums up a journal. `held` says whether a process holds it; `now` is when it is asked. `None` for an empty journal.
pub fn summarize(loaded: &Loaded, held: bool, now: Timestamp) -> Option<Summary> {
    let timeline = Timeline::of(&loaded.records);
    let (started, began, last) = (timeline.started.as_deref()?, timeline.began?, timeline.last?);
    let ending = ending(&timeline, held);
    let running = ending == Ending::Running;
    let wall_ms = last.offset_ms + if running { wall_ms(last.at, now) } else { 0 };
    let steps: Vec<StepSummary> = started
        .runbook
        .steps
        .iter()
        .map(|spec| step(&timeline, started, spec, began.at, running.then_some(wall_ms)))
        .collect();
    let trouble = trouble::fold(&loaded.records, &started.run);
    let unsaved = !trouble.unsaved.is_empty();
    Some(Summary {
        schema_version: SCHEMA_VERSION,
        run: started.run.clone(),
        scenario: started.runbook.scenario.clone(),
        environment: started.runbook.environment.clone(),
        service: started.runbook.service.clone(),
        account: started.runbook.account.clone(),
        from_region: started.runbook.from_region.clone(),
        to_region: started.runbook.to_region.clone(),
        caller: started.caller.clone(),
        bundle: started.bundle.clone(),
        lifeboat: started.lifeboat.clone(),
        ending,
        reason: reason(&timeline),
        impact_at: started.impact_at,
        declared_at: declared_at(started, began.at),
        ended_at: (!running).then_some(last.at),
        wall_ms,
        resumes: timeline.resumes(),
        torn: loaded.torn.is_some(),
        critical_path: critical_path(started, &steps),
        objectives: measure(&timeline, started, ending),
        not_checked: not_checked(loaded, started),
        overridden: let_through::of(&loaded.state, &timeline),
        evidence: evidence::of(&loaded.state),
        incident: incident::of(started, declared_at(started, began.at), &steps),
        source: source(loaded, &timeline),
        undo: undo(&timeline),
        retries: trouble.retries,
        applied: trouble.applied,
        requests: None,
        next: if unsaved {
            Some(format!("lifeboat state push {}", started.run))
        } else {
            next(&started.run, ending, &steps)
        },
        unsaved: trouble.unsaved,
        steps,
    })
}

/// The key under which the facts of a check say which commit the root is of.
pub const SOURCE: &str = "source";

/// Of the newest copy.
fn source(loaded: &Loaded, timeline: &Timeline) -> Option<Source> {
    let anew = |record: &Record| match &record.event {
        Event::RunResumed { source, .. } => source.clone(),
        _ => None,
    };
    if let Some(source) = loaded.records.iter().rev().find_map(anew) {
        return Some(source);
    }
    let known = timeline.steps.values().find_map(|track| track.facts.get(SOURCE))?;
    serde_json::from_value(known.clone()).ok()
}

fn ending(timeline: &Timeline, held: bool) -> Ending {
    let failures: Vec<&Failure> = timeline.steps.values().filter_map(|track| track.failure.as_ref()).collect();
    match &timeline.outcome {
        Some(Outcome::Done { changed: true, .. }) => Ending::Done,
        Some(Outcome::Done { changed: false, .. }) => Ending::AlreadyInPlace,
        Some(Outcome::Abandoned { .. }) => Ending::Abandoned,
        None if timeline.held.is_some() => {
            let checks = failures.iter().all(|failure| failure.kind == FailureKind::CheckFailed);
            if !failures.is_empty() && checks { Ending::CheckFailed } else { Ending::Held }
        }
        None if held => Ending::Running,
        None => Ending::Interrupted,
    }
}

fn reason(timeline: &Timeline) -> Option<String> {
    match &timeline.outcome {
        Some(Outcome::Abandoned { because }) => Some(because.clone()),
        Some(Outcome::Done { .. }) => None,
        None => timeline.held.clone(),
    }
}

/// `until_ms`: the run's offset now, while it is running.
fn step(
    timeline: &Timeline,
    started: &RunStarted,
    spec: &StepSpec,
    declared: Timestamp,
    until_ms: Option<u64>,
) -> StepSummary {
    let untouched = Track::default();
    let track = timeline.step(&spec.id).unwrap_or(&untouched);
    let facts = Facts::of(&track.facts);
    let ended_ms = track.ended.map(|ended| ended.offset_ms).or(until_ms);
    let age = |at: Option<Timestamp>| Some(wall_ms(facts.recovery_point_at?, at?));
    StepSummary {
        id: spec.id.clone(),
        phase: spec.phase,
        title: spec.title.clone(),
        component: spec.component,
        status: track.status(),
        in_place: track.in_place,
        attempts: track.attempts,
        started_at: track.first_started.map(|moment| moment.at),
        ended_at: track.ended.map(|moment| moment.at),
        offset_ms: track.first_started.map(|moment| moment.offset_ms),
        duration_ms: track.first_started.zip(ended_ms).map(|(from, to)| to.saturating_sub(from.offset_ms)),
        waited_for: waited_for(timeline, spec, track),
        recovery_point_age_ms: age(Some(declared)),
        recovery_point_age_at_impact_ms: age(started.impact_at),
        recovery_point: facts.recovery_point,
        recovery_point_at: facts.recovery_point_at,
        failure: track.failure.clone(),
        skipped: track.skipped.clone(),
        warnings: facts.warnings.into_iter().chain(not_set(&track.output)).chain(sampled(&track.output)).collect(),
    }
}

fn waited_for(timeline: &Timeline, spec: &StepSpec, track: &Track) -> Vec<StepId> {
    if track.first_started.is_none() {
        return spec.after.iter().filter(|id| !timeline.is_settled(id)).cloned().collect();
    }
    let ended = |id: &&StepId| timeline.step(id).and_then(|track| track.ended).map(|ended| ended.offset_ms);
    spec.after.iter().max_by_key(ended).cloned().into_iter().collect()
}

fn critical_path(started: &RunStarted, steps: &[StepSummary]) -> CriticalPath {
    let took = |id: &StepId| steps.iter().find(|step| step.id == *id).and_then(|step| step.duration_ms);
    let measure = |spec: &StepSpec| {
        SignedDuration::from_millis(took(&spec.id).and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0))
    };
    // A runbook that was begun is sound: the engine checked it.
    let Ok(path) = started.runbook.critical_path_by(measure) else { return CriticalPath::default() };
    CriticalPath {
        steps: path.steps.into_iter().filter(|id| took(id).is_some()).collect(),
        total_ms: u64::try_from(path.total.as_millis()).unwrap_or(0),
    }
}

/// What the runbook leaves out, what the operator left out or overrode, where no lease was held, and what else the run's
/// end names; each once.
fn not_checked(loaded: &Loaded, started: &RunStarted) -> Vec<NotChecked> {
    let at_the_end = match &loaded.state.outcome {
        Some(Outcome::Done { not_checked, .. }) => not_checked.as_slice(),
        _ => &[],
    };
    let mut known = BTreeSet::new();
    let planned = started.runbook.not_checked.iter().cloned();
    let state = &loaded.state;
    let chosen = state.skipped().into_iter().chain(state.lease_less()).chain(state.unguarded());
    let all = planned.chain(chosen).chain(at_the_end.to_vec());
    all.filter(|entry| known.insert((entry.what.clone(), entry.why.clone()))).collect()
}

/// Declared settings that a restore could not set, as its output lists them.
fn not_set(output: &Value) -> Option<String> {
    let names: Vec<&str> = output.get("not_set")?.as_array()?.iter().filter_map(Value::as_str).collect();
    (!names.is_empty()).then(|| format!("declared, but not set by the restore: {}", names.join(", ")))
}

/// What a sample of restored items says of the time that was chosen. It is no fault, and yet for a person to look at.
fn sampled(output: &Value) -> Option<String> {
    output.get("sample")?.get("said")?.as_str().map(str::to_owned)
}

fn undo(timeline: &Timeline) -> Vec<Undo> {
    let path = |track: &Track| track.output.get("undo").and_then(Value::as_str).map(str::to_owned);
    let undo = |(id, track): (&StepId, &Track)| path(track).map(|path| Undo { step: id.clone(), path });
    timeline.steps.iter().filter_map(undo).collect()
}

fn next(run: &str, ending: Ending, steps: &[StepSummary]) -> Option<String> {
    match ending {
        Ending::Running => Some(format!("lifeboat status {run}")),
        Ending::Interrupted => Some(format!("lifeboat resume {run}")),
        Ending::Held | Ending::CheckFailed => {
            let failed = steps.iter().filter(|step| step.status == StepStatus::Failed);
            let retries: String = failed.map(|step| format!(" --retry {}", step.id)).collect();
            Some(format!("lifeboat resume {run}{retries}"))
        }
        Ending::Done => Some(format!("lifeboat report {run} --format md")),
        Ending::AlreadyInPlace | Ending::Abandoned => None,
    }
}
