//! Instances of Aurora clusters: describe, create.

use aws_sdk_rds::types::DbInstance;
use serde::{Deserialize, Serialize};

use super::{Tags, from_tags, to_tags};
use crate::aws::{AwsError, Session, explain};

/// An instance as it stands (RDS API: "DBInstance").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceState {
    pub id: String,
    pub status: String,
    pub cluster: Option<String>,
    pub class: String,
    pub promotion_tier: Option<i32>,
    pub publicly_accessible: Option<bool>,
    pub parameter_group: Option<String>,
    /// `in-sync`, `pending-reboot`, …
    pub parameter_group_status: Option<String>,
    pub performance_insights: Option<bool>,
    pub performance_insights_kms_key: Option<String>,
    pub performance_insights_retention_days: Option<i32>,
    pub monitoring_interval_seconds: Option<i32>,
    pub monitoring_role: Option<String>,
    pub auto_minor_version_upgrade: Option<bool>,
    pub maintenance_window: Option<String>,
    pub ca_certificate: Option<String>,
    pub deletion_protection: Option<bool>,
    pub tags: Tags,
}

/// What CreateDBInstance is asked for. `None` leaves a setting to RDS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRequest {
    pub id: String,
    pub cluster: String,
    /// Must be the engine of the cluster.
    pub engine: String,
    pub class: String,
    pub promotion_tier: Option<i32>,
    pub publicly_accessible: Option<bool>,
    pub parameter_group: Option<String>,
    pub performance_insights: Option<bool>,
    pub performance_insights_kms_key: Option<String>,
    pub performance_insights_retention_days: Option<i32>,
    pub monitoring_interval_seconds: Option<i32>,
    pub monitoring_role: Option<String>,
    pub auto_minor_version_upgrade: Option<bool>,
    pub copy_tags_to_snapshot: Option<bool>,
    pub availability_zone: Option<String>,
    pub maintenance_window: Option<String>,
    pub ca_certificate: Option<String>,
    pub tags: Tags,
}

/// The instance of that identifier, or `None` if there is none (RDS API: "DescribeDBInstances").
///
/// # Errors
/// Any answer but the instance or "not found".
pub async fn instance(session: &Session, id: &str) -> Result<Option<InstanceState>, AwsError> {
    let answer = session.rds().describe_db_instances().db_instance_identifier(id).send().await;
    match answer.map_err(explain("rds:DescribeDBInstances")) {
        Ok(answer) => Ok(answer.db_instances().first().map(from_sdk)),
        Err(error) if error.is_any(&["DBInstanceNotFound", "DBInstanceNotFoundFault"]) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Switches an instance's protection from deletion on or off (RDS API: "ModifyDBInstance").
///
/// # Errors
/// RDS refuses.
pub async fn protect_instance(session: &Session, id: &str, on: bool) -> Result<(), AwsError> {
    let request = session.rds().modify_db_instance().db_instance_identifier(id).deletion_protection(on);
    request.apply_immediately(true).send().await.map(drop).map_err(explain("rds:ModifyDBInstance"))
}

/// Begins to create an instance in a cluster (RDS API: "CreateDBInstance").
///
/// # Errors
/// `DBInstanceAlreadyExists` also where an earlier request was accepted and its reply lost.
pub async fn create_instance(session: &Session, request: InstanceRequest) -> Result<(), AwsError> {
    session
        .rds()
        .create_db_instance()
        .db_instance_identifier(request.id)
        .db_cluster_identifier(request.cluster)
        .engine(request.engine)
        .db_instance_class(request.class)
        .set_promotion_tier(request.promotion_tier)
        .set_publicly_accessible(request.publicly_accessible)
        .set_db_parameter_group_name(request.parameter_group)
        .set_enable_performance_insights(request.performance_insights)
        .set_performance_insights_kms_key_id(request.performance_insights_kms_key)
        .set_performance_insights_retention_period(request.performance_insights_retention_days)
        .set_monitoring_interval(request.monitoring_interval_seconds)
        .set_monitoring_role_arn(request.monitoring_role)
        .set_auto_minor_version_upgrade(request.auto_minor_version_upgrade)
        .set_copy_tags_to_snapshot(request.copy_tags_to_snapshot)
        .set_availability_zone(request.availability_zone)
        .set_preferred_maintenance_window(request.maintenance_window)
        .set_ca_certificate_identifier(request.ca_certificate)
        .set_tags(to_tags(&request.tags))
        .send()
        .await
        .map_err(explain("rds:CreateDBInstance"))?;
    Ok(())
}

fn from_sdk(instance: &DbInstance) -> InstanceState {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let group = instance.db_parameter_groups().first();
    InstanceState {
        id: text(instance.db_instance_identifier()),
        status: text(instance.db_instance_status()),
        cluster: instance.db_cluster_identifier().map(str::to_owned),
        class: text(instance.db_instance_class()),
        promotion_tier: instance.promotion_tier(),
        publicly_accessible: instance.publicly_accessible(),
        parameter_group: group.and_then(|group| group.db_parameter_group_name().map(str::to_owned)),
        parameter_group_status: group.and_then(|group| group.parameter_apply_status().map(str::to_owned)),
        performance_insights: instance.performance_insights_enabled(),
        performance_insights_kms_key: instance.performance_insights_kms_key_id().map(str::to_owned),
        performance_insights_retention_days: instance.performance_insights_retention_period(),
        monitoring_interval_seconds: instance.monitoring_interval(),
        monitoring_role: instance.monitoring_role_arn().map(str::to_owned),
        auto_minor_version_upgrade: instance.auto_minor_version_upgrade(),
        maintenance_window: instance.preferred_maintenance_window().map(str::to_owned),
        ca_certificate: instance.ca_certificate_identifier().map(str::to_owned),
        deletion_protection: instance.deletion_protection(),
        tags: from_tags(instance.tag_list()),
    }
}
