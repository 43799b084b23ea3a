//! An outage to try the whole command in: the example's world, its primary region lost, and a home for runs. The test
//! holds the command's process, and the proxy that slows or loses what it asks.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lifeboat::aws::Session;
use lifeboat::journal::replica::ReplicaPlace;
use lifeboat::journal::{self, Event, Record};
use lifeboat::rehearse::proxy::{Control, Pattern, Proxy, ProxyOptions, RequestRecord, read_records};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

use crate::command;
use crate::recovered::Clouds;
use crate::shared_world;

pub const FAILOVER: &[&str] = &["failover", "prod", "--confirm", "prod"];
const STATE_BUCKET: &str = "streaming-logs-terraform-state-dr";
const REQUESTS: &str = "requests.jsonl";
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Outage {
    pub clouds: Clouds,
    pub home: tempfile::TempDir,
    /// Another machine's: it knows nothing of what is in `home`.
    elsewhere: tempfile::TempDir,
    lease_ttl: Option<Duration>,
    proxy: Proxy,
    /// Holds what was asked.
    recorded: tempfile::TempDir,
    copy: shared_world::Copy,
}

impl Outage {
    /// The world before it stands; from here on `eu-west-2` does not answer.
    pub async fn begin() -> Self {
        let copy = shared_world::copy().await;
        let folder = || tempfile::tempdir().expect("a folder");
        let recorded = folder();
        let log = recorded.path().join(REQUESTS);
        let options = ProxyOptions { upstream: copy.fork.address(), log, port: None };
        let proxy = Proxy::start(&options).await.expect("a proxy");
        for home in &copy.original.world.buckets_at {
            proxy.control().bucket_home(&home.bucket, &home.region);
        }
        proxy.control().refuse_region("eu-west-2");
        let clouds = Clouds::at(&copy.fork.endpoint());
        Self { clouds, home: folder(), elsewhere: folder(), lease_ttl: None, proxy, recorded, copy }
    }

    /// Lets leases expire sooner than after a minute.
    pub fn with_lease_ttl(mut self, ttl: Duration) -> Self {
        self.lease_ttl = Some(ttl);
        self
    }

    pub fn control(&self) -> Arc<Control> {
        self.proxy.control()
    }

    pub fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    pub fn command(&self, program: &str, args: &[&str]) -> Command {
        self.command_in(self.home.path(), program, args)
    }

    fn command_in(&self, home: &Path, program: &str, args: &[&str]) -> Command {
        let mut command = command::command(program, &self.proxy.endpoint(), home);
        command.args(args).envs(self.lease_ttl.map(|ttl| ("LIFEBOAT_LEASE_TTL", ttl.as_secs().to_string())));
        command
    }

    /// A lifeboat on another machine, run to its end.
    pub async fn lifeboat_elsewhere(&self, args: &[&str]) -> (Option<i32>, String) {
        command::said(self.command_in(self.elsewhere.path(), env!("CARGO_BIN_EXE_lifeboat"), args)).await
    }

    /// What the other machine's home holds of a run.
    pub fn journal_elsewhere(&self, run: &str) -> Vec<u8> {
        let dir = self.elsewhere.path().join("state/runs").join(run);
        journal::lines_of(&dir).expect("a journal")
    }

    /// Exit code and words of a lifeboat that runs to its end.
    pub async fn lifeboat(&self, args: &[&str]) -> (Option<i32>, String) {
        command::said(self.command(env!("CARGO_BIN_EXE_lifeboat"), args)).await
    }

