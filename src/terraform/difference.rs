//! Where the two sides of a planned change differ, place by place. Pure.
//!
//! A value that Terraform marks as sensitive on either side is never shown, nor compared in a way that tells anything
//! but that it changes. Strings that hold JSON, such as policies, are compared inside.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::attributes::Attributes;
use super::marks::Tree;

/// A value is shown up to so many characters.
const SHOWN: usize = 2_000;
/// So many places of one resource are kept.
const KEPT: usize = 500;
/// Shown instead of a part that is sensitive, or not known before the apply.
pub const SENSITIVE: &str = "(sensitive)";
pub const UNKNOWN: &str = "(known after apply)";

/// One place in which before and after differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// `ingress.0.cidr_blocks.1`, `policy.Statement.0.Action`
    pub path: String,
    pub before: Side,
    pub after: Side,
    /// Whether it is why the resource cannot be kept.
    pub forces_replacement: bool,
}

/// One side of a difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", content = "value", rename_all = "snake_case")]
pub enum Side {
    Absent,
    /// As JSON, sensitive parts masked, cut where it is long.
    Known(String),
    Sensitive,
    Unknown,
}

impl Side {
    pub fn known(value: &Value) -> Self {
        Self::shown(value, &Tree::None, &Tree::None)
    }

    fn shown(value: &Value, sensitive: &Tree, unknown: &Tree) -> Self {
        if sensitive.is_all() {
            return Self::Sensitive;
        }
        if unknown.is_all() {
            return Self::Unknown;
        }
        let text = masked(value, sensitive, unknown).to_string();
        let Some((end, _)) = text.char_indices().nth(SHOWN) else { return Self::Known(text) };
        Self::Known(format!("{}{CUT}{} bytes)", &text[..end], text.len()))
    }
}

/// Stands between what is shown of a long value and the number of its bytes.
const CUT: &str = "… (";

/// Where the text of a side ends that is shown of a long value, if it may be one.
pub(super) fn cut(text: &str) -> Option<usize> {
    text.ends_with(" bytes)").then(|| text.rfind(CUT)).flatten()
}

/// The two sides of a change of a resource.
pub struct Compared<'a> {
    pub before: &'a Attributes,
    pub after: &'a Attributes,
    pub unknown: &'a Tree,
    /// Before and after.
    pub sensitive: [&'a Tree; 2],
    /// Paths that force a replacement.
    pub forcing: &'a [Vec<Value>],
}

/// All places in which the sides differ: what forces a replacement, then what is known, then what is computed anew; each
/// in the order of the attributes' names.
pub fn differences(compared: &Compared<'_>) -> Vec<Difference> {
    let Compared { before, after, unknown, sensitive: [secret_before, secret_after], forcing } = compared;
    let names: BTreeSet<&str> =
        before.names().chain(after.names()).chain(forcing.iter().filter_map(|path| path.first()?.as_str())).collect();
    let unknown_names = if let Tree::Map(entries) = unknown { entries.as_slice() } else { &[] };
    let names: BTreeSet<&str> = names.into_iter().chain(unknown_names.iter().map(|(name, _)| name.as_str())).collect();
    let mut walk = Walk { found: Vec::new(), path: Vec::new(), forcing };
    for name in names {
        let marks = Sides {
            before: before.get(name),
            after: after.get(name),
            unknown: unknown.at_key(name),
            secret_before: secret_before.at_key(name),
            secret_after: secret_after.at_key(name),
        };
        walk.step(name.to_owned(), &marks);
    }
    // What forces a replacement comes first, and what is only computed anew last.
    walk.found.sort_by_key(|it| (!it.forces_replacement, it.after == Side::Unknown));
    walk.found.truncate(KEPT);
    walk.found
}

/// One value on both sides, with its marks.
struct Sides<'a> {
    before: Option<&'a Value>,
    after: Option<&'a Value>,
    unknown: &'a Tree,
    secret_before: &'a Tree,
    secret_after: &'a Tree,
}

struct Walk<'a> {
    found: Vec<Difference>,
    path: Vec<String>,
    forcing: &'a [Vec<Value>],
}

