//! The run as plain lines, for logs and pipes: one line per event, with UTC time and the time since the run started.
//!
//! Lines are whole: nothing is cut or wrapped, and nothing from outside can begin a new one.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use super::output::Quiet;
use super::reporter::{Now, Reporter};
use super::text::{duration, escape, regions, time};
use super::timeline::{Facts, wall_ms};
use super::view::View;
use crate::journal::{Event, Outcome, Record};
use crate::runbook::StepId;
use crate::steps::{Notice, Progress};

/// Of each step's progress, one line is written in this time.
const PACE: Duration = Duration::from_secs(10);

/// Writes plain lines.
pub struct Plain<W: Write> {
    to: Quiet<W>,
    view: View,
    said: BTreeMap<StepId, Duration>,
}

impl<W: Write> Plain<W> {
    /// `history`: what the journal held before, where a run is resumed.
    pub fn new(to: W, history: &[Record]) -> Self {
        Self { to: Quiet::new(to), view: View::of(history), said: BTreeMap::new() }
    }

    fn progress(&mut self, step: &StepId, progress: &Progress, now: Now) {
        self.view.progress(step, progress, now);
        let recent = self.said.get(step).is_some_and(|last| now.mono.saturating_sub(*last) < PACE);
        if recent {
            return;
        }
        self.said.insert(step.clone(), now.mono);
        let text = self.view.progress_words(step, now).unwrap_or_default();
        let elapsed = clock(self.view.elapsed_ms(now));
        self.to.line(&format!("{} {elapsed} {}: {text}", time(now.at), escape(step.as_str())));
    }
}

impl<W: Write + Send> Reporter for Plain<W> {
    fn notice(&mut self, notice: &Notice, now: Now) {
        match notice {
            Notice::Progress { step, progress } => self.progress(step, progress, now),
            Notice::Record(record) => {
                let moment = self.view.add(record, now);
                for words in say(&self.view, &record.event, record) {
                    self.to.line(&format!("{} {} {words}", time(record.at), clock(moment.offset_ms)));
                }
            }
        }
    }
}

