//! Restores of clusters and tables while the network and AWS misbehave: lost replies, slow creations, throttling, and a
//! primary region that is gone.

use std::time::{Duration, Instant};

use lifeboat::aws::rds;
use lifeboat::rehearse::proxy::{Effect, Pattern, Proxy, ProxyOptions};
use lifeboat::steps::{Cx, RestoreCluster, RestoreTable, Seen, Step, VerifyTable};
use serde_json::{Value, json};

use crate::harness::{self, TestEmulator};
use crate::world::{self, PRIMARY, RECOVERY, RUN};
use crate::{aurora, table};

struct Rig {
    moto: TestEmulator,
    proxy: Proxy,
}

impl Rig {
    async fn new() -> Self {
        let moto = harness::emulator().await;
        let log = moto.dir.path().join("requests.jsonl");
        let options = ProxyOptions { upstream: moto.emulator.address(), log, port: None };
        let proxy = Proxy::start(&options).await.expect("a proxy");
        Self { moto, proxy }
    }

    fn cx(&self, step: &str, facts: Value) -> Cx {
        let session = lifeboat::aws::Session::emulated(RECOVERY, &self.proxy.endpoint());
        let outputs = [("infrastructure.declare", aurora::declare()), ("infrastructure.plan", table::plan())];
        let outputs = if step == table::STEP { &outputs[1..] } else { &outputs[..1] };
        world::cx_by(session, &self.moto, RUN, step, facts, outputs)
    }

    fn sent(&self, service: &str, operation: &str) -> u64 {
        self.proxy.control().seen(&Pattern::operation(service, operation))
    }
}

#[tokio::test]
async fn a_lost_reply_to_the_restore_makes_one_cluster_and_one_table() {
    let rig = Rig::new().await;
    aurora::copied_snapshot(&rig.moto, "nightly-copy").await;
    table::backed_up(&rig.moto).await;
    let control = rig.proxy.control();
    control.add(Pattern::operation("rds", "RestoreDBClusterFromSnapshot"), Effect::LoseReply { nth: 1 });
    control.add(Pattern::operation("rds", "CreateDBInstance"), Effect::LoseReply { nth: 1 });
    control.add(Pattern::operation("dynamodb", "RestoreTableFromBackup"), Effect::LoseReply { nth: 1 });

    let cluster = RestoreCluster { cluster: aurora::cluster() };
    let facts = cluster.check(&rig.cx(aurora::STEP, Value::Null)).await.expect("there is a snapshot").facts;
    let cx = rig.cx(aurora::STEP, facts);
    let output = cluster.apply(&cx).await.expect("it is restored");
    cluster.verify(&cx, &output).await.expect("it is as declared");
    // The second request of each kind is the SDK's own. AWS refuses it; moto replaces the cluster, or refuses it by the
    // name of the automated snapshot.
    assert_eq!(rig.sent("rds", "RestoreDBClusterFromSnapshot"), 2);
    assert_eq!(rig.sent("rds", "CreateDBInstance"), 2);
    let session = rig.moto.session(RECOVERY);
    assert_eq!(session.rds().describe_db_clusters().send().await.expect("an answer").db_clusters().len(), 1);
    assert_eq!(session.rds().describe_db_instances().send().await.expect("an answer").db_instances().len(), 1);

    let table = RestoreTable { table: table::table(table::ITEMS) };
    let facts = table.check(&rig.cx(table::STEP, Value::Null)).await.expect("there is a backup").facts;
    let cx = rig.cx(table::STEP, facts);
    let output = table.apply(&cx).await.expect("it is restored");
    table.verify(&cx, &output).await.expect("it is as declared");
    assert_eq!(rig.sent("dynamodb", "RestoreTableFromBackup"), 2);
}

