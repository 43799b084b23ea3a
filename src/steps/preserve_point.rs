//! Keeps the snapshot that a cluster is to be restored from. An automated one goes away with its cluster (Amazon Aurora User Guide:
//! "Deleting Aurora DB clusters and DB instances"): it is copied to a manual one before anything is torn down. All others
//! survive, and nothing is done.
//!
//! One copy whatever happens: its name is made of the snapshot's, and RDS takes a name once. A snapshot of that name that is
//! of another cluster or of another time is never taken for it.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::clean_found;
use super::cluster_source::Snapshot;
use super::{
    APPEARS, Blocked, Checked, Compensation, Cx, Output, Ready, Seen, Standing, Step, StepError, deadline, wait_until,
};
use crate::aws::rds::{self, ClusterSnapshot, SnapshotCopy};
use crate::manifest::{Cluster, ClusterSource, Component};
use crate::steps::ownership::run_tags;

/// The step before the restore of one cluster.
pub struct PreservePoint {
    pub cluster: Cluster,
}

/// What the copy is called: a manual snapshot has letters, digits and single hyphens only (RDS API: "CopyDBClusterSnapshot").
fn copy_name(automated: &str) -> String {
    format!("lifeboat-{}", automated.trim_start_matches("rds:"))
}

/// The snapshot that a restore takes: the chosen one, or the copy that was kept of it.
///
/// # Errors
/// What was kept is of another one.
pub(super) fn preserved(cx: &Cx, cluster: &Cluster, chosen: Snapshot) -> Result<Snapshot, StepError> {
    let Some(output) = cx.output(&step_of(cluster)) else { return Ok(chosen) };
    match (output["kept_of"].as_str(), output["kept"].as_str()) {
        (Some(of), Some(kept)) if of == chosen.arn => Ok(Snapshot { arn: kept.to_owned(), ..chosen }),
        _ => Err(StepError::failed(format!("what was kept is not of the chosen {}", chosen.arn))
            .hint("start a new run: recovery points have come or gone while this one was checked")),
    }
}

fn step_of(cluster: &Cluster) -> String {
    format!("preserve.aurora.{}", cluster.name)
}

