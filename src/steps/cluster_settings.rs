//! How a restored cluster shall be: from the Terraform root where that declares it, or from the manifest. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::StepError;
use super::cluster_source::Snapshot;
use super::cluster_version::{is_newer, reaches, restore_version};
use super::declared::{Declared, DeclaredSet, declared_at};
use super::ownership::copied_tags;
use crate::aws::rds::{ClusterChange, ClusterState, RestoreRequest, RestoreSource, Scaling, Tags};
use crate::manifest::Cluster;
use crate::verify::{Difference, Parity};

/// Settings of a cluster. `None` is left to RDS and not compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClusterSettings {
    pub engine: Option<String>,
    pub engine_version: Option<String>,
    /// Terraform replaces a cluster that stands in other zones than declared. Not compared, because Aurora adds zones
    /// to fewer than three, and roots ignore that.
    pub availability_zones: Option<BTreeSet<String>>,
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
    pub maintenance_window: Option<String>,
    pub iam_authentication: Option<bool>,
    pub storage_type: Option<String>,
    pub encrypted: Option<bool>,
    pub kms_key: Option<String>,
    pub tags: Tags,
    /// What matters and is nevertheless left to RDS, in Terraform's names.
    pub not_set: Vec<String>,
}

impl ClusterSettings {
    /// From the root where the cluster is adopted, else from the manifest alone. The manifest's own subnet group and
    /// security groups fill in what the root leaves open.
    ///
    /// # Errors
    /// The root declares no such address, or the network that the cluster would stand in is not known.
    pub fn of(cluster: &Cluster, set: &DeclaredSet) -> Result<Self, StepError> {
        let mut settings = match &cluster.adopt {
            Some(address) => Self::declared(&declared_at(set, address)?),
            None => Self::default(),
        };
        let groups: BTreeSet<String> = cluster.security_groups.iter().cloned().collect();
        settings.subnet_group = settings.subnet_group.or_else(|| cluster.subnet_group.clone());
        settings.security_groups = settings.security_groups.or_else(|| (!groups.is_empty()).then_some(groups));
        if let Some(address) = &cluster.adopt {
            settings.placed(address)?;
        }
        settings.not_set = settings.left_to_rds();
        Ok(settings)
    }

    /// As a cluster is that stands. Its key is left to RDS, which takes the source's.
    pub fn of_cluster(state: &ClusterState) -> Self {
        Self {
            engine: Some(state.engine.clone()),
            engine_version: Some(state.engine_version.clone()),
            availability_zones: None,
            port: state.port,
            subnet_group: state.subnet_group.clone(),
            security_groups: Some(state.security_groups.clone()).filter(|groups| !groups.is_empty()),
            parameter_group: state.parameter_group.clone(),
            log_exports: Some(state.log_exports.clone()),
            scaling: state.scaling.clone(),
            deletion_protection: state.deletion_protection,
            copy_tags_to_snapshot: state.copy_tags_to_snapshot,
            backup_retention_days: state.backup_retention_days,
            backup_window: state.backup_window.clone(),
            maintenance_window: state.maintenance_window.clone(),
            iam_authentication: state.iam_authentication,
            storage_type: state.storage_type.clone(),
            encrypted: state.encrypted,
            kms_key: None,
            tags: copied_tags(&state.tags),
            not_set: Vec::new(),
        }
    }

    fn declared(declared: &Declared) -> Self {
        Self {
            engine: declared.text("engine"),
            engine_version: declared.text("engine_version"),
            availability_zones: declared.texts("availability_zones").filter(|zones| !zones.is_empty()),
            port: declared.integer("port"),
            subnet_group: declared.text("db_subnet_group_name"),
            security_groups: declared.texts("vpc_security_group_ids"),
            parameter_group: declared.text("db_cluster_parameter_group_name"),
            log_exports: declared.texts("enabled_cloudwatch_logs_exports"),
            scaling: declared.blocks("serverlessv2_scaling_configuration").next().and_then(scaling),
            deletion_protection: declared.flag("deletion_protection"),
            copy_tags_to_snapshot: declared.flag("copy_tags_to_snapshot"),
            backup_retention_days: declared.integer("backup_retention_period"),
            backup_window: declared.text("preferred_backup_window"),
            maintenance_window: declared.text("preferred_maintenance_window"),
            iam_authentication: declared.flag("iam_database_authentication_enabled"),
            storage_type: declared.text("storage_type"),
            encrypted: declared.flag("storage_encrypted"),
            kms_key: declared.text("kms_key_id"),
            tags: declared.tags(),
            not_set: Vec::new(),
        }
    }

