//! Reads the `containment` block: who and what is shut out after a breach, and who never is.

use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;
use serde::{Deserialize, Serialize};

use super::Manifest;
use super::names::{BUCKET, Rule};
use super::reader::{Fields, Reader, Schema, at};
use super::values::{boolean, list, named, string};
use crate::containment::{Cidr, IpSetRef, Principal};
use crate::document::quoted;

/// Who and what is shut out, unless the command line names others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainmentRule {
    /// ARNs of users and roles that are never shut out; at least one.
    pub break_glass: Vec<String>,
    /// ARNs of users and roles that closed buckets stay open to besides.
    #[serde(default)]
    pub investigators: Vec<String>,
    /// Names.
    pub users: Vec<String>,
    /// Names.
    pub roles: Vec<String>,
    /// Whether nobody but the break-glass principals may begin new sessions of the roles.
    pub narrow_trust: bool,
    /// Denied where `network_acls`, `vpcs` and `ip_sets` say.
    #[serde(default)]
    pub addresses: Vec<Cidr>,
    /// Ids.
    #[serde(default)]
    pub network_acls: Vec<String>,
    /// Ids of VPCs of which all network ACLs are meant.
    #[serde(default)]
    pub vpcs: Vec<String>,
    #[serde(default)]
    pub ip_sets: Vec<IpSetRef>,
    /// Ids.
    #[serde(default)]
    pub instances: Vec<String>,
    /// Names.
    #[serde(default)]
    pub buckets: Vec<String>,
}

impl ContainmentRule {
    /// Whether nobody and nothing is named to be shut out.
    pub fn is_empty(&self) -> bool {
        let Self { users, roles, instances, buckets, addresses, .. } = self;
        addresses.is_empty() && [users, roles, instances, buckets].into_iter().all(Vec::is_empty)
    }

    /// Whether anything says where addresses are denied.
    pub fn has_places(&self) -> bool {
        !self.network_acls.is_empty() || !self.vpcs.is_empty() || !self.ip_sets.is_empty()
    }
}

impl Manifest {
    /// Why a bucket must stay open: lifeboat itself works with it.
    pub fn never_closed(&self, bucket: &str) -> Option<&'static str> {
        if bucket == self.recovery.backend.bucket {
            return Some("Terraform's state, the lease and the journal's copies are in it");
        }
        if bucket == self.primary.backend.bucket {
            return Some("Terraform's state is in it");
        }
        let evidence = self.evidence.as_ref().is_some_and(|rule| rule.bucket == bucket);
        evidence.then_some("the evidence is kept in it")
    }

    /// What of a rule cannot be shut out, whatever AWS says, and what to do about it.
    pub fn uncontainable(&self, rule: &ContainmentRule) -> Option<(String, String)> {
        let open = rule.buckets.iter().find_map(|bucket| Some((bucket, self.never_closed(bucket)?)));
        let open = open.map(|(bucket, why)| {
            let hint = "leave it out; whoever may not read it is shut out as a user or a role";
            (format!("bucket {bucket} is not closed: {why}"), hint.to_owned())
        });
        let foreign = rule.ip_sets.iter().find(|set| set.account != self.account).map(|set| {
            let IpSetRef { name, account, .. } = set;
            let message = format!("IP set {name} is of account {account}, not of {}", self.account);
            (message, "name one of the manifest's account".to_owned())
        });
        open.or(foreign)
    }
}

const CONTAINMENT: Schema = Schema {
    keys: &[
        ("break_glass", "[\"arn:aws:iam::123456789012:role/break-glass\"]"),
        ("investigators", "[\"arn:aws:iam::123456789012:role/forensics\"]"),
        ("users", "[\"deploy\"]"),
        ("roles", "[\"app\"]"),
        ("narrow_trust", "true"),
        ("addresses", "[\"198.51.100.7\", \"2001:db8::/48\"]"),
        ("network_acls", "[\"acl-0123456789abcdef0\"]"),
        ("vpcs", "[\"vpc-0123456789abcdef0\"]"),
        ("ip_sets", "[\"arn:aws:wafv2:eu-west-2:123456789012:regional/ipset/NAME/ID\"]"),
        ("instances", "[\"i-0123456789abcdef0\"]"),
        ("buckets", "[\"my-uploads\"]"),
    ],
    blocks: &[],
};

