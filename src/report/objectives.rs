//! Objectives against what was achieved: RTO against RTA, RPO against RPA.
//!
//! Both are measured twice: from the declaration, which is the start of the run, and from the impact, where the
//! operator said when it was. What is not known is never called met: it is not measured, and says why.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::summary::Ending;
use super::timeline::{Facts, StepStatus, Timeline, Track, wall_ms};
use crate::journal::{Outcome, RunStarted};
use crate::manifest::{Component, Objective, ObjectiveKind};
use crate::runbook::{Phase, StepSpec};

/// One objective of one component, and what was achieved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ObjectiveResult {
    pub component: Component,
    pub kind: ObjectiveKind,
    /// In milliseconds, as are all times here; `None` where there is no target and the actual is shown for itself.
    pub target_ms: Option<u64>,
    #[serde(flatten)]
    pub measured: Measured,
}

/// What was achieved.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Measured {
    Measured { from_declaration: Actual, from_impact: Option<Actual> },
    NotMeasured { why: String },
}

/// A time and whether it is within the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Actual {
    pub ms: u64,
    /// `None` without a target.
    pub verdict: Option<Verdict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Met,
    Missed,
}

impl ObjectiveResult {
    /// The verdict that counts: from the impact where it is known, else from the declaration.
    pub fn verdict(&self) -> Option<Verdict> {
        match &self.measured {
            Measured::Measured { from_declaration, from_impact } => from_impact.unwrap_or(*from_declaration).verdict,
            Measured::NotMeasured { .. } => None,
        }
    }
}

/// Measures every component that has a target or a step. Lines that would say nothing are left out.
pub(super) fn measure(timeline: &Timeline, started: &RunStarted, ending: Ending) -> Vec<ObjectiveResult> {
    let run = Measure { timeline, started, ending };
    let with_target = started.runbook.objectives.iter().map(|(component, _)| *component);
    let with_steps = started.runbook.steps.iter().filter_map(|step| step.component);
    let components: BTreeSet<Component> = with_target.chain(with_steps).chain([Component::System]).collect();
    let mut results = Vec::new();
    for component in components {
        let target = run.target(component);
        let rto = target.and_then(|target| target.rto).map(millis);
        let rpo = target.and_then(|target| target.rpo).map(millis);
        results.push(result(component, ObjectiveKind::Rto, rto, run.recovery_time(component, rto)));
        results.push(result(component, ObjectiveKind::Rpo, rpo, run.recovery_point(component, rpo)));
    }
    results.retain(|it| it.target_ms.is_some() || matches!(it.measured, Measured::Measured { .. }));
    results
}

fn result(component: Component, kind: ObjectiveKind, target_ms: Option<u64>, measured: Measured) -> ObjectiveResult {
    ObjectiveResult { component, kind, target_ms, measured }
}

fn millis(duration: SignedDuration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(0)
}

fn judged(ms: u64, target_ms: Option<u64>) -> Actual {
    let verdict = target_ms.map(|target| if ms <= target { Verdict::Met } else { Verdict::Missed });
    Actual { ms, verdict }
}

fn not_measured(why: impl Into<String>) -> Measured {
    Measured::NotMeasured { why: why.into() }
}

/// When the recovery was asked for; in journals that do not say it, when the run began.
pub(super) fn declared_at(started: &RunStarted, began: Timestamp) -> Timestamp {
    started.declared_at.map_or(began, |declared| declared.min(began))
}

struct Measure<'a> {
    timeline: &'a Timeline,
    started: &'a RunStarted,
    ending: Ending,
}

impl<'a> Measure<'a> {
    fn target(&self, component: Component) -> Option<Objective> {
        self.started.runbook.objectives.iter().find(|(of, _)| *of == component).map(|(_, objective)| *objective)
    }

    fn declared_at(&self) -> Option<Timestamp> {
        Some(declared_at(self.started, self.timeline.began?.at))
    }

    /// The steps that count towards a component; all for the system.
    fn steps(&self, component: Component) -> Vec<(&'a StepSpec, Option<&'a Track>)> {
        let counts = |step: &&StepSpec| component == Component::System || step.component == Some(component);
        self.started.runbook.steps.iter().filter(counts).map(|step| (step, self.timeline.step(&step.id))).collect()
    }

