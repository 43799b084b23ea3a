//! Restores that AWS accepts and never brings to an end: the operator may stop waiting, and goes on later with the same one. The emulator is ready at once; the proxy says otherwise.

use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lifeboat::rehearse::proxy::Pattern;
use rustix::process::{Pid, Signal, kill_process};

use crate::state_custody::Tiny;
use crate::{recover_aurora, recover_table};

/// Begins the recovery of something that stays as it is for ever, and stops waiting for it once it was looked at. Gives the
/// exit code and what was said.
async fn stopped(tiny: &Tiny, args: &[&str], look: Pattern) -> (Option<i32>, String) {
    tiny.proxy.control().settle_after(Duration::from_secs(100_000));
    let mut command = tokio::process::Command::from(tiny.command(args));
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).expect("a process");
    let began = Instant::now();
    let restore = if look.service.as_deref() == Some("rds") {
        "RestoreDBClusterToPointInTime"
    } else {
        "RestoreTableToPointInTime"
    };
    let restore = Pattern { operation: Some(restore.to_owned()), ..look.clone() };
    while tiny.proxy.control().seen(&restore) == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "it never restored");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let before = tiny.proxy.control().seen(&look);
    while tiny.proxy.control().seen(&look) < before + 2 {
        assert!(began.elapsed() < Duration::from_secs(60), "it never looked");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    kill_process(pid, Signal::INT).expect("it is there");
    let output = child.wait_with_output().await.expect("its end");
    let said = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    (output.status.code(), said)
}

/// Goes on with the one run, after what was waited for came to its end.
async fn resumed(tiny: &Tiny) -> (Option<i32>, String) {
    tiny.proxy.control().clear();
    tiny.words(&["resume", &tiny.run()]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_stays_in_creation_can_be_left_alone_and_gone_on_with() {
    let site = recover_table::Site::new().await;
    let to = site.recoverable().await.to_string();
    let args = ["recover", "table", "metadata", "--env", "tiny", "--to", &to, "--as", "then", "--confirm", "tiny"];
    let (code, said) = stopped(&site.tiny, &args, Pattern::operation("dynamodb", "DescribeTable")).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("held: stopped by the operator"), "{said}");
    assert!(said.contains("lifeboat resume"), "what next: {said}");
    let (code, said) = resumed(&site.tiny).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(site.tiny.proxy.control().seen(&Pattern::operation("dynamodb", "RestoreTableToPointInTime")), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_stays_in_creation_can_be_left_alone_and_gone_on_with() {
    let site = recover_aurora::Site::new().await;
    let to: Timestamp = site.then().await.parse().expect("a time");
    let to = to.to_string();
    let args = ["recover", "aurora", "logs", "--env", "tiny", "--to", &to, "--as", "then", "--confirm", "tiny"];
    let (code, said) = stopped(&site.tiny, &args, Pattern::operation("rds", "DescribeDBClusters")).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("held: stopped by the operator"), "{said}");
    assert!(said.contains("lifeboat resume"), "what next: {said}");
    let (code, said) = resumed(&site.tiny).await;
    assert_eq!(code, Some(0), "{said}");
    let clusters = site.client.describe_db_clusters().send().await.expect("a list");
    assert_eq!(clusters.db_clusters().len(), 2, "one was made");
}