    /// Where the cluster stands and who may reach it must be known: RDS would take the default VPC and the default
    /// security group, and neither mistake is mended later (another subnet group replaces the cluster).
    fn placed(&self, address: &str) -> Result<(), StepError> {
        let missing = match (&self.subnet_group, &self.security_groups) {
            (None, _) => ("db_subnet_group_name", "subnet_group"),
            (_, None) => ("vpc_security_group_ids", "security_groups"),
            _ => return Ok(()),
        };
        Err(StepError::failed(format!("{} of {address} is not set, or not known before the cluster exists", missing.0))
            .hint(format!("set it in the Terraform root, or {} in the manifest", missing.1)))
    }

    fn left_to_rds(&self) -> Vec<String> {
        let open = [
            ("db_subnet_group_name", self.subnet_group.is_none()),
            ("vpc_security_group_ids", self.security_groups.is_none()),
            ("db_cluster_parameter_group_name", self.parameter_group.is_none()),
            ("serverlessv2_scaling_configuration", self.scaling.is_none()),
            ("backup_retention_period", self.backup_retention_days.is_none()),
            ("deletion_protection", self.deletion_protection.is_none()),
            ("enabled_cloudwatch_logs_exports", self.log_exports.is_none()),
        ];
        open.into_iter().filter(|(_, open)| *open).map(|(name, _)| name.to_owned()).collect()
    }

    /// [`Self::not_set`], and what could not be as declared although the cluster serves.
    pub fn not_as_declared(&self, actual: &ClusterState) -> Vec<String> {
        let mut left = self.not_set.clone();
        let declared = self.engine_version.as_deref();
        if let Some(declared) = declared.filter(|declared| is_newer(declared, &actual.engine_version)) {
            left.push(format!("engine_version ({}, newer than the declared {declared})", actual.engine_version));
        }
        left
    }

    /// What to ask RestoreDBClusterFromSnapshot for.
    ///
    /// # Errors
    /// The engine is known from nowhere, or the cluster shall be encrypted and would not be.
    pub fn restore(&self, id: &str, snapshot: &Snapshot) -> Result<RestoreRequest, StepError> {
        if self.encrypted == Some(true) && !snapshot.encrypted && self.kms_key.is_none() {
            let cause = format!("snapshot {} is not encrypted, and the declared cluster is", snapshot.arn);
            return Err(StepError::failed(cause)
                .hint("set kms_key_id in the Terraform root: RDS encrypts a plain snapshot only with a named key"));
        }
        let engine = self.engine.clone().or_else(|| snapshot.engine.clone());
        let engine = engine.ok_or_else(|| StepError::failed(format!("the engine of {} is not known", snapshot.arn)))?;
        let source = RestoreSource::Snapshot {
            id: snapshot.identifier(),
            engine,
            engine_version: restore_version(self.engine_version.as_deref(), snapshot.engine_version.as_deref()),
            availability_zones: self.availability_zones.clone(),
        };
        Ok(self.restore_from(id, source))
    }

    /// What to ask a restore for.
    pub fn restore_from(&self, id: &str, source: RestoreSource) -> RestoreRequest {
        RestoreRequest {
            id: id.to_owned(),
            source,
            port: self.port,
            subnet_group: self.subnet_group.clone(),
            security_groups: self.security_groups.clone(),
            parameter_group: self.parameter_group.clone(),
            log_exports: self.log_exports.clone(),
            scaling: self.scaling.clone(),
            deletion_protection: self.deletion_protection,
            copy_tags_to_snapshot: self.copy_tags_to_snapshot,
            backup_retention_days: self.backup_retention_days,
            backup_window: self.backup_window.clone(),
            iam_authentication: self.iam_authentication,
            storage_type: self.storage_type.clone(),
            kms_key: self.kms_key.clone(),
            tags: self.tags.clone(),
        }
    }

