//! After a breach stores come back from the newest recovery point that is clean, and what a teardown would take away is kept
//! before. CloudTrail's event history, and snapshots of chosen times and makers, are a fake in the shapes of the API references:
//! the emulator has neither.

use jiff::{SignedDuration, Timestamp};
use lifeboat::aws::cloudtrail_makers::makers;
use lifeboat::aws::rds;
use lifeboat::manifest::{CleanBefore, Cluster, ClusterSource, Table, TableSource};
use lifeboat::rehearse::proxy::{Effect, Pattern, Proxy, ProxyOptions};
use lifeboat::steps::{PreservePoint, RestoreCluster, RestoreTable, Seen, Step, VerifyTable};
use serde_json::{Value, json};

use crate::scripted::{Asked, Reply, Scripted};
use crate::world::{self, RECOVERY, RUN};
use crate::{aurora, harness, table};

const PRESERVE: &str = "preserve.aurora.logs";

fn rule(before: Timestamp) -> CleanBefore {
    CleanBefore { before, margin: SignedDuration::from_hours(1), refused_makers: vec!["mallory".into()] }
}

fn later() -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(2)
}

/// The emulator's source stands in the region that is worked in, as in a rebuild.
fn cluster(before: Timestamp) -> Cluster {
    let from = ClusterSource::CleanBefore(rule(before));
    Cluster { target: "logs-prod".into(), from, ..aurora::cluster() }
}

async fn source(session: &lifeboat::aws::Session) {
    let create = session.rds().create_db_cluster().db_cluster_identifier("logs-prod").engine("aurora-mysql");
    let create = create.engine_version("8.0.mysql_aurora.3.08.2");
    create.master_username("admin").master_user_password("not-a-secret").send().await.expect("a cluster");
}

fn snapshot(id: &str, at: &str) -> String {
    format!(
        "<DBClusterSnapshot><DBClusterSnapshotIdentifier>{id}</DBClusterSnapshotIdentifier>\
         <DBClusterSnapshotArn>arn:aws:rds:us-east-1:123456789012:cluster-snapshot:{id}</DBClusterSnapshotArn>\
         <DBClusterIdentifier>logs-prod</DBClusterIdentifier><Status>available</Status>\
         <SnapshotType>manual</SnapshotType><SnapshotCreateTime>{at}</SnapshotCreateTime>\
         <Engine>aurora-mysql</Engine><EngineVersion>8.0.mysql_aurora.3.08.2</EngineVersion></DBClusterSnapshot>"
    )
}

fn event(snapshot: &str, user: &str) -> Value {
    let told = json!({
        "eventName": "CreateDBClusterSnapshot", "eventTime": "2026-11-20T00:00:00Z",
        "userIdentity": { "type": "IAMUser", "arn": format!("arn:aws:iam::123456789012:user/{user}"), "userName": user },
        "requestParameters": { "dBClusterSnapshotIdentifier": snapshot }
    });
    json!({ "EventName": "CreateDBClusterSnapshot", "CloudTrailEvent": told.to_string() })
}

/// Three snapshots: of after the breach, mallory's, and one of before that somebody else made.
fn answer(asked: &Asked) -> Reply {
    if asked.header("x-amz-target").ends_with("LookupEvents") {
        let second = asked.body.contains("NextToken");
        let create = asked.body.contains("\"CreateDBClusterSnapshot\"");
        let events = match (create, second) {
            (true, false) => json!({ "Events": [event("hers", "mallory")], "NextToken": "more" }),
            (true, true) => json!({ "Events": [event("nightly", "backup")] }),
            _ => json!({ "Events": [] }),
        };
        return (200, events.to_string()).into();
    }
    let xml = |action: &str, inner: &str| {
        format!("<{action}Response><{action}Result>{inner}</{action}Result></{action}Response>")
    };
    if asked.body.contains("Action=DescribeDBClusterSnapshots") {
        let all = match asked.body.contains("awsbackup") {
            true => String::new(),
            false => {
                snapshot("new", "2026-11-22T02:30:00Z")
                    + &snapshot("hers", "2026-11-22T01:30:00Z")
                    + &snapshot("nightly", "2026-11-22T01:00:00Z")
                    + &snapshot("old", "2026-11-21T01:00:00Z")
            }
        };
        let inner = format!("<DBClusterSnapshots>{all}</DBClusterSnapshots>");
        return (200, xml("DescribeDBClusterSnapshots", &inner)).into();
    }
    (200, xml("DescribeDBClusters", "<DBClusters></DBClusters>")).into()
}

