//! The live view on a terminal: what has happened scrolls up as lines that stay, what goes on is drawn below them.
//!
//! indicatif is used here and nowhere else, to draw; what is drawn is laid out by `view`. Errors of the terminal are
//! ignored: when it is gone, the run goes on unseen.

use std::io::{stderr, stdout};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::Quiet;
use super::reporter::{Now, Reporter};
use super::text::{Look, Tone, duration, edges, escape, fit, regions, wrap};
use super::timeline::{Facts, StepStatus, wall_ms};
use super::view::View;
use crate::journal::{Event, Failure, Outcome, Record, RunStarted};
use crate::runbook::StepId;
use crate::steps::Notice;

/// How often the view moves without news.
const FRAME: Duration = Duration::from_millis(100);

/// The live view that is being drawn on standard error, so that other words can be put above it.
static LIVE: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Writes to standard error; above the live view where there is one. Never fails.
pub fn to_stderr(text: &str) {
    let live = LIVE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let write = || Quiet::new(stderr()).write(text);
    match live {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Writes data to standard output. Never fails: a reader that has gone wants no more.
pub fn to_stdout(text: &str) {
    Quiet::new(stdout()).write(text);
}

/// Columns of the terminal that standard error or standard output is; `None` where neither is one.
pub fn terminal_width() -> Option<usize> {
    let size = Term::stderr().size_checked().or_else(|| Term::stdout().size_checked());
    size.map(|(_, columns)| columns.into())
}

/// Draws a run.
pub struct Terminal {
    bar: ProgressBar,
    /// Writes whole lines to the same place. indicatif's own way fills lines up with blanks instead of ending them, so
    /// that what was said before would fall apart when the window changes its size.
    above: Box<dyn Fn(&str) + Send>,
    target: Box<dyn Fn() -> ProgressDrawTarget + Send>,
    size: Box<dyn Fn() -> (usize, usize) + Send>,
    color: bool,
    view: View,
    drawn: Option<Duration>,
    drawn_size: (usize, usize),
}

impl Terminal {
    /// Draws on standard error. `history`: what the journal held before, where a run is resumed.
    pub fn stderr(color: bool, history: &[Record]) -> Self {
        let size = || Term::stderr().size_checked().map_or((24, 80), |(rows, columns)| (rows.into(), columns.into()));
        let above = |text: &str| Quiet::new(stderr()).write(text);
        let target = || ProgressDrawTarget::stderr_with_hz(20);
        let terminal = Self::new(Box::new(target), Box::new(above), Box::new(size), color, history);
        *LIVE.lock().unwrap_or_else(PoisonError::into_inner) = Some(terminal.bar.clone());
        terminal
    }

    fn new(
        target: Box<dyn Fn() -> ProgressDrawTarget + Send>,
        above: Box<dyn Fn(&str) + Send>,
        size: Box<dyn Fn() -> (usize, usize) + Send>,
        color: bool,
        history: &[Record],
    ) -> Self {
        let bar = ProgressBar::with_draw_target(None, target());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        let drawn_size = size();
        Self { bar, above, target, size, color, view: View::of(history), drawn: None, drawn_size }
    }

    fn look(&self) -> Look {
        Look { width: (self.size)().1, color: self.color }
    }

    fn draw(&mut self, now: Now) {
        self.drawn = Some(now.mono);
        let size = (self.size)();
        if size != self.drawn_size {
            self.drawn_size = size;
            self.begin_anew();
        }
        let (rows, _) = size;
        self.bar.set_message(self.view.lines(now, self.look(), rows).join("\n"));
    }
}

impl Terminal {
    /// After the window has changed its size nobody knows which rows the view stands on: it is left where it is and
    /// drawn once more below, rather than drawn over lines that stay.
    fn begin_anew(&self) {
        (self.above)("\n");
        self.bar.set_draw_target((self.target)());
    }
}

impl Reporter for Terminal {
    fn notice(&mut self, notice: &Notice, now: Now) {
        match notice {
            Notice::Progress { step, progress } => self.view.progress(step, progress, now),
            Notice::Record(record) => {
                self.view.add(record, now);
                let lines = lasting(&self.view, record, self.look());
                // The view first: what is drawn below the new line must not show the step as it was.
                self.draw(now);
                if !lines.is_empty() {
                    self.bar.suspend(|| (self.above)(&(lines.join("\n") + "\n")));
                }
            }
        }
    }

    fn tick(&mut self, now: Now) {
        if self.drawn.is_none_or(|drawn| now.mono.saturating_sub(drawn) >= FRAME) {
            self.draw(now);
        }
    }

    fn finish(&mut self, _now: Now) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        *LIVE.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The lines that stay of an event.
fn lasting(view: &View, record: &Record, look: Look) -> Vec<String> {
    match &record.event {
        Event::RunStarted(started) => started_lines(started, look),
        Event::RunResumed { retry, restaged, accepted, .. } => {
            let done = view.timeline.count(StepStatus::Verified);
            let mut text = format!("resumed: {done} of {} steps were verified before", view.timeline.steps.len());
            if !retry.is_empty() {
                let names: Vec<String> = retry.iter().map(|id| escape(id.as_str())).collect();
                text += &format!("; trying again {}", names.join(", "));
            }
            if restaged.is_some() {
                text += "; the Terraform root is staged anew";
            }
            text.extend(accepted.iter().map(|it| format!("; accepted: {}", escape(it))));
            wrap("", &text, look.columns())
        }
        Event::StepChecked { step, facts } => checked(step, &Facts::of(facts), record, look),
        Event::StepVerified { step } => vec![ended(view, step, "✓", Tone::Good, look)],
        Event::StepFailed { step, failure } => {
            let mut lines = vec![ended(view, step, "✗", Tone::Bad, look)];
            lines.extend(reasons(failure, "  ", look));
            lines
        }
        Event::StepRetrying { step, cause, in_ms, nth, most } => {
            let when = format!("retrying in {} ({nth} of {most})", duration(*in_ms));
            let text = format!("{}: {}; {when}", escape(step.as_str()), escape(cause));
            colored(look, Tone::Doubtful, wrap("! ", &text, look.columns()))
        }
        Event::RunHeld { reason } => colored(look, Tone::Bad, wrap("held: ", &escape(reason), look.columns())),
        Event::RunFinished { outcome: Outcome::Abandoned { because } } => {
            colored(look, Tone::Bad, wrap("abandoned: ", &escape(because), look.columns()))
        }
        _ => Vec::new(),
    }
}

fn started_lines(started: &RunStarted, look: Look) -> Vec<String> {
    let book = &started.runbook;
    let text = format!(
        "{}: {} of {} ({}), {}, {} steps",
        escape(&started.run),
        escape(&book.scenario),
        escape(&book.service),
        escape(&book.environment),
        regions(&book.from_region, &book.to_region, "→"),
        book.steps.len()
    );
    wrap("run ", &text, look.columns())
}

fn checked(step: &StepId, facts: &Facts, record: &Record, look: Look) -> Vec<String> {
    let step = escape(step.as_str());
    let mut lines = Vec::new();
    if let Some(point) = &facts.recovery_point {
        let age = facts.recovery_point_at.map(|at| format!(", {} old", duration(wall_ms(at, record.at))));
        let text = format!("{step}: recovery point {}{}", escape(point), age.unwrap_or_default());
        lines.extend(wrap("· ", &text, look.columns()));
    }
    for warning in &facts.warnings {
        let text = format!("{step}: {}", escape(warning));
        lines.extend(colored(look, Tone::Doubtful, wrap("! ", &text, look.columns())));
    }
    lines
}

fn ended(view: &View, step: &StepId, mark: &str, tone: Tone, look: Look) -> String {
    let track = view.timeline.step(step);
    let note = match track.map(|track| (track.in_place, track.attempts)) {
        Some((true, _)) => "  in place".to_owned(),
        Some((_, attempts)) if attempts > 1 => format!("  {attempts} attempts"),
        _ => String::new(),
    };
    let took = view.took_ms(step).map_or_else(String::new, duration);
    let left = fit(&format!("{}{note}", escape(step.as_str())), look.columns());
    format!("{} {}", look.paint(tone, mark), edges(&left, &took, look.columns() - 2))
}

/// Cause and hint of a failure, wrapped so that nothing of them is lost.
pub(super) fn reasons(failure: &Failure, margin: &str, look: Look) -> Vec<String> {
    let mut lines = wrap(&format!("{margin}cause: "), &escape(&failure.cause), look.columns());
    if let Some(hint) = &failure.hint {
        lines.extend(wrap(&format!("{margin}hint:  "), &escape(hint), look.columns()));
    }
    lines
}

fn colored(look: Look, tone: Tone, lines: Vec<String>) -> Vec<String> {
    lines.iter().map(|line| look.paint(tone, line)).collect()
}

#[cfg(test)]
mod tests {
    use indicatif::{InMemoryTerm, TermLike};

    use super::*;
    use crate::report::samples::{self, Script};
    use crate::steps::Progress;

    /// What a terminal of this size shows after the script, `seconds` after its last event.
    fn shown(script: &Script, progress: &[(&str, Progress)], rows: u16, columns: u16, seconds: u64) -> InMemoryTerm {
        let screen = InMemoryTerm::new(rows, columns);
        let mut terminal = on(&screen, rows, columns);
        let mut now = Now { at: samples::start(), mono: Duration::ZERO };
        for notice in script.notices() {
            terminal.notice(&notice, now);
        }
        for (step, progress) in progress {
            terminal.notice(&Notice::Progress { step: (*step).into(), progress: progress.clone() }, now);
        }
        now.mono = Duration::from_secs(seconds);
        terminal.tick(now);
        // The view is left on the screen as it was drawn.
        std::mem::forget(terminal);
        screen
    }

    fn on(screen: &InMemoryTerm, rows: u16, columns: u16) -> Terminal {
        let drawn = screen.clone();
        let target = move || ProgressDrawTarget::term_like(Box::new(drawn.clone()));
        let lines = screen.clone();
        let above = move |text: &str| text.lines().for_each(|line| lines.write_line(line).expect("in memory"));
        Terminal::new(Box::new(target), Box::new(above), Box::new(move || (rows.into(), columns.into())), false, &[])
    }

    fn status(text: &str) -> Progress {
        Progress::Status { text: text.into() }
    }

    #[test]
    fn the_screen_shows_what_runs_and_what_waits() {
        let progress = [
            (
                "restore.aurora.logs",
                status("cluster logs-dr: creating\x1b[2J and some words that are too many for a line"),
            ),
            ("restore.bucket.logs", Progress::Count { done: 417, total: Some(1204), unit: "objects".into() }),
        ];
        insta::assert_snapshot!("terminal_running", shown(&samples::killed(), &progress, 30, 80, 12).contents());
        insta::assert_snapshot!("terminal_narrow", shown(&samples::killed(), &progress, 30, 46, 12).contents());
    }

    #[test]
    fn the_screen_shows_why_a_step_failed_and_nothing_runs_any_more() {
        insta::assert_snapshot!("terminal_held", shown(&samples::held(), &[], 40, 80, 0).contents());
        insta::assert_snapshot!("terminal_resumed", shown(&samples::resumed(), &[], 40, 80, 0).contents());
    }

    #[test]
    fn what_comes_after_the_view_begins_a_line_of_its_own() {
        for script in [samples::held(), samples::done(), samples::killed()] {
            let screen = InMemoryTerm::new(40, 80);
            let mut terminal = on(&screen, 40, 80);
            let now = Now { at: samples::start(), mono: Duration::ZERO };
            for notice in script.notices() {
                terminal.notice(&notice, now);
            }
            terminal.finish(now);
            screen.write_line("$").expect("in memory");
            let shown = screen.contents();
            assert!(shown.ends_with("\n$"), "{shown}");
            assert!(!shown.contains("waiting"), "{shown}");
        }
    }

    #[test]
    fn sixty_steps_fit_a_small_screen() {
        let mut runbook = samples::runbook();
        for nr in 0..60 {
            let after = &["infrastructure.plan"];
            runbook.steps.push(samples::step(
                &format!("restore.table.t{nr}"),
                crate::runbook::Phase::Restore,
                after,
                None,
            ));
        }
        let mut script = Script::new(runbook);
        script.step("infrastructure.plan", 4);
        let screen = shown(&script, &[], 16, 80, 1).contents();
        assert!(screen.lines().count() <= 16, "{screen}");
        insta::assert_snapshot!("terminal_many_waiting", screen);
        for nr in 0..60 {
            script.begin(&format!("restore.table.t{nr}"));
        }
        insta::assert_snapshot!("terminal_many_running", shown(&script, &[], 16, 80, 1).contents());
    }

    #[test]
    fn a_terminal_that_goes_away_is_no_failure() {
        #[derive(Debug)]
        struct Gone;
        impl TermLike for Gone {
            fn width(&self) -> u16 {
                80
            }
            fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn write_line(&self, _: &str) -> std::io::Result<()> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn write_str(&self, _: &str) -> std::io::Result<()> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn clear_line(&self) -> std::io::Result<()> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&self) -> std::io::Result<()> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
        }
        let target = || ProgressDrawTarget::term_like(Box::new(Gone));
        let mut terminal = Terminal::new(Box::new(target), Box::new(|_| {}), Box::new(|| (24, 80)), true, &[]);
        let now = Now { at: samples::start(), mono: Duration::ZERO };
        for notice in samples::held().notices() {
            terminal.notice(&notice, now);
        }
        terminal.finish(now);
    }
}
