//! What the checks before a run have found, in words; and the way out while they ask.

use super::error::CliError;
use crate::engine::{Engine, Preflight};
use crate::report;

/// Gives up what only asks once the operator asks to stop.
pub async fn unless_stopped<T>(
    engine: &Engine,
    asking: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    let mut stopped = engine.stop.clone();
    tokio::select! {
        answer = asking => answer,
        _ = stopped.wait_for(|stop| *stop) => {
            Err(CliError::error("interrupted before the run began; nothing was changed"))
        }
    }
}

/// All that stands in the way, in one error.
pub fn blocked(found: &Preflight) -> CliError {
    let mut lines = Vec::new();
    for (step, blocked) in &found.blocked {
        lines.push(format!("{step}: {}", blocked.cause));
        lines.extend(blocked.hint.iter().map(|hint| format!("  {hint}")));
    }
    let steps = found.blocked.len();
    CliError::blocked(format!("{steps} step{} cannot start; nothing was changed", if steps == 1 { "" } else { "s" }))
        .cause(lines.join("\n"))
}

/// What the checks want people to know before they go on.
pub fn warnings(found: &Preflight) -> String {
    let of = |facts: &serde_json::Value| -> Vec<String> {
        let list = facts["warnings"].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(|warning| warning.as_str().map(report::escape)).collect()
    };
    let lines = found.checked.iter().flat_map(|(step, checked)| {
        of(&checked.facts).into_iter().map(move |warning| format!("warning: {step}: {warning}\n"))
    });
    lines.collect()
}
