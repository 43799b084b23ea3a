//! What a containment, its release, a rotation or a collection of evidence would write, before it does: every document verbatim, and never a secret.

use serde_json::Value;

use crate::engine::Preflight;
use crate::runbook::{Action, Runbook};
use crate::scenario::{CONTAIN, EVIDENCE, RELEASE, ROTATE};

/// Whether what a runbook writes is shown before it begins.
pub fn are_shown(runbook: &Runbook) -> bool {
    [CONTAIN, RELEASE, ROTATE, EVIDENCE].contains(&runbook.scenario.as_str())
}

/// What would be written, document by document; verbatim, as JSON.
pub fn writes(runbook: &Runbook, found: &Preflight) -> String {
    let mut text = String::new();
    for step in &runbook.steps {
        let (Action::Contain { .. } | Action::Release { .. } | Action::Rotate { .. } | Action::Evidence { .. }) =
            &step.action
        else {
            continue;
        };
        text += &format!("{}: {}\n", step.id, step.title);
        let facts = found.facts(&step.id);
        let writes = facts["writes"].as_array().cloned().unwrap_or_default();
        if writes.is_empty() {
            text += "  nothing to do\n";
        }
        for write in writes {
            // What is done stands above its document.
            let mut parts: Vec<_> = write.as_object().into_iter().flatten().collect();
            parts.sort_by_key(|(what, _)| *what == "document");
            for (what, value) in parts {
                text += &match value {
                    Value::String(words) if what != "document" => format!("  {} {words}\n", what.replace('_', " ")),
                    Value::String(document) => format!("    {document}\n"),
                    document => format!("    {document}\n"),
                };
            }
        }
    }
    text
}
