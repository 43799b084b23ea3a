//! Keeps what an Athena workgroup holds: its saved queries, and the history of those that ran. Their results are objects of a
//! bucket, and are listed with it.

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::evidence::Found;
use super::evidence_keep::{About, Keeper, output};
use super::{Cx, Output, Progress, StepError};
use crate::aws::AwsError;
use crate::aws::athena::{past_queries, past_query, saved_queries, saved_query, work_group};
use crate::evidence::{Collected, EvidencePlace, folder};

/// Athena takes 20 requests a second of one query each (Athena User Guide: "Per account API call quotas").
const AT_ONCE: usize = 4;

/// What the keys of a workgroup's evidence begin with.
pub(super) fn stem(workgroup: &str) -> String {
    format!("athena/{}", folder(workgroup))
}

pub(super) async fn check(cx: &Cx, workgroup: &str) -> Result<Found, StepError> {
    Ok(match work_group(&cx.world.aws, workgroup).await? {
        Some(_) => Found::to_write(format!("saved queries and history of Athena workgroup {workgroup}")),
        None => Found::missing(format!("there is no Athena workgroup {workgroup}: nothing of it is kept")),
    })
}

pub(super) async fn collect(cx: &Cx, place: &EvidencePlace, workgroup: &str) -> Result<Output, StepError> {
    let (keeper, session) = (Keeper::of(cx, place).await?, &cx.world.aws);
    let what = format!("Athena workgroup {workgroup}");
    if work_group(session, workgroup).await?.is_none() {
        return Ok(output(&Collected::nothing(what, "there is no such workgroup")));
    }
    let about = About { what: &what, request: "athena:GetQueryExecution" };
    let mut lines = keeper.lines(&stem(workgroup), about);
    let (saved, past) = (saved_queries(session, workgroup).await?, past_queries(session, workgroup).await?);
    let total = Some((saved.len() + past.len()) as u64);
    let asks = saved.into_iter().map(|id| (true, id)).chain(past.into_iter().map(|id| (false, id)));
    let asks = asks.map(async |(is_saved, id)| {
        let (kind, told) = match is_saved {
            true => ("saved_query", saved_query(session, &id).await?),
            false => ("query", past_query(session, &id).await?),
        };
        Ok::<Value, AwsError>(json!({ "kind": kind, "id": id, "told": told }))
    });
    let mut told = std::pin::pin!(stream::iter(asks).buffered(AT_ONCE));
    while let Some(line) = told.try_next().await? {
        lines.push(&line.to_string()).await?;
        cx.progress(Progress::Count { done: lines.count(), total, unit: "queries".into() });
        if cx.stopping() {
            return Err(StepError::interrupted(format!("stopped while reading the queries of {workgroup}")));
        }
    }
    let count = lines.count();
    let mut output = output(&Collected { items: lines.finish().await?, ..Collected::default() });
    output["queries"] = json!(count);
    Ok(output)
}
