//! What of a plan is kept, and that no secret is.

use serde_json::json;

use super::*;
use crate::terraform::plan::Plan;

fn of(plan: &Value) -> (String, Masked) {
    let text = plan.to_string();
    let masked = masked(|| Ok(text.as_bytes()), Path::new("/runs/r/terraform/tree")).unwrap();
    (String::from_utf8(masked.json.clone()).unwrap(), masked)
}

fn example() -> Value {
    let change = |before: Value, after: Value, marks: Value| {
        json!({ "address": "terraform_data.a", "mode": "managed", "type": "terraform_data",
                "change": { "actions": ["update"], "before": before, "after": after, "after_unknown": {"id": true},
                            "before_sensitive": marks.clone(), "after_sensitive": marks } })
    };
    json!({
        "format_version": "1.2",
        "variables": { "token": { "value": "from-a-\"variable\"" }, "pin": { "value": 424_242 }, "name": { "value": "no secret" } },
        "configuration": { "root_module": { "variables": { "token": { "sensitive": true }, "pin": {"sensitive": true}, "name": {} },
            "resources": [{"provisioners": [{"expressions": {"command": {"constant_value": "echo in-a-provisioner"}}}]}] } },
        "planned_values": { "outputs": { "x": { "value": "hunter2" } } },
        "prior_state": { "values": {} },
        "resource_changes": [
            change(json!({"output": "-u root:hunter2", "n": 424_242}), json!({"output": "-u root"}), json!({})),
            change(json!({"input": ["x", {"p": "hunter2"}]}), json!({"input": ["x", {"p": "hunter3"}]}), json!({"input": [false, {"p": true}]})),
            change(json!({"all": "hunter4", "more": {"hunter5": 1}}), json!(null), json!(true)),
            change(json!({"script": "curl from-a-\"variable\" /runs/r/terraform/tree/x.zip"}), json!({"hunter2": "key"}), json!({})),
        ],
        "output_changes": {
            "url": { "actions": ["create"], "before": null, "after": "mysql://root:hunter2@db" },
            "secret": { "actions": ["update"], "before": "hunter6", "after": "now open", "before_sensitive": true, "after_sensitive": false },
        },
    })
}

#[test]
fn nothing_that_is_marked_stands_in_what_is_kept() {
    let (text, masked) = of(&example());
    for secret in ["hunter", "from-a-", "424242", "in-a-provisioner", "now open", "/runs/r"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    for kept in ["no secret", "mysql://root:(sensitive)@db", "(root)/x.zip"] {
        assert!(text.contains(kept), "{kept} is not in {text}");
    }
    assert_eq!(masked.text("password = \"hunter2\"\n"), "password = \"(sensitive)\"\n");
}

#[test]
fn what_is_kept_is_a_plan_that_can_be_reviewed() {
    let before = Plan::parse(example().to_string().as_bytes()).unwrap();
    let after = Plan::parse(of(&example()).0.as_bytes()).unwrap();
    assert_eq!(after.resources.len(), before.resources.len());
    assert_eq!(after.counts(), before.counts());
    assert_eq!(after.outputs["secret"], before.outputs["secret"]);
    assert_eq!(after.resources[1].differences, before.resources[1].differences);
}

#[test]
fn half_a_plan_is_an_error() {
    let text = example().to_string();
    let half = &text[..text.len() / 2];
    assert!(matches!(masked(|| Ok(half.as_bytes()), Path::new("/x")), Err(PlanError::Json(_))));
}
