//! A failover of an Aurora global database, with the command as the operator uses it. The emulator fails none over: the proxy
//! plays it, which is a fake of DescribeGlobalClusters and FailoverGlobalCluster from the RDS API reference; clusters and
//! instances are the emulator's.

use std::sync::Arc;
use std::time::Duration;

use lifeboat::manifest::{Cluster, ClusterSource};
use lifeboat::rehearse::proxy::{Catch, Effect, Global, Pattern, Release, Trap};
use lifeboat::runbook::StepId;
use lifeboat::scenario;
use lifeboat::steps::{Cx, FailOverCluster, Seen, Step};
use lifeboat::verify::lag::lag;
use lifeboat::verify::sql::Database;
use serde_json::Value;

use crate::mariadb::{MariaDb, PASSWORD, checker};
use crate::offline;
use crate::state_custody::Tiny;

const AURORA: &str = r#"
aurora "logs" {
  source = "logs-prod"
  target = "logs-dr"
  from   = global("logs-global")
}
"#;
const ENGINE: &str = "aurora-mysql";
const VERSION: &str = "8.0.mysql_aurora.3.08.2";
const STEP: &str = "restore.aurora.logs";

fn arn(region: &str, id: &str) -> String {
    format!("arn:aws:rds:{region}:123456789012:cluster:{id}")
}

/// As it should be: written in the primary region, with a secondary in the recovery region.
fn healthy() -> Global {
    Global::of(ENGINE, VERSION, &[arn("eu-west-2", "logs-prod"), arn("us-east-1", "logs-dr")])
}

/// The secondary cluster; a headless one has no instance.
async fn secondary(tiny: &Tiny, headless: bool) {
    let rds = tiny.moto.session("us-east-1").rds();
    let cluster = rds.create_db_cluster().db_cluster_identifier("logs-dr").engine(ENGINE).engine_version(VERSION);
    cluster.master_username("admin").master_user_password("not-a-secret").send().await.expect("a cluster");
    if !headless {
        instance(tiny).await;
    }
}

async fn instance(tiny: &Tiny) {
    let rds = tiny.moto.session("us-east-1").rds();
    let instance = rds.create_db_instance().db_instance_identifier("logs-dr-1").db_cluster_identifier("logs-dr");
    instance.engine(ENGINE).db_instance_class("db.r6g.large").send().await.expect("an instance");
}

async fn site(global: Global) -> Tiny {
    let tiny = Tiny::with_root("").await;
    tiny.write_manifest(AURORA);
    secondary(&tiny, false).await;
    tiny.proxy.control().global("logs-global", global);
    tiny
}

const ALLOWED: [&str; 4] = ["failover", "tiny", "--confirm", "tiny"];

async fn allowed(tiny: &Tiny) -> (Option<i32>, String) {
    tiny.words(&[&ALLOWED[..], &["--allow-data-loss"]].concat()).await
}