#[tokio::test]
async fn what_takes_its_time_is_waited_for_and_is_in_progress_meanwhile() {
    let rig = Rig::new().await;
    aurora::copied_snapshot(&rig.moto, "nightly-copy").await;
    table::backed_up(&rig.moto).await;
    let cluster = RestoreCluster { cluster: aurora::cluster() };
    let table = RestoreTable { table: table::table(table::ITEMS) };
    let facts = cluster.check(&rig.cx(aurora::STEP, Value::Null)).await.expect("there is a snapshot").facts;
    let on_cluster = rig.cx(aurora::STEP, facts);
    let facts = table.check(&rig.cx(table::STEP, Value::Null)).await.expect("there is a backup").facts;
    let on_table = rig.cx(table::STEP, facts).resumed();
    rig.proxy.control().settle_after(Duration::from_secs(4));
    let began = Instant::now();
    let watch = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        (cluster.observe(&on_cluster).await, table.observe(&on_table).await)
    };
    let (cluster, table, meanwhile) = tokio::join!(cluster.apply(&on_cluster), table.apply(&on_table), watch);
    cluster.expect("the cluster is restored");
    table.expect("the table is restored");
    let (Ok(Seen::InProgress(cluster)), Ok(Seen::InProgress(table))) = meanwhile else { panic!("{meanwhile:?}") };
    assert_eq!((cluster.as_str(), table.as_str()), ("cluster logs-dr is creating", "table metadata-dr: CREATING"));
    assert!(began.elapsed() >= Duration::from_secs(8), "the instance comes after the cluster: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_snapshot_that_is_still_being_made_blocks_the_run_by_name() {
    let rig = Rig::new().await;
    aurora::copied_snapshot(&rig.moto, "nightly-copy").await;
    rig.proxy.control().settle_after(Duration::from_secs(60));
    let session = lifeboat::aws::Session::emulated(RECOVERY, &rig.proxy.endpoint());
    let arn = "arn:aws:rds:eu-west-2:123456789012:cluster-snapshot:nightly";
    let copy = session.rds().copy_db_cluster_snapshot().source_db_cluster_snapshot_identifier(arn);
    copy.target_db_cluster_snapshot_identifier("hourly-copy").send().await.expect("a copy");

    let step = RestoreCluster { cluster: aurora::cluster() };
    let checked = step.check(&rig.cx(aurora::STEP, Value::Null)).await.expect("the older one serves");
    assert!(checked.facts["recovery_point"].as_str().is_some_and(|arn| arn.ends_with(":nightly-copy")));
    assert!(checked.facts["warnings"][0].as_str().is_some_and(|text| text.contains("hourly-copy")), "{checked:?}");

    session
        .rds()
        .delete_db_cluster_snapshot()
        .db_cluster_snapshot_identifier("nightly-copy")
        .send()
        .await
        .expect("gone");
    let blocked = step.check(&rig.cx(aurora::STEP, Value::Null)).await.expect_err("nothing is ready");
    assert!(blocked.cause.contains("cluster-snapshot:hourly-copy (creating"), "{}", blocked.cause);
}

#[tokio::test]
async fn the_failed_region_is_never_asked_and_throttling_and_resets_only_delay() {
    let rig = Rig::new().await;
    aurora::copied_snapshot(&rig.moto, "nightly-copy").await;
    table::backed_up(&rig.moto).await;
    rig.proxy.control().refuse_region(PRIMARY);
    rig.proxy.control().add(Pattern::default(), Effect::Throttle { share: 0.2, seed: 7 });
    rig.proxy.control().add(Pattern::default(), Effect::Reset { share: 0.2, seed: 7 });

    let cluster = RestoreCluster { cluster: aurora::cluster() };
    let facts = cluster.check(&rig.cx(aurora::STEP, Value::Null)).await.expect("there is a snapshot").facts;
    cluster.apply(&rig.cx(aurora::STEP, facts)).await.expect("it is restored");
    let table = RestoreTable { table: table::table(table::ITEMS) };
    let facts = table.check(&rig.cx(table::STEP, Value::Null)).await.expect("there is a backup").facts;
    let cx = rig.cx(table::STEP, facts);
    table.apply(&cx).await.expect("it is restored");
    let counted = VerifyTable { table: table::table(table::ITEMS) }.apply(&cx).await.expect("it is whole");
    assert_eq!(counted["items"], json!(table::ITEMS));
    assert_eq!(rig.proxy.control().seen(&Pattern::region(PRIMARY)), 0);
    let state = rds::cluster(&rig.moto.session(RECOVERY), "logs-dr").await.expect("an answer");
    assert!(state.is_some_and(|state| state.members.len() == 1));
}
