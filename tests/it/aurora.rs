//! A cluster comes back from its snapshot: once, as declared, and never over another.

use lifeboat::aws::rds;
use lifeboat::manifest::{Cluster, ClusterSource};
use lifeboat::steps::{Cx, RestoreCluster, Seen, Step, VerifyCluster};
use serde_json::{Value, json};

use crate::harness::{self, TestEmulator};
use crate::world::{self, PRIMARY, RECOVERY, RUN};

pub const STEP: &str = "restore.aurora.logs";
const CLUSTER: &str = "aws_rds_cluster.logs";
const INSTANCE: &str = "aws_rds_cluster_instance.logs[0]";

pub fn cluster() -> Cluster {
    Cluster {
        name: "logs".into(),
        source: "logs-prod".into(),
        target: "logs-dr".into(),
        from: ClusterSource::LatestSnapshot,
        instances: 1,
        adopt: Some(CLUSTER.into()),
        subnet_group: None,
        security_groups: Vec::new(),
        rows: None,
    }
}

/// What `infrastructure.declare` returns.
pub fn declare() -> Value {
    let instance = json!({"identifier": "logs-dr-1", "instance_class": "db.serverless", "promotion_tier": 1,
        "tags_all": {"Team": "observability"}});
    json!({"declared": {
        (CLUSTER): {"type": "aws_rds_cluster", "values": {
            "engine": "aurora-mysql", "engine_version": "8.0.mysql_aurora.3.08.2", "port": 3307,
            "db_subnet_group_name": "default", "vpc_security_group_ids": ["sg-11", "sg-22"],
            "db_cluster_parameter_group_name": "default.aurora-mysql8.0", "deletion_protection": true,
            "enabled_cloudwatch_logs_exports": ["error", "slowquery"], "backup_retention_period": 9,
            "preferred_maintenance_window": "sun:05:00-sun:05:30", "copy_tags_to_snapshot": true,
            "serverlessv2_scaling_configuration": [{"min_capacity": 1, "max_capacity": 8}],
            "storage_encrypted": false, "tags_all": {"Team": "observability"}}},
        (INSTANCE): {"type": "aws_rds_cluster_instance", "values": instance, "adopted": [CLUSTER]}
    }})
}

fn cx(moto: &TestEmulator, run: &str, facts: Value) -> Cx {
    world::cx(moto, run, STEP, facts, &[("infrastructure.declare", declare())])
}

/// The source cluster with a snapshot, copied to the recovery region under that name.
pub async fn copied_snapshot(moto: &TestEmulator, name: &str) {
    let primary = moto.session(PRIMARY).rds();
    primary
        .create_db_cluster()
        .db_cluster_identifier("logs-prod")
        .engine("aurora-mysql")
        .engine_version("8.0.mysql_aurora.3.08.2")
        .master_username("admin")
        .master_user_password("not-a-secret")
        .send()
        .await
        .expect("a cluster");
    let snapshot = primary
        .create_db_cluster_snapshot()
        .db_cluster_identifier("logs-prod")
        .db_cluster_snapshot_identifier("nightly")
        .send()
        .await
        .expect("a snapshot");
    let arn = snapshot.db_cluster_snapshot().and_then(|snapshot| snapshot.db_cluster_snapshot_arn());
    moto.session(RECOVERY)
        .rds()
        .copy_db_cluster_snapshot()
        .source_db_cluster_snapshot_identifier(arn.expect("its ARN"))
        .target_db_cluster_snapshot_identifier(name)
        .send()
        .await
        .expect("a copy");
}

/// Somebody else's cluster under the target's name.
async fn foreign(moto: &TestEmulator) -> rds::ClusterState {
    let session = moto.session(RECOVERY);
    session
        .rds()
        .create_db_cluster()
        .db_cluster_identifier("logs-dr")
        .engine("aurora-mysql")
        .master_username("somebody")
        .master_user_password("not-a-secret")
        .send()
        .await
        .expect("a cluster");
    rds::cluster(&session, "logs-dr").await.expect("an answer").expect("the cluster");
    rds::cluster(&session, "logs-dr").await.expect("an answer").expect("the cluster")
}

