//! Which recovery points count as clean after a breach. No manifest says it: a rebuild does.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The newest recovery point from before the breach, with a margin, that nobody made who is shut out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CleanBefore {
    /// When the breach began, as far as the operator knows.
    pub before: Timestamp,
    /// How much earlier it may have begun.
    pub margin: SignedDuration,
    /// Names or ARNs of users and roles whose recovery points are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_makers: Vec<String>,
}

impl CleanBefore {
    /// The newest time that data may be of. A margin that no calendar has leaves nothing clean.
    pub fn cutoff(&self) -> Timestamp {
        self.before.checked_sub(self.margin.abs()).unwrap_or(Timestamp::MIN)
    }
}