/// IAM User Guide: "IAM identifiers", ARNs of users and roles; no pattern, no session.
const PRINCIPAL: Rule = Rule { noun: "the ARN of an IAM user or role", refuse: not_a_principal };

/// IAM API: "CreateUser", "CreateRole".
pub(super) const NAME: Rule = Rule { noun: "the name of an IAM user or role", refuse: identity_fault };

/// Amazon EC2 User Guide: "Resource IDs".
const NETWORK_ACL: Rule = Rule { noun: "a network ACL's ID", refuse: network_acl_fault };
const VPC: Rule = Rule { noun: "a VPC's ID", refuse: vpc_fault };
const INSTANCE: Rule = Rule { noun: "an instance's ID", refuse: instance_fault };

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
    let rule = ContainmentRule {
        break_glass: break_glass.unwrap_or_default(),
        investigators: fields.optional(reader, "investigators", list(named(PRINCIPAL))).unwrap_or_default(),
        users: fields.optional(reader, "users", list(named(NAME))).unwrap_or_default(),
        roles: fields.optional(reader, "roles", list(named(NAME))).unwrap_or_default(),
        narrow_trust: fields.optional(reader, "narrow_trust", boolean).unwrap_or_default(),
        addresses: fields.optional(reader, "addresses", list(address)).unwrap_or_default(),
        network_acls: fields.optional(reader, "network_acls", list(named(NETWORK_ACL))).unwrap_or_default(),
        vpcs: fields.optional(reader, "vpcs", list(named(VPC))).unwrap_or_default(),
        ip_sets: fields.optional(reader, "ip_sets", list(ip_set)).unwrap_or_default(),
        instances: fields.optional(reader, "instances", list(named(INSTANCE))).unwrap_or_default(),
        buckets: fields.optional(reader, "buckets", list(named(BUCKET))).unwrap_or_default(),
    };
    if !rule.addresses.is_empty() && !rule.has_places() && reader.problems.len() == before {
        let hint = "name network_acls, vpcs or ip_sets as well";
        reader.hinted(fields.span("addresses"), "nothing says where the addresses are denied", "denied nowhere", hint);
    }
    let shut_out = |arn: &&String| {
        let principal = Principal::parse(arn);
        principal.is_some_and(|it| rule.users.contains(&it.name) || rule.roles.contains(&it.name))
    };
    if let Some(arn) = rule.investigators.iter().find(shut_out) {
        let hint = "leave it out of one of the two";
        reader.hinted(fields.value_span("investigators"), format!("{} is shut out as well", quoted(arn)), "both", hint);
    }
    (reader.problems.len() == before).then_some(rule)
}

fn address(reader: &mut Reader, value: &Expression) -> Option<Cidr> {
    let text = string(reader, value)?;
    let parsed = Cidr::parse(&text);
    if let Err(fault) = parsed {
        let message = format!("{} is not an address or a block that can be shut out", quoted(&text));
        reader.problem(at(value), message, fault.to_string());
    }
    parsed.ok()
}

fn ip_set(reader: &mut Reader, value: &Expression) -> Option<IpSetRef> {
    let text = named(Rule { noun: "the ARN of an IP set of AWS WAF", refuse: ip_set_fault })(reader, value)?;
    IpSetRef::parse(&text)
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

fn is_id(text: &str, prefix: &str) -> bool {
    let id = text.strip_prefix(prefix);
    id.is_some_and(|id| [8, 17].contains(&id.len()) && id.chars().all(|c| c.is_ascii_hexdigit()))
}

/// Why a text is no network ACL's ID.
pub fn network_acl_fault(text: &str) -> Option<&'static str> {
    (!is_id(text, "acl-")).then_some("it looks like acl-0123456789abcdef0")
}

/// Why a text is no VPC's ID.
pub fn vpc_fault(text: &str) -> Option<&'static str> {
    (!is_id(text, "vpc-")).then_some("it looks like vpc-0123456789abcdef0")
}

/// Why a text is no instance's ID.
pub fn instance_fault(text: &str) -> Option<&'static str> {
    (!is_id(text, "i-")).then_some("it looks like i-0123456789abcdef0")
}

/// Why a text is no IP set's ARN.
pub fn ip_set_fault(text: &str) -> Option<&'static str> {
    let fits = IpSetRef::parse(text).is_some();
    (!fits).then_some("it looks like arn:aws:wafv2:REGION:ACCOUNT:regional/ipset/NAME/ID, or global/… for CloudFront")
}