#[tokio::test]
async fn the_cluster_comes_back_available_with_its_instance_and_every_declared_setting() {
    let moto = harness::emulator().await;
    copied_snapshot(&moto, "nightly-copy").await;
    let step = RestoreCluster { cluster: cluster() };
    let checked = step.check(&cx(&moto, RUN, Value::Null)).await.expect("there is a snapshot");
    let cx = cx(&moto, RUN, checked.facts.clone());
    assert_eq!(step.observe(&cx).await, Ok(Seen::Absent));
    let output = step.apply(&cx).await.expect("it is restored");
    step.verify(&cx, &output).await.expect("it is as declared");

    assert_eq!(output["id"], "logs-dr");
    assert_eq!(output["instances"], json!(["logs-dr-1"]));
    let adopt = json!([{"address": CLUSTER, "id": "logs-dr"}, {"address": INSTANCE, "id": "logs-dr-1"}]);
    assert_eq!(output["adopt"], adopt);
    assert!(output["endpoint"].as_str().is_some_and(|endpoint| endpoint.starts_with("logs-dr.")), "{output}");
    assert_eq!(output["recovery_point"], checked.facts["recovery_point"]);

    let state = rds::cluster(&cx.world.aws, "logs-dr").await.expect("an answer").expect("the cluster");
    assert_eq!((state.status.as_str(), state.port), ("available", Some(3307)));
    assert_eq!(state.security_groups.len(), 2);
    assert_eq!((state.deletion_protection, state.backup_retention_days), (Some(true), Some(9)));
    // RestoreDBClusterFromSnapshot does not take it: it was modified afterwards.
    assert_eq!(state.maintenance_window.as_deref(), Some("sun:05:00-sun:05:30"));
    assert_eq!(state.tags.get("Team").map(String::as_str), Some("observability"));
    assert_eq!(state.tags.get("lifeboat:run").map(String::as_str), Some(RUN));
    assert!(state.members.iter().any(|member| member.id == "logs-dr-1" && member.writer));
}

#[tokio::test]
async fn applying_twice_makes_one_cluster_and_one_instance() {
    let moto = harness::emulator().await;
    copied_snapshot(&moto, "nightly-copy").await;
    let step = RestoreCluster { cluster: cluster() };
    let facts = step.check(&cx(&moto, RUN, Value::Null)).await.expect("there is a snapshot").facts;
    let cx = cx(&moto, RUN, facts).resumed();
    let first = step.apply(&cx).await.expect("it is restored");
    assert_eq!(step.observe(&cx).await, Ok(Seen::Done(first.clone())));
    let second = step.apply(&cx).await.expect("it attaches");
    // The emulator gives every cluster its own endpoint: the same one means the same cluster.
    assert_eq!(first, second);
    let instances = cx.world.aws.rds().describe_db_instances().send().await.expect("an answer");
    assert_eq!(instances.db_instances().len(), 1);
}

#[tokio::test]
async fn a_crash_after_the_restore_was_accepted_is_taken_up_where_it_stopped() {
    let moto = harness::emulator().await;
    copied_snapshot(&moto, "nightly-copy").await;
    let step = RestoreCluster { cluster: cluster() };
    let facts = step.check(&cx(&moto, RUN, Value::Null)).await.expect("there is a snapshot").facts;
    // What is left when the process dies right after the first request: the bare cluster with the run's tag.
    let session = moto.session(RECOVERY);
    let tag = aws_sdk_rds::types::Tag::builder().key("lifeboat:run").value(RUN).build();
    session
        .rds()
        .restore_db_cluster_from_snapshot()
        .db_cluster_identifier("logs-dr")
        .snapshot_identifier("nightly-copy")
        .engine("aurora-mysql")
        .db_subnet_group_name("default")
        .enable_cloudwatch_logs_exports("error")
        .enable_cloudwatch_logs_exports("slowquery")
        .tags(tag)
        .send()
        .await
        .expect("a restore");
    let before = rds::cluster(&session, "logs-dr").await.expect("an answer").expect("the cluster").endpoint;
    let cx = cx(&moto, RUN, facts).resumed();
    assert!(matches!(step.observe(&cx).await, Ok(Seen::InProgress(_))));
    let output = step.apply(&cx).await.expect("it is completed");
    step.verify(&cx, &output).await.expect("it is as declared");
    assert_eq!(output["endpoint"].as_str(), before.as_deref());
}

