//! The live view of a run as lines of text: what is done per phase, what runs, and what waits for what.
//!
//! Pure: the state, the time and the size of the terminal in, lines out. Every line fits the width, and all lines the
//! height, however many steps there are.

use std::collections::BTreeMap;
use std::time::Duration;

use console::measure_text_width;

use super::reporter::Now;
use super::speed::{Outlook, Speed, later};
use super::text::{Look, Tone, amount, duration, edges, escape, fit, pad};
use super::timeline::{Moment, StepStatus, Timeline};
use crate::journal::Record;
use crate::runbook::{Phase, StepId, StepSpec};
use crate::steps::{Portion, Progress};

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
    progress: BTreeMap<StepId, Going>,
    /// The last record: its place in the run, and when it was told.
    told: Option<(u64, Duration)>,
}

/// How far a step is, and how fast it goes on: of the objects of a copy, and of their bytes.
#[derive(Debug)]
struct Going {
    progress: Progress,
    speed: Speed,
    of_bytes: Speed,
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

    pub fn progress(&mut self, step: &StepId, progress: &Progress, now: Now) {
        let new = || Going { progress: progress.clone(), speed: Speed::default(), of_bytes: Speed::default() };
        let going = self.progress.entry(step.clone()).or_insert_with(new);
        going.progress.clone_from(progress);
        match progress {
            Progress::Status { .. } => *going = new(),
            Progress::Count { done, .. } => going.speed.add(*done, now.mono),
            Progress::Copy { objects, bytes } => {
                going.speed.add(objects.done, now.mono);
                going.of_bytes.add(bytes.done, now.mono);
            }
        }
    }

    /// How far a step is, in words, the most important first.
    pub fn progress_words(&self, step: &StepId, now: Now) -> Option<String> {
        self.progress.get(step).map(|going| going.words(now))
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
            Some(going) => going.bar() + &going.words(now),
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

impl Going {
    /// `[=====>        ] `; nothing where nobody knows how much there is.
    fn bar(&self) -> String {
        let (done, total) = match &self.progress {
            Progress::Count { done, total: Some(total), .. } => (*done, *total),
            Progress::Copy { objects: Portion { done, total: Some(total) }, .. } => (*done, *total),
            _ => return String::new(),
        };
        let share = u128::from(done.min(total)) * u128::from(BAR) / u128::from(total.max(1));
        let full = usize::try_from(share).unwrap_or(0);
        let width = usize::try_from(BAR).unwrap_or(0);
        let tip = if full > 0 && full < width { ">" } else { "" };
        let bar = format!("{}{tip}", "=".repeat(full - tip.len()));
        format!("[{bar:<width$}] ")
    }

    /// `417 of 1204 objects, ~8s left, 98/s, 1.2 MiB of 3.4 MiB`
    fn words(&self, now: Now) -> String {
        match &self.progress {
            Progress::Status { text } => escape(text),
            Progress::Count { done, total, unit } => {
                let outlook = self.speed.outlook(*total, now.mono);
                let left = if let Outlook::Going { left, .. } = outlook { left } else { None };
                portion(*done, *total, unit) + &pace(outlook, left, unit)
            }
            Progress::Copy { objects, bytes } => {
                let of_objects = self.speed.outlook(objects.total, now.mono);
                let of_bytes = self.of_bytes.outlook(bytes.total, now.mono);
                // Without any bytes the objects alone tell.
                let left = match (bytes.total, of_objects) {
                    (Some(0), Outlook::Going { left, .. }) => left,
                    _ => later(of_objects, of_bytes),
                };
                // One large object takes long: bytes that move are no standstill.
                let outlook = match (of_objects, of_bytes) {
                    (Outlook::StandsStill(_), Outlook::Going { .. }) => Outlook::Unknown,
                    _ => of_objects,
                };
                let bytes = portion(bytes.done, bytes.total, "bytes");
                format!(
                    "{}{}, {bytes}",
                    portion(objects.done, objects.total, "objects"),
                    pace(outlook, left, "objects")
                )
            }
        }
    }
}

fn portion(done: u64, total: Option<u64>, unit: &str) -> String {
    match total {
        Some(total) if unit == "bytes" => format!("{} of {}", amount(done, unit), amount(total, unit)),
        Some(total) => format!("{done} of {}", amount(total, unit)),
        None => amount(done, unit),
    }
}

/// `, ~8s left, 98/s`
fn pace(outlook: Outlook, left: Option<Duration>, unit: &str) -> String {
    let span = |time: Duration| duration(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    match outlook {
        Outlook::Unknown => String::new(),
        Outlook::StandsStill(time) => format!(", nothing for {}", span(time)),
        Outlook::Going { per_second, .. } => {
            let left = left.map_or_else(String::new, |left| format!(", ~{} left", span(left)));
            let rate = match unit {
                "bytes" => format!("{}/s", amount(per_second as u64, unit)),
                _ if per_second < 10.0 => format!("{per_second:.1}/s"),
                _ => format!("{per_second:.0}/s"),
            };
            format!("{left}, {rate}")
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn now(seconds: u64) -> Now {
        Now { at: Timestamp::UNIX_EPOCH, mono: Duration::from_secs(seconds) }
    }

    fn words(told: &[(u64, Progress)], at: u64) -> String {
        let (mut view, step) = (View::default(), StepId::new("restore.bucket.logs"));
        for (seconds, progress) in told {
            view.progress(&step, progress, now(*seconds));
        }
        view.progress_words(&step, now(at)).unwrap()
    }

    fn copy(objects: u64, bytes: u64) -> Progress {
        let part = |done, total| Portion { done, total: Some(total) };
        Progress::Copy { objects: part(objects, 1000), bytes: part(bytes, 100 << 20) }
    }

    #[test]
    fn a_copy_tells_both_counts_its_rate_and_the_later_of_its_two_ends() {
        let even = [(0, copy(0, 0)), (5, copy(500, 10 << 20))];
        // By the objects it would take five seconds more, by the bytes 45.
        assert_eq!(words(&even, 5), "500 of 1000 objects, ~45s left, 100/s, 10.0 MiB of 100.0 MiB");
        assert_eq!(words(&even[..1], 0), "0 of 1000 objects, 0 B of 100.0 MiB");
        assert_eq!(words(&even, 40), "500 of 1000 objects, nothing for 35s, 10.0 MiB of 100.0 MiB");
    }

    #[test]
    fn a_large_object_under_way_is_no_standstill() {
        let large = [(0, copy(0, 0)), (1, copy(999, 1 << 20)), (30, copy(999, 20 << 20)), (38, copy(999, 25 << 20))];
        assert_eq!(words(&large, 38), "999 of 1000 objects, 25.0 MiB of 100.0 MiB");
    }

    #[test]
    fn what_nobody_knows_the_end_of_has_a_rate_alone() {
        let count = |done| Progress::Count { done, total: None, unit: "items".into() };
        assert_eq!(words(&[(0, count(0)), (4, count(10))], 4), "10 items, 2.5/s");
    }
}
