//! The policy documents that shut somebody out, and how a statement of ours is merged into a policy and taken out again.
//!
//! Statements that exclude principals do so by `aws:PrincipalArn`, which for a session is its role's ARN (IAM User Guide:
//! "AWS global condition context keys"). A request without that key, such as a service's own, is denied as well.

use jiff::{Timestamp, Unit};
use serde_json::{Value, json};

/// The name of the inline policies.
pub const POLICY_NAME: &str = "lifeboat-contained";
/// The `Sid` of statements that are merged into a policy that is there.
pub const SID: &str = "LifeboatContained";

const VERSION: &str = "2012-10-17";

/// Denies everything.
pub fn deny_all() -> Value {
    json!({"Version": VERSION, "Statement": [{"Sid": SID, "Effect": "Deny", "Action": "*", "Resource": "*"}]})
}

/// Denies everything to sessions that began before (IAM User Guide: "Revoke IAM role temporary security credentials").
pub fn deny_sessions_before(issued_before: &str) -> Value {
    json!({"Version": VERSION, "Statement": [{
        "Sid": SID,
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": issued_before}},
    }]})
}

/// Whether a document is such a one, of whatever time.
pub fn is_deny_sessions(document: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(document) else { return false };
    let time = &document["Statement"][0]["Condition"]["DateLessThan"]["aws:TokenIssueTime"];
    time.as_str().is_some_and(|time| document == deny_sessions_before(time))
}

/// A time as policies write it, in whole seconds.
pub fn policy_time(now: Timestamp) -> String {
    now.round(Unit::Second).unwrap_or(now).to_string()
}

/// Lets nobody but these begin sessions of a role.
pub fn deny_trust(except: &[String]) -> Value {
    json!({
        "Sid": SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"],
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": except}},
    })
}

/// Closes a bucket and its objects to everybody but these.
pub fn deny_bucket(bucket: &str, except: &[String]) -> Value {
    let partition = except.first().and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws");
    let arn = format!("arn:{partition}:s3:::{bucket}");
    json!({
        "Sid": SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, format!("{arn}/*")],
        "Condition": {"ArnNotEquals": {"aws:PrincipalArn": except}},
    })
}

/// Whether a policy has a statement of ours.
pub fn has_ours(policy: Option<&str>) -> bool {
    let document = policy.and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
    statements(&document).iter().any(|statement| statement["Sid"] == SID)
}

/// Whether two documents say the same: order of keys and white space do not count, nor does a list of one.
pub fn same(one: &str, other: &str) -> bool {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok().map(plain);
    one == other || parsed(one).is_some_and(|one| parsed(other) == Some(one))
}

/// A list of one is written without brackets as well.
fn plain(value: Value) -> Value {
    match value {
        Value::Array(mut list) if list.len() == 1 => list.pop().map_or(Value::Null, plain),
        Value::Array(list) => Value::Array(list.into_iter().map(plain).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| (key, plain(value))).collect()),
        other => other,
    }
}

/// A policy with a statement of ours in it, instead of one that may be there; all else stays as it is.
///
/// # Errors
/// The policy is no JSON object.
pub fn merged(policy: Option<&str>, statement: &Value) -> Result<String, serde_json::Error> {
    let mut document = parsed(policy)?;
    let mut statements = without_ours(&document);
    statements.push(statement.clone());
    document["Statement"] = Value::Array(statements);
    Ok(document.to_string())
}

/// What a policy is without our statement; `None` where nothing is left. Where nobody has changed the rest, that is the
/// policy of before to the byte.
///
/// # Errors
/// A policy is no JSON object.
pub fn released(present: Option<&str>, before: Option<&str>) -> Result<Option<String>, serde_json::Error> {
    let (mut now, then) = (parsed(present)?, parsed(before)?);
    let (mut rest, rest_then) = (without_ours(&now), without_ours(&then));
    let same = rest.iter().cloned().map(plain).eq(rest_then.into_iter().map(plain));
    if same {
        return Ok(before.map(str::to_owned));
    }
    // Whoever changed the rest meant it; a statement of ours that stood there before is put back beside it.
    rest.extend(statements(&then).into_iter().filter(|statement| statement["Sid"] == SID));
    if rest.is_empty() {
        return Ok(None);
    }
    now["Statement"] = Value::Array(rest);
    Ok(Some(now.to_string()))
}

