//! The live view of a run as lines of text: what is done per phase, what runs, and what waits for what.
//!
//! Pure: the state, the time and the size of the terminal in, lines out. Every line fits the width, and all lines the
//! height, however many steps there are.

use std::collections::BTreeMap;
use std::time::Duration;

use console::measure_text_width;

use super::reporter::Now;
use super::text::{Look, Tone, amount, duration, edges, escape, fit, pad};
use super::timeline::{Moment, StepStatus, Timeline};
use crate::journal::Record;
use crate::runbook::{Phase, StepId, StepSpec};
use crate::steps::Progress;

/// How many waiting steps a phase shows, where there is room.
const WAITING: usize = 3;
/// Columns of a running step's name at most.
const NAME: usize = 30;
const BAR: u64 = 14;
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// A run as it goes on.
#[derive(Debug, Default)]
pub(super) struct View {
    pub timeline: Timeline,
    progress: BTreeMap<StepId, Progress>,
    /// The last record: its place in the run, and when it was told.
    told: Option<(u64, Duration)>,
}

impl View {
    /// `history`: what the journal held before reporting began.
    pub fn of(history: &[Record]) -> Self {
        let timeline = Timeline::of(history);
        let told = timeline.last.map(|last| (last.offset_ms, Duration::ZERO));
        Self { timeline, progress: BTreeMap::new(), told }
    }

    pub fn add(&mut self, record: &Record, now: Now) -> Moment {
        let moment = self.timeline.add(record);
        self.told = Some((moment.offset_ms, now.mono));
        moment
    }

    pub fn progress(&mut self, step: &StepId, progress: &Progress) {
        self.progress.insert(step.clone(), progress.clone());
    }

    /// Milliseconds since the run started.
    pub fn elapsed_ms(&self, now: Now) -> u64 {
        self.told.map_or(0, |(offset_ms, mono)| {
            offset_ms + u64::try_from(now.mono.saturating_sub(mono).as_millis()).unwrap_or(0)
        })
    }

    /// How long an ended step took.
    pub fn took_ms(&self, step: &StepId) -> Option<u64> {
        let track = self.timeline.step(step)?;
        Some(track.ended?.offset_ms.saturating_sub(track.first_started?.offset_ms))
    }

    /// The lines to show on a terminal of `rows`. Empty before the run has started and after it has ended.
    pub fn lines(&self, now: Now, look: Look, rows: usize) -> Vec<String> {
        if self.timeline.started.is_none() || self.timeline.outcome.is_some() || self.timeline.held.is_some() {
            return Vec::new();
        }
        let room = rows.saturating_sub(1).max(3);
        let mut lines = Vec::new();
        for waiting in (0..=WAITING).rev() {
            lines = self.layout(now, look, waiting);
            if lines.len() <= room {
                return lines;
            }
        }
        let hidden = lines.len() - (room - 1);
        lines.truncate(room - 1);
        lines.push(look.paint(Tone::Quiet, &fit(&format!("  … {hidden} more lines"), look.columns())));
        lines
    }

    fn layout(&self, now: Now, look: Look, waiting: usize) -> Vec<String> {
        let Some(started) = &self.timeline.started else { return Vec::new() };
        let book = &started.runbook;
        let title = format!(
            "{} {}  {} → {}",
            escape(&book.scenario),
            escape(&book.environment),
            escape(&book.from_region),
            escape(&book.to_region)
        );
        let verified = self.timeline.count(StepStatus::Verified);
        let right = format!("{verified} of {}  {}", book.steps.len(), duration(self.elapsed_ms(now)));
        let mut lines = vec![String::new(), look.paint(Tone::Heading, &edges(&title, &right, look.columns()))];
        for phase in Phase::ALL {
            let steps: Vec<&StepSpec> = book.steps.iter().filter(|step| step.phase == phase).collect();
            if !steps.is_empty() {
                lines.extend(self.phase(phase, &steps, now, look, waiting));
            }
        }
        lines
    }