/// `+1:02:03`
fn clock(ms: u64) -> String {
    let seconds = ms / 1000;
    format!("+{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// An event in words; none for what says nothing new.
fn say(view: &View, event: &Event, record: &Record) -> Vec<String> {
    let name = |step: &StepId| escape(step.as_str());
    let words = match event {
        Event::RunStarted(started) => {
            let book = &started.runbook;
            format!(
                "run {} started: {} of {} ({}), {}, {} steps",
                escape(&started.run),
                escape(&book.scenario),
                escape(&book.service),
                escape(&book.environment),
                regions(&book.from_region, &book.to_region, "to"),
                book.steps.len()
            )
        }
        Event::RunResumed { retry, restaged, accepted, .. } => {
            let anew = if restaged.is_some() { " with the Terraform root staged anew" } else { "" };
            let changed = accepted.iter().map(|it| format!("; accepted: {}", escape(it))).collect::<String>();
            let names = retry.iter().map(name).collect::<Vec<_>>().join(", ");
            if names.is_empty() {
                format!("run resumed{anew}{changed}")
            } else {
                format!("run resumed{anew}, trying again: {names}{changed}")
            }
        }
        Event::StepChecked { step, facts } => return checked(step, &Facts::of(facts), record),
        Event::StepTaken { .. } => return Vec::new(),
        Event::StepStarted { step, attempt: 1 } => format!("{}: started", name(step)),
        Event::StepStarted { step, attempt } => format!("{}: started, attempt {attempt}", name(step)),
        Event::StepNoted { step, name: note, .. } => format!("{}: noted {}", name(step), escape(note)),
        Event::StepApplied { step, .. } => format!("{}: applied, verifying", name(step)),
        Event::StepReconciled { step, .. } => format!("{}: found done, verifying", name(step)),
        Event::StepVerified { step } => {
            let took = view.took_ms(step).map_or_else(String::new, |ms| format!(" after {}", duration(ms)));
            format!("{}: verified{took}", name(step))
        }
        Event::StepFailed { step, failure } => {
            let hint = failure.hint.as_deref().map_or_else(String::new, |hint| format!("; hint: {}", escape(hint)));
            format!("{}: FAILED: {}{hint}", name(step), escape(&failure.cause))
        }
        Event::StepSkipped { step, skipped } => {
            format!("{}: LEFT OUT by {}: {}", name(step), escape(&skipped.by), escape(&skipped.because))
        }
        Event::StepRetrying { step, cause, in_ms, nth, most } => {
            let when = format!("retrying in {} ({nth} of {most})", duration(*in_ms));
            format!("{}: {}; {when}", name(step), escape(cause))
        }
        // Told in sum at the end.
        Event::RequestsDisturbed { .. } => return Vec::new(),
        Event::StateKept(kept) => {
            let path = escape(&kept.path.to_string_lossy());
            format!("Terraform could not save its state: it is kept in {path} (SHA-256 {})", escape(&kept.sha256))
        }
        Event::StatePushed { sha256, serial, .. } => {
            format!("the backend has the kept state: serial {serial} (SHA-256 {})", escape(sha256))
        }
        Event::StateDiscarded { sha256, because, by } => {
            format!("{} gave the kept state {} up: {}", escape(by), escape(sha256), escape(because))
        }
        Event::ImportChosen { address, id, by } if id.is_empty() => {
            format!("{} has nothing taken over as {} any more", escape(by), escape(address))
        }
        Event::ImportChosen { address, id, by } => {
            format!("{} has {} taken over as {}", escape(by), escape(id), escape(address))
        }
        Event::GuardOverridden { guard, because, by } => {
            format!("{} overrides {}: {}", escape(by), escape(guard), escape(because))
        }
        Event::StateUnlocking { id, held_by, by } => {
            format!("{} takes the state lock {} of {} away", escape(by), escape(id), escape(held_by))
        }
        Event::RunHeld { reason } => format!("run held: {}", escape(reason)),
        Event::RunFinished { outcome: Outcome::Done { changed: true, .. } } => "run done".into(),
        Event::RunFinished { outcome: Outcome::Done { changed: false, .. } } => {
            "run done: everything was in place already".into()
        }
        Event::RunFinished { outcome: Outcome::Abandoned { because } } => {
            format!("run abandoned: {}", escape(because))
        }
    };
    vec![words]
}

fn checked(step: &StepId, facts: &Facts, record: &Record) -> Vec<String> {
    let step = escape(step.as_str());
    let mut lines = Vec::new();
    if let Some(point) = &facts.recovery_point {
        let age = facts
            .recovery_point_at
            .map_or_else(String::new, |at| format!(", {} old", duration(wall_ms(at, record.at))));
        lines.push(format!("{step}: recovery point {}{age}", escape(point)));
    }
    lines.extend(facts.warnings.iter().map(|warning| format!("{step}: warning: {}", escape(warning))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{self, Script};

    fn written(script: &Script) -> String {
        let mut plain = Plain::new(Vec::new(), &[]);
        for notice in script.notices() {
            plain.notice(&notice, Now { at: samples::start(), mono: Duration::ZERO });
        }
        String::from_utf8(plain.to.get_ref().cloned().expect("never closed")).expect("UTF-8")
    }

    #[test]
    fn a_run_reads_as_a_log() {
        insta::assert_snapshot!("plain_resumed", written(&samples::resumed()));
        insta::assert_snapshot!("plain_held", written(&samples::held()));
    }

    #[test]
    fn progress_is_at_most_a_line_in_ten_seconds_for_each_step() {
        let mut plain = Plain::new(Vec::new(), &samples::killed().records);
        for second in 0..25 {
            let now = Now { at: samples::start(), mono: Duration::from_secs(second) };
            for step in ["restore.aurora.logs", "restore.bucket.logs"] {
                let progress = Progress::Count { done: second, total: Some(25), unit: "objects".into() };
                plain.notice(&Notice::Progress { step: step.into(), progress }, now);
            }
        }
        let text = String::from_utf8(plain.to.get_ref().cloned().expect("never closed")).expect("UTF-8");
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(text.contains("+0:02:21 restore.bucket.logs: 20 of 25 objects"), "{text}");
    }
}
