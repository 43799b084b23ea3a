//! A breach from the first that is known of it until what was rebuilt is proven: the times that a review of the incident begins
//! with.

use jiff::Timestamp;
use serde::Serialize;

use super::summary::StepSummary;
use super::table::{Column, Table};
use super::text::{Look, duration, escape, time};
use super::timeline::StepStatus;
use crate::evidence::{Evidence, EvidenceStep, SEAL, VERIFY};
use crate::journal::RunStarted;
use crate::runbook::{Action, Phase};
use crate::scenario::TEARDOWN_PROOF;

/// What happened when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Incident {
    /// As the operator said it.
    pub first_known_compromise: Timestamp,
    /// In the order of their times; those that have not come about stand last.
    pub milestones: Vec<Milestone>,
}

/// Something that happened, or has not yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Milestone {
    /// `evidence sealed`
    pub what: String,
    /// `None` as long as it has not come about.
    pub at: Option<Timestamp>,
    /// Milliseconds from the first known compromise; negative before it.
    pub since_ms: Option<i64>,
    /// Of what, or by whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What ends with something worth a line.
enum Part {
    Phase(Phase),
    Step(&'static str),
}

/// Such parts in their order, each with what has come about then.
const PARTS: [(Part, &str); 9] = [
    (Part::Phase(Phase::Containment), "contained"),
    (Part::Step(SEAL), "evidence sealed"),
    (Part::Step(VERIFY), "evidence verified"),
    (Part::Step(TEARDOWN_PROOF), "taken down"),
    (Part::Phase(Phase::Infrastructure), "infrastructure rebuilt"),
    (Part::Phase(Phase::Restore), "data restored"),
    (Part::Phase(Phase::Adoption), "data under Terraform's care"),
    (Part::Phase(Phase::Verification), "verified"),
    (Part::Phase(Phase::Rotation), "rotated"),
];

impl Part {
    fn has(&self, step: &StepSummary) -> bool {
        match self {
            Self::Phase(phase) => step.phase == *phase,
            Self::Step(id) => step.id.as_str() == *id,
        }
    }
}

/// When the last of some steps was proven, unless one is still to be done; and which of them were left out.
fn ended(steps: &[&StepSummary]) -> (Option<Timestamp>, Option<String>) {
    let (skipped, others): (Vec<&StepSummary>, Vec<&StepSummary>) =
        steps.iter().partition(|step| step.status == StepStatus::Skipped);
    let all = others.iter().all(|step| step.status == StepStatus::Verified);
    let at = all.then(|| others.iter().filter_map(|step| step.ended_at).max()).flatten();
    let names: Vec<&str> = skipped.iter().map(|step| step.id.as_str()).collect();
    (at, (!names.is_empty()).then(|| format!("left out: {}", names.join(", "))))
}

/// The incident that a run is an answer to; `None` of a run that answers to none.
pub(super) fn of(started: &RunStarted, declared_at: Timestamp, steps: &[StepSummary]) -> Option<Incident> {
    let breach_at = started.runbook.steps.iter().find_map(|step| match &step.action {
        Action::Evidence { evidence: EvidenceStep { what: Evidence::Place { breach_at, .. }, .. } } => Some(*breach_at),
        _ => None,
    })?;
    let milestone = |what: &str, at: Option<Timestamp>, detail: Option<String>| Milestone {
        what: what.to_owned(),
        at,
        since_ms: at.map(|at| at.as_millisecond() - breach_at.as_millisecond()),
        detail,
    };
    let mut milestones = vec![
        milestone("first known compromise", Some(breach_at), None),
        milestone("answer begun", Some(declared_at), Some(started.caller.clone())),
    ];
    milestones.extend(started.impact_at.map(|at| milestone("impact", Some(at), None)));
    if let Some(bundle) = &started.bundle {
        milestones.push(milestone("approved", Some(bundle.approved_at), Some(bundle.approver.clone())));
    }
    for step in steps {
        let Some(point) = step.recovery_point.as_ref().filter(|_| step.recovery_point_at.is_some()) else { continue };
        milestones.push(milestone("clean point", step.recovery_point_at, Some(format!("{}: {point}", step.id))));
    }
    for (part, what) in PARTS {
        let steps: Vec<&StepSummary> = steps.iter().filter(|step| part.has(step)).collect();
        if !steps.is_empty() {
            let (at, left_out) = ended(&steps);
            milestones.push(milestone(what, at, left_out));
        }
    }
    milestones.sort_by_key(|it| (it.at.is_none(), it.at));
    Some(Incident { first_known_compromise: breach_at, milestones })
}

impl Milestone {
    /// `2026-11-22T03:00:00Z`
    pub(super) fn when(&self) -> String {
        match (self.at, &self.detail) {
            (Some(at), _) => time(at),
            (None, None) => "not yet".to_owned(),
            (None, Some(_)) => "not done".to_owned(),
        }
    }

    /// From the first known compromise: `+2h 10m`
    pub(super) fn since(&self) -> String {
        match self.since_ms {
            None | Some(0) => String::new(),
            Some(ms) => format!("{}{}", if ms < 0 { "-" } else { "+" }, duration(ms.unsigned_abs())),
        }
    }
}

impl Incident {
    /// The lines of the closing table's section.
    pub(super) fn lines(&self, look: Look) -> Vec<String> {
        let mut table = Table::new(&[
            ("  when", Column::Left),
            ("after", Column::Right),
            ("what", Column::Left),
            ("", Column::GivesWay),
        ]);
        for milestone in &self.milestones {
            let detail = milestone.detail.as_deref().map(escape).unwrap_or_default();
            table.row([
                (format!("  {}", milestone.when()), None),
                (milestone.since(), None),
                (milestone.what.clone(), None),
                (detail, None),
            ]);
        }
        table.lines(look)
    }
}
