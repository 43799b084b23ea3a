//! What was answered to the questions of the manifest, for the journal.

use serde::Serialize;

/// An answered question.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    pub check: String,
    /// Athena's own id of the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// What is wrong with the answers, in words.
pub(super) fn faults(answers: &[Answer]) -> Option<String> {
    let faults: Vec<&str> = answers.iter().filter_map(|answer| answer.fault.as_deref()).collect();
    (!faults.is_empty()).then(|| faults.join("; "))
}
