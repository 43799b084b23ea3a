//! What a scenario would do, before it does it: steps, recovery points and the RPO that they mean, the critical path and
//! the RTO to be expected, what stands in the way, and what will not be checked.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::table::{Column, Table};
use super::text::{Look, Tone, duration, escape, wrap};
use crate::manifest::Component;
use crate::runbook::{GraphError, NotChecked, Phase, Runbook, StepId};
use crate::steps::Weighed;

/// What those are among which a clean recovery point was chosen.
pub(super) const CANDIDATES_OF: &str = "candidates for clean recovery points";
/// The version of the JSON form.
const SCHEMA_VERSION: u32 = 1;

/// A plan for people and programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanView {
    pub schema_version: u32,
    pub scenario: String,
    pub environment: String,
    pub service: String,
    pub account: String,
    pub from_region: String,
    pub to_region: String,
    pub steps: Vec<PlannedStep>,
    /// The longest chain by expected time.
    pub critical_path: Vec<StepId>,
    pub expected_rto: SignedDuration,
    pub target_rto: Option<SignedDuration>,
    pub blocked: Vec<Obstacle>,
    pub warnings: Vec<Warning>,
    /// Whether the scenario's result stands already.
    pub in_place: bool,
    pub not_checked: Vec<NotChecked>,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedStep {
    pub id: StepId,
    pub phase: Phase,
    pub title: String,
    pub after: Vec<StepId>,
    pub expected: SignedDuration,
    pub recovery_point: Option<String>,
    pub recovery_point_at: Option<Timestamp>,
    /// How old the recovery point is now: the RPO that a failover at this moment would reach.
    pub recovery_point_age: Option<SignedDuration>,
    /// Where a clean one was sought: all that there are, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Weighed>,
}

/// Something that stands in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    pub step: StepId,
    pub cause: String,
    pub hint: Option<String>,
}

/// Something to know before going on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    pub step: StepId,
    pub text: String,
}

impl PlanView {
    /// `facts`: what each step's check settled.
    ///
    /// # Errors
    /// The runbook is not sound.
    pub fn of(
        runbook: &Runbook,
        facts: &BTreeMap<StepId, Value>,
        blocked: Vec<Obstacle>,
        in_place: bool,
        now: Timestamp,
    ) -> Result<Self, GraphError> {
        let critical = runbook.critical_path()?;
        let system = runbook.objectives.iter().find(|(component, _)| *component == Component::System);
        Ok(Self {
            schema_version: SCHEMA_VERSION,
            scenario: runbook.scenario.clone(),
            environment: runbook.environment.clone(),
            service: runbook.service.clone(),
            account: runbook.account.clone(),
            from_region: runbook.from_region.clone(),
            to_region: runbook.to_region.clone(),
            steps: planned(runbook, facts, now),
            critical_path: critical.steps,
            expected_rto: critical.total,
            target_rto: system.and_then(|(_, objective)| objective.rto),
            blocked,
            warnings: warnings(facts),
            in_place,
            not_checked: runbook.not_checked.clone(),
        })
    }

