//! Reads the `rotation` block: what is replaced after a breach, because it may have been read. It stands by itself, and is read
//! from any block that is given, so that another may hold it.

use std::collections::BTreeSet;
use std::ops::Range;

use hcl_edit::structure::Block;
use serde::{Deserialize, Serialize};

use super::containment::NAME as IDENTITY;
use super::names::{CLUSTER, SECRET};
use super::reader::{Fields, Reader, Schema, header};
use super::values::{list, named};
use crate::document::quoted;
use crate::rotation::{KeyRotation, MasterRotation};

/// What is rotated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationRule {
    /// Names or ARNs of secrets.
    pub secrets: Vec<String>,
    pub clusters: Vec<MasterRotation>,
    pub users: Vec<KeyRotation>,
}

const ROTATION: Schema = Schema {
    keys: &[("secrets", "[\"my-service/api\"]")],
    blocks: &[
        ("cluster", "cluster \"IDENTIFIER\" { secret = \"my-service/db\" }"),
        ("user", "user \"ci\" { secret = \"my-service/ci-key\" }"),
    ],
};

const ONE: Schema = Schema { keys: &[("secret", "\"my-service/db\"")], blocks: &[] };

pub(super) fn rotation(reader: &mut Reader, block: &Block) -> Option<RotationRule> {
    reader.unlabelled(block);
    let before = reader.problems.len();
    let fields = Fields::new(reader, block, ROTATION);
    let secrets = fields.optional(reader, "secrets", list(named(SECRET))).unwrap_or_default();
    let mut names = Names::default();
    for secret in &secrets {
        names.take(reader, "secret", secret, &fields.value_span("secrets"));
    }
    let mut clusters = Vec::new();
    for block in fields.blocks("cluster") {
        let one = Fields::new(reader, block, ONE);
        let secret = one.optional(reader, "secret", named(SECRET));
        let Some(cluster) = reader.label(block, CLUSTER).map(str::to_owned) else { continue };
        names.take(reader, "cluster", &cluster, &header(block));
        if let Some(secret) = &secret {
            names.take(reader, "secret", secret, &one.value_span("secret"));
        }
        clusters.push(MasterRotation { cluster, secret });
    }
    let mut users = Vec::new();
    for block in fields.blocks("user") {
        let one = Fields::new(reader, block, ONE);
        let secret = one.required(reader, "secret", named(SECRET));
        let Some(user) = reader.label(block, IDENTITY).map(str::to_owned) else { continue };
        names.take(reader, "user", &user, &header(block));
        let Some(secret) = secret else { continue };
        names.take(reader, "secret", &secret, &one.value_span("secret"));
        users.push(KeyRotation { user, secret });
    }
    let rule = RotationRule { secrets, clusters, users };
    if rule == RotationRule::default() && reader.problems.len() == before {
        let hint = "name secrets, clusters or users, or leave the block out";
        reader.hinted(header(block), "the rotation block rotates nothing", "it is empty", hint);
    }
    (reader.problems.len() == before).then_some(rule)
}

/// What is named already: twice rotated is once too often, and two steps must not write one secret.
#[derive(Default)]
struct Names(BTreeSet<(&'static str, String)>);

impl Names {
    fn take(&mut self, reader: &mut Reader, kind: &'static str, name: &str, span: &Range<usize>) {
        let plain = if kind == "secret" { name_of(name) } else { name };
        if !self.0.insert((kind, plain.to_owned())) {
            let message = format!("{kind} {} is rotated twice", quoted(name));
            reader.hinted(span.clone(), message, "the second", "name it once");
        }
    }
}

/// Who is shut out is given no new key: title of the block, message, hint.
pub(super) fn shut_out(rotation: Option<&RotationRule>, contained: &[String]) -> Option<(String, String, String)> {
    let user = rotation?.users.iter().find(|it| contained.contains(&it.user))?;
    Some((
        // As a block without a label is looked for.
        "rotation \"\"".to_owned(),
        format!("user {} is shut out by the containment block, and would get a new access key", quoted(&user.user)),
        "leave the user out of one of the two".to_owned(),
    ))
}

/// The name in an ARN of a secret, which ends with a hyphen and six characters of Secrets Manager's own.
fn name_of(secret: &str) -> &str {
    let Some((_, name)) = secret.strip_prefix("arn:").and_then(|arn| arn.split_once(":secret:")) else { return secret };
    match name.rsplit_once('-') {
        Some((name, own)) if own.len() == 6 => name,
        _ => name,
    }
}