fn parsed(policy: Option<&str>) -> Result<Value, serde_json::Error> {
    let Some(text) = policy else { return Ok(json!({"Version": VERSION, "Statement": []})) };
    let map: serde_json::Map<String, Value> = serde_json::from_str(text)?;
    Ok(Value::Object(map))
}

fn statements(document: &Value) -> Vec<Value> {
    match &document["Statement"] {
        Value::Array(list) => list.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    }
}

fn without_ours(document: &Value) -> Vec<Value> {
    statements(document).into_iter().filter(|statement| statement["Sid"] != SID).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = r#"{ "Statement":{"Sid":"Read","Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":"*"},"Version":"2008-10-17"}"#;

    #[test]
    fn what_was_merged_is_taken_out_again_and_the_policy_is_as_it_was_to_the_byte() {
        let ours = deny_trust(&["arn:aws:iam::123456789012:role/a".into()]);
        let closed = merged(Some(THEIRS), &ours).unwrap();
        let document: Value = serde_json::from_str(&closed).unwrap();
        assert_eq!((&document["Version"], &document["Statement"][1]), (&json!("2008-10-17"), &ours));
        assert_eq!(document["Statement"][0]["Sid"], "Read");
        assert_eq!(merged(Some(&closed), &ours).unwrap(), closed, "twice is once");
        assert_eq!(released(Some(&closed), Some(THEIRS)).unwrap().as_deref(), Some(THEIRS));
        let alone = merged(None, &ours).unwrap();
        assert_eq!(released(Some(&alone), None).unwrap(), None);
        assert_eq!(released(None, None).unwrap(), None);
    }

    #[test]
    fn what_somebody_has_changed_since_stays_changed() {
        let ours = deny_trust(&["arn:aws:iam::123456789012:role/a".into()]);
        let closed = merged(Some(THEIRS), &ours).unwrap().replace("Read", "Since");
        let left = released(Some(&closed), Some(THEIRS)).unwrap().unwrap();
        assert!(left.contains("Since") && !left.contains(SID), "{left}");
        let older = merged(None, &deny_trust(&["arn:aws:iam::123456789012:role/b".into()])).unwrap();
        let newer = merged(Some(&older), &ours).unwrap();
        assert_eq!(released(Some(&newer), Some(&older)).unwrap(), Some(older), "an earlier containment comes back");
    }

    #[test]
    fn a_bucket_is_closed_with_its_objects_to_all_but_some() {
        let glass = "arn:aws-cn:iam::123456789012:role/glass".to_owned();
        let statement = deny_bucket("logs", std::slice::from_ref(&glass));
        assert_eq!(statement["Resource"], json!(["arn:aws-cn:s3:::logs", "arn:aws-cn:s3:::logs/*"]));
        assert_eq!(statement["Condition"], json!({"ArnNotEquals": {"aws:PrincipalArn": [glass]}}));
        let closed = merged(Some(THEIRS), &statement).unwrap();
        assert!(has_ours(Some(&closed)) && !has_ours(Some(THEIRS)) && !has_ours(None));
    }

    #[test]
    fn what_is_no_policy_is_neither_merged_nor_released() {
        assert!(merged(Some("[]"), &deny_trust(&[])).is_err());
        assert!(released(Some("no"), None).is_err());
    }

    #[test]
    fn documents_are_the_same_whatever_their_form() {
        assert!(same(r#"{"a":["x"],"b":1}"#, r#"{ "b":1, "a":"x" }"#));
        assert!(!same(r#"{"a":["x","y"]}"#, r#"{"a":"x"}"#));
        let document = deny_sessions_before("2026-11-22T03:00:00Z").to_string();
        assert!(is_deny_sessions(&document) && !is_deny_sessions(&deny_all().to_string()));
        assert!(!is_deny_sessions(&document.replace("Deny", "Allow")));
    }

    #[test]
    fn a_time_is_in_whole_seconds() {
        let at: Timestamp = "2026-11-22T03:00:00.25Z".parse().unwrap();
        assert_eq!(policy_time(at), "2026-11-22T03:00:00Z");
    }
}
