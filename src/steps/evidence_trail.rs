//! Keeps CloudTrail's event history of the window, one region at a time: management events, the newest first.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::evidence_keep::{About, Keeper, output};
use super::{Cx, Output, Progress, StepError};
use crate::aws::cloudtrail::lookup_events;
use crate::evidence::{Collected, EvidencePlace};

/// CloudTrail takes two requests a second for each account and region (CloudTrail API: "LookupEvents").
const BETWEEN: Duration = Duration::from_millis(500);

pub(super) async fn collect(
    cx: &Cx,
    place: &EvidencePlace,
    region: &str,
    from: Timestamp,
) -> Result<Output, StepError> {
    let (keeper, to) = (Keeper::of(cx, place).await?, Keeper::opened_at(cx)?);
    let session = cx.world.aws.in_region(region);
    let what = format!("CloudTrail events of {region} from {from} to {to}");
    let mut lines =
        keeper.lines(&format!("cloudtrail/{region}"), About { what: &what, request: "cloudtrail:LookupEvents" });
    let mut next = None;
    loop {
        let page = lookup_events(&session, from, to, next).await?;
        for event in &page.events {
            lines.push(event).await?;
        }
        cx.progress(Progress::Count { done: lines.count(), total: None, unit: "events".into() });
        next = page.next;
        if next.is_none() {
            break;
        }
        tokio::select! {
            // From the answer on: between two requests' arrivals it is then never less.
            () = tokio::time::sleep(BETWEEN) => {}
            () = cx.stopped() => return Err(StepError::interrupted(format!("stopped while reading events of {region}"))),
        }
    }
    let count = lines.count();
    let mut output = output(&Collected { items: lines.finish().await?, ..Collected::default() });
    output["events"] = json!(count);
    Ok(output)
}
