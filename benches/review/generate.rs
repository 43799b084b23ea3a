//! A plan of many resources, as `terraform show -json` of Terraform 1.11 writes it: planned values, changes, prior state
//! and configuration, on one line. Creations, updates, replacements, destructions and resources that are left alone;
//! nested values, policies as JSON in a string, sensitive marks, each with a secret of its own.

use std::io::{self, Write};

use serde_json::{Value, json};

/// What is planned for one resource.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Planned {
    Create,
    Update,
    Replace,
    Destroy,
    Keep,
}

/// What there is in every plan of this generator, beside what changes, for each of its resources.
pub const SECRET: &str = "correct-horse-";

/// Writes a plan of `number` resources, each of which has an entry in `resource_changes`.
///
/// # Errors
/// Those of the writer.
pub fn plan(number: usize, to: &mut impl Write) -> io::Result<()> {
    write!(to, "{{\"format_version\":\"1.2\",\"terraform_version\":\"1.11.4\",\"variables\":{{\"secret\":")?;
    write!(to, "{{\"value\":\"{SECRET}of-the-root\"}}}},\"planned_values\":{{\"root_module\":{{\"resources\":")?;
    list(number, to, |nr| (planned(nr) != Planned::Destroy).then(|| resource(nr, &after(nr), &after_sensitive(nr))))?;
    write!(to, "}}}},\"resource_changes\":")?;
    list(number, to, |nr| Some(change(nr)))?;
    write!(to, ",\"prior_state\":{{\"format_version\":\"1.0\",\"terraform_version\":\"1.11.4\",\"values\":")?;
    write!(to, "{{\"root_module\":{{\"resources\":")?;
    list(number, to, |nr| (planned(nr) != Planned::Create).then(|| resource(nr, &before(nr), &before_sensitive(nr))))?;
    write!(to, "}}}}}},\"configuration\":{{\"provider_config\":{{\"aws\":{{\"name\":\"aws\",\"full_name\":")?;
    write!(to, "\"registry.terraform.io/hashicorp/aws\",\"expressions\":{{\"region\":{{\"constant_value\":")?;
    write!(
        to,
        "\"us-east-1\"}}}}}}}},\"root_module\":{{\"variables\":{{\"secret\":{{\"sensitive\":true}}}},\"resources\":"
    )?;
    // One block stands for ten resources, by for_each.
    list(number / 10, to, |nr| Some(configured(nr)))?;
    write!(to, "}}}},\"timestamp\":\"2026-11-25T03:12:00Z\",\"applyable\":true,\"complete\":true,\"errored\":false}}")
}

fn list(number: usize, to: &mut impl Write, item: impl Fn(usize) -> Option<Value>) -> io::Result<()> {
    let mut between = "[";
    for value in (0..number).filter_map(item) {
        to.write_all(between.as_bytes())?;
        serde_json::to_writer(&mut *to, &value)?;
        between = ",";
    }
    to.write_all(if between == "[" { b"[]" } else { b"]" })
}

fn planned(nr: usize) -> Planned {
    match nr % 20 {
        0..=8 => Planned::Create,
        9..=13 => Planned::Update,
        14..=15 => Planned::Replace,
        16 => Planned::Destroy,
        _ => Planned::Keep,
    }
}

const TYPES: [&str; 5] =
    ["aws_iam_policy", "aws_cloudwatch_metric_alarm", "aws_security_group_rule", "aws_sqs_queue", "terraform_data"];

/// Type, name and key: ten resources of a block come one after the other.
fn name(nr: usize) -> (&'static str, String, String) {
    (TYPES[nr / 10 % TYPES.len()], format!("block_{}", nr / 10), format!("key-{}", nr % 10))
}

fn head(nr: usize) -> Value {
    let (kind, name, key) = name(nr);
    let provider =
        if kind == "terraform_data" { "terraform.io/builtin/terraform" } else { "registry.terraform.io/hashicorp/aws" };
    json!({ "address": format!("{kind}.{name}[\"{key}\"]"), "mode": "managed", "type": kind, "name": name, "index": key,
            "provider_name": provider })
}

fn resource(nr: usize, values: &Value, sensitive: &Value) -> Value {
    let mut resource = head(nr);
    resource["schema_version"] = json!(0);
    resource["values"] = values.clone();
    resource["sensitive_values"] = sensitive.clone();
    resource
}

