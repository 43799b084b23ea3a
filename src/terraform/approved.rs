//! What of a plan is not what was approved. Pure: two plans in, violations out.
//!
//! Terraform's saved plan cannot be what is approved: a recovery applies twice, with restores between, and the file holds
//! secrets in clear. So the plans of a run are made anew, and each of their changes must be one of the approved plan: the
//! same address, the same actions, and the same value wherever one was known. What is less is no violation: a run that is
//! taken up again has some of it done.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::guard::Violation;
use super::plan::masked::ROOT;
use super::plan::{Plan, ResourceChange};

/// The changes of a plan that was approved, and of the plan of a teardown, where there is one.
#[derive(Debug)]
pub struct Approved {
    changes: Changes,
    teardown: Changes,
}

/// By address, and whether it is what a replacement has left over.
type Changes = BTreeMap<(String, bool), ResourceChange>;

fn changes(plan: Plan) -> Changes {
    let changes = plan.resources.into_iter().filter(|it| it.managed);
    changes.map(|it| ((it.address.clone(), it.deposed), it)).collect()
}

impl Approved {
    pub fn of(plan: Plan) -> Self {
        Self { changes: changes(plan), teardown: Changes::new() }
    }

    /// With what a teardown may destroy: nothing, where no plan of it was approved.
    #[must_use]
    pub fn with_teardown(mut self, plan: Option<Plan>) -> Self {
        self.teardown = plan.map(changes).unwrap_or_default();
        self
    }

    /// What of a teardown's `plan`, made in the staged copy at `tree`, was not approved.
    pub fn teardown_violations(&self, plan: &Plan, tree: &Path) -> Vec<Violation> {
        violations(&self.teardown, plan, tree)
    }

    /// What of `plan`, made in the staged copy at `tree`, was not approved.
    pub fn violations(&self, plan: &Plan, tree: &Path) -> Vec<Violation> {
        violations(&self.changes, plan, tree)
    }
}

fn violations(approved: &Changes, plan: &Plan, tree: &Path) -> Vec<Violation> {
    let tree = tree.to_string_lossy();
    let violation = |change: &ResourceChange| {
        let why = refused(approved, change, &tree)?;
        Some(Violation { address: change.address.clone(), why })
    };
    plan.changes().filter_map(violation).collect()
}

fn refused(approved: &Changes, change: &ResourceChange, tree: &str) -> Option<String> {
    let verb = change.verb();
    let Some(approved) = approved.get(&(change.address.clone(), change.deposed)) else {
        return Some(format!("would be {verb}, and the approved plan does not know it"));
    };
    // What a restore has made is imported instead of created. By which id, and that nothing takes it away, another
    // guard sees to.
    if change.importing.is_some() && (approved.creates() || approved.importing.is_some()) {
        return None;
    }
    if change.actions != approved.actions {
        return Some(format!("would be {verb}; approved is that it is {}", approved.verb()));
    }
    let other = differing(approved, change, tree);
    (!other.is_empty()).then(|| format!("would be {verb} with other values than approved: {}", other.join(", ")))
}

/// Names of the attributes of which something that was known is another now, or of which other parts are sensitive.
fn differing<'a>(approved: &'a ResourceChange, now: &'a ResourceChange, tree: &str) -> Vec<&'a str> {
    let was_unknown = |name: &str| approved.unknown.iter().any(|it| it == name);
    let mut names: Vec<&str> = Vec::new();
    for (name, then) in approved.values.iter() {
        let same = match now.values.get(name) {
            // What is known in part holds nothing where it is not known: what is there must still be there.
            Some(value) if was_unknown(name) => holds(value, then, tree),
            Some(value) => is_same(value, then, tree) && !now.unknown.iter().any(|it| it == name),
            None => then.is_null() || was_unknown(name),
        };
        if !same {
            names.push(name);
        }
    }
    // Sensitive when it was approved, and open now.
    let opened = now
        .values
        .iter()
        .filter(|(name, value)| !value.is_null() && approved.values.get(name).is_none() && !was_unknown(name));
    names.extend(opened.map(|(name, _)| name));
    names
}

fn is_same(now: &Value, then: &Value, tree: &str) -> bool {
    match (now, then) {
        (Value::String(now), Value::String(then)) => now == then || now.replace(tree, ROOT) == *then,
        (Value::Array(now), Value::Array(then)) => {
            now.len() == then.len() && now.iter().zip(then).all(|(now, then)| is_same(now, then, tree))
        }
        (Value::Object(now), Value::Object(then)) => {
            now.len() == then.len()
                && then.iter().all(|(name, then)| now.get(name).is_some_and(|now| is_same(now, then, tree)))
        }
        _ => now == then,
    }
}

