//! Aurora clusters: describe, restore, modify, tag.

use std::collections::BTreeSet;

use aws_sdk_rds::types::{CloudwatchLogsExportConfiguration, DbCluster, ServerlessV2ScalingConfiguration};

use aws_smithy_types::DateTime;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Tags, from_tags, to_tags};
use crate::aws::{AwsError, RecoveryWindow, Session, explain, timestamp};

/// Serverless v2 capacity (RDS API: "ServerlessV2ScalingConfiguration").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Aurora capacity units.
    pub min: f64,
    pub max: f64,
    pub pause_after_seconds: Option<i32>,
}

/// An instance as its cluster sees it (RDS API: "DBClusterMember").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: String,
    pub writer: bool,
    /// Whether the cluster's parameter group is in force there: `in-sync`, `pending-reboot`, …
    pub parameter_group_status: Option<String>,
}

/// A cluster as it stands (RDS API: "DBCluster").
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterState {
    pub id: String,
    pub arn: String,
    /// `creating`, `available`, `modifying`, …
    pub status: String,
    pub engine: String,
    pub engine_version: String,
    pub endpoint: Option<String>,
    pub reader_endpoint: Option<String>,
    pub members: Vec<Member>,
    pub port: Option<i32>,
    pub subnet_group: Option<String>,
    pub security_groups: BTreeSet<String>,
    pub parameter_group: Option<String>,
    pub log_exports: BTreeSet<String>,
    pub scaling: Option<Scaling>,
    pub deletion_protection: Option<bool>,
    pub copy_tags_to_snapshot: Option<bool>,
    pub backup_retention_days: Option<i32>,
    pub backup_window: Option<String>,
    pub maintenance_window: Option<String>,
    pub iam_authentication: Option<bool>,
    pub storage_type: Option<String>,
    pub encrypted: Option<bool>,
    pub kms_key: Option<String>,
    pub tags: Tags,
}

/// What a cluster is restored from.
#[derive(Clone, Debug, PartialEq)]
pub enum RestoreSource {
    Snapshot {
        /// Identifier or ARN.
        id: String,
        engine: String,
        engine_version: Option<String>,
        availability_zones: Option<BTreeSet<String>>,
    },
    /// The continuous backup of a cluster that stands in the region.
    PointInTime { cluster: String, at: Timestamp },
}

/// What RestoreDBClusterFromSnapshot or RestoreDBClusterToPointInTime is asked for. `None` leaves a setting to RDS.
#[derive(Clone, Debug, PartialEq)]
pub struct RestoreRequest {
    pub id: String,
    pub source: RestoreSource,
    pub port: Option<i32>,
    pub subnet_group: Option<String>,
    pub security_groups: Option<BTreeSet<String>>,
    pub parameter_group: Option<String>,
    pub log_exports: Option<BTreeSet<String>>,
    pub scaling: Option<Scaling>,
    pub deletion_protection: Option<bool>,
    pub copy_tags_to_snapshot: Option<bool>,
    pub backup_retention_days: Option<i32>,
    pub backup_window: Option<String>,
    pub iam_authentication: Option<bool>,
    pub storage_type: Option<String>,
    pub kms_key: Option<String>,
    pub tags: Tags,
}

/// What ModifyDBCluster is asked to change, at once. `None` leaves a setting as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterChange {
    pub port: Option<i32>,
    pub security_groups: Option<BTreeSet<String>>,
    pub parameter_group: Option<String>,
    pub enable_log_exports: BTreeSet<String>,
    pub disable_log_exports: BTreeSet<String>,
    pub scaling: Option<Scaling>,
    pub deletion_protection: Option<bool>,
    pub copy_tags_to_snapshot: Option<bool>,
    pub backup_retention_days: Option<i32>,
    pub backup_window: Option<String>,
    pub maintenance_window: Option<String>,
    pub iam_authentication: Option<bool>,
    pub storage_type: Option<String>,
}

/// The cluster of that identifier, or `None` if there is none (RDS API: "DescribeDBClusters").
///
/// # Errors
/// Any answer but the cluster or "not found".
pub async fn cluster(session: &Session, id: &str) -> Result<Option<ClusterState>, AwsError> {
    Ok(described(session, id).await?.as_ref().map(from_sdk))
}

