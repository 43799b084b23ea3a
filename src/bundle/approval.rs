//! An approval: who answers for a bundle, until when, and which run has used it. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::index::{Index, Subject};

/// The version of an approval's form. One that is newer is refused.
pub const APPROVAL_VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    pub schema_version: u32,
    /// SHA-256 of the bundle.
    pub bundle: String,
    #[serde(flatten)]
    pub subject: Subject,
    /// ARN, as STS says.
    pub approver: String,
    pub approved_at: Timestamp,
    pub expires_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The run that has used it; an approval is good for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_by: Option<String>,
}

/// Why an approval does not allow a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUsable {
    #[error("it is an approval of schema version {0}, which this lifeboat does not read")]
    Version(u32),
    #[error("it approves something else: {0} is another")]
    Other(&'static str),
    #[error("it expired at {0}")]
    Expired(Timestamp),
    #[error("run {0} has used it")]
    Used(String),
    #[error("{0} planned it and approved it, and two people are asked for")]
    OnePerson(String),
}

impl Approval {
    pub fn new(index: &Index, sha256: &str, approver: &str, approved_at: Timestamp, expires_at: Timestamp) -> Self {
        Self {
            schema_version: APPROVAL_VERSION,
            bundle: sha256.to_owned(),
            subject: index.subject.clone(),
            approver: approver.to_owned(),
            approved_at,
            expires_at,
            because: None,
            used_by: None,
        }
    }

    /// Whether a run may begin by it.
    ///
    /// # Errors
    /// It approves something else, is over or used, or one person was both where two are asked.
    pub fn judge(&self, index: &Index, sha256: &str, people: u8, now: Timestamp) -> Result<(), NotUsable> {
        if self.schema_version != APPROVAL_VERSION {
            return Err(NotUsable::Version(self.schema_version));
        }
        if self.bundle != sha256 {
            return Err(NotUsable::Other("the bundle"));
        }
        if let Some(what) = self.subject.differs(&index.subject) {
            return Err(NotUsable::Other(what));
        }
        if people > 1 && same_person(&self.approver, &self.subject.planner) {
            return Err(NotUsable::OnePerson(self.approver.clone()));
        }
        if let Some(run) = &self.used_by {
            return Err(NotUsable::Used(run.clone()));
        }
        if now >= self.expires_at {
            return Err(NotUsable::Expired(self.expires_at));
        }
        Ok(())
    }
}

/// Whether two callers may be one person. Of an assumed role the last part of the ARN is the session's name; one that a tool
/// has made up says nothing of who is behind it, so that then the role alone counts (AWS IAM: "AWS STS and the
/// RoleSessionName").
pub fn same_person(one: &str, other: &str) -> bool {
    one == other || (role(one) == role(other) && (is_made_up(one) || is_made_up(other)))
}

fn role(arn: &str) -> &str {
    match arn.contains(":assumed-role/") {
        true => arn.rsplit_once('/').map_or(arn, |(role, _)| role),
        false => arn,
    }
}

/// `botocore-session-1700000000`, `assume-role-from-profile-1795647653021`, `1700000000000000000`, `AWSCLI-Session`
fn is_made_up(arn: &str) -> bool {
    const TIMESTAMP_DIGITS: usize = 10;
    let session = arn.rsplit('/').next().unwrap_or_default();
    let digits = session.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    let known = ["AWSCLI-Session", "aws-sdk-", "aws-go-sdk-", "terraform"].iter().any(|tool| session.starts_with(tool));
    arn.contains(":assumed-role/") && (known || digits >= TIMESTAMP_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_a_tool_has_named_is_nobody_else() {
        let role = |role: &str, session: &str| format!("arn:aws:sts::123456789012:assumed-role/{role}/{session}");
        let user = "arn:aws:iam::123456789012:user/ana";
        assert!(same_person(user, user));
        assert!(!same_person(user, "arn:aws:iam::123456789012:user/bo"));
        assert!(!same_person(user, &role("oncall", "ana")));
        assert!(!same_person(&role("oncall", "ana@example.com"), &role("oncall", "bo@example.com")));
        for tool in ["botocore-session-1700000000", "assume-role-from-profile-1795647653021", "AWSCLI-Session"] {
            assert!(same_person(&role("oncall", tool), &role("oncall", "bo@example.com")), "{tool}");
            assert!(!same_person(&role("oncall", tool), &role("reviewer", "bo@example.com")), "{tool}");
        }
    }
}