    fn phase(&self, phase: Phase, steps: &[&StepSpec], now: Now, look: Look, waiting: usize) -> Vec<String> {
        let is = |step: &StepSpec, status| self.timeline.is(&step.id, status);
        let done = steps.iter().filter(|step| is(step, StepStatus::Verified)).count();
        let heading = fit(&format!("{}  {done} of {}", phase.title(), steps.len()), look.columns() - 2);
        if steps.iter().all(|step| is(step, StepStatus::Verified)) {
            return vec![look.paint(Tone::Good, &format!("✓ {heading}"))];
        }
        let mut lines = vec![look.paint(Tone::Heading, &heading)];
        for step in steps {
            if self.runs(step) {
                lines.push(self.running(step, now, look));
            } else if is(step, StepStatus::Failed) {
                let line = fit(&format!("{} failed", escape(step.id.as_str())), look.columns() - 4);
                lines.push(look.paint(Tone::Bad, &format!("  ✗ {line}")));
            } else if is(step, StepStatus::Skipped) {
                let line = fit(&format!("{} left out", escape(step.id.as_str())), look.columns() - 4);
                lines.push(look.paint(Tone::Doubtful, &format!("  ↷ {line}")));
            }
        }
        let idle: Vec<&&StepSpec> = steps.iter().filter(|step| is(step, StepStatus::Waiting)).collect();
        lines.extend(idle.iter().take(waiting).map(|step| self.waiting(step, look)));
        if idle.len() > waiting && waiting > 0 {
            let more = format!("  … {} more wait", idle.len() - waiting);
            lines.push(look.paint(Tone::Quiet, &fit(&more, look.columns())));
        }
        lines
    }

    fn runs(&self, step: &StepSpec) -> bool {
        self.timeline.is(&step.id, StepStatus::Running) || self.timeline.is(&step.id, StepStatus::Verifying)
    }

    /// Columns for the names of running steps: the longest, within reason.
    fn name_columns(&self, look: Look) -> usize {
        let steps = self.timeline.started.iter().flat_map(|started| &started.runbook.steps);
        let names = steps.filter(|step| self.runs(step)).map(|step| measure_text_width(&escape(step.id.as_str())));
        names.max().unwrap_or(0).min(NAME).min(look.columns() / 2)
    }

    fn running(&self, step: &StepSpec, now: Now, look: Look) -> String {
        let frame = usize::try_from(now.mono.as_millis() / 100).unwrap_or(0) % SPINNER.len();
        let began = self.timeline.step(&step.id).and_then(|track| track.started).map_or(0, |began| began.offset_ms);
        let took = duration(self.elapsed_ms(now).saturating_sub(began));
        let detail = match self.progress.get(&step.id) {
            _ if self.timeline.is(&step.id, StepStatus::Verifying) => "verifying".to_owned(),
            Some(Progress::Status { text }) => escape(text),
            Some(Progress::Count { done, total: Some(total), unit }) => counted(*done, *total, unit),
            Some(Progress::Count { done, total: None, unit }) => amount(*done, unit),
            None => escape(&step.title),
        };
        let left = format!("{}  {detail}", pad(&escape(step.id.as_str()), self.name_columns(look)));
        format!("  {} {}", look.paint(Tone::Active, SPINNER[frame]), edges(&left, &took, look.columns() - 4))
    }

    fn waiting(&self, step: &StepSpec, look: Look) -> String {
        let open = step.after.iter().filter(|id| !self.timeline.is_settled(id));
        let names: Vec<String> = open.map(|id| escape(id.as_str())).collect();
        let line = match names.len() {
            0 => format!("  waiting: {}", escape(step.id.as_str())),
            _ => format!("  waiting: {} ← {}", escape(step.id.as_str()), names.join(", ")),
        };
        look.paint(Tone::Quiet, &fit(&line, look.columns()))
    }
}

/// `[=====>        ] 5 of 11 resources`
fn counted(done: u64, total: u64, unit: &str) -> String {
    let share = u128::from(done.min(total)) * u128::from(BAR) / u128::from(total.max(1));
    let full = usize::try_from(share).unwrap_or(0);
    let width = usize::try_from(BAR).unwrap_or(0);
    let tip = if full > 0 && full < width { ">" } else { "" };
    let bar = format!("{}{tip}", "=".repeat(full - tip.len()));
    let count = if unit == "bytes" { amount(done, unit) } else { done.to_string() };
    format!("[{bar:<width$}] {count} of {}", amount(total, unit))
}
