//! What a restore of a cluster to a point in time takes from the cluster that stands: whether it can be done, and how the
//! restored one shall be.

use jiff::Timestamp;
use serde_json::json;

use super::cluster_instances::InstanceSettings;
use super::cluster_rows::can_be_asked;
use super::cluster_settings::ClusterSettings;
use super::cluster_wanted::{WANTED, Wanted};
use super::encryption::check_key;
use super::recovery_point::within;
use super::{Blocked, Checked, Standing, StepError};
use crate::aws::rds::{self, ClusterState, RestoreRequest, RestoreSource};
use crate::aws::{AwsError, Session};
use crate::manifest::Cluster;

/// Amazon Aurora User Guide: "Retaining automated backups".
pub const DELETED_CLUSTER: &str = "a cluster that was deleted may have kept its automated backups, which restore it to a time: aws rds \
                           describe-db-cluster-automated-backups, then restore-db-cluster-to-point-in-time \
                           --source-db-cluster-resource-id; else there are its snapshots";

/// Whether the source can be restored to that time, beside itself.
///
/// # Errors
/// The source is gone or tells no such time, or the name is taken.
pub(super) async fn check(session: &Session, cluster: &Cluster, at: Timestamp) -> Result<Checked, Blocked> {
    let Cluster { source, target, .. } = cluster;
    let region = session.region();
    let Some(state) = rds::cluster(session, source).await? else {
        return Err(Blocked {
            cause: format!("there is no cluster {source} in {region}"),
            hint: Some(DELETED_CLUSTER.to_owned()),
        });
    };
    if rds::cluster(session, target).await?.is_some() {
        return Err(Blocked {
            cause: format!("cluster {target} stands in {region} already"),
            hint: Some("choose another name for the restored cluster".to_owned()),
        });
    }
    can_be_asked(cluster, Some(&state.engine))?;
    let Some(window) = rds::recovery_window(session, source).await? else {
        return Err(Blocked {
            cause: format!("RDS tells no time that cluster {source} can be restored to: it is {}", state.status),
            hint: Some("a snapshot can bring back what was: aws rds describe-db-cluster-snapshots".to_owned()),
        });
    };
    within(&format!("cluster {source}"), window, at)?;
    let wanted = wanted(session, cluster, &state).await?;
    if let Some(taken) = taken(session, &wanted.instances).await? {
        return Err(Blocked {
            cause: format!("instance {taken} stands in {region} already"),
            hint: Some("choose another name for the restored cluster: its instances are named after it".to_owned()),
        });
    }
    let warnings: Vec<String> =
        check_key(session, state.kms_key.as_deref(), &format!("cluster {source}")).await?.into_iter().collect();
    let facts = json!({
        "recovery_point": state.arn,
        "recovery_point_at": at.to_string(),
        "engine": state.engine,
        "engine_version": state.engine_version,
        "encrypted": state.encrypted,
        "warnings": warnings,
        (WANTED): wanted,
    });
    Ok(Checked { facts, standing: Standing::Absent })
}

/// As the source is now: the writer first, because the first instance of a cluster is the one that writes.
pub(super) async fn wanted(session: &Session, cluster: &Cluster, state: &ClusterState) -> Result<Wanted, AwsError> {
    let mut members: Vec<_> = state.members.iter().collect();
    members.sort_by_key(|member| !member.writer);
    let mut instances = Vec::new();
    for member in members {
        if let Some(seen) = rds::instance(session, &member.id).await? {
            let id = format!("{}-{}", cluster.target, instances.len() + 1);
            instances.push(InstanceSettings::of_instance(&seen, id, &cluster.target, &state.engine));
        }
    }
    Ok(Wanted { settings: ClusterSettings::of_cluster(state), instances })
}

/// The first of the instances whose identifier is taken.
pub(super) async fn taken(session: &Session, instances: &[InstanceSettings]) -> Result<Option<String>, AwsError> {
    for instance in instances {
        if rds::instance(session, &instance.request.id).await?.is_some() {
            return Ok(Some(instance.request.id.clone()));
        }
    }
    Ok(None)
}

/// What to ask for.
pub(super) fn request(settings: &ClusterSettings, cluster: &Cluster, at: Timestamp) -> RestoreRequest {
    settings.restore_from(&cluster.target, RestoreSource::PointInTime { cluster: cluster.source.clone(), at })
}

/// `source` is the cluster's ARN.
pub(super) fn explained(error: AwsError, source: &str) -> StepError {
    let hint = match error.code.as_deref() {
        Some("KMSKeyNotAccessibleFault") => {
            format!("enable the KMS key of {source} in this region and allow its use, then retry the step")
        }
        Some("DBClusterNotFoundFault" | "PointInTimeRestoreNotEnabledFault" | "InvalidRestoreFault") => {
            "look whether the source still stands and its window still holds the time: aws rds describe-db-clusters; a new run \
             checks both"
                .to_owned()
        }
        _ => return error.into(),
    };
    StepError::from(error).hint(hint)
}