    /// Everything about the cluster that is not as it shall be.
    pub fn differences(&self, actual: &ClusterState) -> Vec<Difference> {
        let mut parity = Parity::default();
        parity.value("engine", self.engine.as_ref(), Some(&actual.engine));
        if let Some(version) = self.engine_version.as_ref().filter(|version| !reaches(version, &actual.engine_version))
        {
            parity.differ("engine_version", version, &actual.engine_version);
        }
        parity.value("port", self.port.as_ref(), actual.port.as_ref());
        parity.name("db_subnet_group_name", self.subnet_group.as_ref(), actual.subnet_group.as_ref());
        parity.set("vpc_security_group_ids", self.security_groups.as_ref(), &actual.security_groups);
        let group = "db_cluster_parameter_group_name";
        parity.name(group, self.parameter_group.as_ref(), actual.parameter_group.as_ref());
        parity.set("enabled_cloudwatch_logs_exports", self.log_exports.as_ref(), &actual.log_exports);
        if let Some(declared) = self.scaling.as_ref().filter(|declared| !is_scaled(declared, actual)) {
            let actual = actual.scaling.as_ref().map_or_else(|| "missing".to_owned(), capacity);
            parity.differ("serverlessv2_scaling_configuration", capacity(declared), actual);
        }
        parity.value("deletion_protection", self.deletion_protection.as_ref(), actual.deletion_protection.as_ref());
        let copy = "copy_tags_to_snapshot";
        parity.value(copy, self.copy_tags_to_snapshot.as_ref(), actual.copy_tags_to_snapshot.as_ref());
        let days = "backup_retention_period";
        parity.value(days, self.backup_retention_days.as_ref(), actual.backup_retention_days.as_ref());
        parity.name("preferred_backup_window", self.backup_window.as_ref(), actual.backup_window.as_ref());
        let window = "preferred_maintenance_window";
        parity.name(window, self.maintenance_window.as_ref(), actual.maintenance_window.as_ref());
        let iam = "iam_database_authentication_enabled";
        parity.value(iam, self.iam_authentication.as_ref(), actual.iam_authentication.as_ref());
        parity.value("storage_type", self.storage_type.as_ref(), actual.storage_type.as_ref());
        parity.value("storage_encrypted", self.encrypted.as_ref(), actual.encrypted.as_ref());
        // A key may be declared by its id or alias, but RDS tells its ARN.
        let key = self.kms_key.as_ref().filter(|key| key.starts_with("arn:"));
        parity.value("kms_key_id", key, actual.kms_key.as_ref());
        parity.tags(&self.tags, &actual.tags);
        for member in &actual.members {
            let status = member.parameter_group_status.as_deref().unwrap_or("in-sync");
            if status != "in-sync" {
                parity.differ(&format!("parameter group of {}", member.id), "in-sync", status);
            }
        }
        parity.differences
    }

    /// What ModifyDBCluster can mend of the difference, if anything.
    pub fn change(&self, actual: &ClusterState) -> Option<ClusterChange> {
        let exports = self.log_exports.as_ref().unwrap_or(&actual.log_exports);
        let change = ClusterChange {
            port: other(self.port, actual.port),
            security_groups: self.security_groups.clone().filter(|groups| *groups != actual.security_groups),
            parameter_group: other_name(self.parameter_group.as_ref(), actual.parameter_group.as_ref()),
            enable_log_exports: exports.difference(&actual.log_exports).cloned().collect(),
            disable_log_exports: actual.log_exports.difference(exports).cloned().collect(),
            scaling: self.scaling.clone().filter(|declared| !is_scaled(declared, actual)),
            deletion_protection: other(self.deletion_protection, actual.deletion_protection),
            copy_tags_to_snapshot: other(self.copy_tags_to_snapshot, actual.copy_tags_to_snapshot),
            backup_retention_days: other(self.backup_retention_days, actual.backup_retention_days),
            backup_window: other_name(self.backup_window.as_ref(), actual.backup_window.as_ref()),
            maintenance_window: other_name(self.maintenance_window.as_ref(), actual.maintenance_window.as_ref()),
            iam_authentication: other(self.iam_authentication, actual.iam_authentication),
            storage_type: other_name(self.storage_type.as_ref(), actual.storage_type.as_ref()),
        };
        (change != ClusterChange::default()).then_some(change)
    }
}

fn scaling(block: &Map<String, Value>) -> Option<Scaling> {
    Some(Scaling {
        min: block.get("min_capacity")?.as_f64()?,
        max: block.get("max_capacity")?.as_f64()?,
        pause_after_seconds: block
            .get("seconds_until_auto_pause")
            .and_then(Value::as_i64)
            .and_then(|seconds| i32::try_from(seconds).ok()),
    })
}

/// Whether the capacity is as declared. The pause is compared only where it is declared.
fn is_scaled(declared: &Scaling, actual: &ClusterState) -> bool {
    actual.scaling.as_ref().is_some_and(|actual| {
        let pause =
            declared.pause_after_seconds.is_none() || declared.pause_after_seconds == actual.pause_after_seconds;
        pause && (declared.min, declared.max) == (actual.min, actual.max)
    })
}

fn capacity(scaling: &Scaling) -> String {
    let pause = scaling.pause_after_seconds.map(|seconds| format!(", pausing after {seconds} s")).unwrap_or_default();
    format!("{} to {} ACU{pause}", scaling.min, scaling.max)
}

fn other<T: PartialEq>(declared: Option<T>, actual: Option<T>) -> Option<T> {
    if actual.is_none() { None } else { declared.filter(|value| Some(value) != actual.as_ref()) }
}

fn other_name(declared: Option<&String>, actual: Option<&String>) -> Option<String> {
    let (declared, actual) = (declared?, actual?);
    (!declared.eq_ignore_ascii_case(actual)).then(|| declared.clone())
}

#[cfg(test)]
mod tests;
