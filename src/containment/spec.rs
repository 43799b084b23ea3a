//! What a step of containment, or of its release, carries through runbook and journal: all that it needs, as plain data.

use serde::{Deserialize, Serialize};

use super::{RoleBefore, UserBefore};

/// Something that is shut out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Containment {
    User(SpareUser),
    Role(SpareRole),
}

/// Something that is let in again, with what was there before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Release {
    User { user: SpareUser, before: UserBefore },
    Role { role: SpareRole, before: RoleBefore },
}

/// An IAM user, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpareUser {
    pub name: String,
    /// ARNs of who must never be shut out; at least one.
    pub break_glass: Vec<String>,
}

/// An IAM role, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpareRole {
    pub name: String,
    /// Whether nobody but the break-glass principals may begin new sessions either.
    pub narrow_trust: bool,
    pub break_glass: Vec<String>,
}