impl Walk<'_> {
    fn step(&mut self, name: String, sides: &Sides<'_>) {
        self.path.push(name);
        self.visit(sides);
        self.path.pop();
    }

    fn visit(&mut self, sides: &Sides<'_>) {
        let Sides { before, after, unknown, secret_before, secret_after } = *sides;
        let same = before.unwrap_or(&Value::Null) == after.unwrap_or(&Value::Null);
        if (same && !unknown.any()) || self.found.len() > KEPT {
            return;
        }
        if secret_before.is_all() || secret_after.is_all() {
            return self.tell(Side::Sensitive, if unknown.is_all() { Side::Unknown } else { Side::Sensitive });
        }
        if unknown.is_all() {
            let before = before.map_or(Side::Absent, |it| Side::shown(it, secret_before, &Tree::None));
            return self.tell(before, Side::Unknown);
        }
        match (before, after) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => {
                let marked = if let Tree::Map(entries) = unknown { entries.as_slice() } else { &[] };
                let names: BTreeSet<&str> = old.keys().chain(new.keys()).map(String::as_str).collect();
                for name in
                    names.into_iter().chain(marked.iter().map(|(name, _)| name.as_str())).collect::<BTreeSet<_>>()
                {
                    let sides = Sides {
                        before: old.get(name),
                        after: new.get(name),
                        unknown: unknown.at_key(name),
                        secret_before: secret_before.at_key(name),
                        secret_after: secret_after.at_key(name),
                    };
                    self.step(name.to_owned(), &sides);
                }
            }
            (Some(Value::Array(old)), Some(Value::Array(new))) => {
                let marked = if let Tree::List(items) = unknown { items.len() } else { 0 };
                for index in 0..old.len().max(new.len()).max(marked) {
                    let sides = Sides {
                        before: old.get(index),
                        after: new.get(index),
                        unknown: unknown.at_index(index),
                        secret_before: secret_before.at_index(index),
                        secret_after: secret_after.at_index(index),
                    };
                    self.step(index.to_string(), &sides);
                }
            }
            (Some(Value::String(old)), Some(Value::String(new))) => match (document(old), document(new)) {
                (Some(old), Some(new)) if old == new => self.leaf(sides),
                (Some(old), Some(new)) => self.visit(&Sides { before: Some(&old), after: Some(&new), ..*sides }),
                _ => self.leaf(sides),
            },
            _ => self.leaf(sides),
        }
    }

    fn leaf(&mut self, sides: &Sides<'_>) {
        let side = |value: Option<&Value>, secret: &Tree, unknown: &Tree| match value {
            None | Some(Value::Null) if !unknown.any() => Side::Absent,
            value => Side::shown(value.unwrap_or(&Value::Null), secret, unknown),
        };
        if !sides.unknown.any() && is_nothing(sides.before) && is_nothing(sides.after) {
            return;
        }
        let before = side(sides.before, sides.secret_before, &Tree::None);
        let after = side(sides.after, sides.secret_after, sides.unknown);
        self.tell(before, after);
    }

    fn tell(&mut self, before: Side, after: Side) {
        let forces = |path: &Vec<Value>| {
            let words: Vec<String> =
                path.iter().map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned)).collect();
            let shorter = words.len().min(self.path.len());
            words[..shorter] == self.path[..shorter]
        };
        let forces_replacement = self.forcing.iter().any(forces);
        self.found.push(Difference { path: self.path.join("."), before, after, forces_replacement });
    }
}

/// Providers of the older SDK write a zero value where nothing is set, and plan null for it: nobody has changed anything.
fn is_nothing(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Number(number)) => number.as_f64() == Some(0.0),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(entries)) => entries.is_empty(),
        Some(Value::Bool(true)) => false,
    }
}

/// An object or a list that a string holds.
fn document(text: &str) -> Option<Value> {
    let holds = text.starts_with('{') || text.starts_with('[');
    serde_json::from_str(text).ok().filter(|value: &Value| holds && (value.is_object() || value.is_array()))
}

