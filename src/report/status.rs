//! Where a run stands now: per phase, what runs and for how long, what failed, and the next command.

use std::path::Path;

use super::closing::{head, mark, note};
use super::summary::{StepSummary, Summary, read};
use super::terminal::reasons;
use super::text::{Look, Tone, duration, edges, escape, fit};
use super::timeline::StepStatus;
use crate::journal::JournalError;
use crate::runbook::Phase;

/// The status of the run in a folder, as text that ends with a line break.
///
/// # Errors
/// As [`read`].
pub fn status(run_dir: &Path, look: Look) -> Result<String, JournalError> {
    read(run_dir).map(|summary| status_of(&summary, look))
}

fn status_of(summary: &Summary, look: Look) -> String {
    let mut lines = head(summary, look);
    lines.push(String::new());
    for phase in Phase::ALL {
        let steps: Vec<&StepSummary> = summary.steps.iter().filter(|step| step.phase == phase).collect();
        if !steps.is_empty() {
            lines.extend(phase_lines(summary, phase, &steps, look));
        }
    }
    if let Some(next) = &summary.next {
        lines.push(String::new());
        lines.push(format!("next: {}", escape(next)));
    }
    lines.join("\n") + "\n"
}

fn phase_lines(summary: &Summary, phase: Phase, steps: &[&StepSummary], look: Look) -> Vec<String> {
    let done = steps.iter().filter(|step| step.status == StepStatus::Verified).count();
    let idle = steps.iter().filter(|step| is_idle(step, summary)).count();
    let waiting = if idle > 0 { format!(", {idle} not begun") } else { String::new() };
    let heading = fit(&format!("{}: {done} of {} verified{waiting}", phase.title(), steps.len()), look.columns());
    let mut lines = vec![look.paint(Tone::Heading, &heading)];
    for step in steps.iter().filter(|step| step.status != StepStatus::Verified && !is_idle(step, summary)) {
        let (mark, tone) = mark(step, summary.ending);
        let left = format!("{}  {}", escape(step.id.as_str()), note(step, summary.ending));
        let took = step.duration_ms.map_or_else(String::new, duration);
        lines.push(format!("  {} {}", look.paint(tone, mark), edges(&left, &took, look.columns() - 4).trim_end()));
        if let Some(failure) = &step.failure {
            lines.extend(reasons(failure, "    ", look));
        }
    }
    lines
}

fn is_idle(step: &StepSummary, summary: &Summary) -> bool {
    note(step, summary.ending) == "not begun"
}
