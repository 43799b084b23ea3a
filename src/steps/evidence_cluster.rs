//! Keeps a cluster as it is: a manual snapshot of it, which stands after the cluster is gone, and how it was set.

use jiff::Timestamp;
use serde_json::json;

use super::evidence::Found;
use super::evidence_keep::{About, Keeper, output, pretty};
use super::wait::{Ready, deadline, wait_until};
use super::{Cx, Output, StepError};
use crate::aws::AwsError;
use crate::aws::rds::{self, ClusterSnapshot, Tags};
use crate::evidence::{Collected, EvidencePlace, Snapshot, folder, snapshot_name};
use crate::manifest::Component;

/// The name under which the snapshot is noted before it is made.
const SNAPSHOT: &str = "snapshot";

pub(super) async fn check(cx: &Cx, cluster: &str) -> Result<Found, StepError> {
    Ok(match rds::cluster(&cx.world.aws, cluster).await? {
        Some(_) => Found::to_make(format!("snapshot {} of cluster {cluster}", snapshot_name(&cx.world.run, cluster))),
        None => Found::missing(format!("there is no cluster {cluster}: nothing of it is kept")),
    })
}

pub(super) async fn collect(cx: &Cx, place: &EvidencePlace, cluster: &str) -> Result<Output, StepError> {
    let keeper = Keeper::of(cx, place).await?;
    let session = &cx.world.aws;
    let id = snapshot_name(&cx.world.run, cluster);
    if ours(cx, &id, cluster).await?.is_none() {
        if rds::cluster(session, cluster).await?.is_none() {
            return Ok(output(&Collected::nothing(format!("cluster {cluster}"), "there is no such cluster")));
        }
        if cx.noted(SNAPSHOT).is_none() {
            cx.note_if_journalled(SNAPSHOT, json!({ "id": id, "cluster": cluster })).await?;
        }
        let tags = Tags::from([("lifeboat:run".to_owned(), cx.world.run.clone())]);
        rds::create_cluster_snapshot(session, cluster, &id, &tags).await.map_err(in_a_moment)?;
    }
    let limit = deadline(cx, Component::Aurora);
    let made = wait_until(cx, &format!("snapshot {id}"), limit, || available(cx, &id, cluster)).await?;
    let answers = rds::cluster_answers(session, cluster, &id).await?;
    let about = About { what: &format!("cluster {cluster} and its snapshot"), request: "rds:DescribeDBClusters" };
    let item = keeper.put(&format!("clusters/{}.json", folder(cluster)), pretty(&answers)?, about).await?;
    let snapshot = Snapshot {
        arn: made.arn,
        what: format!("cluster {cluster}"),
        created_at: made.created_at.unwrap_or_else(Timestamp::now),
    };
    Ok(output(&Collected { items: vec![item], snapshots: vec![snapshot], ..Collected::default() }))
}

/// The cluster is being modified or backed up (RDS API: "CreateDBClusterSnapshot", `InvalidDBClusterStateFault`).
fn in_a_moment(error: AwsError) -> StepError {
    let busy = error.is_any(&["InvalidDBClusterStateFault", "InvalidDBClusterState"]);
    let transient = error.transient || busy;
    let failed = StepError { transient, ..error.into() };
    if busy { failed.hint("once the cluster is available, retry the step") } else { failed }
}

/// The snapshot of that name, which has to be of this cluster.
async fn ours(cx: &Cx, id: &str, cluster: &str) -> Result<Option<ClusterSnapshot>, StepError> {
    let found = rds::cluster_snapshot(&cx.world.aws, id).await?;
    if let Some(other) = found.as_ref().filter(|it| it.cluster != cluster) {
        return Err(StepError::conflict(format!("snapshot {id} is of cluster {}, not of {cluster}", other.cluster))
            .hint("it is not lifeboat's: rename it, then retry the step"));
    }
    Ok(found)
}

async fn available(cx: &Cx, id: &str, cluster: &str) -> Result<Ready<ClusterSnapshot>, StepError> {
    Ok(match ours(cx, id, cluster).await? {
        Some(snapshot) if snapshot.status == "available" => Ready::Yes(snapshot),
        Some(snapshot) if snapshot.status == "failed" => {
            return Err(StepError::failed(format!("snapshot {id} has failed"))
                .hint("delete it, look at the cluster's events, then retry the step"));
        }
        Some(snapshot) => Ready::NotYet(snapshot.status),
        None => Ready::NotYet("not to be seen yet".into()),
    })
}