#[tokio::test]
async fn a_cluster_of_that_name_that_is_not_ours_is_a_conflict_and_stays_as_it_is() {
    let moto = harness::emulator().await;
    copied_snapshot(&moto, "nightly-copy").await;
    let before = foreign(&moto).await;
    let step = RestoreCluster { cluster: cluster() };
    let checked = step.check(&cx(&moto, RUN, Value::Null)).await.expect("there is a snapshot");
    assert!(checked.facts["warnings"].to_string().contains("stands in us-east-1 already"), "{}", checked.facts);
    // Even a run that has begun the step before must not take it for its own.
    for cx in [cx(&moto, RUN, checked.facts.clone()), cx(&moto, RUN, checked.facts.clone()).resumed()] {
        assert!(matches!(step.observe(&cx).await, Ok(Seen::Conflict { .. })));
        let error = step.apply(&cx).await.expect_err("it is not ours");
        assert_eq!(error.kind, lifeboat::journal::FailureKind::Conflict);
    }
    let after = rds::cluster(&moto.session(RECOVERY), "logs-dr").await.expect("an answer");
    assert_eq!(after, Some(before));
}

#[tokio::test]
async fn a_cluster_of_another_run_is_a_conflict_that_names_the_run() {
    let moto = harness::emulator().await;
    copied_snapshot(&moto, "nightly-copy").await;
    let step = RestoreCluster { cluster: cluster() };
    let facts = step.check(&cx(&moto, RUN, Value::Null)).await.expect("there is a snapshot").facts;
    step.apply(&cx(&moto, "20261101T0000-prod-0000", facts.clone())).await.expect("it is restored");
    let Ok(Seen::Conflict { cause, hint }) = step.observe(&cx(&moto, RUN, facts)).await else {
        panic!("it belongs to another run");
    };
    assert!(cause.contains("run 20261101T0000-prod-0000 made it"), "{cause}");
    assert!(hint.is_some_and(|hint| hint.contains("resume run 20261101T0000-prod-0000")));
}

#[tokio::test]
async fn a_cluster_in_the_recovery_state_is_done_and_left_to_terraform() {
    let moto = harness::emulator().await;
    copied_snapshot(&moto, "nightly-copy").await;
    foreign(&moto).await;
    let session = moto.session(RECOVERY);
    let request = rds::InstanceRequest {
        id: "logs-dr-1".into(),
        cluster: "logs-dr".into(),
        engine: "aurora-mysql".into(),
        class: "db.serverless".into(),
        ..rds::InstanceRequest::default()
    };
    rds::create_instance(&session, request).await.expect("an instance");
    let before = rds::cluster(&session, "logs-dr").await.expect("an answer");
    let prepared = json!({"adopted": {(CLUSTER): "logs-dr"}});
    let outputs = [("infrastructure.declare", declare()), ("infrastructure.prepare", prepared)];
    let step = RestoreCluster { cluster: cluster() };
    let cx = world::cx(&moto, RUN, STEP, Value::Null, &outputs);
    let Ok(Seen::Done(output)) = step.observe(&cx).await else { panic!("it stands") };
    assert_eq!(output["restored"], false);
    step.verify(&cx, &output).await.expect("it serves");
    assert_eq!(rds::cluster(&session, "logs-dr").await.expect("an answer"), before);
}

#[tokio::test]
async fn without_a_snapshot_in_the_recovery_region_nothing_starts() {
    let moto = harness::emulator().await;
    let blocked = RestoreCluster { cluster: cluster() }
        .check(&cx(&moto, RUN, Value::Null))
        .await
        .expect_err("there is no snapshot");
    assert_eq!(blocked.cause, "no snapshot of cluster logs-prod stands in us-east-1: its only source is in eu-west-2");
}