/// The value with what is marked replaced.
pub(super) fn masked(value: &Value, sensitive: &Tree, unknown: &Tree) -> Value {
    if sensitive.is_all() {
        return Value::from(SENSITIVE);
    }
    if unknown.is_all() {
        return Value::from(UNKNOWN);
    }
    match value {
        _ if !sensitive.any() && !unknown.any() => value.clone(),
        Value::Object(entries) => {
            let entry = |(name, value): (&String, &Value)| {
                (name.clone(), masked(value, sensitive.at_key(name), unknown.at_key(name)))
            };
            entries.iter().map(entry).collect()
        }
        Value::Array(items) => {
            let item = |(index, value)| masked(value, sensitive.at_index(index), unknown.at_index(index));
            items.iter().enumerate().map(item).collect()
        }
        // Marks of another shape than the value: rather too little is shown than too much.
        _ if sensitive.any() => Value::from(SENSITIVE),
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compare(before: &Value, after: &Value, marks: &Value, forcing: &[Vec<Value>]) -> String {
        let attributes = |value: &Value| serde_json::from_value::<Attributes>(value.clone()).unwrap();
        let tree = |name: &str| serde_json::from_value::<Tree>(marks.get(name).cloned().unwrap_or_default()).unwrap();
        let (unknown, secret_before, secret_after) = (tree("unknown"), tree("before"), tree("after"));
        let compared = Compared {
            before: &attributes(before),
            after: &attributes(after),
            unknown: &unknown,
            sensitive: [&secret_before, &secret_after],
            forcing,
        };
        let side = |side: &Side| match side {
            Side::Absent => "-".to_owned(),
            Side::Known(text) => text.clone(),
            Side::Sensitive => "*".to_owned(),
            Side::Unknown => "?".to_owned(),
        };
        let line = |it: &Difference| {
            let forces = if it.forces_replacement { " !" } else { "" };
            format!("{}: {} → {}{forces}", it.path, side(&it.before), side(&it.after))
        };
        differences(&compared).iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_place_is_told_and_what_forces_the_replacement_is_marked() {
        let before = json!({"name": "a", "tags": {"x": "1", "y": "2"}, "ports": [1, 2], "gone": 5, "same": [1]});
        let after = json!({"name": "b", "tags": {"x": "1", "z": "3"}, "ports": [1, 3, 4], "gone": null, "same": [1]});
        let forcing = [vec![json!("name")], vec![json!("tags"), json!("z")]];
        insta::assert_snapshot!(compare(&before, &after, &json!({"unknown": {"arn": true}}), &forcing), @r#"
        name: "a" → "b" !
        tags.z: - → "3" !
        gone: 5 → -
        ports.1: 2 → 3
        ports.2: - → 4
        tags.y: "2" → -
        arn: - → ?
        "#);
    }

    #[test]
    fn a_zero_value_where_nothing_is_set_is_no_difference() {
        let before = json!({"a": "", "b": false, "c": 0, "d": [], "e": {}, "f": false, "g": ""});
        let after = json!({"a": null, "b": null, "c": null, "d": null, "e": null, "f": true, "g": "x"});
        insta::assert_snapshot!(compare(&before, &after, &json!({}), &[]), @r#"
        f: false → true
        g: "" → "x"
        "#);
    }

    #[test]
    fn policies_are_compared_inside() {
        let policy =
            |action: &str| json!({"policy": json!({"Statement": [{"Action": action, "Effect": "Allow"}]}).to_string()});
        insta::assert_snapshot!(compare(&policy("s3:Get"), &policy("s3:*"), &json!({}), &[]), @r#"policy.Statement.0.Action: "s3:Get" → "s3:*""#);
    }

    #[test]
    fn nothing_sensitive_is_shown_on_either_side_nor_in_a_part() {
        let before = json!({"password": "old-secret", "list": [{"key": "k", "value": "secret-1"}], "env": "secret-2"});
        let after = json!({"password": "new-secret", "list": [{"key": "n", "value": "secret-3"}], "env": "plain",
                           "block": {"a": "secret-4", "b": 1}});
        let marks = json!({
            "before": {"password": true, "list": [{"value": true}], "env": true},
            "after": {"password": true, "list": [{"value": true}], "block": {"a": true}},
        });
        let told = compare(&before, &after, &marks, &[]);
        assert!(!told.contains("secret"), "{told}");
        insta::assert_snapshot!(told, @r#"
        block: - → {"a":"(sensitive)","b":1}
        env: * → *
        list.0.key: "k" → "n"
        list.0.value: * → *
        password: * → *
        "#);
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let Side::Known(text) = Side::known(&json!("é".repeat(3_000))) else { panic!("it is known") };
        assert!(text.ends_with("… (6002 bytes)") && text.chars().count() < 2_020);
    }
}