fn requests(tiny: &Tiny, operation: &str) -> usize {
    let requests = std::fs::read_to_string(tiny.moto.dir.path().join("requests.jsonl")).expect("requests");
    requests.lines().filter(|line| line.contains(&format!("\"{operation}\""))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_global_database_is_failed_over_once_and_only_when_its_loss_is_allowed() {
    let tiny = site(healthy()).await;
    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(3), "{said}");
    for words in
        ["is not known: its aurora block has no sql block", "allow it with --allow-data-loss", "nothing was changed"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(tiny.proxy.control().failovers("logs-global"), 0);
    let (code, ready, _) = tiny.lifeboat(&["check", "tiny", "--no-plan"]).await;
    let ready = ready.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!((code, ready.contains("needs --allow-data-loss")), (Some(0), true), "a check asks for nothing: {ready}");

    let (code, said) = allowed(&tiny).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((tiny.proxy.control().failovers("logs-global"), requests(&tiny, "FailoverGlobalCluster")), (1, 1));
    assert!(said.contains("Aurora itself makes logs-prod a secondary"), "{said}");
    let report = tiny.report(&tiny.run()).await.to_string();
    for words in ["allows that this is lost: --allow-data-loss", "whether cluster logs-prod takes no more writes"] {
        assert!(report.contains(words), "{words}: {report}");
    }
    let requests_made = std::fs::read_to_string(tiny.moto.dir.path().join("requests.jsonl")).expect("requests");
    assert!(!requests_made.contains("\"eu-west-2\""), "nothing is asked in the primary region");

    // It writes already: nothing is left to allow, and nothing is asked for.
    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(requests(&tiny, "FailoverGlobalCluster"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_failed_over_is_refused_before_anything_is_changed() {
    let tiny = Tiny::with_root("").await;
    tiny.write_manifest(AURORA);
    let control = tiny.proxy.control();
    let refused = async |words: &str| {
        let (code, said) = allowed(&tiny).await;
        assert_eq!((code, said.contains(words)), (Some(3), true), "{words}: {said}");
    };
    control.global("another", healthy());
    refused("there is no global database logs-global").await;
    control.global("logs-global", Global::of(ENGINE, VERSION, &[arn("eu-west-2", "logs-prod")]));
    refused("cluster logs-dr in us-east-1 is no member of global database logs-global").await;
    control.global("logs-global", healthy());
    secondary(&tiny, true).await;
    refused("has no instance: nobody there could write").await;
    refused("aws rds create-db-instance --region us-east-1 --db-cluster-identifier logs-dr").await;
    instance(&tiny).await;
    let elsewhere = Global::of(ENGINE, VERSION, &[arn("ap-south-1", "logs"), arn("us-east-1", "logs-dr")]);
    control.global("logs-global", elsewhere);
    refused("not logs-prod in eu-west-2").await;
    let other = arn("ap-south-1", "logs");
    control.global("logs-global", healthy().taking(Duration::from_secs(600)).moving_to(&other));
    refused(&format!("is failing-over already, to {other}")).await;
    assert_eq!(requests(&tiny, "FailoverGlobalCluster"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_whose_reply_is_lost_is_looked_for_and_not_asked_for_again() {
    let tiny = site(healthy().taking(Duration::from_secs(6))).await;
    let lost = tiny.proxy.control().trap(Trap {
        matches: Box::new(|call, _| call.operation == "FailoverGlobalCluster"),
        nth: 1,
        catch: Catch::LoseReply,
    });
    let (code, said) = allowed(&tiny).await;
    assert_eq!(code, Some(0), "{said}");
    lost.await.expect("the reply was lost");
    assert_eq!((tiny.proxy.control().failovers("logs-global"), requests(&tiny, "FailoverGlobalCluster")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_over_its_failover_attaches_to_it() {
    let tiny = site(healthy().taking(Duration::from_secs(8))).await;
    let caught = tiny.proxy.control().trap(Trap {
        matches: Box::new(|call, _| call.operation == "FailoverGlobalCluster"),
        nth: 1,
        catch: Catch::After,
    });
    let command = tiny.command(&[&ALLOWED[..], &["--allow-data-loss"]].concat());
    crate::command::killed(command, caught).await;
    let run = tiny.run();
    let (code, said) = tiny.words(&["resume", &run]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((tiny.proxy.control().failovers("logs-global"), requests(&tiny, "FailoverGlobalCluster")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_that_aws_gives_up_or_refuses_is_held_and_asked_for_again_on_request() {
    let tiny = site(healthy().taking(Duration::from_secs(5)).giving_up()).await;
    let (code, said) = allowed(&tiny).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("AWS has given up the failover of global database logs-global"), "{said}");
    tiny.proxy.control().global("logs-global", healthy());
    let run = tiny.run();
    let (code, said) = tiny.words(&["resume", &run, "--retry", STEP]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(requests(&tiny, "FailoverGlobalCluster"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_found_the_writer_in_place_does_not_fail_over_what_was_moved_back() {
    let tiny = site(Global::of(ENGINE, VERSION, &[arn("us-east-1", "logs-dr"), arn("eu-west-2", "logs-prod")])).await;
    let caught = tiny.proxy.control().trap(Trap {
        matches: Box::new(|call, _| call.operation == "DescribeGlobalClusters"),
        nth: 2,
        catch: Catch::Before,
    });
    let control = tiny.proxy.control();
    let moved = async {
        let caught = caught.await.expect("the second look");
        control.global("logs-global", healthy());
        caught.release(Release::Go);
    };
    let ((code, said), ()) = tokio::join!(tiny.failover(), moved);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("nobody has allowed that data is lost"), "{said}");
    assert_eq!(requests(&tiny, "FailoverGlobalCluster"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_aws_throttles_is_sent_again_at_once() {
    let tiny = site(healthy()).await;
    let pattern = Pattern::operation("rds", "FailoverGlobalCluster");
    let control = tiny.proxy.control();
    let rule = control.add(pattern, Effect::Throttle { share: 1.0, seed: 7 });
    let passes = async {
        while control.hits(rule) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        control.remove(rule);
    };
    let began = std::time::Instant::now();
    let ((code, said), ()) = tokio::join!(allowed(&tiny), passes);
    assert_eq!(
        (code, control.failovers("logs-global"), requests(&tiny, "FailoverGlobalCluster")),
        (Some(0), 1, 2),
        "{said}"
    );
    assert!(began.elapsed() < Duration::from_secs(60), "what was refused by name is not looked for");
}

fn cluster() -> Cluster {
    Cluster {
        name: "logs".into(),
        source: "logs-prod".into(),
        target: "logs-dr".into(),
        from: ClusterSource::Global("logs-global".into()),
        instances: 1,
        adopt: None,
        subnet_group: None,
        security_groups: Vec::new(),
        rows: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_that_never_ends_is_given_up_at_its_deadline_with_what_to_do() {
    let tiny = site(healthy().taking(Duration::from_secs(600)).moving_to(&arn("us-east-1", "logs-dr"))).await;
    let session = lifeboat::aws::Session::emulated("us-east-1", &tiny.proxy.endpoint());
    let world = Arc::new(offline::world("run", tiny.home(), session));
    let step = FailOverCluster { cluster: cluster(), within: Duration::from_secs(3) };
    let cx = Cx::detached(world, STEP, Value::Null, [].into());
    assert_eq!(
        step.observe(&cx).await,
        Ok(Seen::InProgress("global database logs-global is failing-over to logs-dr".into()))
    );
    let error = step.apply(&cx).await.expect_err("it does not end");
    assert!(error.cause.contains("still failing-over to logs-dr after"), "{}", error.cause);
    let hint = error.hint.unwrap_or_default();
    assert!(hint.contains("detach logs-dr by hand") && hint.contains("no second failover"), "{hint}");
    assert_eq!(tiny.proxy.control().failovers("logs-global"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lag_is_asked_of_the_database_and_where_it_has_none_that_is_said() {
    let server = MariaDb::start().await;
    // The columns and types of information_schema.aurora_global_db_status, which no other server has.
    let table = "CREATE TABLE logs.aurora_global_db_status (AWS_REGION VARCHAR(100), HIGHEST_LSN_WRITTEN BIGINT UNSIGNED, \
                 DURABILITY_LAG_IN_MILLISECONDS FLOAT(10,0) UNSIGNED, RPO_LAG_IN_MILLISECONDS FLOAT(10,0) UNSIGNED, \
                 LAST_LAG_CALCULATION_TIMESTAMP DATETIME(6), OLDEST_READ_VIEW_TRX_ID BIGINT UNSIGNED)";
    server.execute(table).await;
    server.execute("SET GLOBAL time_zone = '+05:00'").await;
    let rows = "INSERT INTO logs.aurora_global_db_status VALUES \
                ('eu-west-2', 7, 0, 0, '1970-01-01 00:00:00', 0), \
                ('us-east-1', 6, 428, 1500, UTC_TIMESTAMP(6) - INTERVAL 90 SECOND, 0)";
    server.execute(rows).await;
    let table = "logs.aurora_global_db_status";
    let mut database = Database::connect(&server.place(), &checker()).await.expect("a connection");
    let found = lag(&mut database, table, "us-east-1").await.expect("a lag");
    assert!((91..100).contains(&found.behind.as_secs()), "90 s since it was calculated, and 1.5 s: {found:?}");
    let said = lag(&mut database, table, "eu-west-2").await.expect_err("the primary has none");
    assert!(said.contains("never calculated"), "{said}");
    let said = lag(&mut database, table, "ap-south-1").await.expect_err("no row");
    assert!(said.contains("tells nothing of ap-south-1"), "{said}");
    database.close().await;

    let tiny = site(healthy()).await;
    let sql = format!(
        "  verify = [sql(\"SELECT COUNT(*) FROM events\") >= 3]\n  sql {{\n    login = secret(\"logs/reader\")\n    database = \
         \"logs\"\n    via = \"127.0.0.1:{}\"\n  }}\n}}\n",
        server.port
    );
    tiny.write_manifest(&AURORA.replace("}\n", &sql));
    let login = serde_json::json!({ "username": "checker", "password": PASSWORD }).to_string();
    let secrets = tiny.moto.session("us-east-1").secrets();
    secrets.create_secret().name("logs/reader").secret_string(login).send().await.expect("a secret");
    let (code, said) = allowed(&tiny).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("is behind eu-west-2 is not known: ") && said.contains("aurora_global_db_status"), "{said}");
    let report = tiny.report(&tiny.run()).await.to_string();
    assert!(!report.contains("rows of cluster logs-dr"), "they were asked: {report}");
}

#[test]
fn the_writer_is_moved_when_all_else_is_proven_and_before_the_service_is_asked() {
    let mut manifest = offline::manifest();
    manifest.clusters = vec![
        cluster(),
        Cluster { name: "users".into(), from: ClusterSource::LatestSnapshot, target: "users-dr".into(), ..cluster() },
    ];
    manifest.buckets = vec![lifeboat::manifest::Bucket {
        name: "logs".into(),
        source: "a".into(),
        source_role: None,
        include: Vec::new(),
        exclude: Vec::new(),
        target: "b".into(),
        verify: Vec::new(),
        batch: None,
        engine: Default::default(),
    }];
    manifest.checks = vec![lifeboat::manifest::Check {
        name: "health".into(),
        probe: lifeboat::manifest::Probe::Command { argv: vec!["true".into()] },
        timeout: jiff::SignedDuration::from_secs(1),
    }];
    let runbook = scenario::failover(&manifest);
    runbook.order().expect("a sound runbook");
    let after = |step: &str| runbook.step(&StepId::from(step)).expect("the step").after.clone();
    for before in [
        "infrastructure.apply",
        "restore.aurora.users",
        "verify.aurora.users",
        "verify.bucket.logs",
        "verify.infrastructure",
    ] {
        assert!(after(STEP).contains(&before.into()), "{before}");
    }
    assert_eq!(after("verify.aurora.logs"), [StepId::from(STEP)]);
    assert!(after("verify.check.health").contains(&STEP.into()));
    assert!(!runbook.steps.iter().any(|step| step.id.as_str() == "verify.aurora.logs" && step.after.len() > 1));
}