#[tokio::test]
async fn a_setting_that_drifted_after_the_restore_fails_the_verification_by_name() {
    let moto = harness::emulator().await;
    copied_snapshot(&moto, "nightly-copy").await;
    let restore = RestoreCluster { cluster: cluster() };
    let facts = restore.check(&cx(&moto, RUN, Value::Null)).await.expect("there is a snapshot").facts;
    let cx = cx(&moto, RUN, facts);
    restore.apply(&cx).await.expect("it is restored");
    let verify = VerifyCluster { cluster: cluster() };
    assert_eq!(verify.observe(&cx).await, Ok(Seen::Absent));
    assert_eq!(verify.apply(&cx).await.expect("it is as declared")["instances"], 1);
    let change = rds::ClusterChange { backup_retention_days: Some(1), ..rds::ClusterChange::default() };
    rds::modify_cluster(&cx.world.aws, "logs-dr", change).await.expect("a change");
    let error = verify.apply(&cx).await.expect_err("it drifted");
    assert_eq!(error.kind, lifeboat::journal::FailureKind::CheckFailed);
    assert_eq!(error.cause, "cluster logs-dr is not as declared: backup_retention_period is 1, declared 9");
}

#[tokio::test]
async fn an_instance_of_another_cluster_is_a_conflict_before_anything_is_made() {
    let moto = harness::emulator().await;
    copied_snapshot(&moto, "nightly-copy").await;
    let session = moto.session(RECOVERY);
    let request = rds::InstanceRequest {
        id: "logs-dr-1".into(),
        cluster: "billing".into(),
        engine: "aurora-mysql".into(),
        class: "db.r6g.large".into(),
        ..Default::default()
    };
    session
        .rds()
        .create_db_cluster()
        .db_cluster_identifier("billing")
        .engine("aurora-mysql")
        .master_username("somebody")
        .master_user_password("not-a-secret")
        .send()
        .await
        .expect("another cluster");
    rds::create_instance(&session, request).await.expect("its instance");
    let step = RestoreCluster { cluster: cluster() };
    let facts = step.check(&cx(&moto, RUN, Value::Null)).await.expect("there is a snapshot").facts;
    let cx = cx(&moto, RUN, facts);
    assert!(
        matches!(step.observe(&cx).await, Ok(Seen::Conflict { cause, .. }) if cause.contains("in cluster billing"))
    );
    assert!(step.apply(&cx).await.is_err());
    assert_eq!(rds::cluster(&session, "logs-dr").await, Ok(None));
}

#[tokio::test]
async fn serverless_instances_without_a_declared_capacity_are_given_one_and_it_is_said() {
    let moto = harness::emulator().await;
    copied_snapshot(&moto, "nightly-copy").await;
    let step = RestoreCluster { cluster: Cluster { adopt: None, ..cluster() } };
    let facts = step.check(&cx(&moto, RUN, Value::Null)).await.expect("there is a snapshot").facts;
    let cx = cx(&moto, RUN, facts);
    let output = step.apply(&cx).await.expect("it is restored");
    step.verify(&cx, &output).await.expect("it serves");
    assert!(output["not_set"].to_string().contains("0.5 to 16 ACU"), "{output}");
}

#[tokio::test]
async fn a_cluster_in_the_recovery_state_needs_no_snapshot() {
    let moto = harness::emulator().await;
    foreign(&moto).await;
    let step = RestoreCluster { cluster: cluster() };
    let cx = cx(&moto, RUN, Value::Null);
    assert!(step.check(&cx).await.is_err(), "no state holds it yet");
    let region = &cx.world.manifest.recovery;
    let state = json!({"version": 4, "serial": 1, "lineage": "x", "resources": [{"mode": "managed",
        "type": "aws_rds_cluster", "name": "logs", "instances": [{"attributes": {"id": "logs-dr"}}]}]});
    let s3 = cx.world.aws.s3();
    s3.create_bucket().bucket(&region.backend.bucket).send().await.ok();
    let put = s3.put_object().bucket(&region.backend.bucket).key(lifeboat::aws::s3::state_key(region));
    put.body(state.to_string().into_bytes().into()).send().await.expect("a state");
    let checked = step.check(&cx).await.expect("the state holds it");
    assert!(checked.facts["warnings"].to_string().contains("the recovery state holds logs-dr"), "{}", checked.facts);
}