fn before(nr: usize) -> Value {
    let (kind, name, key) = name(nr);
    let id = format!("{nr:08x}-861a-dd11-67af-cb9ccb2a7b6e");
    match kind {
        "aws_iam_policy" => {
            let statement =
                json!([{ "Action": ["s3:GetObject", "s3:ListBucket"], "Effect": "Allow", "Resource": "*" }]);
            json!({ "arn": format!("arn:aws:iam::123456789012:policy/{name}-{key}"), "id": id, "name": name,
                    "path": "/", "policy": json!({ "Statement": statement, "Version": "2012-10-17" }).to_string(),
                    "tags": { "service": "logs" } })
        }
        "terraform_data" => json!({ "id": id, "input": { "list": ["a", "b"], "n": { "x": [1, { "y": key }] },
            "secret": format!("{SECRET}{nr}"), "size": 1 }, "output": { "list": ["a", "b"], "size": 1 },
            "triggers_replace": ["v1"] }),
        _ => json!({ "arn": format!("arn:aws:x:us-east-1:123456789012:{name}-{key}"), "id": id, "name": name,
            "description": "", "rule": [{ "from_port": 443, "to_port": 443, "cidr_blocks": ["10.0.0.0/8"] }],
            "size": 1, "tags": { "service": "logs", "owner": "platform" } }),
    }
}

fn after(nr: usize) -> Value {
    let mut after = before(nr);
    let computed = if name(nr).0 == "terraform_data" { ["id", "output"] } else { ["id", "arn"] };
    if let (Planned::Create | Planned::Replace, Some(values)) = (planned(nr), after.as_object_mut()) {
        computed.iter().for_each(|name| drop(values.remove(*name)));
    }
    if let Planned::Update | Planned::Replace = planned(nr) {
        match name(nr).0 {
            "aws_iam_policy" => {
                after["policy"] = json!(before(nr)["policy"].as_str().unwrap_or_default().replace("s3:Get", "s3:Put"))
            }
            "terraform_data" => after["input"]["size"] = json!(2),
            _ => after["rule"][0]["cidr_blocks"] = json!(["10.0.0.0/8", "10.1.0.0/16"]),
        }
        if planned(nr) == Planned::Replace && name(nr).0 != "terraform_data" {
            after["name"] = json!("renamed");
        }
    }
    after
}

fn unknown(nr: usize) -> Value {
    let is_new = matches!(planned(nr), Planned::Create | Planned::Replace);
    match (name(nr).0, is_new) {
        ("terraform_data", true) => {
            json!({ "id": true, "output": true, "input": { "list": [false, false], "n": { "x": [false, {}] } },
            "triggers_replace": [false] })
        }
        ("aws_iam_policy", true) => json!({ "arn": true, "id": true, "tags": {} }),
        (_, true) => json!({ "arn": true, "id": true, "rule": [{ "cidr_blocks": [false] }], "tags": {} }),
        _ => json!({}),
    }
}

fn before_sensitive(nr: usize) -> Value {
    match name(nr).0 {
        "terraform_data" => json!({ "input": { "list": [false, false], "n": { "x": [false, {}] }, "secret": true },
            "output": { "list": [false, false] }, "triggers_replace": [false] }),
        "aws_iam_policy" => json!({ "tags": {} }),
        _ => json!({ "rule": [{ "cidr_blocks": [false] }], "tags": {} }),
    }
}

fn after_sensitive(nr: usize) -> Value {
    before_sensitive(nr)
}

fn change(nr: usize) -> Value {
    let (actions, is_there, stays) = match planned(nr) {
        Planned::Create => (json!(["create"]), false, true),
        Planned::Update => (json!(["update"]), true, true),
        Planned::Replace => (json!(["delete", "create"]), true, true),
        Planned::Destroy => (json!(["delete"]), true, false),
        Planned::Keep => (json!(["no-op"]), true, true),
    };
    let mut change = head(nr);
    let nothing = || json!(false);
    change["change"] = json!({
        "actions": actions,
        "before": if is_there { before(nr) } else { Value::Null },
        "after": if stays { after(nr) } else { Value::Null },
        "after_unknown": if stays { unknown(nr) } else { json!({}) },
        "before_sensitive": if is_there { before_sensitive(nr) } else { nothing() },
        "after_sensitive": if stays { after_sensitive(nr) } else { nothing() },
    });
    if planned(nr) == Planned::Replace {
        let forcing = if name(nr).0 == "terraform_data" { "triggers_replace" } else { "name" };
        change["change"]["replace_paths"] = json!([[forcing]]);
        change["action_reason"] = json!("replace_because_cannot_update");
    }
    if planned(nr) == Planned::Destroy {
        change["action_reason"] = json!("delete_because_each_key");
    }
    change
}

fn configured(nr: usize) -> Value {
    let (kind, name, _) = name(nr * 10);
    json!({ "address": format!("{kind}.{name}"), "mode": "managed", "type": kind, "name": name,
            "provider_config_key": "aws", "expressions": { "name": { "constant_value": name },
            "tags": { "references": ["var.tags"] } }, "schema_version": 0, "for_each_expression": { "references": ["var.keys"] } })
}