pub(super) async fn described(session: &Session, id: &str) -> Result<Option<DbCluster>, AwsError> {
    let answer = session.rds().describe_db_clusters().db_cluster_identifier(id).send().await;
    match answer.map_err(explain("rds:DescribeDBClusters")) {
        Ok(answer) => Ok(answer.db_clusters.unwrap_or_default().into_iter().next()),
        Err(error) if error.is_any(&["DBClusterNotFoundFault", "DBClusterNotFound"]) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the continuous backup of a cluster can restore (RDS API: "DescribeDBClusters"); `None` where RDS tells nothing.
///
/// # Errors
/// Any answer but the cluster or "not found".
pub async fn recovery_window(session: &Session, id: &str) -> Result<Option<RecoveryWindow>, AwsError> {
    let Some(cluster) = described(session, id).await? else { return Ok(None) };
    let earliest = cluster.earliest_restorable_time().and_then(timestamp);
    let latest = cluster.latest_restorable_time().and_then(timestamp);
    Ok(earliest.zip(latest).map(|(earliest, latest)| RecoveryWindow { earliest, latest }))
}

/// What both kinds of restore take alike.
macro_rules! with_settings {
    ($call:expr, $request:ident) => {
        $call
            .db_cluster_identifier($request.id)
            .set_port($request.port)
            .set_db_subnet_group_name($request.subnet_group)
            .set_vpc_security_group_ids($request.security_groups.map(list))
            .set_db_cluster_parameter_group_name($request.parameter_group)
            .set_enable_cloudwatch_logs_exports($request.log_exports.map(list))
            .set_serverless_v2_scaling_configuration($request.scaling.map(scaling))
            .set_deletion_protection($request.deletion_protection)
            .set_copy_tags_to_snapshot($request.copy_tags_to_snapshot)
            .set_backup_retention_period($request.backup_retention_days)
            .set_preferred_backup_window($request.backup_window)
            .set_enable_iam_database_authentication($request.iam_authentication)
            .set_storage_type($request.storage_type)
            .set_kms_key_id($request.kms_key)
            .set_tags(to_tags(&$request.tags))
    };
}

/// Begins to restore a cluster (RDS API: "RestoreDBClusterFromSnapshot", "RestoreDBClusterToPointInTime").
///
/// # Errors
/// `DBClusterAlreadyExistsFault` also where an earlier request was accepted and its reply lost.
pub async fn restore_cluster(session: &Session, request: RestoreRequest) -> Result<(), AwsError> {
    match request.source {
        RestoreSource::Snapshot { id, engine, engine_version, availability_zones } => {
            let restore = session.rds().restore_db_cluster_from_snapshot().snapshot_identifier(id).engine(engine);
            let restore = restore.set_engine_version(engine_version);
            let restore = restore.set_availability_zones(availability_zones.map(list));
            let restore = with_settings!(restore, request);
            restore.send().await.map_err(explain("rds:RestoreDBClusterFromSnapshot"))?;
        }
        RestoreSource::PointInTime { cluster, at } => {
            let restore = session.rds().restore_db_cluster_to_point_in_time().source_db_cluster_identifier(cluster);
            // RDS knows whole seconds.
            let restore = with_settings!(restore.restore_to_time(DateTime::from_secs(at.as_second())), request);
            restore.send().await.map_err(explain("rds:RestoreDBClusterToPointInTime"))?;
        }
    }
    Ok(())
}

/// Changes settings without waiting for the maintenance window (RDS API: "ModifyDBCluster").
///
/// # Errors
/// RDS refuses, for example because the cluster is not `available`.
pub async fn modify_cluster(session: &Session, id: &str, change: ClusterChange) -> Result<(), AwsError> {
    let exports = (!change.enable_log_exports.is_empty() || !change.disable_log_exports.is_empty()).then(|| {
        CloudwatchLogsExportConfiguration::builder()
            .set_enable_log_types(Some(list(change.enable_log_exports)))
            .set_disable_log_types(Some(list(change.disable_log_exports)))
            .build()
    });
    session
        .rds()
        .modify_db_cluster()
        .db_cluster_identifier(id)
        .apply_immediately(true)
        .set_port(change.port)
        .set_vpc_security_group_ids(change.security_groups.map(list))
        .set_db_cluster_parameter_group_name(change.parameter_group)
        .set_cloudwatch_logs_export_configuration(exports)
        .set_serverless_v2_scaling_configuration(change.scaling.map(scaling))
        .set_deletion_protection(change.deletion_protection)
        .set_copy_tags_to_snapshot(change.copy_tags_to_snapshot)
        .set_backup_retention_period(change.backup_retention_days)
        .set_preferred_backup_window(change.backup_window)
        .set_preferred_maintenance_window(change.maintenance_window)
        .set_enable_iam_database_authentication(change.iam_authentication)
        .set_storage_type(change.storage_type)
        .send()
        .await
        .map_err(explain("rds:ModifyDBCluster"))?;
    Ok(())
}

/// Adds or overwrites tags (RDS API: "AddTagsToResource").
///
/// # Errors
/// RDS refuses.
pub async fn add_cluster_tags(session: &Session, arn: &str, tags: &Tags) -> Result<(), AwsError> {
    session
        .rds()
        .add_tags_to_resource()
        .resource_name(arn)
        .set_tags(to_tags(tags))
        .send()
        .await
        .map_err(explain("rds:AddTagsToResource"))?;
    Ok(())
}

fn list(set: BTreeSet<String>) -> Vec<String> {
    set.into_iter().collect()
}

fn scaling(scaling: Scaling) -> ServerlessV2ScalingConfiguration {
    ServerlessV2ScalingConfiguration::builder()
        .min_capacity(scaling.min)
        .max_capacity(scaling.max)
        .set_seconds_until_auto_pause(scaling.pause_after_seconds)
        .build()
}

fn from_sdk(cluster: &DbCluster) -> ClusterState {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let maybe = |value: Option<&str>| value.map(str::to_owned);
    let groups = cluster.vpc_security_groups().iter();
    let scaling = cluster.serverless_v2_scaling_configuration().and_then(|scaling| {
        let (min, max) = (scaling.min_capacity()?, scaling.max_capacity()?);
        Some(Scaling { min, max, pause_after_seconds: scaling.seconds_until_auto_pause() })
    });
    ClusterState {
        id: text(cluster.db_cluster_identifier()),
        arn: text(cluster.db_cluster_arn()),
        status: text(cluster.status()),
        engine: text(cluster.engine()),
        engine_version: text(cluster.engine_version()),
        endpoint: maybe(cluster.endpoint()),
        reader_endpoint: maybe(cluster.reader_endpoint()),
        members: cluster.db_cluster_members().iter().map(member).collect(),
        port: cluster.port(),
        subnet_group: maybe(cluster.db_subnet_group()),
        security_groups: groups.filter_map(|group| maybe(group.vpc_security_group_id())).collect(),
        parameter_group: maybe(cluster.db_cluster_parameter_group()),
        log_exports: cluster.enabled_cloudwatch_logs_exports().iter().cloned().collect(),
        scaling,
        deletion_protection: cluster.deletion_protection(),
        copy_tags_to_snapshot: cluster.copy_tags_to_snapshot(),
        backup_retention_days: cluster.backup_retention_period(),
        backup_window: maybe(cluster.preferred_backup_window()),
        maintenance_window: maybe(cluster.preferred_maintenance_window()),
        iam_authentication: cluster.iam_database_authentication_enabled(),
        storage_type: maybe(cluster.storage_type()),
        encrypted: cluster.storage_encrypted(),
        kms_key: maybe(cluster.kms_key_id()),
        tags: from_tags(cluster.tag_list()),
    }
}

fn member(member: &aws_sdk_rds::types::DbClusterMember) -> Member {
    Member {
        id: member.db_instance_identifier().unwrap_or_default().to_owned(),
        writer: member.is_cluster_writer().unwrap_or_default(),
        parameter_group_status: member.db_cluster_parameter_group_status().map(str::to_owned),
    }
}