    /// As JSON, ended by a line break.
    ///
    /// # Errors
    /// None in practice: a plan holds nothing that JSON could not.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        Ok(super::json::visible(&serde_json::to_string_pretty(self)?) + "\n")
    }

    /// As text for a terminal.
    pub fn text(&self, look: Look) -> String {
        let lines: Vec<String> = self.head(look).into_iter().chain(self.rest(look)).collect();
        lines.join("\n") + "\n"
    }

    /// What it is, and how long it will take.
    pub(super) fn head(&self, look: Look) -> Vec<String> {
        let mut lines = vec![
            look.paint(
                Tone::Heading,
                &format!("{} of {} ({})", self.scenario, escape(&self.service), escape(&self.environment)),
            ),
            match self.from_region == self.to_region {
                true => format!("region      {}", escape(&self.to_region)),
                false => format!("regions     {} → {}", escape(&self.from_region), escape(&self.to_region)),
            },
            format!("account     {}", escape(&self.account)),
            format!("expected    {}{}", span(self.expected_rto), self.target_words()),
        ];
        if self.in_place {
            let words = format!("{} is failed over already: there is nothing to do", escape(&self.environment));
            lines.push(look.paint(Tone::Good, &words));
        }
        lines
    }

    /// Steps, recovery points, critical path, and what stands in the way.
    pub(super) fn rest(&self, look: Look) -> Vec<String> {
        let mut lines = Vec::new();
        self.steps_text(&mut lines, look);
        section(&mut lines, look, "recovery points", self.points(look));
        section(&mut lines, look, CANDIDATES_OF, self.candidates(look));
        let way = self.critical_path.iter().map(StepId::as_str).collect::<Vec<_>>().join(" → ");
        section(&mut lines, look, "critical path", wrap("  ", &way, look.columns()));
        let blocked = self.blocked.iter().flat_map(|it| {
            let mut text = wrap("  ✗ ", &format!("{}: {}", it.step, escape(&it.cause)), look.columns());
            text.extend(it.hint.iter().flat_map(|hint| wrap("      ", &escape(hint), look.columns())));
            text
        });
        section(&mut lines, look, "in the way", blocked.collect());
        let warnings = self.warnings.iter();
        let warnings =
            warnings.flat_map(|it| wrap("  ! ", &format!("{}: {}", it.step, escape(&it.text)), look.columns()));
        section(&mut lines, look, "warnings", warnings.collect());
        let unchecked = self.not_checked.iter();
        let unchecked = unchecked
            .flat_map(|it| wrap("  - ", &format!("{}: {}", escape(&it.what), escape(&it.why)), look.columns()));
        section(&mut lines, look, "will not be checked", unchecked.collect());
        lines
    }

    pub(super) fn target_words(&self) -> String {
        match self.target_rto {
            Some(target) if self.expected_rto > target => format!(", LONGER than the RTO of {}", span(target)),
            Some(target) => format!(", within the RTO of {}", span(target)),
            None => ", by usual times; the manifest has no RTO for the system".to_owned(),
        }
    }

    fn steps_text(&self, lines: &mut Vec<String>, look: Look) {
        for phase in Phase::ALL {
            let steps: Vec<&PlannedStep> = self.steps.iter().filter(|step| step.phase == phase).collect();
            if steps.is_empty() {
                continue;
            }
            let mut table =
                Table::new(&[("  step", Column::Left), ("what", Column::GivesWay), ("about", Column::Right)]);
            for step in steps {
                let on_path = self.critical_path.contains(&step.id);
                table.row([
                    (format!("{} {}", if on_path { "*" } else { " " }, step.id), None),
                    (escape(&step.title), None),
                    (span(step.expected), None),
                ]);
            }
            section(lines, look, phase.title(), table.lines(look).split_off(1));
        }
    }

    fn candidates(&self, look: Look) -> Vec<String> {
        let each = self.steps.iter().flat_map(|step| step.candidates.iter().map(move |it| (step, it)));
        let lines = each.flat_map(|(step, it)| {
            let mark = if it.taken { "  ✓ " } else { "  - " };
            let words = format!("{}: {} {}", step.id, escape(&it.recovery_point), escape(&it.words()));
            wrap(mark, &words, look.columns())
        });
        lines.collect()
    }

    fn points(&self, look: Look) -> Vec<String> {
        let with = self.steps.iter().filter_map(|step| Some((step, step.recovery_point.as_ref()?)));
        let lines = with.flat_map(|(step, point)| {
            let age = step.recovery_point_age.map_or_else(String::new, |age| format!(", {} old", span(age)));
            wrap("  ", &format!("{}: {}{age}", step.id, escape(point)), look.columns())
        });
        lines.collect()
    }
}

pub(super) fn section(lines: &mut Vec<String>, look: Look, heading: &str, body: Vec<String>) {
    if !body.is_empty() {
        lines.push(String::new());
        lines.push(look.paint(Tone::Heading, heading));
        lines.extend(body);
    }
}

fn planned(runbook: &Runbook, facts: &BTreeMap<StepId, Value>, now: Timestamp) -> Vec<PlannedStep> {
    let one = |spec: &crate::runbook::StepSpec| {
        let facts = facts.get(&spec.id).unwrap_or(&Value::Null);
        let at = facts["recovery_point_at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        PlannedStep {
            id: spec.id.clone(),
            phase: spec.phase,
            title: spec.title.clone(),
            after: spec.after.clone(),
            expected: spec.expected,
            recovery_point: facts["recovery_point"].as_str().map(str::to_owned),
            recovery_point_at: at,
            recovery_point_age: at.map(|at| now.duration_since(at)),
            candidates: Weighed::of_facts(facts),
        }
    };
    runbook.steps.iter().map(one).collect()
}

fn warnings(facts: &BTreeMap<StepId, Value>) -> Vec<Warning> {
    let of = |(step, facts): (&StepId, &Value)| -> Vec<Warning> {
        let texts = facts["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str);
        texts.map(|text| Warning { step: step.clone(), text: text.to_owned() }).collect()
    };
    facts.iter().flat_map(of).collect()
}

/// A span of time in words.
pub fn span(time: SignedDuration) -> String {
    duration(u64::try_from(time.as_millis()).unwrap_or(0))
}