    /// A lifeboat in the hands of the test.
    pub fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command(env!("CARGO_BIN_EXE_lifeboat"), args);
        let said = tempfile::NamedTempFile::new_in(self.home.path()).expect("a file");
        command.stderr(said.reopen().expect("the file"));
        Running { child: command.spawn().expect("it starts"), said }
    }

    /// The folder of the only run.
    pub fn run(&self) -> PathBuf {
        let mut runs = command::runs(&self.state());
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.remove(0)
    }

    pub fn run_name(&self) -> String {
        self.run().file_name().expect("a name").to_string_lossy().into_owned()
    }

    fn records(&self) -> Vec<Record> {
        let Some(run) = command::runs(&self.state()).pop() else { return Vec::new() };
        journal::load(&run).map(|loaded| loaded.records).unwrap_or_default()
    }

    /// Whether the journal has a step's start, and nothing yet of its end.
    pub fn is_started(&self, step: &str) -> bool {
        let records = self.records();
        let about = |event: &Event, wanted: &str| {
            let event = serde_json::to_value(event).expect("JSON");
            event["event"] == wanted && event["step"] == step
        };
        let has = |wanted: &str| records.iter().any(|record| about(&record.event, wanted));
        has("step_started") && !has("step_applied") && !has("step_failed")
    }

    pub fn has_seen(&self, service: &str, operation: &str) -> bool {
        self.control().seen(&Pattern::operation(service, operation)) > 0
    }

    pub fn requests(&self) -> Vec<RequestRecord> {
        read_records(&self.recorded.path().join(REQUESTS)).expect("requests")
    }

    /// The requests that may have changed something, but for what lifeboat keeps of itself in the state bucket: lease and
    /// journal.
    pub fn changes(&self) -> Vec<RequestRecord> {
        let reads = ["Get", "List", "Describe", "Head"];
        let reads = |request: &RequestRecord| reads.iter().any(|verb| request.operation.starts_with(verb));
        let own = |it: &RequestRecord| {
            it.operation == "PutObject" && it.agent != "terraform" && it.resource.as_deref() == Some(STATE_BUCKET)
        };
        self.requests().into_iter().filter(|request| !reads(request) && !own(request)).collect()
    }

    /// Whether a `terraform apply` is at work: its log is locked as long as it is.
    pub fn terraform_applies(&self) -> bool {
        self.logs("apply").iter().any(|path| {
            let log = File::open(path).expect("a log");
            flock(&log, FlockOperation::NonBlockingLockShared).is_err()
        })
    }

    /// What Terraform said in its calls of a kind.
    pub fn logs(&self, verb: &str) -> Vec<PathBuf> {
        let Ok(logs) = std::fs::read_dir(self.run().join("terraform/log")) else { return Vec::new() };
        let paths = logs.map(|entry| entry.expect("an entry").path());
        paths.filter(|path| path.to_string_lossy().ends_with(&format!("-{verb}.log"))).collect()
    }

    /// The addresses that the newest apply has begun and not finished.
    pub fn at_work(&self) -> BTreeSet<String> {
        let log = self.logs("apply").into_iter().max().map(|path| std::fs::read_to_string(path).expect("a log"));
        let mut at_work = BTreeSet::new();
        for line in log.unwrap_or_default().lines() {
            let Ok(said) = serde_json::from_str::<Value>(line) else { continue };
            let address = said["hook"]["resource"]["addr"].as_str().unwrap_or_default().to_owned();
            match said["type"].as_str() {
                Some("apply_start") => drop(at_work.insert(address)),
                Some("apply_complete") => drop(at_work.remove(&address)),
                _ => {}
            }
        }
        at_work
    }

    /// Loses the machine of a failover at a moment when the state bucket has every line that was written on it. At any other
    /// moment a line may be lost with the machine, before which nothing was done for it.
    pub async fn lose_the_machine(&self, running: &mut Running) {
        let manifest = lifeboat::manifest::load(&command::project().join("environments"), "prod").expect("the example");
        let session = Session::emulated(&manifest.recovery.name, &self.copy.fork.endpoint());
        let bucket = &manifest.recovery.backend.bucket;
        let place = ReplicaPlace::new(session, bucket, &manifest.service, &manifest.environment, &self.run_name());
        let began = Instant::now();
        loop {
            running.pause(true);
            // What it had sent before it stood still arrives.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let copied = place.fetch().await.expect("a copy");
            if copied == journal::lines_of(&self.run()).expect("a journal") {
                return running.kill();
            }
            running.pause(false);
            assert!(began.elapsed() < PATIENCE, "the copy never catches up:\n{}", running.said());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Waits for something to become so.
    pub async fn until(&self, running: &mut Running, what: &str, is: impl Fn() -> bool) {
        let began = Instant::now();
        while !is() {
            let ended = running.child.try_wait().expect("its state");
            assert!(ended.is_none() && began.elapsed() < PATIENCE, "never {what}: {ended:?}\n{}", running.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Outage {
    /// A Terraform that a killed lifeboat left behind would go on asking an emulator that is gone.
    fn drop(&mut self) {
        let homes = [self.home.path(), self.elsewhere.path()];
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let ours = std::fs::read_link(entry.path().join("cwd"))
                .is_ok_and(|cwd| homes.iter().any(|home| cwd.starts_with(home)));
            let pid = entry.file_name().to_string_lossy().parse().ok().and_then(Pid::from_raw);
            if let Some(pid) = pid.filter(|_| ours) {
                kill_process(pid, Signal::KILL).ok();
            }
        }
    }
}

/// A lifeboat that is running; killed when the test is over.
pub struct Running {
    child: Child,
    said: tempfile::NamedTempFile,
}

impl Running {
    fn pid(&self) -> Pid {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process id")
    }

    /// What it has said to people so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.said.path()).expect("what it said")
    }

    /// Waits for it to say something.
    pub async fn says(&mut self, words: &str) {
        let began = Instant::now();
        while !self.said().contains(words) {
            assert!(!self.has_ended() && began.elapsed() < PATIENCE, "never said {words}:\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_some()
    }

    /// Its exit code and what it said.
    pub async fn ends(&mut self) -> (Option<i32>, String) {
        let began = Instant::now();
        while !self.has_ended() {
            assert!(began.elapsed() < PATIENCE, "it does not end:\n{}", self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (self.child.wait().expect("its end").code(), self.said())
    }

    /// Ctrl-C at a terminal goes to the whole process group.
    pub fn ctrl_c(&self) {
        kill_process_group(self.pid(), Signal::INT).expect("it is there");
    }

    /// Holds its process still, and lets it go on.
    fn pause(&self, paused: bool) {
        kill_process(self.pid(), if paused { Signal::STOP } else { Signal::CONT }).expect("it is there");
    }

    /// `kill -9` of lifeboat alone.
    pub fn kill(&mut self) {
        kill_process(self.pid(), Signal::KILL).expect("it is there");
        let end = self.child.wait().expect("its end");
        assert_eq!(end.signal(), Some(Signal::KILL.as_raw()));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
