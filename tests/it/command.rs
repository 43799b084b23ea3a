//! `lifeboat` as a process of its own, as an operator starts it, that can reach an emulator and nothing else.

#![expect(clippy::disallowed_methods, reason = "the command is started as a user would start it")]

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lifeboat::rehearse::private_environment;
use lifeboat::rehearse::proxy::{Caught, Release};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

use crate::harness;

/// Whoever runs Terraform with its provider from end to end does so with two others at most: it waits half of its time, and
/// more would only take turns at the processor.
const AT_ONCE: u32 = 3;
static TURNS: Semaphore = Semaphore::const_new(AT_ONCE as usize);

pub async fn turn() -> SemaphorePermit<'static> {
    TURNS.acquire().await.expect("never closed")
}

/// For whoever measures time: beside one other at most.
pub async fn quiet_turn() -> SemaphorePermit<'static> {
    TURNS.acquire_many(AT_ONCE - 1).await.expect("never closed")
}

pub fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A program with the environment that a rehearsed lifeboat has, in `home`, in a process group of its own.
pub fn command(program: impl AsRef<OsStr>, endpoint: &str, home: &Path) -> Command {
    let user: Vec<_> = std::env::vars_os().collect();
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(private_environment(&user, endpoint, &home.join("state")))
        .env("LIFEBOAT_ENVIRONMENTS", project().join("environments"))
        .env("LIFEBOAT_MOTO", harness::moto())
        .current_dir(home)
        .process_group(0);
    command
}

/// `lifeboat` itself.
pub fn lifeboat(endpoint: &str, home: &Path) -> Command {
    command(env!("CARGO_BIN_EXE_lifeboat"), endpoint, home)
}

/// Runs a command to its end without keeping the test's other tasks waiting.
pub async fn output(command: Command) -> Output {
    tokio::process::Command::from(command).output().await.expect("it can be started")
}

/// Its exit code, and what it said to people.
pub async fn said(command: Command) -> (Option<i32>, String) {
    let output = output(command).await;
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The runs that have a folder.
pub fn runs(state: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(state.join("runs")) else { return Vec::new() };
    let mut runs: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    runs.sort();
    runs
}

/// The word that follows `mark` in what was said.
pub fn after<'a>(said: &'a str, mark: &str) -> &'a str {
    let found = said.split_once(mark).and_then(|(_, rest)| rest.split_whitespace().next());
    found.unwrap_or_else(|| panic!("no {mark} in:\n{said}"))
}

/// Starts a command and kills it while a trap holds one of its requests, whose answer it never hears.
pub async fn killed(command: Command, caught: oneshot::Receiver<Caught>) {
    let mut running = tokio::process::Command::from(command)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let caught = caught.await.expect("the request");
    running.kill().await.expect("it is killed");
    caught.release(Release::Withhold);
}
