//! A plan's JSON without its secrets, fit to be kept and shown.
//!
//! Kept is what a review needs: the changes of resources and outputs, drift, and the variables. Left out is what says the
//! same again where marks do not reach (the configuration with its provisioners' text, planned values, the prior state).
//! A value that is marked as sensitive anywhere is masked wherever else it stands. The JSON is read twice, resource by
//! resource: the last of them may mark what the first one shows.

use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::PlanError;
use super::marked::Found;
use super::secrets::Secrets;
use crate::terraform::difference::{SENSITIVE, masked as mask_marked};
use crate::terraform::marks::Tree;

/// Stands for the staged copy of the root, which has another path in each run.
pub const ROOT: &str = "(root)";

/// Stands for a sensitive value that is another than it was.
const SENSITIVE_CHANGED: &str = "(sensitive, changed)";

/// A masked plan.
pub struct Masked {
    pub json: Vec<u8>,
    masker: Masker,
}

/// The JSON is left out: it is large.
impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masked").finish_non_exhaustive()
    }
}

impl Masked {
    /// Text from elsewhere without what this plan marks.
    pub fn text(&self, text: &str) -> String {
        self.masker.secrets.mask(text, SENSITIVE)
    }
}

/// Masks a plan's JSON. `open` gives it from its beginning, each time; `tree` is the staged copy that it was made in.
///
/// # Errors
/// It cannot be read, or is no plan.
pub fn masked<R: Read>(open: impl Fn() -> Result<R, PlanError>, tree: &Path) -> Result<Masked, PlanError> {
    let buffered = |source: R| std::io::BufReader::with_capacity(256 * 1024, source);
    let found: Found = serde_json::from_reader(buffered(open()?))?;
    let masker = Masker { secrets: found.secrets(), tree: tree.to_string_lossy().into_owned() };
    let sensitive = found.sensitive();
    let mut writing = Writing { json: vec![b'{'], masker: &masker, sensitive: &sensitive };
    let mut source = serde_json::Deserializer::from_reader(buffered(open()?));
    (&mut writing).deserialize(&mut source)?;
    let mut json = writing.json;
    json.extend_from_slice(b"}\n");
    Ok(Masked { json, masker })
}

/// Knows what must not be shown.
struct Masker {
    secrets: Secrets,
    tree: String,
}

impl Masker {
    /// One entry of `resource_changes` or `resource_drift`.
    fn resource(&self, mut resource: Value) -> Value {
        if let Some(change) = resource.get_mut("change") {
            *change = self.change(change.take());
        }
        resource
    }

    fn change(&self, change: Value) -> Value {
        const KEPT: [&str; 9] = [
            "actions",
            "action_reason",
            "before",
            "after",
            "after_unknown",
            "before_sensitive",
            "after_sensitive",
            "importing",
            "replace_paths",
        ];
        let Value::Object(mut change) = change else { return Value::Null };
        change.retain(|name, _| KEPT.contains(&name.as_str()));
        let side = |side: &str, marks: &str| {
            let value = change.get(side).cloned().unwrap_or_default();
            let masked = marked(&value, &tree(change.get(marks)));
            (value, masked)
        };
        let (before, masked_before) = side("before", "before_sensitive");
        let (after, mut masked_after) = side("after", "after_sensitive");
        tell_changed([&before, &after], &masked_before, &mut masked_after);
        change.insert("before".to_owned(), self.open(masked_before));
        change.insert("after".to_owned(), self.open(masked_after));
        if let Some(importing) = change.get_mut("importing") {
            *importing = self.open(importing.take());
        }
        Value::Object(change)
    }

    /// An output that is sensitive on one side would tell by the other what it was or will be.
    fn output(&self, output: Value) -> Value {
        let secret = ["before_sensitive", "after_sensitive"].iter().any(|marks| tree(output.get(marks)).any());
        let Value::Object(mut output) = output else { return Value::Null };
        for side in ["before", "after"] {
            match output.get_mut(side) {
                Some(value) if secret && !value.is_null() => *value = Value::from(SENSITIVE),
                Some(value) => *value = self.open(value.take()),
                None => {}
            }
        }
        Value::Object(output)
    }

