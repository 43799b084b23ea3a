//! Plays CloudTrail's event history, which the emulator lacks: the events that a rehearsal has told. Pure.
//!
//! The shapes are those of the AWS CloudTrail API ("LookupEvents"); an answer is always the whole.

use hyper::body::Bytes;
use serde_json::{Value, json};

use super::Call;
use super::answers::Canned;

/// The answer to a request for events: those of the name that is asked for, or all.
pub(super) fn answer(events: &[Value], call: &Call, body: &Bytes) -> Option<Canned> {
    if (call.service.as_str(), call.operation.as_str()) != ("cloudtrail", "LookupEvents") {
        return None;
    }
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let attribute = &asked["LookupAttributes"][0];
    let name = (attribute["AttributeKey"] == "EventName").then(|| &attribute["AttributeValue"]);
    let found: Vec<Value> = events
        .iter()
        .filter(|event| name.is_none_or(|name| event["eventName"] == *name))
        .map(|event| json!({ "EventName": event["eventName"], "CloudTrailEvent": event.to_string() }))
        .collect();
    let body = json!({ "Events": found }).to_string().into();
    Some(Canned { status: 200, content_type: "application/x-amz-json-1.1", body })
}
