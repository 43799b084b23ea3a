//! Who is who: whether an ARN, a caller and a name mean the same user or role, and whose trust a role has.
//!
//! Names of users and of roles are unique in an account whatever their paths (IAM User Guide: "IAM identifiers"), and a
//! caller's ARN of an assumed role does not show the role's path (STS API: "GetCallerIdentity").

use std::fmt;

use serde_json::Value;

/// What kind of identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    User,
    Role,
}

/// A user or a role of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub account: String,
    pub kind: Kind,
    pub name: String,
}

impl Principal {
    pub fn new(account: &str, kind: Kind, name: &str) -> Self {
        Self { account: account.to_owned(), kind, name: name.to_owned() }
    }

    /// Reads the ARN of a user, of a role, or of a role's session; `None` for everything else, such as the root user.
    pub fn parse(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", _, "iam" | "sts", _, account, resource] = parts.as_slice() else { return None };
        let mut path = resource.split('/');
        let kind = path.next()?;
        let (kind, name) = match kind {
            "user" => (Kind::User, path.next_back()?),
            "role" => (Kind::Role, path.next_back()?),
            "assumed-role" => (Kind::Role, path.next()?),
            _ => return None,
        };
        (!name.is_empty()).then(|| Self::new(account, kind, name))
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::User => "user",
            Kind::Role => "role",
        };
        write!(f, "{kind} {}", self.name)
    }
}

/// Whether a trust policy lets this very principal in, by name: whoever works through the role may do so by way of it. That
/// a whole account is let in says nothing of one of its principals.
pub fn named_in_trust(trust: &str, principal: &Principal) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(trust) else { return false };
    let statements = match &policy["Statement"] {
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    let allows = statements.into_iter().filter(|statement| statement["Effect"] == "Allow");
    let mut named = allows.flat_map(|statement| match &statement["Principal"]["AWS"] {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    });
    named.any(|arn| Principal::parse(arn).as_ref() == Some(principal))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "123456789012";

    #[test]
    fn a_session_is_its_role_and_paths_do_not_count() {
        let role = Principal::new(ACCOUNT, Kind::Role, "ops");
        for arn in [
            "arn:aws:sts::123456789012:assumed-role/ops/alice",
            "arn:aws:iam::123456789012:role/ops",
            "arn:aws:iam::123456789012:role/path/to/ops",
        ] {
            assert_eq!(Principal::parse(arn), Some(role.clone()), "{arn}");
        }
        let user = Principal::parse("arn:aws-cn:iam::123456789012:user/team/alice").unwrap();
        assert_eq!(user, Principal::new(ACCOUNT, Kind::User, "alice"));
        for arn in ["arn:aws:iam::123456789012:root", "alice", "arn:aws:iam::123456789012:user/"] {
            assert_eq!(Principal::parse(arn), None, "{arn}");
        }
    }

    #[test]
    fn whoever_a_trust_policy_names_is_found_and_an_account_names_nobody() {
        let alice = Principal::new(ACCOUNT, Kind::User, "alice");
        let trust = |principal: &str| {
            format!(
                r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":{principal}}},"Action":"sts:AssumeRole"}}]}}"#
            )
        };
        assert!(named_in_trust(&trust(r#""arn:aws:iam::123456789012:user/alice""#), &alice));
        assert!(named_in_trust(&trust(r#"["x","arn:aws:iam::123456789012:user/p/alice"]"#), &alice));
        assert!(!named_in_trust(&trust(r#""arn:aws:iam::123456789012:root""#), &alice));
        assert!(!named_in_trust(&trust(r#""arn:aws:iam::210987654321:user/alice""#), &alice));
        let one = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/alice"}}}"#;
        assert!(named_in_trust(one, &alice));
        assert!(!named_in_trust(&one.replace("Allow", "Deny"), &alice));
    }
}
