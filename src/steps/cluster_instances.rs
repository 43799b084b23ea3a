//! Which instances a restored cluster shall have. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::declared::{Declared, DeclaredSet};
use super::ownership::copied_tags;
use crate::aws::rds::{InstanceRequest, InstanceState};
use crate::manifest::Cluster;
use crate::verify::{Difference, Parity};

/// The class of instances that the root does not declare.
const SERVERLESS: &str = "db.serverless";

/// An instance that the cluster shall have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSettings {
    /// Its address in the Terraform root, where that declares it.
    pub address: Option<String>,
    pub request: InstanceRequest,
}

/// The instances that the root declares for the cluster, or as many as the manifest says.
///
/// An instance belongs to the cluster whose address it depends on: its own `cluster_identifier` is not known before
/// the cluster exists.
pub fn instances(cluster: &Cluster, set: &DeclaredSet, engine: &str) -> Vec<InstanceSettings> {
    let belongs = |declared: &Declared| {
        let adopted = cluster.adopt.as_ref().is_some_and(|address| declared.adopted.contains(address));
        let elsewhere = declared.text("cluster_identifier").is_some_and(|id| id != cluster.target);
        declared.kind == "aws_rds_cluster_instance" && adopted && !elsewhere
    };
    let declared: Vec<_> = set.iter().filter(|(_, declared)| belongs(declared)).collect();
    let taken: BTreeSet<String> = declared.iter().filter_map(|(_, declared)| declared.text("identifier")).collect();
    let mut names = (1..).map(|number: u32| format!("{}-{number}", cluster.target)).filter(|id| !taken.contains(id));
    let mut settings: Vec<InstanceSettings> = declared
        .into_iter()
        .map(|(address, declared)| {
            let id = declared.text("identifier").or_else(|| names.next()).unwrap_or_default();
            InstanceSettings { address: Some(address.clone()), request: request(cluster, declared, id, engine) }
        })
        .collect();
    if settings.is_empty() {
        settings = names.take(cluster.instances as usize).map(|id| plain(cluster, id, engine)).collect();
    }
    settings
}

fn plain(cluster: &Cluster, id: String, engine: &str) -> InstanceSettings {
    let request = InstanceRequest {
        id,
        cluster: cluster.target.clone(),
        engine: engine.to_owned(),
        class: SERVERLESS.to_owned(),
        ..InstanceRequest::default()
    };
    InstanceSettings { address: None, request }
}

fn request(cluster: &Cluster, declared: &Declared, id: String, engine: &str) -> InstanceRequest {
    InstanceRequest {
        id,
        cluster: cluster.target.clone(),
        engine: engine.to_owned(),
        class: declared.text("instance_class").unwrap_or_else(|| SERVERLESS.to_owned()),
        promotion_tier: declared.integer("promotion_tier"),
        publicly_accessible: declared.flag("publicly_accessible"),
        parameter_group: declared.text("db_parameter_group_name"),
        performance_insights: declared.flag("performance_insights_enabled"),
        performance_insights_kms_key: declared.text("performance_insights_kms_key_id"),
        performance_insights_retention_days: declared
            .integer("performance_insights_retention_period")
            .filter(|days: &i32| *days > 0),
        monitoring_interval_seconds: declared.integer("monitoring_interval"),
        monitoring_role: declared.text("monitoring_role_arn"),
        auto_minor_version_upgrade: declared.flag("auto_minor_version_upgrade"),
        copy_tags_to_snapshot: declared.flag("copy_tags_to_snapshot"),
        availability_zone: declared.text("availability_zone"),
        maintenance_window: declared.text("preferred_maintenance_window"),
        ca_certificate: declared.text("ca_cert_identifier"),
        tags: declared.tags(),
    }
}

impl InstanceSettings {
    /// As an instance is that stands, for another cluster. In which zone it stands is left to RDS.
    pub fn of_instance(state: &InstanceState, id: String, cluster: &str, engine: &str) -> Self {
        let interval = state.monitoring_interval_seconds.filter(|seconds| *seconds > 0);
        let insights = state.performance_insights.filter(|on| *on);
        let request = InstanceRequest {
            id,
            cluster: cluster.to_owned(),
            engine: engine.to_owned(),
            class: state.class.clone(),
            promotion_tier: state.promotion_tier,
            publicly_accessible: state.publicly_accessible,
            parameter_group: state.parameter_group.clone(),
            performance_insights: insights,
            performance_insights_kms_key: insights.and_then(|_| state.performance_insights_kms_key.clone()),
            performance_insights_retention_days: insights.and(state.performance_insights_retention_days),
            monitoring_interval_seconds: interval,
            monitoring_role: interval.and_then(|_| state.monitoring_role.clone()),
            auto_minor_version_upgrade: state.auto_minor_version_upgrade,
            copy_tags_to_snapshot: None,
            availability_zone: None,
            maintenance_window: state.maintenance_window.clone(),
            ca_certificate: state.ca_certificate.clone(),
            tags: copied_tags(&state.tags),
        };
        Self { address: None, request }
    }

    pub fn is_serverless(&self) -> bool {
        self.request.class == SERVERLESS
    }

    /// Everything about the instance that is not as it shall be.
    pub fn differences(&self, actual: &InstanceState) -> Vec<Difference> {
        let request = &self.request;
        let mut parity = Parity::default();
        parity.value("instance_class", Some(&request.class), Some(&actual.class));
        parity.value("promotion_tier", request.promotion_tier.as_ref(), actual.promotion_tier.as_ref());
        let public = "publicly_accessible";
        parity.value(public, request.publicly_accessible.as_ref(), actual.publicly_accessible.as_ref());
        let group = "db_parameter_group_name";
        parity.name(group, request.parameter_group.as_ref(), actual.parameter_group.as_ref());
        let insights = "performance_insights_enabled";
        parity.value(insights, request.performance_insights.as_ref(), actual.performance_insights.as_ref());
        let interval = request.monitoring_interval_seconds;
        parity.value("monitoring_interval", interval.as_ref(), actual.monitoring_interval_seconds.as_ref());
        parity.tags(&request.tags, &actual.tags);
        if let Some(status) = actual.parameter_group_status.as_deref().filter(|status| *status != "in-sync") {
            parity.differ("parameter group", "in-sync", status);
        }
        let prefixed = parity.differences.into_iter();
        prefixed.map(|found| Difference { setting: format!("{}: {}", request.id, found.setting), ..found }).collect()
    }
}
