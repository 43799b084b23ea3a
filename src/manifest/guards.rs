//! Reads the `guard` block: what a plan must keep to, beyond what lifeboat refuses by itself.

use std::path::Path;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;

use super::Guards;
use super::names::{ACCOUNT, REGION, Rule};
use super::reader::{Fields, Reader, Schema};
use super::service::existing;
use super::values::{boolean, integer, list, named};

const GUARD: Schema = Schema {
    keys: &[
        ("max_destroys", "0"),
        ("protect", "[\"module.database\"]"),
        ("protect_types", "[\"aws_rds_*\"]"),
        ("regions", "[\"us-east-1\"]"),
        ("accounts", "[\"123456789012\"]"),
        ("required_tags", "[\"Service\"]"),
        ("static", "true"),
        ("quotas", "true"),
        ("names", "true"),
        ("policies", "\"policies\""),
    ],
    blocks: &[],
};

/// Addresses as Terraform writes them (Terraform: "Resource Addressing"), with `*` and `?`.
pub(super) const ADDRESSES: Rule = Rule { noun: "an address or a pattern of addresses", refuse: not_addresses };

/// Resource types, with `*` and `?`.
const TYPES: Rule = Rule { noun: "a resource type or a pattern of types", refuse: not_types };

/// AWS Tag Editor: "Tag naming limits and requirements".
const TAG: Rule = Rule { noun: "the key of a tag", refuse: not_a_tag };

/// The most that a plan may be allowed to destroy: more than any plan does.
const MOST: u64 = 1_000_000;

/// Reads the block; `policies` is relative to `folder`, the manifest's own.
pub(super) fn guards(reader: &mut Reader, block: &Block, folder: &Path) -> Option<Guards> {
    reader.unlabelled(block);
    let before = reader.problems.len();
    let fields = Fields::new(reader, block, GUARD);
    let max_destroys = fields.optional(reader, "max_destroys", integer(0, MOST));
    let protect = fields.optional(reader, "protect", list(named(ADDRESSES)));
    let protect_types = fields.optional(reader, "protect_types", list(named(TYPES)));
    let regions = fields.optional(reader, "regions", list(named(REGION)));
    let accounts = fields.optional(reader, "accounts", list(named(ACCOUNT)));
    let required_tags = fields.optional(reader, "required_tags", list(named(TAG)));
    let mut switch = |key| fields.optional(reader, key, boolean).unwrap_or_default();
    let (control_planes, quotas, names) = (switch("static"), switch("quotas"), switch("names"));
    let policies = fields.optional(reader, "policies", |reader: &mut Reader, value: &Expression| {
        existing(reader, value, folder, Path::is_dir, "there is no such folder")
    });
    let guards = Guards {
        max_destroys,
        protect: protect.unwrap_or_default(),
        protect_types: protect_types.unwrap_or_default(),
        regions,
        accounts,
        required_tags: required_tags.unwrap_or_default(),
        control_planes,
        quotas,
        names,
        policies,
    };
    (reader.problems.len() == before).then_some(guards)
}

fn not_addresses(text: &str) -> Option<&'static str> {
    match text {
        "" => Some("it is empty"),
        _ if text.chars().any(char::is_control) => Some("it has a control character"),
        _ if text.contains('.') || text.contains('*') => None,
        _ => Some("it has neither a dot nor a *: types go into protect_types"),
    }
}

fn not_types(text: &str) -> Option<&'static str> {
    let fits = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '*' | '?');
    match text {
        "" => Some("it is empty"),
        _ if text.contains('.') => Some("it has a dot: addresses go into protect"),
        _ if text.chars().all(fits) => None,
        _ => Some("a type has letters, digits and _ only"),
    }
}

fn not_a_tag(text: &str) -> Option<&'static str> {
    match text.chars().count() {
        0 => Some("it is empty"),
        129.. => Some("it is longer than 128 characters"),
        _ if text.chars().any(char::is_control) => Some("it has a control character"),
        _ => None,
    }
}
