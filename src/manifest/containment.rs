//! Reads the `containment` block: who is shut out after a breach, and who never is.

use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;
use serde::{Deserialize, Serialize};

use super::names::Rule;
use super::reader::{Fields, Reader, Schema, at};
use super::values::{boolean, list, named};
use crate::containment::Principal;

/// Who is shut out, unless the command line names others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainmentRule {
    /// ARNs of users and roles that are never shut out; at least one.
    pub break_glass: Vec<String>,
    /// Names.
    pub users: Vec<String>,
    /// Names.
    pub roles: Vec<String>,
    /// Whether nobody but the break-glass principals may begin new sessions of the roles.
    pub narrow_trust: bool,
}

const CONTAINMENT: Schema = Schema {
    keys: &[
        ("break_glass", "[\"arn:aws:iam::123456789012:role/break-glass\"]"),
        ("users", "[\"deploy\"]"),
        ("roles", "[\"app\"]"),
        ("narrow_trust", "true"),
    ],
    blocks: &[],
};

/// IAM User Guide: "IAM identifiers", ARNs of users and roles; no pattern, no session.
const PRINCIPAL: Rule = Rule { noun: "the ARN of an IAM user or role", refuse: not_a_principal };

/// IAM API: "CreateUser", "CreateRole".
pub(super) const NAME: Rule = Rule { noun: "the name of an IAM user or role", refuse: identity_fault };

pub(super) fn containment(reader: &mut Reader, block: &Block) -> Option<ContainmentRule> {
    reader.unlabelled(block);
    let before = reader.problems.len();
    let fields = Fields::new(reader, block, CONTAINMENT);
    let break_glass = fields.required(reader, "break_glass", |reader: &mut Reader, value: &Expression| {
        let arns = list(named(PRINCIPAL))(reader, value)?;
        if arns.is_empty() {
            let hint = "whoever has to undo a containment must not be shut out by it: name at least one";
            reader.hinted(at(value), "nobody breaks the glass", "it is empty", hint);
        }
        Some(arns)
    });
    let users = fields.optional(reader, "users", list(named(NAME)));
    let roles = fields.optional(reader, "roles", list(named(NAME)));
    let narrow_trust = fields.optional(reader, "narrow_trust", boolean);
    let rule = ContainmentRule {
        break_glass: break_glass?,
        users: users.unwrap_or_default(),
        roles: roles.unwrap_or_default(),
        narrow_trust: narrow_trust.unwrap_or_default(),
    };
    (reader.problems.len() == before).then_some(rule)
}

fn not_a_principal(text: &str) -> Option<&'static str> {
    let fits = text.contains(":iam::") && !text.contains(['*', '?']) && Principal::parse(text).is_some();
    (!fits).then_some("it looks like arn:aws:iam::ACCOUNT:role/NAME or arn:aws:iam::ACCOUNT:user/NAME")
}

/// Why a text is no name of an IAM user or role, as a manifest would say it.
pub fn identity_fault(text: &str) -> Option<&'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    let named = (1..=64).contains(&text.len()) && text.chars().all(fits);
    (!named).then_some("up to 64 letters, digits and + = , . @ _ -, without a path")
}