    /// A value of which nothing is marked: what is marked elsewhere may stand in it.
    fn open(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::from(self.secrets.mask(&self.placed(text), SENSITIVE)),
            Value::Number(number) if self.secrets.has(&number.to_string()) => Value::from(SENSITIVE),
            Value::Array(items) => items.into_iter().map(|item| self.open(item)).collect(),
            Value::Object(entries) => {
                let entry = |(name, value): (String, Value)| (self.secrets.mask(&name, SENSITIVE), self.open(value));
                Value::Object(entries.into_iter().map(entry).collect())
            }
            other => other,
        }
    }

    fn placed(&self, text: String) -> String {
        if text.contains(&self.tree) { text.replace(&self.tree, ROOT) } else { text }
    }
}

fn tree(marks: Option<&Value>) -> Tree {
    // Marks of a shape that is not understood mark everything.
    marks.map_or(Tree::None, |marks| serde_json::from_value(marks.clone()).unwrap_or(Tree::All))
}

/// A resource's attributes, masked; they stay attributes where all are marked at once.
fn marked(value: &Value, marks: &Tree) -> Value {
    match value {
        Value::Object(entries) if marks.is_all() => {
            entries.keys().map(|name| (name.clone(), Value::from(SENSITIVE))).collect()
        }
        Value::Null => Value::Null,
        value => mask_marked(value, marks, &Tree::None),
    }
}

/// That a masked value changes may be known, and what it changes to may not.
fn tell_changed(open: [&Value; 2], before: &Value, after: &mut Value) {
    if open[0] == open[1] {
        return;
    }
    let secret = |value: &Value| value.as_str() == Some(SENSITIVE);
    if secret(before) && secret(after) {
        *after = Value::from(SENSITIVE_CHANGED);
        return;
    }
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, after) in after {
                let sides = [&open[0][name.as_str()], &open[1][name.as_str()]];
                tell_changed(sides, before.get(name).unwrap_or(&Value::Null), after);
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for (nr, after) in after.iter_mut().enumerate() {
                tell_changed([&open[0][nr], &open[1][nr]], before.get(nr).unwrap_or(&Value::Null), after);
            }
        }
        _ => {}
    }
}

/// The second reading.
struct Writing<'a> {
    json: Vec<u8>,
    masker: &'a Masker,
    /// Variables that the root declares so.
    sensitive: &'a [String],
}

impl Writing<'_> {
    fn key<E: serde::de::Error>(&mut self, name: &str) -> Result<(), E> {
        if self.json.len() > 1 {
            self.json.push(b',');
        }
        self.value(&name)?;
        self.json.push(b':');
        Ok(())
    }

    fn value<E: serde::de::Error>(&mut self, value: &impl Serialize) -> Result<(), E> {
        serde_json::to_writer(&mut self.json, value).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for &mut Writing<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Writing<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plan")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "format_version" | "terraform_version" | "errored" | "complete" | "applyable" => {
                    let value: Value = map.next_value()?;
                    self.key(&name)?;
                    self.value(&value)?;
                }
                "resource_changes" | "resource_drift" => {
                    self.key(&name)?;
                    map.next_value_seed(Resources(&mut *self))?;
                }
                "output_changes" => {
                    let outputs: Map<String, Value> = map.next_value()?;
                    let outputs = outputs.into_iter().map(|(name, it)| (name, self.masker.output(it)));
                    let outputs: Map<String, Value> = outputs.collect();
                    self.key(&name)?;
                    self.value(&outputs)?;
                }
                "variables" => {
                    let variables: Map<String, Value> = map.next_value()?;
                    let variables = variables.into_iter().map(|(name, it)| match self.sensitive.contains(&name) {
                        true => (name, serde_json::json!({ "value": SENSITIVE })),
                        false => (name, self.masker.open(it)),
                    });
                    let variables: Map<String, Value> = variables.collect();
                    self.key(&name)?;
                    self.value(&variables)?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// A list of resources, one after the other.
struct Resources<'a, 'b>(&'a mut Writing<'b>);

impl<'de> DeserializeSeed<'de> for Resources<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Resources<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of resources")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let writing = self.0;
        writing.json.push(b'[');
        let mut first = true;
        while let Some(resource) = list.next_element::<Value>()? {
            if !std::mem::take(&mut first) {
                writing.json.push(b',');
            }
            let resource = writing.masker.resource(resource);
            writing.value(&resource)?;
        }
        writing.json.push(b']');
        Ok(())
    }
}

#[cfg(test)]
#[path = "masked_tests.rs"]
mod tests;
