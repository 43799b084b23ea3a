//! What a resume starts from: how far the run is, what was found of the steps that were in hand, and what follows.

use jiff::Timestamp;

use super::summary::Summary;
use super::text::{Look, Tone, duration, escape, wrap};
use super::timeline::wall_ms;
use crate::runbook::StepId;

/// One step that was in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    pub step: StepId,
    /// When it was last begun.
    pub since: Option<Timestamp>,
    /// What was found of it, as AWS says it.
    pub found: String,
    /// What is done about it.
    pub then: &'static str,
}

/// The outlook of a run, as text that ends with a line break. `summary` is of the journal as it was left.
pub fn outlook(summary: &Summary, steps: &[Outlook], now: Timestamp, look: Look) -> String {
    let (verified, all) = (summary.verified(), summary.steps.len());
    let title = format!("run {}: {verified} of {all} steps are verified", escape(&summary.run));
    let mut lines = vec![look.paint(Tone::Heading, &title)];
    for Outlook { step, since, found, then } in steps {
        let since = since.map_or_else(String::new, |at| format!(", begun {} ago", duration(wall_ms(at, now))));
        let words = format!("{}{since}: {then}", escape(found));
        lines.extend(wrap(&format!("  {}  ", escape(step.as_str())), &words, look.columns()));
    }
    lines.join("\n") + "\n"
}
