//! What the Terraform root declares for the resources that are restored, as `infrastructure.plan` and
//! `infrastructure.declare` return it. Pure.
//!
//! An attribute that the root does not set and one that the plan cannot know are both `None` here: a plan does not tell
//! them apart where the provider computes a default.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Cx, StepError, TEARDOWN_DESTROY, TEARDOWN_PLAN};

/// One declared resource.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Declared {
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Planned values by attribute, without sensitive ones.
    #[serde(default)]
    pub values: Map<String, Value>,
    /// Addresses of the adopted resources that it depends on.
    #[serde(default)]
    pub adopted: BTreeSet<String>,
}

/// Declared resources by their address.
pub type DeclaredSet = BTreeMap<String, Declared>;

impl Declared {
    /// # Errors
    /// The output of the Terraform step is not what it should be.
    pub fn set(output: &Value) -> Result<DeclaredSet, StepError> {
        let declared = output.get("declared").cloned().unwrap_or_default();
        serde_json::from_value(declared)
            .map_err(|error| StepError::failed(format!("what the Terraform root declares cannot be read: {error}")))
    }

    pub fn text(&self, attribute: &str) -> Option<String> {
        self.value(attribute)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    pub fn flag(&self, attribute: &str) -> Option<bool> {
        self.value(attribute)?.as_bool()
    }

    pub fn integer<T: TryFrom<i64>>(&self, attribute: &str) -> Option<T> {
        T::try_from(self.value(attribute)?.as_i64()?).ok()
    }

    /// A list or set of strings. `None` where the plan does not know all of them.
    pub fn texts(&self, attribute: &str) -> Option<BTreeSet<String>> {
        self.value(attribute)?.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
    }

    /// The nested blocks of that name.
    pub fn blocks(&self, attribute: &str) -> impl Iterator<Item = &Map<String, Value>> {
        self.value(attribute).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
    }

    /// All tags, the provider's `default_tags` included.
    pub fn tags(&self) -> BTreeMap<String, String> {
        let tags = self.value("tags_all").or_else(|| self.value("tags")).and_then(Value::as_object);
        let tags = tags.into_iter().flatten();
        tags.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    }

    fn value(&self, attribute: &str) -> Option<&Value> {
        self.values.get(attribute).filter(|value| !value.is_null())
    }
}

/// What the root declares, as far as it is known by now: after the base apply, or else from the first plan.
///
/// # Errors
/// As [`Declared::set`]; or neither step is done.
pub fn declared(cx: &Cx) -> Result<DeclaredSet, StepError> {
    let output = cx.output("infrastructure.declare").or_else(|| cx.output("infrastructure.plan"));
    let output = output.ok_or_else(|| StepError::failed("the Terraform root has not been planned yet"))?;
    Declared::set(&output)
}

/// The declared resource at an address that the manifest names.
///
/// # Errors
/// There is none.
pub fn declared_at(set: &DeclaredSet, address: &str) -> Result<Declared, StepError> {
    set.get(address).cloned().ok_or_else(|| {
        StepError::failed(format!("the Terraform root declares no {address}"))
            .hint("correct `adopt` in the manifest, or the variables of region \"recovery\"")
    })
}

/// The id of the resource that Terraform's recovery state held under that address before this run. What this run has torn
/// down is no longer the state's: what stands under its name since is another.
pub fn id_in_state(cx: &Cx, address: Option<&str>) -> Option<String> {
    let torn_down = cx.output(TEARDOWN_DESTROY).and_then(|_| cx.output(TEARDOWN_PLAN));
    held(&cx.output("infrastructure.prepare")?, torn_down.as_ref(), address?)
}

fn held(prepared: &Value, torn_down: Option<&Value>, address: &str) -> Option<String> {
    let gone = torn_down.is_some_and(|plan| plan["destroys"].get(address).is_some());
    prepared.get("adopted")?.get(address)?.as_str().filter(|_| !gone).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_read_by_their_kind_and_half_known_lists_are_not_known() {
        let set = Declared::set(&json!({"declared": {"aws_rds_cluster.logs": {
            "type": "aws_rds_cluster",
            "values": {"deletion_protection": null, "port": 3306, "vpc_security_group_ids": ["sg-1"], "zones": [null]},
            "unknown": ["kms_key_id", "zones"]
        }}}))
        .expect("it can be read");
        let cluster = declared_at(&set, "aws_rds_cluster.logs").expect("it is declared");
        assert_eq!(cluster.integer::<i32>("port"), Some(3306));
        assert_eq!(cluster.flag("deletion_protection"), None);
        assert_eq!(cluster.texts("zones"), None);
        assert_eq!(cluster.texts("vpc_security_group_ids"), Some(BTreeSet::from(["sg-1".to_owned()])));
    }

    #[test]
    fn what_was_torn_down_is_not_held_by_the_state() {
        let prepared = json!({"adopted": {"aws_rds_cluster.logs": "logs"}});
        let plan = |address: &str| json!({"destroys": {address: {"type": "aws_rds_cluster", "id": "logs"}}});
        let address = "aws_rds_cluster.logs";
        assert_eq!(held(&prepared, None, address).as_deref(), Some("logs"));
        assert_eq!(held(&prepared, Some(&plan(address)), address), None);
        assert_eq!(held(&prepared, Some(&plan("aws_rds_cluster.other")), address).as_deref(), Some("logs"));
    }

    #[test]
    fn an_address_that_is_not_declared_is_named() {
        let error = declared_at(&DeclaredSet::new(), "aws_rds_cluster.log").expect_err("there is none");
        assert_eq!(error.cause, "the Terraform root declares no aws_rds_cluster.log");
    }
}