    fn recovery_time(&self, component: Component, target_ms: Option<u64>) -> Measured {
        let steps = self.steps(component);
        if steps.is_empty() {
            return not_measured("this run has no step for it");
        }
        if let Some((step, track)) = steps.iter().find(|(_, track)| !is_verified(*track)) {
            return not_measured(self.unfinished(step, *track));
        }
        let ended = if component == Component::System {
            match self.timeline.outcome {
                Some(Outcome::Done { changed: true, .. }) => self.timeline.last,
                Some(Outcome::Done { .. }) => return not_measured("found in place: nothing was recovered"),
                _ => return not_measured("the run has not finished"),
            }
        } else {
            let made = steps.iter().filter(|(step, _)| step.phase != Phase::Verification);
            if made.clone().count() > 0 && made.clone().all(|(_, track)| track.is_some_and(|track| track.in_place)) {
                return not_measured("found in place: nothing was recovered");
            }
            let ends = steps.iter().filter_map(|(_, track)| track.and_then(|track| track.ended));
            ends.max_by_key(|moment| moment.offset_ms)
        };
        let Some(ended) = ended else { return not_measured("the run has not finished") };
        let since = |at: Timestamp| {
            let began = self.timeline.began?.at;
            (at <= began).then(|| judged(wall_ms(at, began) + ended.offset_ms, target_ms))
        };
        Measured::Measured {
            from_declaration: self.declared_at().and_then(since).unwrap_or(judged(ended.offset_ms, target_ms)),
            from_impact: self.started.impact_at.and_then(since),
        }
    }

    fn recovery_point(&self, component: Component, target_ms: Option<u64>) -> Measured {
        let mut steps = self.steps(component);
        steps.retain(|(step, _)| step.phase == Phase::Restore);
        if steps.is_empty() {
            return not_measured("no data is restored for it");
        }
        let Some(declared) = self.declared_at() else { return not_measured("the run has not started") };
        let mut oldest: Option<Timestamp> = None;
        let mut gap = None;
        for (step, track) in steps {
            match self.restored_from(step, track) {
                Ok(at) => oldest = Some(oldest.map_or(at, |oldest| oldest.min(at))),
                Err(why) => gap = gap.or(Some(why)),
            }
        }
        let Some(oldest) = oldest else { return not_measured(gap.unwrap_or_default()) };
        let from_declaration = judged(wall_ms(oldest, declared), target_ms);
        let from_impact = self.started.impact_at.map(|impact| judged(wall_ms(oldest, impact), target_ms));
        // With a gap the age is a lower bound: enough to miss the target by, not to meet it.
        let missed = from_impact.unwrap_or(from_declaration).verdict == Some(Verdict::Missed);
        match gap {
            Some(why) if !missed => not_measured(why),
            _ => Measured::Measured { from_declaration, from_impact },
        }
    }

    /// The time of the data that a step restored, or why it is not known.
    fn restored_from(&self, step: &StepSpec, track: Option<&Track>) -> Result<Timestamp, String> {
        if !is_verified(track) {
            return Err(self.unfinished(step, track));
        }
        if track.is_some_and(|track| track.in_place) {
            return Err(format!("{} was found in place: what it was restored from is not known", step.id));
        }
        // What a step says of it at last is newer than what its check has found.
        let at = track.and_then(|track| {
            let of = |value: &serde_json::Value| Facts::of(value).recovery_point_at;
            of(&track.output).or_else(|| of(&track.facts))
        });
        at.ok_or_else(|| match step.component {
            Some(Component::Bucket) => {
                format!("{}: the time up to which its source had replicated is not known", step.id)
            }
            Some(Component::Catalog) => format!("{}: the age of its definitions is not known", step.id),
            _ => format!("{}: the time of its recovery point is not known", step.id),
        })
    }

    fn unfinished(&self, step: &StepSpec, track: Option<&Track>) -> String {
        match track.map(Track::status) {
            Some(StepStatus::Failed) => format!("{} failed", step.id),
            Some(StepStatus::Skipped) => format!("{} was left out", step.id),
            _ if self.ending == Ending::Running => format!("{} is not done yet", step.id),
            _ => format!("{} was not done", step.id),
        }
    }
}

fn is_verified(track: Option<&Track>) -> bool {
    track.is_some_and(|track| track.status() == StepStatus::Verified)
}
