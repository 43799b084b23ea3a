//! What is asked of RDS for what the root declares.

use serde_json::{Value, json};

use super::*;
use crate::manifest::ClusterSource;
use crate::steps::cluster_instances::instances;

const ADDRESS: &str = "module.database.aws_rds_cluster.logs";

fn cluster() -> Cluster {
    Cluster {
        name: "logs".into(),
        source: "logs-prod".into(),
        target: "logs-dr".into(),
        from: ClusterSource::LatestSnapshot,
        instances: 2,
        adopt: Some(ADDRESS.into()),
        subnet_group: None,
        security_groups: Vec::new(),
        rows: None,
    }
}

fn declared(changed: &[(&str, Value)]) -> DeclaredSet {
    let mut values = json!({
        "engine": "aurora-mysql", "engine_version": "8.0.mysql_aurora.3.08.2", "db_subnet_group_name": "logs",
        "vpc_security_group_ids": ["sg-1"], "db_cluster_parameter_group_name": "logs", "deletion_protection": true,
        "enabled_cloudwatch_logs_exports": ["error", "slowquery"], "backup_retention_period": 7,
        "serverlessv2_scaling_configuration": [{"min_capacity": 0.5, "max_capacity": 16}], "storage_encrypted": true,
        "iam_database_authentication_enabled": null, "tags_all": {"Team": "observability"}
    });
    for (attribute, value) in changed {
        values[*attribute] = value.clone();
    }
    let instance = json!({"identifier": "logs-writer", "instance_class": "db.r6g.large", "promotion_tier": 1});
    let set = json!({"declared": {
        (ADDRESS): {"type": "aws_rds_cluster", "values": values},
        "module.database.aws_rds_cluster_instance.logs[0]":
            {"type": "aws_rds_cluster_instance", "values": instance, "adopted": [ADDRESS]},
        "aws_rds_cluster_instance.other":
            {"type": "aws_rds_cluster_instance", "values": {}, "adopted": ["aws_rds_cluster.other"]}
    }});
    Declared::set(&set).expect("it can be read")
}

fn snapshot(encrypted: bool) -> Snapshot {
    Snapshot {
        arn: "arn:aws:rds:us-east-1:1:cluster-snapshot:copy".into(),
        encrypted,
        engine: None,
        engine_version: Some("8.0.mysql_aurora.3.08.2".into()),
    }
}

/// The cluster as RDS would tell it when all is as declared.
fn standing(settings: &ClusterSettings) -> ClusterState {
    ClusterState {
        engine: "aurora-mysql".into(),
        engine_version: "8.0.mysql_aurora.3.08.2".into(),
        subnet_group: Some("logs".into()),
        security_groups: settings.security_groups.clone().unwrap_or_default(),
        parameter_group: Some("logs".into()),
        log_exports: settings.log_exports.clone().unwrap_or_default(),
        scaling: Some(Scaling { pause_after_seconds: Some(300), ..settings.scaling.clone().expect("it is declared") }),
        deletion_protection: Some(true),
        backup_retention_days: Some(7),
        encrypted: Some(true),
        iam_authentication: Some(true),
        tags: settings.tags.clone(),
        ..ClusterState::default()
    }
}

#[test]
fn the_restore_asks_for_everything_that_the_root_declares() {
    let settings = ClusterSettings::of(&cluster(), &declared(&[])).expect("all that matters is known");
    let request = settings.restore("logs-dr", &snapshot(true)).expect("it can be asked for");
    let RestoreSource::Snapshot { id, engine, .. } = &request.source else { panic!("{request:?}") };
    assert_eq!((id.as_str(), engine.as_str()), ("copy", "aurora-mysql"));
    assert_eq!(request.subnet_group.as_deref(), Some("logs"));
    assert_eq!(request.security_groups, Some(BTreeSet::from(["sg-1".to_owned()])));
    assert_eq!(request.parameter_group.as_deref(), Some("logs"));
    assert_eq!(request.log_exports.map(|exports| exports.len()), Some(2));
    assert_eq!(request.scaling, Some(Scaling { min: 0.5, max: 16.0, pause_after_seconds: None }));
    assert_eq!((request.deletion_protection, request.backup_retention_days), (Some(true), Some(7)));
    assert_eq!(request.tags.get("Team").map(String::as_str), Some("observability"));
    assert_eq!(request.iam_authentication, None);
}

#[test]
fn a_cluster_as_declared_differs_in_nothing_and_needs_no_change() {
    let settings = ClusterSettings::of(&cluster(), &declared(&[])).expect("all that matters is known");
    assert_eq!(settings.differences(&standing(&settings)), []);
    assert_eq!(settings.change(&standing(&settings)), None);
}

