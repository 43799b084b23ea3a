//! Cluster snapshots of the region.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Tags, from_tags, to_tags};
use crate::aws::{Answer, AwsError, Session, explain, timestamp};

/// A snapshot of an Aurora cluster (RDS API: "DBClusterSnapshot").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterSnapshot {
    pub id: String,
    pub arn: String,
    /// `manual`, `automated`, `awsbackup`, …
    pub kind: String,
    /// The cluster that it was taken of. The copy of a snapshot keeps it, in other regions too.
    pub cluster: String,
    /// `available`, `copying`, `creating`, …
    pub status: String,
    pub progress_percent: Option<i32>,
    /// `SnapshotCreateTime`. For the copy of a snapshot it may be the time of the copy, which is later than its data.
    pub created_at: Option<Timestamp>,
    /// ARN of the snapshot that this one is a copy of, where RDS tells it.
    pub copy_of: Option<String>,
    pub engine: String,
    pub engine_version: String,
    pub encrypted: bool,
    pub kms_key: Option<String>,
    pub tags: Tags,
}

/// What CopyDBClusterSnapshot is asked for, within the region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotCopy {
    pub source: String,
    pub target: String,
    pub tags: Tags,
}

/// All cluster snapshots of the account in the region, manual, automated and AWS Backup's, in no particular order.
///
/// They are filtered by the caller: DescribeDBClusterSnapshots documents `DBClusterIdentifier` for existing clusters
/// only, and the cluster in question does not exist in this region.
///
/// # Errors
/// A page could not be read: then nothing is returned, rather than a part.
pub async fn cluster_snapshots(session: &Session) -> Result<Vec<ClusterSnapshot>, AwsError> {
    let mut found = BTreeMap::new();
    // Without a type, RDS promises the automated and the manual ones only.
    for kind in [None, Some("awsbackup")] {
        let mut pages = session
            .rds()
            .describe_db_cluster_snapshots()
            .set_snapshot_type(kind.map(str::to_owned))
            .into_paginator()
            .items()
            .send();
        while let Some(snapshot) = pages.next().await {
            let snapshot = from_sdk(&snapshot.map_err(explain("rds:DescribeDBClusterSnapshots"))?);
            found.insert(snapshot.arn.clone(), snapshot);
        }
    }
    Ok(found.into_values().collect())
}

/// Begins to copy a snapshot to a manual one; the key stays the same (RDS API: "CopyDBClusterSnapshot").
///
/// # Errors
/// `DBClusterSnapshotAlreadyExistsFault` also where an earlier request was accepted and its reply lost.
pub async fn copy_cluster_snapshot(session: &Session, copy: SnapshotCopy) -> Result<(), AwsError> {
    session
        .rds()
        .copy_db_cluster_snapshot()
        .source_db_cluster_snapshot_identifier(copy.source)
        .target_db_cluster_snapshot_identifier(copy.target)
        .set_tags(to_tags(&copy.tags))
        .send()
        .await
        .map_err(explain("rds:CopyDBClusterSnapshot"))?;
    Ok(())
}

