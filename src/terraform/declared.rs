//! What the root declares for the resources that are restored: Terraform's own plan says what the cluster and the
//! table shall look like, so that a restore can be made to match.

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
    /// Planned values by attribute, without sensitive ones. Of an attribute that is known in part, the known part.
    pub values: BTreeMap<String, Value>,
    /// Attributes of which at least a part is not known yet.
    pub unknown: Vec<String>,
    /// The adopted addresses that it depends on.
    pub adopted: Vec<String>,
}

/// Ends of the names of attributes that hold secrets, whether or not a provider marks them as sensitive.
const SECRET: [&str; 11] = [
    "password",
    "passphrase",
    "secret",
    "secret_string",
    "secret_binary",
    "secret_key",
    "token",
    "private_key",
    "access_key",
    "api_key",
    "connection_string",
];

/// Reads from a full plan what is declared for `adopted` and for everything that depends on it, by address.
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
            let adopted = needs.get(&configured(&it.address))?.clone();
            let values = it.values.iter().filter(|(name, value)| !is_secret(name, value));
            let declared = Declared {
                kind: it.kind.clone(),
                values: values.map(|(name, value)| (name.to_owned(), value.clone())).collect(),
                unknown: it.unknown.clone(),
                adopted,
            };
            Some((it.address.clone(), declared))
        })
        .collect()
}

/// A switch such as `manage_master_user_password = true` is no secret; a text is.
fn is_secret(name: &str, value: &Value) -> bool {
    !matches!(value, Value::Bool(_) | Value::Null) && SECRET.iter().any(|end| name.ends_with(end))
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
                "serverlessv2_scaling_configuration": [{"min_capacity": 0.5, "max_capacity": 4}], "custom": "hush"},
              "after_unknown": {"arn": true,
                "serverlessv2_scaling_configuration": [{"seconds_until_auto_pause": true}],
                "vpc_security_group_ids": [true]},
              "after_sensitive": {"custom": true, "serverlessv2_scaling_configuration": [{}]}}},
            {"address": "aws_rds_cluster_instance.logs[0]", "mode": "managed", "type": "aws_rds_cluster_instance",
              "change": {"actions": ["create"], "after": {"instance_class": "db.serverless"},
              "after_unknown": {"cluster_identifier": true}, "after_sensitive": {}}},
            {"address": "aws_vpc.main", "mode": "managed", "type": "aws_vpc",
              "change": {"actions": ["create"], "after": {}, "after_unknown": {}, "after_sensitive": false}}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn settings_are_found_and_secrets_are_not() {
        let graph = Graph::from_dot(
            "\"aws_rds_cluster_instance.logs\" -> \"aws_rds_cluster.logs\";\n\"aws_rds_cluster.logs\" -> \"aws_vpc.main\";",
        );
        let found = declared(&plan(), &graph, &BTreeSet::from(["aws_rds_cluster.logs".to_owned()]));
        assert_eq!(found.keys().collect::<Vec<_>>(), ["aws_rds_cluster.logs", "aws_rds_cluster_instance.logs[0]"]);
        let text = serde_json::to_string(&found).unwrap();
        assert!(!text.contains("hunter2") && !text.contains("hush"), "{text}");
        let cluster = &found["aws_rds_cluster.logs"];
        assert_eq!(cluster.values["serverlessv2_scaling_configuration"][0]["max_capacity"], 4);
        assert_eq!(cluster.unknown, ["arn", "serverlessv2_scaling_configuration", "vpc_security_group_ids"]);
        assert!(cluster.adopted.is_empty());
        assert_eq!(found["aws_rds_cluster_instance.logs[0]"].adopted, ["aws_rds_cluster.logs"]);
    }
}
