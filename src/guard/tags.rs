//! `required_tags`: what everything that is made or changed must be tagged with, where its type has tags at all. A type
//! has them if the plan knows `tags_all` (with the provider's `default_tags`) or `tags` of it.

use serde_json::Value;

use super::{REQUIRED_TAGS, Violation};
use crate::manifest::Guards;
use crate::runbook::NotChecked;
use crate::terraform::plan::{Action, Plan, ResourceChange};

pub fn judge(plan: &Plan, rules: &Guards) -> Vec<Violation> {
    let mut violations = Vec::new();
    for change in planned(plan) {
        let missing = missing(change, &rules.required_tags);
        if missing.is_empty() || known_later(change) {
            continue;
        }
        let noun = if missing.len() == 1 { "the tag" } else { "the tags" };
        let what = format!("would be {} without {noun} {}", change.verb(), missing.join(", "));
        violations.push(Violation::of(REQUIRED_TAGS, change, what));
    }
    violations
}

/// Tags that are known only after the apply.
pub fn not_told(plan: &Plan, rules: &Guards) -> Vec<NotChecked> {
    let later = planned(plan).filter(|it| known_later(it) && !missing(it, &rules.required_tags).is_empty());
    let open = later.map(|it| NotChecked {
        what: format!("guard {REQUIRED_TAGS}: {}", it.address),
        why: "its tags are known only after the apply".into(),
    });
    open.collect()
}

fn planned(plan: &Plan) -> impl Iterator<Item = &ResourceChange> {
    plan.changes().filter(|it| it.creates() || it.does(Action::Update))
}

/// An empty value counts: the key is what is asked for.
fn missing<'a>(change: &ResourceChange, required: &'a [String]) -> Vec<&'a str> {
    let has = |name: &str| change.values.get(name).is_some() || change.unknown.iter().any(|it| it == name);
    if !has("tags_all") && !has("tags") {
        return Vec::new();
    }
    let tagged = |name: &str, tag: &str| {
        let tags = change.values.get(name).and_then(Value::as_object);
        tags.is_some_and(|tags| tags.contains_key(tag))
    };
    let missing = required.iter().filter(|tag| !tagged("tags_all", tag) && !tagged("tags", tag));
    missing.map(String::as_str).collect()
}

fn known_later(change: &ResourceChange) -> bool {
    change.unknown.iter().any(|name| name == "tags_all" || name == "tags")
}
