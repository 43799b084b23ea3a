//! Checks of the recovered service: by HTTP and by a program.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use lifeboat::journal::FailureKind;
use lifeboat::manifest::{Check, Probe, Text};
use lifeboat::steps::{ask, check_probe, run};
use lifeboat::verify::command::CommandCheck;
use lifeboat::verify::http::HttpExpectation;

use crate::scripted::Scripted;

fn script(dir: &Path, name: &str, body: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("a script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    path
}

fn command(dir: &Path, program: PathBuf, timeout: Duration) -> CommandCheck {
    CommandCheck {
        program,
        arguments: vec!["logs".into()],
        folder: dir.to_owned(),
        variables: vec![("LIFEBOAT_RUN".into(), "r1".into())],
        log: dir.join("check.log"),
        timeout,
    }
}

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_service_that_comes_up_late_passes() {
    let asked = AtomicU32::new(0);
    let server = Scripted::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => (503, "starting".into()),
        _ => (200, "all is well".into()),
    })
    .await;
    let url = format!("{}/health?token=secret", server.url());
    let expected = HttpExpectation { url: &url, status: 200, contains: Some("is well") };
    let output = ask("health", &expected, SOON).await.expect("healthy");
    assert_eq!(output["attempts"], 2);
    assert_eq!(output["url"], format!("{}/health", server.url()));
    let asked = server.asked();
    assert_eq!((asked[0].method.as_str(), asked[0].target.as_str()), ("GET", "/health?token=secret"));
    assert!(asked[0].header("user-agent").starts_with("lifeboat/"));
}

#[tokio::test]
async fn a_wrong_status_body_or_silence_fails_and_says_why() {
    let server =
        Scripted::start(|asked| if asked.target == "/moved" { (302, "".into()) } else { (200, "sick".into()) }).await;
    let second = Duration::from_secs(1);
    let fails = async |path: &str, contains: Option<&str>| {
        let url = format!("{}{path}", server.url());
        let error = ask("health", &HttpExpectation { url: &url, status: 200, contains }, second).await;
        let error = error.expect_err("not healthy");
        assert_eq!(error.kind, FailureKind::CheckFailed);
        error.cause
    };
    assert!(fails("/moved", None).await.ends_with("/moved answered 302 instead of 200, after 1 attempts"));
    assert!(fails("/", Some("well")).await.contains("answered 200 without \"well\" in its body"));

    let silent = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}", silent.local_addr().expect("its address"));
    let expected = HttpExpectation { url: &url, status: 200, contains: None };
    let error = ask("health", &expected, second).await.expect_err("silence");
    assert!(error.cause.contains("no answer in 1 s"), "{error}");
    drop(silent);
    let error = ask("health", &expected, second).await.expect_err("nobody is there");
    assert!(error.cause.to_lowercase().contains("connection refused"), "{error}");
}

#[tokio::test]
async fn a_program_passes_with_its_arguments_and_variables() {
    let dir = tempfile::tempdir().expect("a folder");
    let program = script(dir.path(), "ok.sh", "echo \"$1 $LIFEBOAT_RUN $(pwd)\"; echo problem >&2");
    let check = command(dir.path(), program, SOON);
    run("data", &check, std::future::pending()).await.expect("passed");
    let log = std::fs::read_to_string(&check.log).expect("a log");
    let folder = dir.path().canonicalize().expect("a path");
    assert_eq!(log, format!("logs r1 {}\nproblem\n", folder.display()));
}

#[tokio::test]
async fn a_failing_program_is_quoted_without_its_control_characters() {
    let dir = tempfile::tempdir().expect("a folder");
    let program = script(dir.path(), "bad.sh", "echo one; printf 'two\\033[31m red\\n' >&2; exit 3");
    let error = run("data", &command(dir.path(), program, SOON), std::future::pending()).await.expect_err("exit 3");
    assert_eq!(error.kind, FailureKind::CheckFailed);
    assert!(error.cause.ends_with("bad.sh ended with exit status: 3: one | two\\u{1b}[31m red"), "{error}");
    assert!(error.hint.is_some_and(|hint| hint.ends_with("check.log")));
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_with_its_children() {
    let dir = tempfile::tempdir().expect("a folder");
    let pid = dir.path().join("pid");
    let body = format!("trap '' TERM\nsleep 300 &\necho $! > {}\necho waiting\nwait", pid.display());
    let program = script(dir.path(), "hang.sh", &body);
    let began = Instant::now();
    let check = command(dir.path(), program, Duration::from_secs(1));
    let error = run("data", &check, std::future::pending()).await.expect_err("it hangs");
    assert!(error.cause.contains("took longer than 1 s: waiting"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(15));
    let pid: i32 = std::fs::read_to_string(&pid).expect("a pid").trim().parse().expect("a number");
    let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
    let mut left = true;
    for _ in 0..50 {
        left = rustix::process::test_kill_process(pid).is_ok() && !is_zombie(pid);
        if !left {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!left, "its child lives on");
}

/// Nobody may reap an orphan in a container.
fn is_zombie(pid: rustix::process::Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with('Z'))
}

#[tokio::test]
async fn a_stop_ends_the_program_and_is_no_failed_check() {
    let dir = tempfile::tempdir().expect("a folder");
    let program = script(dir.path(), "long.sh", "exec sleep 300");
    let stop = tokio::time::sleep(Duration::from_millis(300));
    let error = run("data", &command(dir.path(), program, SOON), stop).await.expect_err("stopped");
    assert_eq!(error.kind, FailureKind::Interrupted);
}

#[test]
fn what_cannot_be_asked_blocks_before_the_run() {
    let dir = tempfile::tempdir().expect("a folder");
    script(dir.path(), "there.sh", "true");
    std::fs::write(dir.path().join("plain.txt"), "").expect("a file");
    let check = |probe| {
        let check = Check { name: "c".into(), probe, timeout: SignedDuration::from_secs(1) };
        check_probe(&check, dir.path(), "/usr/bin:/bin")
    };
    let command = |program: &str| Probe::Command { argv: vec![program.into()] };
    assert!(check(command("./there.sh")).is_ok());
    assert!(check(command("there.sh")).is_ok());
    assert!(check(command("sh")).is_ok());
    assert!(check(command("plain.txt")).is_err());
    let blocked = check(command("checks/none.sh")).expect_err("missing");
    assert!(blocked.cause.contains("there is no program \"checks/none.sh\""), "{blocked}");
    let http = |url: Text| Probe::Http { url, status: 200, contains: None };
    assert!(check(http(Text::Literal("not a url".into()))).is_err());
    assert!(check(http(Text::TerraformOutput("url".into()))).is_ok());
}
