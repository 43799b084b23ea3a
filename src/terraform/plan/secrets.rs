//! Values that a plan marks as sensitive in one place and shows in another: Terraform follows a mark through the
//! configuration, but not into what a provider has computed from it (the `output` of a `terraform_data`, for one).

use std::collections::{BTreeSet, HashSet};
use std::ops::Bound::{Included, Unbounded};

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;

use super::Plan;
use crate::terraform::difference::{SENSITIVE, Side, cut};
use crate::terraform::marks::Tree;

/// Shorter ones would be found by chance in everything; they are masked where they are marked.
const SHORTEST: usize = 4;

/// All that is marked in a plan, as it stands within a JSON text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Secrets(BTreeSet<String>);

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
        let search = Search::new(&self.0);
        let mask = |side: &mut Side| {
            if let Side::Known(text) = side {
                search.mask(text);
            }
        };
        for resource in plan.resources.iter_mut().chain(&mut plan.drift) {
            resource.importing.iter_mut().for_each(|id| search.mask(id));
            for difference in &mut resource.differences {
                search.mask(&mut difference.path);
                mask(&mut difference.before);
                mask(&mut difference.after);
            }
        }
        for output in plan.outputs.values_mut() {
            mask(&mut output.before);
            mask(&mut output.after);
        }
    }
}

/// All secrets looked for at once: a large plan has tens of thousands of them, and as many places.
struct Search<'a> {
    secrets: &'a BTreeSet<String>,
    /// `None` where there are too many for it, which no plan that Terraform can make has reached.
    all: Option<AhoCorasick>,
    beginnings: HashSet<&'a [u8]>,
}

impl<'a> Search<'a> {
    fn new(secrets: &'a BTreeSet<String>) -> Self {
        // Each has at least so many bytes, because it has so many characters.
        let beginnings = secrets.iter().map(|secret| &secret.as_bytes()[..SHORTEST]).collect();
        Self { secrets, all: AhoCorasick::builder().match_kind(MatchKind::Standard).build(secrets).ok(), beginnings }
    }

    fn mask(&self, text: &mut String) {
        let Some(all) = &self.all else {
            SENSITIVE.clone_into(text);
            return;
        };
        let mut places: Vec<(usize, usize)> = Vec::new();
        // Also those that overlap: what one leaves over would tell of the other.
        for found in all.find_overlapping_iter(text.as_str()) {
            places.push((found.start(), found.end()));
        }
        places.extend(self.begun(text));
        if places.is_empty() {
            return;
        }
        places.sort_unstable();
        let (mut masked, mut done) = (String::with_capacity(text.len()), 0);
        for (start, end) in places {
            if start >= done {
                masked.push_str(&text[done..start]);
                masked.push_str(SENSITIVE);
            }
            done = done.max(end);
        }
        masked.push_str(&text[done..]);
        *text = masked;
    }

    /// Where a long text was cut in the midst of a secret: the part that is left of it.
    fn begun(&self, text: &str) -> Option<(usize, usize)> {
        let shown = &text[..cut(text)?];
        let is_begun = |at: &usize| {
            let rest = &shown[*at..];
            rest.len() >= SHORTEST
                && self.beginnings.contains(&rest.as_bytes()[..SHORTEST])
                && self
                    .secrets
                    .range::<str, _>((Included(rest), Unbounded))
                    .next()
                    .is_some_and(|secret| secret.starts_with(rest))
        };
        let at = shown.char_indices().map(|(at, _)| at).find(is_begun)?;
        Some((at, shown.len()))
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
    #[test]
    fn no_part_of_a_secret_is_left_where_two_overlap_or_a_text_is_cut() {
        let long = format!("{}{}", "x".repeat(1_980), "begun-in-time-ended-too-late");
        let change = json!({ "address": "terraform_data.a", "mode": "managed", "type": "terraform_data",
            "change": { "actions": ["update"],
                "before": { "secrets": ["abcdef", "cdefgh", "begun-in-time-ended-too-late"], "text": "", "long": "" },
                "after": { "secrets": [], "text": "-abcdefgh-", "long": long },
                "before_sensitive": { "secrets": true } } });
        let plan = json!({ "format_version": "1.2", "resource_changes": [change] });
        let plan = Plan::parse(plan.to_string().as_bytes()).unwrap();
        let shown = format!("{:?}", plan.resources[0].differences);
        assert!(shown.contains("-(sensitive)-"), "{shown}");
        assert!(shown.contains("xx(sensitive)… (2010 bytes)") && !shown.contains("begun"), "{shown}");
    }

    #[test]
    fn each_of_many_secrets_is_found_in_the_place_of_another() {
        let change = |nr: usize| {
            json!({ "address": "terraform_data.a", "mode": "managed", "type": "terraform_data",
                "change": { "actions": ["update"], "before": { "a": "x", "b": format!("secret-{nr}") },
                    "after": { "a": format!("has secret-{}", 299 - nr), "b": "" }, "before_sensitive": { "b": true } } })
        };
        let changes: Vec<Value> = (0..300).map(change).collect();
        let plan = json!({ "format_version": "1.2", "resource_changes": changes }).to_string();
        let plan = Plan::parse(plan.as_bytes()).unwrap();
        assert!(plan.resources.iter().all(|it| it.differences[0].after == Side::Known("\"has (sensitive)\"".into())));
    }
}
