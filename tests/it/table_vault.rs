//! Tables that AWS Backup restores, in a failover with the command as the operator uses it. The emulator has no recovery points: the
//! proxy plays them, which is a fake of AWS Backup from its API reference. What it restores is a backup of the emulator's DynamoDB, so
//! that the tables, their items and their settings are the emulator's.

use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use lifeboat::aws::{Session, dynamodb};
use lifeboat::manifest::{AwsBackup, Table};
use lifeboat::rehearse::proxy::{Call, Catch, Effect, Pattern, Release, Trap, VaultPoint};
use lifeboat::steps::{Cx, RestoreTable, Seen, Step};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::state_custody::Tiny;
use crate::table::{ITEMS, backed_up, plan, table};
use crate::world;

const ROLE: &str = "arn:aws:iam::123456789012:role/restore";
const SOURCE: &str = "arn:aws:dynamodb:eu-west-2:123456789012:table/metadata-prod";
const STEP: &str = "restore.table.metadata";

fn block(from: &str, more: &str) -> String {
    format!(
        "table \"metadata\" {{\n  source = \"metadata-prod\"\n  target = \"metadata-dr\"\n  from   = {from}\n  verify = [items >= \
         {ITEMS}]\n{more}\n}}\n"
    )
}

fn with_role() -> String {
    block("latest_backup", &format!("  backup_role = \"{ROLE}\""))
}

fn arn(id: &str) -> String {
    format!("arn:aws:backup:us-east-1:123456789012:recovery-point:{id}")
}

/// A recovery point of the source, `hours` old.
fn point(id: &str, backup: &str, hours: i64) -> VaultPoint {
    VaultPoint {
        arn: arn(id),
        vault: "dr".into(),
        resource: SOURCE.into(),
        backup: backup.into(),
        status: "COMPLETED".into(),
        storage_class: "WARM".into(),
        created_at: Timestamp::now() - jiff::SignedDuration::from_hours(hours),
        bytes: 4096,
    }
}

/// An environment whose source was backed up; the ARN of the emulator's backup, which DynamoDB lists as well.
async fn site() -> (Tiny, String) {
    let tiny = Tiny::with_root("").await;
    tiny.write_manifest(&with_role());
    let backup = backed_up(&tiny.moto).await;
    let client = tiny.moto.session("us-east-1").dynamodb();
    client.delete_table().table_name("metadata-prod").send().await.expect("the region is lost");
    tiny.proxy.control().restore_jobs_take(Duration::ZERO);
    (tiny, backup)
}

fn seen(tiny: &Tiny, service: &str, operation: &str) -> u64 {
    tiny.proxy.control().seen(&Pattern::operation(service, operation))
}

async fn state(tiny: &Tiny) -> Option<dynamodb::TableState> {
    dynamodb::table(&tiny.moto.session("us-east-1"), "metadata-dr").await.expect("an answer")
}