#[async_trait]
impl Step for PreservePoint {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let ClusterSource::CleanBefore(rule) = &self.cluster.from else {
            return Err(Blocked { cause: "only a clean recovery point is preserved".to_owned(), hint: None });
        };
        let mut facts = clean_found::cluster(cx, &self.cluster, rule).await?.facts;
        // The restore tells the rest.
        if let Value::Object(facts) = &mut facts {
            facts.retain(|name, _| ["recovery_point", "encrypted", "snapshot_kind"].contains(&name.as_str()));
        }
        let automated = facts["snapshot_kind"] == "automated";
        Ok(Checked { facts, standing: if automated { Standing::Unknown } else { Standing::InPlace } })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let chosen = Snapshot::from_facts(cx.facts())?;
        if !automated(cx) {
            return Ok(Seen::Done(output(&chosen, &chosen.arn, false)));
        }
        Ok(match self.copy(cx, &chosen).await? {
            None => Seen::Absent,
            Some(Err(cause)) => Seen::Conflict { cause, hint: Some(HINT.to_owned()) },
            Some(Ok(copy)) if copy.status == "available" => Seen::Done(output(&chosen, &copy.arn, true)),
            Some(Ok(copy)) => Seen::InProgress(format!("snapshot {} is {}", copy.id, copy.status)),
        })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let chosen = Snapshot::from_facts(cx.facts())?;
        if !automated(cx) {
            return Ok(output(&chosen, &chosen.arn, false));
        }
        let target = copy_name(&chosen.identifier());
        let what = format!("snapshot {target}");
        if self.copy(cx, &chosen).await?.is_none() {
            let tags = run_tags(&cx.world.run, &chosen.arn);
            let request = SnapshotCopy { source: chosen.identifier(), target: target.clone(), tags };
            match rds::copy_cluster_snapshot(&cx.world.aws, request).await {
                Ok(()) => {}
                // It may be the answer to a request of ours whose reply was lost; whose it is is looked at.
                Err(error) if error.is_any(&["DBClusterSnapshotAlreadyExistsFault", "DBSnapshotAlreadyExists"]) => {}
                Err(error) => return Err(error.into()),
            }
            wait_until(cx, &what, APPEARS, async || {
                let there = self.copy(cx, &chosen).await?.is_some();
                Ok(if there { Ready::Yes(()) } else { Ready::NotYet("not there yet".to_owned()) })
            })
            .await?;
        }
        let copy =
            wait_until(cx, &what, deadline(cx, Component::Aurora), async || match self.copy(cx, &chosen).await? {
                Some(Ok(copy)) if copy.status == "available" => Ok(Ready::Yes(copy)),
                Some(Ok(copy)) if copy.status == "failed" => {
                    Err(StepError::failed(format!("{what} failed")).hint("delete it, then retry the step"))
                }
                Some(Ok(copy)) => Ok(Ready::NotYet(copy.status)),
                Some(Err(cause)) => Err(StepError::conflict(cause).hint(HINT)),
                None => Err(StepError::failed(format!("{what} is gone while it was being made"))
                    .hint("see in CloudTrail who deleted it, then retry the step")),
            })
            .await?;
        Ok(output(&chosen, &copy.arn, true))
    }

    async fn verify(&self, cx: &Cx, output: &Output) -> Result<(), StepError> {
        let kept = output["kept"].as_str().unwrap_or_default();
        let all = rds::cluster_snapshots(&cx.world.aws).await?;
        match all.iter().find(|snapshot| snapshot.arn == kept) {
            Some(snapshot) if snapshot.status == "available" && snapshot.kind != "automated" => Ok(()),
            Some(snapshot) => Err(StepError::check_failed(format!(
                "snapshot {kept} is {} and {}: it may not outlive its cluster",
                snapshot.status, snapshot.kind
            ))
            .hint("look at it, then retry the step")),
            None => Err(StepError::check_failed(format!("snapshot {kept} is gone")).hint("retry the step")),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual(format!(
            "delete the manual snapshot lifeboat-… of cluster {}, if this run has made one, once the rebuild is done",
            self.cluster.source
        ))
    }
}

const HINT: &str = "look at it, and delete or rename it, then retry the step";

impl PreservePoint {
    /// What stands under the copy's name: it, or why it is not it.
    async fn copy(&self, cx: &Cx, chosen: &Snapshot) -> Result<Option<Result<ClusterSnapshot, String>>, StepError> {
        let name = copy_name(&chosen.identifier());
        let mut all = rds::cluster_snapshots(&cx.world.aws).await?;
        let found = all.iter().position(|snapshot| snapshot.id.eq_ignore_ascii_case(&name));
        Ok(found.map(|index| all.swap_remove(index)).map(|found| match is_copy(&found, &self.cluster, chosen) {
            true => Ok(found),
            false => Err(format!("snapshot {name} stands already, and is no copy of {}", chosen.arn)),
        }))
    }
}

/// RDS tells what a copy was made of, and the tag of the run that made it does as well.
fn is_copy(found: &ClusterSnapshot, cluster: &Cluster, chosen: &Snapshot) -> bool {
    let tagged = found.tags.get(super::ownership::RECOVERY_POINT_TAG) == Some(&chosen.arn);
    let of = found.copy_of.as_ref().map_or(tagged, |of| *of == chosen.arn);
    of && found.cluster.eq_ignore_ascii_case(&cluster.source)
}

fn automated(cx: &Cx) -> bool {
    cx.facts()["snapshot_kind"] == "automated"
}

fn output(chosen: &Snapshot, kept: &str, copied: bool) -> Output {
    json!({ "kept_of": chosen.arn, "kept": kept, "copied": copied })
}
