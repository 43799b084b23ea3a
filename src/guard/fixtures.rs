//! Plans for the tests of guards, by their changes alone.

use serde_json::{Value, json};

use crate::terraform::plan::Plan;

/// One change of a managed resource; `after` is what is planned for it.
pub fn change(address: &str, kind: &str, actions: &[&str], after: Value) -> Value {
    let after = if actions == ["delete"] { Value::Null } else { after };
    json!({ "address": address, "mode": "managed", "type": kind, "change": { "actions": actions, "before": {}, "after": after } })
}

pub fn plan(changes: &[Value]) -> Plan {
    let json = json!({ "format_version": "1.2", "resource_changes": changes });
    Plan::parse(json.to_string().as_bytes()).unwrap()
}