#[tokio::test]
async fn a_contained_users_snapshot_and_one_within_the_margin_are_refused_and_every_candidate_is_listed() {
    let moto = harness::emulator().await;
    let aws = Scripted::start(answer).await;
    let before: Timestamp = "2026-11-22T03:00:00Z".parse().expect("a time");
    let step = RestoreCluster { cluster: cluster(before) };
    let cx = world::cx_by(aws.session(RECOVERY), &moto, RUN, aurora::STEP, Value::Null, &[]);
    let facts = step.check(&cx).await.expect("one is clean").facts;
    assert_eq!(facts["recovery_point"], "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:nightly");
    assert_eq!(facts["recovery_point_at"], "2026-11-22T01:00:00Z");
    let listed = facts["candidates"].as_array().expect("candidates");
    let why = |index: usize| listed[index]["why"].as_str().unwrap_or_default().to_owned();
    assert_eq!(listed.len(), 4, "{facts}");
    assert!(why(0).contains("newer than 2026-11-22T02:00:00Z"), "{facts}");
    assert!(why(1).contains("made by mallory, who is shut out"), "{facts}");
    assert_eq!((&listed[2]["taken"], &listed[3]["taken"]), (&json!(true), &json!(false)));
    assert_eq!(listed[2]["made_by"], "arn:aws:iam::123456789012:user/backup");
    assert!(listed[3]["made_by"].as_str().is_some_and(|who| who.starts_with("unknown")), "{facts}");

    // Two days earlier nothing is left, and each is named.
    let step = RestoreCluster { cluster: cluster("2026-11-20T03:00:00Z".parse().expect("a time")) };
    let blocked = step.check(&cx).await.expect_err("nothing is clean");
    for word in ["cluster logs-prod has no clean recovery point", ":new,", ":hers,", ":nightly,", ":old,"] {
        assert!(blocked.cause.contains(word), "{word}: {}", blocked.cause);
    }
}

#[tokio::test]
async fn a_history_is_read_to_its_last_page() {
    let aws = Scripted::start(answer).await;
    let found = makers(&aws.session(RECOVERY), &["CreateDBClusterSnapshot"]).await.expect("an answer");
    assert_eq!((found.get("hers").len(), found.get("nightly").len()), (1, 1));
    assert_eq!(aws.asked().len(), 2);
}

#[tokio::test]
async fn an_automated_snapshot_is_copied_once_after_a_lost_reply_and_the_restore_takes_the_copy_when_its_cluster_is_gone()
 {
    let moto = harness::emulator().await;
    let log = moto.dir.path().join("requests.jsonl");
    let options = ProxyOptions { upstream: moto.emulator.address(), log, port: None };
    let proxy = Proxy::start(&options).await.expect("a proxy");
    let session = || lifeboat::aws::Session::emulated(RECOVERY, &proxy.endpoint());
    let rds = moto.session(RECOVERY).rds().clone();
    source(&moto.session(RECOVERY)).await;
    let all = rds::cluster_snapshots(&moto.session(RECOVERY)).await.expect("an answer");
    assert!(all.iter().any(|it| it.kind == "automated"), "the emulator makes one: {all:?}");

    let (keep, restore) = (PreservePoint { cluster: cluster(later()) }, RestoreCluster { cluster: cluster(later()) });
    let outputs = |kept: &Value| [("infrastructure.declare", aurora::declare()), (PRESERVE, kept.clone())];
    let cx = |step: &str, facts: &Value, kept: &Value| {
        world::cx_by(session(), &moto, RUN, step, facts.clone(), &outputs(kept))
    };
    let facts = keep.check(&cx(PRESERVE, &Value::Null, &Value::Null)).await.expect("it is clean").facts;
    let chosen = world::cx_by(session(), &moto, RUN, aurora::STEP, Value::Null, &[]);
    let restored = restore.check(&chosen).await.expect("it is clean").facts;
    assert_eq!(facts["recovery_point"], restored["recovery_point"]);
    assert!(restored["warnings"].to_string().contains("restored only once it is gone"), "{restored}");

    proxy.control().add(Pattern::operation("rds", "CopyDBClusterSnapshot"), Effect::LoseReply { nth: 1 });
    let at = cx(PRESERVE, &facts, &Value::Null);
    assert_eq!(keep.observe(&at).await, Ok(Seen::Absent));
    let kept = keep.apply(&at).await.expect("it is kept");
    keep.verify(&at, &kept).await.expect("it outlives its cluster");
    assert_eq!(keep.observe(&at).await, Ok(Seen::Done(kept.clone())), "a resumed run makes no second one");
    let copies = rds::cluster_snapshots(&moto.session(RECOVERY)).await.expect("an answer");
    assert_eq!(copies.iter().filter(|it| it.id.starts_with("lifeboat-logs-prod-")).count(), 1);

    // The teardown takes the automated one along.
    rds.delete_db_cluster().db_cluster_identifier("logs-prod").skip_final_snapshot(true).send().await.expect("gone");
    for id in copies.iter().filter(|it| it.kind == "automated").map(|it| it.id.clone()) {
        rds.delete_db_cluster_snapshot().db_cluster_snapshot_identifier(id).send().await.ok();
    }
    let cx = cx(aurora::STEP, &restored, &kept);
    let output = restore.apply(&cx).await.expect("it is restored from the copy");
    restore.verify(&cx, &output).await.expect("it is as declared");
    assert_eq!(output["id"], "logs-prod");
}