/// What the restore has returned, as the journal keeps it.
fn applied(tiny: &Tiny) -> Value {
    let journal = tiny.home().join("state/runs").join(tiny.run()).join("journal.jsonl");
    let journal = std::fs::read_to_string(journal).expect("a journal");
    let records = journal.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record"));
    let mut applied = records.filter(|record| record["event"] == "step_applied" && record["step"] == STEP);
    applied.next().expect("it was applied")["output"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_of_both_kinds_is_restored_once_by_whoever_holds_it() {
    let (tiny, backup) = site().await;
    // An hour older than DynamoDB's own: that one is taken, without a job.
    tiny.proxy.control().vault(point("old", &backup, 1));
    let (code, plan, said) = tiny.lifeboat(&["plan", "failover", "tiny"]).await;
    assert_eq!(code, Some(0), "{said}");
    let joined: String = plan.split_whitespace().collect();
    assert!(joined.contains(&backup) && !joined.contains(&arn("old")), "{plan}");
    // Newer than that.
    tiny.proxy.control().vault(point("new", &backup, -1));
    let (code, ready, said) = tiny.lifeboat(&["check", "tiny", "--no-plan", "-o", "json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let joined: String = ready.split_whitespace().collect();
    assert!(joined.contains(&arn("new")), "{ready}");

    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((tiny.proxy.control().restore_jobs(), seen(&tiny, "dynamodb", "RestoreTableFromBackup")), (1, 0));
    let report = tiny.report(&tiny.run()).await.to_string();
    for words in [arn("new").as_str(), "server_side_encryption", "whether AWS Backup may restore table metadata-dr as"]
    {
        assert!(report.contains(words), "{words}: {report}");
    }
    let state = state(&tiny).await.expect("the table");
    assert_eq!(state.tags.get("lifeboat:recovery-point"), Some(&arn("new")));
    let requests = std::fs::read_to_string(tiny.moto.dir.path().join("requests.jsonl")).expect("requests");
    assert!(!requests.contains("\"eu-west-2\""), "nothing is asked in the primary region");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_role_what_stands_in_a_vault_cannot_be_named_and_with_one_it_can() {
    let (tiny, backup) = site().await;
    let from = format!("backup(\"{}\")", arn("1"));
    tiny.write_manifest(&block(&from, ""));
    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("AWS Backup needs a role to restore this recovery point with"), "{said}");

    tiny.write_manifest(&block(&from, &format!("  backup_role = \"{ROLE}\"")));
    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("does not stand in us-east-1") && said.contains("backup_vault"), "{said}");

    // One of another table is found by its vault, and warned of.
    let other = VaultPoint { resource: SOURCE.replace("metadata", "orders"), ..point("1", &backup, 3) };
    tiny.proxy.control().vault(VaultPoint { storage_class: "COLD".into(), ..other });
    tiny.write_manifest(&block(&from, &format!("  backup_role = \"{ROLE}\"\n  backup_vault = \"dr\"")));
    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(0), "{said}");
    for words in ["was taken of arn:aws:dynamodb:eu-west-2:123456789012:table/orders-prod", "is in cold storage"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(tiny.proxy.control().restore_jobs(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_aws_backup_may_not_be_asked_an_own_backup_serves_and_otherwise_that_is_the_cause() {
    let (tiny, backup) = site().await;
    tiny.proxy.control().vault(point("new", &backup, -1));
    tiny.proxy.control().deny_backup("ListRecoveryPointsByResource");
    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("AWS Backup could not be asked") && said.contains("a newer one may stand in a vault"),
        "{said}"
    );
    assert_eq!((tiny.proxy.control().restore_jobs(), seen(&tiny, "dynamodb", "RestoreTableFromBackup")), (0, 1));

    let (tiny, backup) = site().await;
    let client = tiny.moto.session("us-east-1").dynamodb();
    client.delete_backup().backup_arn(backup).send().await.expect("no backup is left");
    tiny.proxy.control().deny_backup("ListRecoveryPointsByResource");
    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(3), "{said}");
    for words in [
        "no backup of table metadata-prod stands",
        "AccessDeniedException",
        "allow backup:ListRecoveryPointsByResource",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_is_told_with_its_reason_and_a_retry_begins_another() {
    let (tiny, backup) = site().await;
    tiny.proxy.control().vault(point("new", &backup, -1));
    tiny.proxy.control().restore_jobs_fail(Some("The specified KMS key is disabled"));
    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("for table metadata-dr is FAILED: The specified KMS key is disabled"), "{said}");
    tiny.proxy.control().restore_jobs_fail(None);
    let run = tiny.run();
    let (code, said) = tiny.words(&["resume", &run, "--retry", STEP]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(tiny.proxy.control().restore_jobs(), 2);
    let output = applied(&tiny);
    assert_eq!(output["restore_job"], "00000000-0000-4000-8000-000000000002", "the job that made it: {output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_refused_says_what_to_allow() {
    let (tiny, backup) = site().await;
    tiny.proxy.control().vault(point("new", &backup, -1));
    tiny.proxy.control().deny_backup("StartRestoreJob");
    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains(&format!("iam:PassRole of {ROLE}")), "{said}");
    assert!(state(&tiny).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_begins_no_second_job() {
    let (tiny, backup) = site().await;
    tiny.proxy.control().vault(point("new", &backup, -1));
    let start = Pattern::operation("backup", "StartRestoreJob");
    tiny.proxy.control().add(start, Effect::LoseReply { nth: 1 });
    let (code, said) = tiny.failover().await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        (tiny.proxy.control().restore_jobs(), seen(&tiny, "backup", "StartRestoreJob")),
        (1, 2),
        "asked twice, with one token"
    );
}

/// Stops the command by force once a request of that name was carried out, of which it is told nothing.
async fn killed(tiny: &Tiny, operation: &'static str, nth: u64) {
    let matches = Box::new(move |call: &Call, _: &str| call.operation == operation);
    let caught = tiny.proxy.control().trap(Trap { matches, nth, catch: Catch::After });
    let command = tiny.command(&["failover", "tiny", "--confirm", "tiny"]);
    let mut running =
        tokio::process::Command::from(command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let caught = tokio::time::timeout(Duration::from_secs(60), caught).await.expect("in time").expect("it asks");
    running.kill().await.expect("it was there");
    caught.release(Release::Withhold);
}

async fn resumed(tiny: &Tiny) -> (Option<i32>, String) {
    tiny.words(&["resume", &tiny.run()]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_before_it_knows_its_job_finds_it_again() {
    let (tiny, backup) = site().await;
    tiny.proxy.control().vault(point("new", &backup, -1));
    killed(&tiny, "StartRestoreJob", 1).await;
    assert_eq!(tiny.proxy.control().restore_jobs(), 1);
    // The token may be forgotten by then: what counts is that the job is found.
    tiny.proxy.control().forget_restore_tokens();
    let (code, said) = resumed(&tiny).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((tiny.proxy.control().restore_jobs(), seen(&tiny, "backup", "StartRestoreJob")), (1, 1), "{said}");
    assert!(seen(&tiny, "backup", "GetRestoreJobMetadata") > 0, "by what it was asked for");
    assert_eq!(state(&tiny).await.expect("the table").tags.get("lifeboat:run"), Some(&tiny.run()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_while_its_job_goes_on_attaches_to_it() {
    let (tiny, backup) = site().await;
    tiny.proxy.control().vault(point("new", &backup, -1));
    tiny.proxy.control().restore_jobs_take(Duration::from_secs(100_000));
    killed(&tiny, "DescribeRestoreJob", 2).await;
    tiny.proxy.control().restore_jobs_take(Duration::ZERO);
    let (code, said) = resumed(&tiny).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((tiny.proxy.control().restore_jobs(), seen(&tiny, "backup", "StartRestoreJob")), (1, 1), "{said}");
    assert_eq!(seen(&tiny, "backup", "ListRestoreJobs"), 0, "its id was noted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_somebody_else_made_meanwhile_is_left_alone() {
    let (tiny, backup) = site().await;
    tiny.proxy.control().vault(point("new", &backup, -1));
    // It is made while the run is on its way to its own request, which AWS Backup then cannot carry out.
    let matches = Box::new(|call: &Call, _: &str| call.operation == "StartRestoreJob");
    let caught = tiny.proxy.control().trap(Trap { matches, nth: 1, catch: Catch::Before });
    let theirs = async {
        let caught = caught.await.expect("it asks");
        let client = tiny.moto.session("us-east-1").dynamodb();
        let restore = client.restore_table_from_backup().backup_arn(&backup).target_table_name("metadata-dr");
        restore.send().await.expect("somebody else's");
        caught.release(Release::Go);
    };
    let ((code, said), ()) = tokio::join!(tiny.failover(), theirs);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("is FAILED") && said.contains("TableAlreadyExists"), "{said}");
    let (code, said) = tiny.words(&["resume", &tiny.run(), "--retry", STEP]).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("this run did not make it"), "{said}");
    assert_eq!(state(&tiny).await.expect("theirs").tags, dynamodb::Tags::new());
    assert_eq!(tiny.proxy.control().restore_jobs(), 1);
}

/// A step of a run that nobody drives, its clients behind the proxy.
fn cx(tiny: &Tiny, facts: Value) -> Cx {
    let session = Session::emulated(world::RECOVERY, &tiny.proxy.endpoint());
    world::cx_by(session, &tiny.moto, world::RUN, STEP, facts, &[("infrastructure.plan", plan())])
}

fn step() -> RestoreTable {
    let aws_backup = Some(AwsBackup { role: ROLE.into(), vault: Some("dr".into()) });
    RestoreTable { table: Table { aws_backup, ..table(1) } }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_backup_restored_gets_every_declared_setting() {
    let (tiny, backup) = site().await;
    tiny.proxy.control().vault(point("new", &backup, -1));
    tiny.proxy.control().vault(VaultPoint { vault: "another".into(), ..point("newer", &backup, -2) });
    let checked = step().check(&cx(&tiny, Value::Null)).await.expect("there is a recovery point");
    assert_eq!(checked.facts["recovery_point"], json!(arn("new")), "of the vault that is named");
    assert_eq!((&checked.facts["vault"], &checked.facts["bytes"]), (&json!("dr"), &json!(4096)));
    assert!(checked.facts["recovery_point_at"].is_string(), "{}", checked.facts);
    let cx = cx(&tiny, checked.facts);
    assert_eq!(step().observe(&cx).await, Ok(Seen::Absent));
    let output = step().apply(&cx).await.expect("it is restored");
    step().verify(&cx, &output).await.expect("it is as declared");
    assert_eq!(step().observe(&cx).await, Ok(Seen::Done(output.clone())));
    assert_eq!((&output["restored"], &output["recovery_point"]), (&json!(true), &json!(arn("new"))));

    let state = state(&tiny).await.expect("the table");
    assert_eq!(state.ttl_attribute.as_deref(), Some("expires_at"));
    assert!(state.point_in_time_recovery && state.deletion_protection);
    assert_eq!(state.stream.map(|stream| stream.view).as_deref(), Some("NEW_AND_OLD_IMAGES"));
    assert_eq!(state.tags.get("Team").map(String::as_str), Some("observability"));
    assert_eq!(state.tags.get("lifeboat:run").map(String::as_str), Some(world::RUN));
    let asked = std::fs::read_to_string(tiny.moto.dir.path().join("requests.jsonl")).expect("requests");
    assert!(asked.contains("StartRestoreJob"), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_complete_is_passed_over_with_its_state() {
    let (tiny, backup) = site().await;
    for (id, status, hours) in [("creating", "CREATING", -3), ("expired", "EXPIRED", -2), ("good", "COMPLETED", -1)] {
        tiny.proxy.control().vault(VaultPoint { status: status.into(), ..point(id, &backup, hours) });
    }
    let checked = step().check(&cx(&tiny, Value::Null)).await.expect("one can be restored");
    assert_eq!(checked.facts["recovery_point"], json!(arn("good")));
    let said = checked.facts["warnings"].to_string();
    assert!(said.contains("is newer but not ready (creating in vault dr)"), "{said}");
    assert!(said.contains("is newer but cannot be used: expired in vault dr"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_never_ends_can_be_left_alone_and_gone_on_with() {
    let (tiny, backup) = site().await;
    tiny.proxy.control().vault(point("new", &backup, -1));
    tiny.proxy.control().restore_jobs_take(Duration::from_secs(100_000));
    let looks = Pattern::operation("backup", "DescribeRestoreJob");
    let command = tiny.command(&["failover", "tiny", "--confirm", "tiny"]);
    let running = tokio::process::Command::from(command).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let running = running.expect("it starts");
    let began = std::time::Instant::now();
    while tiny.proxy.control().seen(&looks) < 2 {
        assert!(began.elapsed() < Duration::from_secs(60), "it never looked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let pid = running.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).expect("a process");
    kill_process(pid, Signal::INT).expect("it is there");
    let output = running.wait_with_output().await.expect("its end");
    let said = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.contains("RUNNING, 30.00%; it goes on in AWS") || said.contains("held: stopped by the operator"),
        "{said}"
    );
    tiny.proxy.control().restore_jobs_take(Duration::ZERO);
    let (code, said) = resumed(&tiny).await;
    assert_eq!((code, tiny.proxy.control().restore_jobs()), (Some(0), 1), "{said}");
}
