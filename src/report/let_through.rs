//! What guards found and the operator let through: who, why, and what it was.

use serde::Serialize;
use serde_json::Value;

use super::text::{Look, escape, wrap};
use super::timeline::Timeline;
use crate::journal::{Overridden, RunState};

/// A guard that was overridden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LetThrough {
    #[serde(flatten)]
    pub overridden: Overridden,
    /// What it found in the plans of the run; nothing, where it was overridden in vain.
    pub found: Vec<String>,
}

/// The key under which checks and outputs of steps list what was let through, each with its guard before a colon.
const KEY: &str = "let_through";

/// The overridden guards of a run, each time that one was, with what all plans let through.
pub(super) fn of(state: &RunState, timeline: &Timeline) -> Vec<LetThrough> {
    let mut found: Vec<&str> = Vec::new();
    for track in timeline.steps.values() {
        for list in [&track.facts, &track.output] {
            let lines = list.get(KEY).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            lines.for_each(|line| {
                if !found.contains(&line) {
                    found.push(line);
                }
            });
        }
    }
    let of = |overridden: &Overridden| {
        let prefix = format!("{}: ", overridden.guard);
        let found = found.iter().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect();
        LetThrough { overridden: overridden.clone(), found }
    };
    state.overridden.iter().map(of).collect()
}

/// The lines of the closing table's section.
pub(super) fn lines(overridden: &[LetThrough], look: Look) -> Vec<String> {
    let mut lines = Vec::new();
    for LetThrough { overridden: Overridden { guard, because, by }, found } in overridden {
        let words = format!("{} by {}: {}", escape(guard), escape(by), escape(because));
        lines.extend(wrap("  ", &words, look.columns()));
        lines.extend(found.iter().flat_map(|it| wrap("    - ", &escape(it), look.columns())));
    }
    lines
}