#[test]
fn a_change_is_only_what_differs() {
    let settings = ClusterSettings::of(&cluster(), &declared(&[])).expect("all that matters is known");
    let mut actual = standing(&settings);
    actual.log_exports = BTreeSet::from(["error".to_owned(), "audit".to_owned()]);
    actual.backup_retention_days = Some(1);
    actual.subnet_group = Some("default".into());
    let change = ClusterChange {
        enable_log_exports: BTreeSet::from(["slowquery".to_owned()]),
        disable_log_exports: BTreeSet::from(["audit".to_owned()]),
        backup_retention_days: Some(7),
        ..ClusterChange::default()
    };
    assert_eq!(settings.change(&actual), Some(change));
    assert_eq!(
        crate::verify::in_words(&settings.differences(&actual)),
        "db_subnet_group_name is default, declared logs; enabled_cloudwatch_logs_exports is [audit, error], declared \
         [error, slowquery]; backup_retention_period is 1, declared 7"
    );
}

#[test]
fn where_the_cluster_would_stand_must_be_known() {
    let set = declared(&[("db_subnet_group_name", Value::Null)]);
    let error = ClusterSettings::of(&cluster(), &set).expect_err("the subnet group is open");
    assert!(error.cause.starts_with("db_subnet_group_name of module.database.aws_rds_cluster.logs"), "{error}");
    let explicit = Cluster { subnet_group: Some("logs".into()), ..cluster() };
    assert!(ClusterSettings::of(&explicit, &set).is_ok());
    let half_known = declared(&[("vpc_security_group_ids", json!(["sg-1", null]))]);
    assert!(ClusterSettings::of(&cluster(), &half_known).is_err());
}

#[test]
fn a_cluster_declared_encrypted_is_not_restored_plain() {
    let settings = ClusterSettings::of(&cluster(), &declared(&[])).expect("all that matters is known");
    let error = settings.restore("logs-dr", &snapshot(false)).expect_err("it would be plain");
    assert!(error.cause.contains("is not encrypted"), "{error}");
    let set = declared(&[("kms_key_id", json!("arn:aws:kms:us-east-1:1:key/a"))]);
    let settings = ClusterSettings::of(&cluster(), &set).expect("all that matters is known");
    assert!(settings.restore("logs-dr", &snapshot(false)).is_ok());
}

#[test]
fn a_snapshot_newer_than_declared_is_restored_as_it_is_and_said() {
    let set = declared(&[("engine_version", json!("8.0.mysql_aurora.3.04.0"))]);
    let settings = ClusterSettings::of(&cluster(), &set).expect("all that matters is known");
    let request = settings.restore("logs-dr", &snapshot(true)).expect("it can be asked for");
    let RestoreSource::Snapshot { engine_version, .. } = request.source else { panic!("{request:?}") };
    assert_eq!(engine_version.as_deref(), Some("8.0.mysql_aurora.3.08.2"));
    let actual = standing(&settings);
    assert_eq!(settings.differences(&actual), []);
    let said = "engine_version (8.0.mysql_aurora.3.08.2, newer than the declared 8.0.mysql_aurora.3.04.0)";
    assert_eq!(settings.not_as_declared(&actual), [said]);
    let older = ClusterState { engine_version: "8.0.mysql_aurora.3.03.0".into(), ..actual };
    assert_eq!(settings.differences(&older).len(), 1);
}

#[test]
fn the_declared_zones_are_asked_for_where_they_are_known() {
    let zones = |value: Value| {
        let set = declared(&[("availability_zones", value)]);
        let settings = ClusterSettings::of(&cluster(), &set).expect("all that matters is known");
        let request = settings.restore("logs-dr", &snapshot(true)).expect("it can be asked for");
        let RestoreSource::Snapshot { availability_zones, .. } = request.source else { panic!("{:?}", request.source) };
        availability_zones
    };
    let both = BTreeSet::from(["us-east-1a".to_owned(), "us-east-1b".to_owned()]);
    assert_eq!(zones(json!(["us-east-1b", "us-east-1a"])), Some(both));
    assert_eq!(zones(json!(["us-east-1b", null])), None);
    assert_eq!(zones(json!([])), None);
}

#[test]
fn instances_are_those_that_the_root_declares_for_the_cluster() {
    let found = instances(&cluster(), &declared(&[]), "aurora-mysql");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].address.as_deref(), Some("module.database.aws_rds_cluster_instance.logs[0]"));
    let request = &found[0].request;
    assert_eq!((request.id.as_str(), request.class.as_str()), ("logs-writer", "db.r6g.large"));
    assert_eq!((request.cluster.as_str(), request.promotion_tier), ("logs-dr", Some(1)));
}

#[test]
fn without_declared_instances_there_are_as_many_as_the_manifest_says() {
    let plain = Cluster { adopt: None, ..cluster() };
    let found = instances(&plain, &DeclaredSet::new(), "aurora-mysql");
    let ids: Vec<&str> = found.iter().map(|instance| instance.request.id.as_str()).collect();
    assert_eq!(ids, ["logs-dr-1", "logs-dr-2"]);
    assert!(found.iter().all(|instance| instance.request.class == "db.serverless"));
    let settings = ClusterSettings::of(&plain, &DeclaredSet::new()).expect("nothing is declared");
    assert!(settings.not_set.contains(&"vpc_security_group_ids".to_owned()));
}
