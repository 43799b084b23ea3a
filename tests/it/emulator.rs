//! The emulator of a rehearsal: comes up, says why it did not, and leaves nothing behind.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use lifeboat::rehearse::{Emulator, EmulatorOptions, RehearseError};
use rustix::process::{Pid, test_kill_process_group};

use crate::harness;

fn group_lives(pid: u32) -> bool {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id")).expect("a process id");
    test_kill_process_group(pid).is_ok()
}

async fn ends(pid: u32) -> bool {
    let began = Instant::now();
    while group_lives(pid) && began.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    !group_lives(pid)
}

fn options(dir: &tempfile::TempDir) -> EmulatorOptions {
    EmulatorOptions {
        program: harness::moto(),
        dir: dir.path().to_owned(),
        port: None,
        account: "210987654321".to_owned(),
    }
}

#[tokio::test]
async fn it_answers_as_the_manifests_account_and_is_gone_when_dropped() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let emulator = Emulator::start(&options(&dir)).await.expect("an emulator");
    let pid = emulator.pid();
    let caller = lifeboat::aws::Session::emulated("eu-west-2", &emulator.endpoint()).caller().await.expect("a caller");
    assert_eq!(caller.account, "210987654321");
    assert!(group_lives(pid));
    drop(emulator);
    assert!(ends(pid).await, "the emulator's process group is still there");
}

#[tokio::test]
async fn a_taken_port_is_named_when_it_was_asked_for() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("its address").port();
    let error = Emulator::start(&EmulatorOptions { port: Some(port), ..options(&dir) }).await.expect_err("it is taken");
    assert!(matches!(error, RehearseError::PortTaken { port: named } if named == port), "{error}");
}

#[tokio::test]
async fn a_missing_emulator_says_how_to_get_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let missing = EmulatorOptions { program: PathBuf::from("/nowhere/moto_server"), ..options(&dir) };
    let error = Emulator::start(&missing).await.expect_err("there is none");
    assert_eq!(error.to_string(), "the emulator /nowhere/moto_server was not found");
    assert!(error.hint().is_some_and(|hint| hint.contains("make setup")));
}

#[tokio::test]
async fn its_log_is_in_the_folder_that_was_named() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let emulator = Emulator::start(&options(&dir)).await.expect("an emulator");
    lifeboat::aws::Session::emulated("us-east-1", &emulator.endpoint()).caller().await.expect("a caller");
    let log = std::fs::read_to_string(dir.path().join("emulator.log")).expect("a log");
    assert!(log.contains(&emulator.endpoint()), "{log}");
}
