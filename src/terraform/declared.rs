//! What the root declares for the resources that are restored: Terraform's own plan says what the cluster and the
//! table shall look like, so that a restore can be made to match.
//!
//! What comes out of here is journalled. It holds only resources of the kinds that restores make, and of those only
//! the attributes that restores read: anything else may carry a secret that no provider marks as one (a function's
//! environment, a container's definition), and must not pass.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::graph::{Graph, configured};
use super::plan::{Action, Plan};

/// One resource instance that is adopted, or depends on one that is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Declared {
    #[serde(rename = "type")]
    pub kind: String,
    /// Planned values of listed attributes, without sensitive ones. Of one that is known in part, the known part.
    pub values: BTreeMap<String, Value>,
    /// Listed attributes of which at least a part is not known yet.
    pub unknown: Vec<String>,
    /// The adopted addresses that it depends on.
    pub adopted: Vec<String>,
}

/// Read of an `aws_rds_cluster`.
const CLUSTER: &[&str] = &[
    "availability_zones",
    "backup_retention_period",
    "copy_tags_to_snapshot",
    "db_cluster_parameter_group_name",
    "db_subnet_group_name",
    "deletion_protection",
    "enabled_cloudwatch_logs_exports",
    "engine",
    "engine_version",
    "iam_database_authentication_enabled",
    "kms_key_id",
    "port",
    "preferred_backup_window",
    "preferred_maintenance_window",
    "serverlessv2_scaling_configuration",
    "storage_encrypted",
    "storage_type",
    "tags",
    "tags_all",
    "vpc_security_group_ids",
];

/// Read of an `aws_rds_cluster_instance`.
const INSTANCE: &[&str] = &[
    "auto_minor_version_upgrade",
    "availability_zone",
    "ca_cert_identifier",
    "cluster_identifier",
    "copy_tags_to_snapshot",
    "db_parameter_group_name",
    "identifier",
    "instance_class",
    "monitoring_interval",
    "monitoring_role_arn",
    "performance_insights_enabled",
    "performance_insights_kms_key_id",
    "performance_insights_retention_period",
    "preferred_maintenance_window",
    "promotion_tier",
    "publicly_accessible",
    "tags",
    "tags_all",
];

/// Read of an `aws_dynamodb_table`.
const TABLE: &[&str] = &[
    "billing_mode",
    "deletion_protection_enabled",
    "global_secondary_index",
    "hash_key",
    "point_in_time_recovery",
    "range_key",
    "read_capacity",
    "server_side_encryption",
    "stream_enabled",
    "stream_view_type",
    "table_class",
    "tags",
    "tags_all",
    "ttl",
    "write_capacity",
];

/// The attributes that restores read of a kind; `None` for a kind that they do not read.
fn listed(kind: &str) -> Option<&'static [&'static str]> {
    match kind {
        "aws_rds_cluster" => Some(CLUSTER),
        "aws_rds_cluster_instance" => Some(INSTANCE),
        "aws_dynamodb_table" => Some(TABLE),
        _ => None,
    }
}