/// The cluster snapshot of that identifier; `None` where there is none.
///
/// # Errors
/// AWS refused.
pub async fn cluster_snapshot(session: &Session, id: &str) -> Result<Option<ClusterSnapshot>, AwsError> {
    let asked = session.rds().describe_db_cluster_snapshots().db_cluster_snapshot_identifier(id).send().await;
    match asked.map_err(explain("rds:DescribeDBClusterSnapshots")) {
        Ok(answer) => Ok(answer.db_cluster_snapshots().first().map(from_sdk)),
        Err(error) if error.is_any(&["DBClusterSnapshotNotFoundFault", "DBClusterSnapshotNotFound"]) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Begins a snapshot of a cluster (RDS API: "CreateDBClusterSnapshot"). An identifier is taken once, so that sent again it makes
/// no second one: whether the one that is there is meant, the caller looks.
///
/// # Errors
/// RDS refuses: there is no such cluster, or it is in no state for it.
pub async fn create_cluster_snapshot(
    session: &Session,
    cluster: &str,
    id: &str,
    tags: &super::Tags,
) -> Result<(), AwsError> {
    let asked = session.rds().create_db_cluster_snapshot().db_cluster_identifier(cluster);
    let asked = asked.db_cluster_snapshot_identifier(id).set_tags(super::to_tags(tags));
    match asked.send().await.map_err(explain("rds:CreateDBClusterSnapshot")) {
        Ok(_) => Ok(()),
        Err(error) if error.is_any(&["DBClusterSnapshotAlreadyExistsFault", "DBClusterSnapshotAlreadyExists"]) => {
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// What RDS tells of a cluster and of one snapshot of it, all of it (RDS API: "DescribeDBClusters",
/// "DescribeDBClusterSnapshots").
///
/// # Errors
/// AWS refused.
pub async fn cluster_answers(session: &Session, cluster: &str, snapshot: &str) -> Result<Value, AwsError> {
    let (of_cluster, of_snapshot) = (Answer::default(), Answer::default());
    let asked = session.rds().describe_db_clusters().db_cluster_identifier(cluster);
    let asked = asked.customize().interceptor(of_cluster.clone());
    asked.send().await.map_err(explain("rds:DescribeDBClusters"))?;
    let asked = session.rds().describe_db_cluster_snapshots().db_cluster_snapshot_identifier(snapshot);
    let asked = asked.customize().interceptor(of_snapshot.clone());
    asked.send().await.map_err(explain("rds:DescribeDBClusterSnapshots"))?;
    let told = |answer: &Answer, operation, result: &str, list: &str| {
        Ok::<_, AwsError>(answer.json(operation)?[result][list].clone())
    };
    Ok(json!({
        "cluster": told(&of_cluster, "rds:DescribeDBClusters", "DescribeDBClustersResult", "DBClusters")?,
        "snapshot": told(
            &of_snapshot,
            "rds:DescribeDBClusterSnapshots",
            "DescribeDBClusterSnapshotsResult",
            "DBClusterSnapshots",
        )?,
    }))
}

/// Whether a cluster snapshot of that identifier stands.
///
/// # Errors
/// AWS refused.
pub async fn has_cluster_snapshot(session: &Session, id: &str) -> Result<bool, AwsError> {
    let asked = session.rds().describe_db_cluster_snapshots().db_cluster_snapshot_identifier(id).send().await;
    match asked.map_err(explain("rds:DescribeDBClusterSnapshots")) {
        Ok(answer) => Ok(!answer.db_cluster_snapshots().is_empty()),
        Err(error) if error.is_any(&["DBClusterSnapshotNotFoundFault", "DBClusterSnapshotNotFound"]) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a snapshot of an instance of that identifier stands.
///
/// # Errors
/// AWS refused.
pub async fn has_instance_snapshot(session: &Session, id: &str) -> Result<bool, AwsError> {
    let asked = session.rds().describe_db_snapshots().db_snapshot_identifier(id).send().await;
    match asked.map_err(explain("rds:DescribeDBSnapshots")) {
        Ok(answer) => Ok(!answer.db_snapshots().is_empty()),
        Err(error) if error.is_any(&["DBSnapshotNotFound", "DBSnapshotNotFoundFault"]) => Ok(false),
        Err(error) => Err(error),
    }
}

fn from_sdk(snapshot: &aws_sdk_rds::types::DbClusterSnapshot) -> ClusterSnapshot {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    ClusterSnapshot {
        id: text(snapshot.db_cluster_snapshot_identifier()),
        arn: text(snapshot.db_cluster_snapshot_arn()),
        kind: text(snapshot.snapshot_type()),
        cluster: text(snapshot.db_cluster_identifier()),
        status: text(snapshot.status()),
        progress_percent: snapshot.percent_progress(),
        created_at: snapshot.snapshot_create_time().and_then(timestamp),
        copy_of: snapshot.source_db_cluster_snapshot_arn().map(str::to_owned),
        engine: text(snapshot.engine()),
        engine_version: text(snapshot.engine_version()),
        encrypted: snapshot.storage_encrypted().unwrap_or_default(),
        kms_key: snapshot.kms_key_id().map(str::to_owned),
        tags: from_tags(snapshot.tag_list()),
    }
}