#[tokio::test]
async fn a_cluster_that_was_never_torn_down_is_not_taken_for_a_clean_restore() {
    let moto = harness::emulator().await;
    source(&moto.session(RECOVERY)).await;
    let step = RestoreCluster { cluster: cluster(later()) };
    let held = json!({ "adopted": { "aws_rds_cluster.logs": "logs-prod" } });
    let outputs = [("infrastructure.declare", aurora::declare()), ("infrastructure.prepare", held)];
    let cx = |facts| world::cx(&moto, RUN, aurora::STEP, facts, &outputs);
    let facts = step.check(&cx(Value::Null)).await.expect("it is clean").facts;
    assert!(matches!(step.observe(&cx(facts.clone())).await, Ok(Seen::Conflict { .. })));
    let error = step.apply(&cx(facts)).await.expect_err("it stands");
    assert_eq!(error.kind, lifeboat::journal::FailureKind::Conflict);
}

#[tokio::test]
async fn a_table_comes_back_from_its_clean_backup_and_a_foreign_snapshot_of_the_copys_name_is_a_conflict() {
    let moto = harness::emulator().await;
    table::backed_up(&moto).await;
    let step = RestoreTable { table: Table { from: TableSource::CleanBefore(rule(later())), ..table::table(1) } };
    let cx = |facts| world::cx(&moto, RUN, table::STEP, facts, &[("infrastructure.plan", table::plan())]);
    let facts = step.check(&cx(Value::Null)).await.expect("there is a backup").facts;
    assert!(facts["warnings"].to_string().contains("who made"), "a person has to sign it off: {facts}");
    let at = cx(facts);
    let output = step.apply(&at).await.expect("it is restored");
    step.verify(&at, &output).await.expect("it is as declared");
    let verify = VerifyTable { table: step.table.clone() };
    verify.apply(&at).await.expect("its items are there");
    let too_early = rule(Timestamp::now() - SignedDuration::from_hours(1));
    let early = RestoreTable { table: Table { from: TableSource::CleanBefore(too_early), ..table::table(1) } };
    let blocked = early.check(&cx(Value::Null)).await.expect_err("it is too new");
    assert!(blocked.cause.contains("newer than"), "{}", blocked.cause);

    source(&moto.session(RECOVERY)).await;
    let keep = PreservePoint { cluster: cluster(later()) };
    let cx = |facts| world::cx(&moto, RUN, PRESERVE, facts, &[]);
    let facts = keep.check(&cx(Value::Null)).await.expect("it is clean").facts;
    let chosen = facts["recovery_point"].as_str().and_then(|arn| arn.rsplit_once("rds:")).expect("an automated one").1;
    let rds = moto.session(RECOVERY);
    let taken = rds.rds().create_db_cluster_snapshot().db_cluster_identifier("logs-prod");
    let taken = taken.db_cluster_snapshot_identifier(format!("lifeboat-{chosen}"));
    taken.send().await.expect("somebody else's");
    assert!(matches!(keep.observe(&cx(facts.clone())).await, Ok(Seen::Conflict { .. })));
    assert!(keep.apply(&cx(facts)).await.is_err());
}
