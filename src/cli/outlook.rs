//! Says, before a run goes on, what was found of the steps that were in hand.

use jiff::Timestamp;

use crate::engine::Found;
use crate::journal::{Event, Loaded};
use crate::report::{self, Look, Outlook};
use crate::runbook::StepId;
use crate::steps::Seen;

/// The outlook as text.
pub fn shown(loaded: &Loaded, found: &[(StepId, Found)], look: Look) -> String {
    let now = Timestamp::now();
    let Some(summary) = report::summarize(loaded, false, now) else { return String::new() };
    let line = |(step, found): &(StepId, Found)| {
        let (found, then) = words(found);
        Outlook { step: step.clone(), since: begun(loaded, step), found, then }
    };
    let lines: Vec<Outlook> = found.iter().map(line).collect();
    report::outlook(&summary, &lines, now, look)
}

fn begun(loaded: &Loaded, wanted: &StepId) -> Option<Timestamp> {
    let starts = loaded.records.iter().rev();
    starts.filter(|it| matches!(&it.event, Event::StepStarted { step, .. } if step == wanted)).map(|it| it.at).next()
}

fn words(found: &Found) -> (String, &'static str) {
    match found {
        Found::Applied => ("done".into(), "proving it"),
        Found::Seen(Seen::Done(_)) => ("found done".into(), "proving it"),
        Found::Seen(Seen::InProgress(status)) => (status.clone(), "attaching"),
        Found::Seen(Seen::Absent) => ("not there, or not all of it".into(), "doing it"),
        Found::Seen(Seen::Conflict { cause, .. }) => (cause.clone(), "it will be held"),
        Found::ByPlan => ("not known before Terraform is asked".into(), "asking it"),
        Found::NotSaid(error) => (format!("not known: {error}"), "asking again"),
        Found::Unknown => ("no answer yet".into(), "asking again"),
    }
}
