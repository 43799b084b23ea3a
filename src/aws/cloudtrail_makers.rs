//! Who made a recovery point, by CloudTrail's event history: management events of the last 90 days of the region, read-only
//! (AWS CloudTrail API: "LookupEvents"). What is not in it is unknown, which is not the same as clean.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::{AwsError, Session, explain};
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};

/// The requests that make recovery points.
pub const EVENTS: [&str; 4] = ["CreateDBClusterSnapshot", "CopyDBClusterSnapshot", "CreateBackup", "StartBackupJob"];
/// The most pages that are read of one kind of event: 50 events each.
const PAGES: usize = 40;
/// LookupEvents takes two requests a second.
const PACE: Duration = Duration::from_millis(550);

/// Who asked for a recovery point, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maker {
    /// ARN of the identity, or what else CloudTrail calls it by.
    pub who: String,
    /// All names by which the identity is known: ARNs and names of the user, or of the role that was assumed.
    pub names: Vec<String>,
    pub at: Option<Timestamp>,
}

/// The makers that were found, by ARN and by identifier of what they made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Makers {
    found: BTreeMap<String, Vec<Maker>>,
    /// Why they may not be all that there are.
    pub gaps: Vec<String>,
}

impl Makers {
    /// Nobody's, and why.
    pub fn unasked(why: String) -> Self {
        Self { gaps: vec![why], ..Self::default() }
    }

    /// From events as CloudTrail keeps them; pure. One that is not understood, or that failed, tells nothing.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut makers = Self::default();
        for event in events {
            if event["errorCode"].is_string() {
                continue;
            }
            let Some(maker) = maker(event) else { continue };
            for made in made(event) {
                makers.found.entry(made.to_ascii_lowercase()).or_default().push(maker.clone());
            }
        }
        makers
    }

    /// Everybody who asked for a recovery point of that ARN or identifier: a name may have been used twice.
    pub fn get(&self, arn_or_id: &str) -> &[Maker] {
        self.found.get(&arn_or_id.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }
}

/// Reads who made recovery points.
///
/// # Errors
/// CloudTrail could not be asked.
pub async fn makers(session: &Session, events: &[&str]) -> Result<Makers, AwsError> {
    let (mut read, mut gaps) = (Vec::new(), Vec::new());
    for name in events {
        let mut next = None;
        for page in 0.. {
            if page == PAGES {
                gaps.push(format!("there are more events {name} than are read"));
                break;
            }
            if !read.is_empty() || page > 0 {
                tokio::time::sleep(PACE).await;
            }
            let attribute = LookupAttribute::builder()
                .attribute_key(LookupAttributeKey::EventName)
                .attribute_value(*name)
                .build()
                .map_err(|error| AwsError {
                    operation: "cloudtrail:LookupEvents",
                    code: None,
                    message: error.to_string(),
                    transient: false,
                })?;
            let call = session.cloudtrail().lookup_events().lookup_attributes(attribute).max_results(50);
            let answer = call.set_next_token(next).send().await.map_err(explain("cloudtrail:LookupEvents"))?;
            let texts = answer.events().iter().filter_map(|event| event.cloud_trail_event());
            read.extend(texts.filter_map(|text| serde_json::from_str::<Value>(text).ok()));
            next = answer.next_token().map(str::to_owned);
            if next.is_none() {
                break;
            }
        }
    }
    Ok(Makers { gaps, ..Makers::of(&read) })
}

fn maker(event: &Value) -> Option<Maker> {
    let identity = &event["userIdentity"];
    let issuer = &identity["sessionContext"]["sessionIssuer"];
    let told = [&identity["arn"], &identity["userName"], &issuer["arn"], &issuer["userName"], &identity["invokedBy"]];
    let mut names: Vec<String> = told.into_iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if identity["type"] == "Root" {
        names.push("root".to_owned());
    }
    let who = names.first()?.clone();
    let at = event["eventTime"].as_str().and_then(|at| at.parse().ok());
    Some(Maker { who, names, at })
}

/// What a request made, by every name that CloudTrail tells.
fn made(event: &Value) -> Vec<&str> {
    let (asked, answered) = (&event["requestParameters"], &event["responseElements"]);
    let told = match event["eventName"].as_str() {
        Some("CreateDBClusterSnapshot") => [&asked["dBClusterSnapshotIdentifier"], &answered["dBClusterSnapshotArn"]],
        Some("CopyDBClusterSnapshot") => {
            [&asked["targetDBClusterSnapshotIdentifier"], &answered["dBClusterSnapshotArn"]]
        }
        Some("CreateBackup") => [&answered["backupDetails"]["backupArn"], &Value::Null],
        Some("StartBackupJob") => [&answered["recoveryPointArn"], &Value::Null],
        _ => return Vec::new(),
    };
    told.into_iter().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_session_of_a_role_is_known_by_the_role_and_a_failed_request_made_nothing() {
        let identity = json!({ "type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/deploy/s",
            "sessionContext": { "sessionIssuer": { "arn": "arn:aws:iam::1:role/ci/deploy", "userName": "deploy" } } });
        let event = json!({ "eventName": "CreateDBClusterSnapshot", "eventTime": "2026-11-20T00:00:00Z",
            "userIdentity": identity, "requestParameters": { "dBClusterSnapshotIdentifier": "Nightly" },
            "responseElements": { "dBClusterSnapshotArn": "arn:aws:rds:r:1:cluster-snapshot:nightly" } });
        let makers = Makers::of([&event]);
        for name in ["nightly", "arn:aws:rds:r:1:cluster-snapshot:nightly"] {
            assert!(makers.get(name)[0].names.contains(&"deploy".to_owned()), "{makers:?}");
        }
        let mut failed = event;
        failed["errorCode"] = json!("AccessDenied");
        assert_eq!(Makers::of([&failed]).get("nightly"), []);
    }
}