/// Reads from a full plan what is declared for `adopted` and for what is restored with it, by address.
pub fn declared(plan: &Plan, graph: &Graph, adopted: &BTreeSet<String>) -> BTreeMap<String, Declared> {
    let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for address in adopted {
        let plain = configured(address);
        for dependent in graph.dependents([plain.as_str()]) {
            needs.entry(dependent).or_default().push(address.clone());
        }
        needs.entry(plain).or_default();
    }
    let planned = plan.resources.iter().filter(|it| it.managed && !it.deposed && it.actions != [Action::Delete]);
    planned
        .filter_map(|it| {
            let listed = listed(&it.kind)?;
            let adopted = needs.get(&configured(&it.address))?.clone();
            let values = it.values.iter().filter(|(name, _)| listed.contains(name));
            let declared = Declared {
                kind: it.kind.clone(),
                values: values.map(|(name, value)| (name.to_owned(), value.clone())).collect(),
                unknown: it.unknown.iter().filter(|name| listed.contains(&name.as_str())).cloned().collect(),
                adopted,
            };
            Some((it.address.clone(), declared))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan::parse(
            br#"{"format_version": "1.2", "resource_changes": [
            {"address": "aws_rds_cluster.logs", "mode": "managed", "type": "aws_rds_cluster", "change": {
              "actions": ["create"], "before": null,
              "after": {"engine": "aurora-mysql", "master_username": "admin", "master_password": "hunter2",
                "manage_master_user_password": null, "vpc_security_group_ids": [null],
                "serverlessv2_scaling_configuration": [{"min_capacity": 0.5, "max_capacity": 4}], "storage_type": "hush",
                "engine_mode": "unlisted"},
              "after_unknown": {"arn": true,
                "serverlessv2_scaling_configuration": [{"seconds_until_auto_pause": true}],
                "vpc_security_group_ids": [true]},
              "after_sensitive": {"storage_type": true, "serverlessv2_scaling_configuration": [{}]}}},
            {"address": "aws_rds_cluster_instance.logs[0]", "mode": "managed", "type": "aws_rds_cluster_instance",
              "change": {"actions": ["create"], "after": {"instance_class": "db.serverless"},
              "after_unknown": {"cluster_identifier": true}, "after_sensitive": {}}},
            {"address": "aws_lambda_function.reader", "mode": "managed", "type": "aws_lambda_function",
              "change": {"actions": ["create"], "after": {"tags": {"Token": "in-the-clear"},
                "environment": [{"variables": {"DB_PASSWORD": "in-the-clear"}}]},
              "after_unknown": {}, "after_sensitive": {}}},
            {"address": "aws_vpc.main", "mode": "managed", "type": "aws_vpc",
              "change": {"actions": ["create"], "after": {}, "after_unknown": {}, "after_sensitive": false}}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn settings_are_found_and_secrets_are_not() {
        let graph = Graph::from_dot(
            "\"aws_rds_cluster_instance.logs\" -> \"aws_rds_cluster.logs\";\n\"aws_rds_cluster.logs\" -> \"aws_vpc.main\";\n\
             \"aws_lambda_function.reader\" -> \"aws_rds_cluster.logs\";",
        );
        let found = declared(&plan(), &graph, &BTreeSet::from(["aws_rds_cluster.logs".to_owned()]));
        assert_eq!(found.keys().collect::<Vec<_>>(), ["aws_rds_cluster.logs", "aws_rds_cluster_instance.logs[0]"]);
        let text = serde_json::to_string(&found).unwrap();
        for secret in ["hunter2", "hush", "unlisted", "in-the-clear"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
        let cluster = &found["aws_rds_cluster.logs"];
        assert_eq!(cluster.values["serverlessv2_scaling_configuration"][0]["max_capacity"], 4);
        assert_eq!(cluster.unknown, ["serverlessv2_scaling_configuration", "vpc_security_group_ids"]);
        assert!(cluster.adopted.is_empty());
        assert_eq!(found["aws_rds_cluster_instance.logs[0]"].adopted, ["aws_rds_cluster.logs"]);
    }

    /// The attributes that a file of the restores asks the declared resource for.
    fn asked(source: &str) -> BTreeSet<&str> {
        let calls = [".text(\"", ".texts(\"", ".flag(\"", ".integer(\"", ".blocks(\""];
        let after = |call| source.split(call).skip(1);
        calls.into_iter().flat_map(after).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn what_the_restores_read_is_listed_and_nothing_else_is() {
        let files = [
            (CLUSTER, include_str!("../steps/cluster_settings.rs")),
            (INSTANCE, include_str!("../steps/cluster_instances.rs")),
            (TABLE, include_str!("../steps/table_settings.rs")),
        ];
        for (listed, source) in files {
            let mut asked = asked(source);
            asked.extend(["tags", "tags_all"]);
            assert_eq!(asked.into_iter().collect::<Vec<_>>(), listed);
        }
    }
}
