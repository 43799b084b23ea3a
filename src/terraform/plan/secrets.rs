//! Values that a plan marks as sensitive in one place and shows in another: Terraform follows a mark through the
//! configuration, but not into what a provider has computed from it (the `output` of a `terraform_data`, for one).

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Plan, ResourceChange};
use crate::terraform::difference::{SENSITIVE, Side};
use crate::terraform::marks::Tree;

/// Shorter ones would be found by chance in everything; they are masked where they are marked.
const SHORTEST: usize = 4;

/// All that is marked in a plan, as it stands within a JSON text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::terraform) struct Secrets(BTreeSet<String>);

impl Secrets {
    /// Adds what of a value is marked.
    pub fn add(&mut self, value: &Value, marks: &Tree) {
        if !marks.any() {
            return;
        }
        match value {
            Value::Object(entries) => entries.iter().for_each(|(name, value)| self.add(value, marks.at_key(name))),
            Value::Array(items) => items.iter().enumerate().for_each(|(nr, value)| self.add(value, marks.at_index(nr))),
            Value::String(text) => self.add_text(text),
            Value::Number(number) => self.add_text(&number.to_string()),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn add_text(&mut self, text: &str) {
        let json = Value::from(text).to_string();
        let inside = &json[1..json.len() - 1];
        if inside.chars().count() >= SHORTEST {
            self.0.insert(inside.to_owned());
            // Within a JSON text that is itself a string.
            let nested = Value::from(inside).to_string();
            self.0.insert(nested[1..nested.len() - 1].to_owned());
        }
    }

    /// Whether this is one of them.
    pub fn has(&self, text: &str) -> bool {
        self.0.contains(text)
    }

    /// A text with `instead` wherever one of them stands in it. It is masked as a whole where what is left would not be
    /// what it was: a secret that begins in the middle of an escaped character.
    pub fn mask(&self, text: &str, instead: &str) -> String {
        let json = Value::from(text).to_string();
        let mut found: Vec<&String> = self.0.iter().filter(|secret| json.contains(secret.as_str())).collect();
        if found.is_empty() {
            return text.to_owned();
        }
        // The longest first: one may be the beginning of another.
        found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let masked = found.iter().fold(json, |text, secret| text.replace(secret.as_str(), instead));
        serde_json::from_str(&masked).unwrap_or_else(|_| instead.to_owned())
    }

    pub fn append(&mut self, other: &mut Self) {
        self.0.append(&mut other.0);
    }

    /// Masks them wherever the plan would show them.
    pub fn redact(&self, plan: &mut Plan) {
        if self.0.is_empty() {
            return;
        }
        // The longest first: one may be the beginning of another.
        let mut secrets: Vec<&String> = self.0.iter().collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let mask = |side: &mut Side| {
            let Side::Known(text) = side else { return };
            for secret in &secrets {
                if text.contains(secret.as_str()) {
                    *text = text.replace(secret.as_str(), SENSITIVE);
                }
            }
        };
        let resources = plan.resources.iter_mut().chain(&mut plan.drift);
        for difference in resources.flat_map(|it: &mut ResourceChange| &mut it.differences) {
            mask(&mut difference.before);
            mask(&mut difference.after);
        }
        for output in plan.outputs.values_mut() {
            mask(&mut output.before);
            mask(&mut output.after);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::terraform::plan::Plan;

    #[test]
    fn what_is_marked_in_one_place_is_shown_in_none() {
        let change = |before: Value, after: Value, marks: Value| {
            json!({ "address": "terraform_data.a", "mode": "managed", "type": "terraform_data",
                    "change": { "actions": ["update"], "before": before, "after": after,
                                "after_unknown": {}, "before_sensitive": marks, "after_sensitive": {} } })
        };
        let plan = json!({
            "format_version": "1.2",
            "variables": { "token": { "value": "from-a-\"variable\"" }, "name": { "value": "no secret" } },
            "configuration": { "root_module": { "variables": { "token": { "sensitive": true }, "name": {} } } },
            "resource_changes": [
                change(json!({"output": "-u root:hunter2"}), json!({"output": "-u root"}), json!({})),
                change(json!({"input": ["x", {"p": "hunter2"}]}), json!({"input": []}), json!({"input": [false, {"p": true}]})),
                change(json!({"script": "echo"}), json!({"script": "curl -H from-a-\"variable\""}), json!({})),
                change(json!({"text": "{\"a\": 1"}), json!({"text": "no secret: {\"a\": \"hunter2\""}), json!({})),
            ],
            "output_changes": { "url": { "actions": ["create"], "before": null, "after": "mysql://root:hunter2@db" } },
        });
        let plan = Plan::parse(plan.to_string().as_bytes()).unwrap();
        let differences: Vec<_> = plan.resources.iter().map(|it| &it.differences).collect();
        let shown = format!("{differences:?} {:?}", plan.outputs);
        assert!(!shown.contains("hunter2") && !shown.contains("from-a-"), "{shown}");
        assert!(shown.contains("no secret") && shown.contains("mysql://root:(sensitive)@db"), "{shown}");
    }
}
