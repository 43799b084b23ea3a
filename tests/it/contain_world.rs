//! What the tests of containment have in common: an environment with a break-glass principal, and the command as the operator
//! uses it.

use std::fs;
use std::path::PathBuf;

use lifeboat::aws::Session;
use lifeboat::rehearse::proxy::{Call, Catch, Trap, read_records};

use crate::command;
use crate::harness::ACCOUNT;
use crate::state_custody::Tiny;

/// Whom the emulator takes everybody for who has no user of their own.
pub const CALLER: &str = "moto";
/// The primary region.
pub const REGION: &str = "eu-west-2";

pub struct World {
    pub tiny: Tiny,
    pub aws: Session,
}

pub fn user(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{name}")
}

/// A containment block whose break-glass principal is the caller, with more in it.
pub fn block(more: &str) -> String {
    format!("containment {{\n  break_glass = [\"{}\"]\n{more}}}\n", user(CALLER))
}

impl World {
    pub async fn new() -> Self {
        let tiny = Tiny::with_root("").await;
        let aws = tiny.moto.session(REGION);
        aws.iam().create_user().user_name(CALLER).send().await.expect("a user");
        tiny.write_manifest(&block(""));
        Self { tiny, aws }
    }

    /// The exit code, and what was said as one line of words.
    pub async fn contain(&self, more: &[&str]) -> (Option<i32>, String) {
        self.tiny.words(&[&["contain", "tiny", "--confirm", "tiny"], more].concat()).await
    }

    /// What a dry run prints, once it has said that nothing was changed.
    pub async fn dry_run(&self, more: &[&str]) -> String {
        let (code, listed, said) = self.tiny.lifeboat(&[&["contain", "tiny", "--dry-run"], more].concat()).await;
        assert_eq!((code, said.contains("nothing was changed")), (Some(0), true), "{said}");
        listed
    }

    /// Contains, and is killed with its nth request of that name carried out and not answered.
    pub async fn killed(&self, more: &[&str], operation: &'static str, nth: u64) {
        let matches = Box::new(move |call: &Call, _: &str| call.operation == operation);
        let caught = self.tiny.proxy.control().trap(Trap { matches, nth, catch: Catch::After });
        let command = self.tiny.command(&[&["contain", "tiny", "--confirm", "tiny"], more].concat());
        command::killed(command, caught).await;
    }

    pub async fn resume(&self) -> (Option<i32>, String) {
        self.tiny.words(&["resume", &self.last_run()]).await
    }

    pub async fn undo(&self, run: &str) -> (Option<i32>, String) {
        self.contain(&["--undo", run]).await
    }

    pub async fn refused(&self, more: &[&str], code: i32, words: &str) {
        let (found, said) = self.contain(more).await;
        assert_eq!((found, said.contains(words)), (Some(code), true), "{words}: {said}");
    }

    pub fn last_run(&self) -> String {
        let runs = command::runs(&self.tiny.home().join("state"));
        // Names of one minute are in no order.
        let written = |run: &PathBuf| fs::metadata(run.join("journal.jsonl")).and_then(|it| it.modified()).ok();
        let last = runs.iter().max_by_key(|run| written(run)).expect("a run");
        last.file_name().expect("a name").to_string_lossy().into_owned()
    }

    /// How many requests have changed something, besides what lifeboat keeps in its own bucket.
    pub fn changes(&self) -> usize {
        let requests = read_records(&self.tiny.moto.dir.path().join("requests.jsonl")).expect("requests");
        let reads = ["Get", "List", "Describe", "Head"];
        let changes = requests.into_iter().filter(|it| {
            it.service != "sts"
                && it.resource.as_deref() != Some("state")
                && !reads.iter().any(|verb| it.operation.starts_with(verb))
        });
        changes.count()
    }
}