/// Whether all that was known then is in what is known now. The order of a set may become another once all is known.
fn holds(now: &Value, then: &Value, tree: &str) -> bool {
    match (now, then) {
        (_, Value::Null) => true,
        (Value::Object(now), Value::Object(then)) => {
            then.iter().all(|(name, then)| holds(now.get(name).unwrap_or(&Value::Null), then, tree))
        }
        (Value::Array(now), Value::Array(then)) => then.iter().all(|then| now.iter().any(|now| holds(now, then, tree))),
        _ => is_same(now, then, tree),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TREE: &str = "/runs/r/terraform/tree";

    fn plan(changes: &[Value]) -> Plan {
        let json = json!({ "format_version": "1.2", "resource_changes": changes });
        Plan::parse(json.to_string().as_bytes()).unwrap()
    }

    fn change(actions: &[&str], after: Value, unknown: Value, sensitive: Value) -> Value {
        json!({ "address": "aws_sqs_queue.a", "mode": "managed", "type": "aws_sqs_queue",
                "change": { "actions": actions, "before": null, "after": after, "after_unknown": unknown,
                            "after_sensitive": sensitive } })
    }

    fn told(approved: &Value, now: &Value) -> String {
        let approved = Approved::of(plan(std::slice::from_ref(approved)));
        let violations = approved.violations(&plan(std::slice::from_ref(now)), Path::new(TREE));
        violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    fn created(after: Value, unknown: Value) -> Value {
        change(&["create"], after, unknown, json!({}))
    }

    #[test]
    fn what_was_known_must_be_the_same_and_what_was_not_may_be_anything() {
        let approved = created(json!({"name": "a", "tags": {"x": "1"}}), json!({"arn": true}));
        let same = created(json!({"name": "a", "tags": {"x": "1"}, "arn": "arn:x"}), json!({}));
        assert_eq!(told(&approved, &same), "");
        let other = created(json!({"name": "b", "tags": {"x": "1", "y": "2"}}), json!({"arn": true}));
        assert_eq!(
            told(&approved, &other),
            "aws_sqs_queue.a would be created with other values than approved: name, tags"
        );
        let more = created(json!({"name": "a", "tags": {"x": "1"}, "policy": "{}"}), json!({"arn": true}));
        assert!(told(&approved, &more).ends_with("than approved: policy"));
        let unknown = created(json!({"tags": {"x": "1"}}), json!({"arn": true, "name": true}));
        assert!(told(&approved, &unknown).ends_with("than approved: name"));
    }

    #[test]
    fn of_what_was_known_in_part_the_known_part_must_be_there() {
        let rule =
            |port: u32, group: Value| json!({"rule": [{"port": port, "group": group}, {"port": 1, "group": "s"}]});
        let approved = created(rule(443, json!(null)), json!({"rule": [{"group": true}]}));
        let turned = json!({"rule": [{"port": 1, "group": "s"}, {"port": 443, "group": "sg-1"}]});
        assert_eq!(told(&approved, &created(turned, json!({}))), "");
        assert!(told(&approved, &created(rule(22, json!("sg-1")), json!({}))).ends_with("than approved: rule"));
    }

    #[test]
    fn other_actions_and_unknown_addresses_are_refused_and_less_is_not() {
        let approved = created(json!({"name": "a"}), json!({}));
        let replaced = change(&["delete", "create"], json!({"name": "a"}), json!({}), json!({}));
        assert_eq!(told(&approved, &replaced), "aws_sqs_queue.a would be replaced; approved is that it is created");
        let mut other = approved.clone();
        other["address"] = json!("aws_sqs_queue.b");
        assert!(told(&approved, &other).contains("the approved plan does not know it"));
        let done = change(&["no-op"], json!({"name": "a"}), json!({}), json!({}));
        assert_eq!(told(&approved, &done), "");
        let mut deposed = change(&["delete"], json!(null), json!({}), json!({}));
        deposed["deposed"] = json!("1234");
        assert!(told(&approved, &deposed).contains("does not know it"));
    }

    #[test]
    fn what_was_restored_is_imported_instead_of_created() {
        let approved = created(json!({"name": "a"}), json!({}));
        let mut imported = change(&["update"], json!({"name": "a", "kept": true}), json!({}), json!({}));
        imported["change"]["importing"] = json!({"id": "a"});
        assert_eq!(told(&approved, &imported), "");
        let updated = change(&["update"], json!({"name": "a"}), json!({}), json!({}));
        assert_eq!(told(&approved, &updated), "aws_sqs_queue.a would be changed; approved is that it is created");
        assert_eq!(
            told(&updated, &imported),
            "aws_sqs_queue.a would be imported and changed with other values than approved: kept"
        );
    }

    #[test]
    fn of_what_is_sensitive_only_the_mark_is_compared() {
        let marked =
            |value: &str| change(&["create"], json!({"password": value}), json!({}), json!({"password": true}));
        assert_eq!(told(&marked("one"), &marked("two")), "");
        let open = change(&["create"], json!({"password": "two"}), json!({}), json!({}));
        assert!(told(&marked("one"), &open).ends_with("than approved: password"));
        assert!(told(&open, &marked("two")).ends_with("than approved: password"));
    }

    #[test]
    fn a_teardown_destroys_what_was_approved_to_be_destroyed_and_nothing_else() {
        let gone = plan(&[change(&["delete"], json!({}), json!({}), json!({}))]);
        let made = || plan(&[change(&["create"], json!({}), json!({}), json!({}))]);
        let told = |approved: Approved| approved.teardown_violations(&gone, Path::new(TREE)).len();
        assert_eq!(told(Approved::of(made()).with_teardown(Some(gone.clone()))), 0);
        assert_eq!(told(Approved::of(gone.clone())), 1, "what the rebuild may do is no leave to tear down");
        assert_eq!(told(Approved::of(made()).with_teardown(Some(made()))), 1);
    }

    #[test]
    fn the_place_of_the_staged_copy_is_no_difference() {
        let approved = created(json!({"file": "(root)/x.zip"}), json!({}));
        assert_eq!(told(&approved, &created(json!({"file": format!("{TREE}/x.zip")}), json!({}))), "");
    }
}
