//! CloudTrail: the management events of the last 90 days that its event history has, region by region.

use jiff::Timestamp;
use serde_json::Value;

use aws_sdk_cloudtrail::primitives::DateTime;

use super::{Answer, AwsError, Session, explain};

const OPERATION: &str = "cloudtrail:LookupEvents";

/// One page of events, the newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct EventPage {
    /// Each as CloudTrail has recorded it, in one line of JSON.
    pub events: Vec<String>,
    pub next: Option<String>,
}

/// A page of what happened from one time to another, 50 events at most (CloudTrail API: "LookupEvents"). CloudTrail takes two
/// requests a second for each account and region: the pace is the caller's.
///
/// # Errors
/// AWS refused, or told something else than events.
pub async fn lookup_events(
    session: &Session,
    from: Timestamp,
    to: Timestamp,
    next: Option<String>,
) -> Result<EventPage, AwsError> {
    let time = |time: Timestamp| DateTime::from_secs(time.as_second());
    let answer = Answer::default();
    let asked = session.cloudtrail().lookup_events().start_time(time(from)).end_time(time(to)).max_results(50);
    let asked = asked.set_next_token(next).customize().interceptor(answer.clone());
    let page = asked.send().await.map_err(explain(OPERATION))?;
    let told = answer.json(OPERATION)?;
    let events = told["Events"].as_array().into_iter().flatten().map(recorded).collect();
    Ok(EventPage { events, next: page.next_token().filter(|token| !token.is_empty()).map(str::to_owned) })
}

/// What CloudTrail has recorded; where the answer lacks it, what the answer tells of it.
fn recorded(event: &Value) -> String {
    let record = event["CloudTrailEvent"].as_str().filter(|it| serde_json::from_str::<Value>(it).is_ok());
    record.map_or_else(|| event.to_string(), |record| record.replace(['\n', '\r'], " "))
}
