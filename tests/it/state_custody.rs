//! What becomes of Terraform's state when it cannot be saved or is another's: with the real Terraform and the
//! emulator's S3, and the command as the operator uses it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use lifeboat::journal::FailureKind;
use lifeboat::rehearse::proxy::{Effect, Pattern, Proxy, ProxyOptions};
use lifeboat::runbook::ApplyScope;
use lifeboat::steps::{Step, TerraformApply, TerraformPlan, TerraformPrepare};
use serde_json::Value;

use crate::command;
use crate::harness::{self, TestEmulator};
use crate::terraform_world::{Site, cx};

const PROFILES: &str = "[profile base]
aws_access_key_id = rehearsal
aws_secret_access_key = rehearsal
[profile second]
role_arn = arn:aws:iam::123456789012:role/second
source_profile = base
";

pub const MANIFEST: &str = r#"service = "tiny"
account = "123456789012"
terraform {
  root         = "../../root"
  lock_timeout = "2s"
}
region "primary" {
  name      = "eu-west-2"
  workspace = "tiny"
  backend   = { bucket = "away", key = "tiny.tfstate" }
}
region "recovery" {
  name      = "us-east-1"
  workspace = "tiny-dr"
  backend   = { bucket = "state", key = "tiny.tfstate", use_lockfile = true }
}
"#;

const STATE: &str = "env:/tiny-dr/tiny.tfstate";

/// An environment of nothing but a resource that takes its time, with state in the emulator's S3, behind a proxy.
pub struct Tiny {
    pub moto: TestEmulator,
    pub proxy: Proxy,
    home: tempfile::TempDir,
}

impl Tiny {
    pub async fn new() -> Self {
        let tiny = Self::with_root("").await;
        let begun = tiny.begun().display().to_string();
        let root = format!(
            "resource \"terraform_data\" \"a\" {{\n  provisioner \"local-exec\" {{\n    command = \"touch {begun}; sleep \
             2\"\n  }}\n}}\n"
        );
        tiny.write("root/main.tf", &root);
        tiny
    }

    /// With a root of its own.
    pub async fn with_root(root: &str) -> Self {
        let moto = harness::emulator().await;
        moto.session("us-east-1").s3().create_bucket().bucket("state").send().await.expect("a bucket for state");
        let options =
            ProxyOptions { upstream: moto.emulator.address(), log: moto.dir.path().join("requests.jsonl"), port: None };
        let proxy = Proxy::start(&options).await.expect("a proxy");
        let tiny = Self { moto, proxy, home: tempfile::tempdir().expect("a folder") };
        tiny.write("root/main.tf", root);
        tiny.write("environments/tiny/lifeboat.hcl", MANIFEST);
        tiny
    }

    /// There once the apply is at work.
    fn begun(&self) -> PathBuf {
        self.home.path().join("begun")
    }

    pub fn path(&self, inside: &str) -> PathBuf {
        self.home.path().join(inside)
    }

    pub fn write(&self, inside: &str, text: &str) -> PathBuf {
        let path = self.path(inside);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        path
    }

    /// The command, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut lifeboat = command::lifeboat(&self.proxy.endpoint(), self.home.path());
        lifeboat.env("LIFEBOAT_ENVIRONMENTS", self.path("environments")).args(args);
        lifeboat
    }

    /// The manifest with more at its end.
    pub fn write_manifest(&self, more: &str) {
        self.write("environments/tiny/lifeboat.hcl", &format!("{MANIFEST}{more}"));
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub async fn lifeboat(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let output = command::output(self.command(args)).await;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// The same as one line of words.
    pub async fn words(&self, args: &[&str]) -> (Option<i32>, String) {
        let (code, _, said) = self.lifeboat(args).await;
        (code, said.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    pub async fn failover(&self) -> (Option<i32>, String) {
        self.words(&["failover", "tiny", "--confirm", "tiny"]).await
    }

    /// Recovers `what` (`table`) of that name.
    pub async fn recover(&self, what: &str, name: &str, to: &str, more: &[&str]) -> (Option<i32>, String) {
        self.words(&[&["recover", what, name, "--env", "tiny", "--to", to], more].concat()).await
    }

    /// Approves a bundle as somebody else than who plans.
    pub async fn approve(&self, bundle: &str, env: &str) -> (Option<i32>, String) {
        let mut command = self.command(&["approve", bundle, "--confirm", env, "--because", "looked at it"]);
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        command.env("AWS_CONFIG_FILE", self.write("profiles", PROFILES)).env("AWS_PROFILE", "second");
        command::said(command).await
    }

    pub async fn report(&self, run: &str) -> Value {
        let (code, json, said) = self.lifeboat(&["report", run, "--format", "json"]).await;
        assert_eq!(code, Some(0), "{said}");
        serde_json::from_str(&json).expect("JSON")
    }

    pub fn run(&self) -> String {
        let runs = command::runs(&self.home.path().join("state"));
        let [run] = runs.as_slice() else { panic!("{runs:?}") };
        run.file_name().expect("a name").to_string_lossy().into_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_credentials_were_too_old_to_save_is_pushed_by_the_command_and_the_run_goes_on() {
    let tiny = Tiny::new().await;
    let failover = ["failover", "tiny", "--confirm", "tiny"];
    let expire = async {
        while !tiny.begun().exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tiny.proxy.control().add(Pattern::operation("s3", "PutObject"), Effect::Expire);
    };
    let ((code, _, said), ()) = tokio::join!(tiny.lifeboat(&failover), expire);
    assert_eq!(code, Some(4), "{said}");
    tiny.proxy.control().clear();
    let run = tiny.run();

    // It is in every report, with what to do, and nothing is planned past it.
    let report = tiny.report(&run).await;
    let kept = &report["unsaved"][0];
    let (path, sha256) = (kept["path"].as_str().expect("a path"), kept["sha256"].as_str().expect("a digest"));
    assert!(Path::new(path).is_file() && report["next"] == format!("lifeboat state push {run}"), "{report}");
    let (_, page, _) = tiny.lifeboat(&["report", &run, "--format", "md"]).await;
    for words in [path, sha256, "lifeboat state push"] {
        assert!(said.contains(words) && page.contains(words), "{words}:\n{said}\n{page}");
    }
    let again = ["resume", &run, "--retry", "infrastructure.apply"];
    let (code, _, said) = tiny.lifeboat(&again).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("could not be saved"), "{said}");

    a_backend_that_is_ahead_is_not_written_over(&tiny, &run, kept).await;
    let (code, _, said) = tiny.lifeboat(&["state", "push", &run]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(sha256) && said.contains(&again.join(" ")), "what to do next: {said}");
    assert_eq!(tiny.report(&run).await["unsaved"], Value::Array(vec![]));
    let (code, _, said) = tiny.lifeboat(&again).await;
    assert_eq!(code, Some(0), "{said}");
    let applied = &tiny.report(&run).await["applied"][0];
    assert_eq!(applied["lineage_before"], applied["lineage"], "{applied}");
    assert!(applied["serial_before"].as_u64() < applied["serial"].as_u64(), "{applied}");

    a_state_is_given_up_by_its_digest_and_with_a_reason(&tiny, &run, Path::new(path)).await;
}

async fn a_backend_that_is_ahead_is_not_written_over(tiny: &Tiny, run: &str, kept: &Value) {
    let s3 = tiny.moto.session("us-east-1").s3();
    let object = s3.get_object().bucket("state").key(STATE).send().await.expect("the state");
    let before = object.body.collect().await.expect("a body").into_bytes();
    let put = |body: Vec<u8>| s3.put_object().bucket("state").key(STATE).body(body.into()).send();
    let mut ahead: Value = serde_json::from_slice(&before).expect("JSON");
    ahead["serial"] = 90.into();
    ahead["outputs"] = serde_json::json!({ "new": { "value": 1, "type": "number" } });
    put(ahead.to_string().into_bytes()).await.expect("somebody else's apply");
    let (code, _, said) = tiny.lifeboat(&["state", "push", run]).await;
    assert_eq!(code, Some(3), "{said}");
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for both in ["serial 90".to_owned(), format!("serial {}", kept["serial"]), "lifeboat state discard".into()] {
        assert!(words.contains(&both), "{both}: {said}");
    }
    put(before.to_vec()).await.expect("as it was");
}

async fn a_state_is_given_up_by_its_digest_and_with_a_reason(tiny: &Tiny, run: &str, path: &Path) {
    let content = std::fs::read(path.with_extension("tfstate.pushed")).expect("what was pushed stays");
    std::fs::write(path, content).expect("a state that waits");
    let sha256 = path.file_stem().expect("a digest").to_string_lossy().into_owned();
    let discard =
        |prefix: &str| ["state", "discard", run, "--sha256", prefix, "--because", "rebuilt"].map(str::to_owned);
    for (prefix, expected) in [("00000000", 3), (&sha256[..4], 2), (&sha256[..12], 0)] {
        let args = discard(prefix);
        let (code, _, said) = tiny.lifeboat(&args.each_ref().map(String::as_str)).await;
        assert_eq!(code, Some(expected), "{prefix}: {said}");
    }
    assert!(!path.exists() && path.with_extension("tfstate.discarded").is_file());
    let journal = std::fs::read_to_string(tiny.home.path().join("state/runs").join(run).join("journal.jsonl"));
    let journal = journal.expect("a journal");
    let last = journal.lines().last().expect("a line");
    assert!(last.contains("state_discarded") && last.contains("rebuilt") && last.contains(&sha256), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_replaced_is_refused_before_anything_is_written() {
    let moto = harness::emulator().await;
    let aws = moto.session("us-east-1");
    aws.s3().create_bucket().bucket("state").send().await.expect("a bucket for state");
    let site = Site::in_s3(&[("main.tf", "resource \"terraform_data\" \"a\" {}\n")], moto.endpoint());
    let world = site.world(aws.clone()).await;
    let prepared = TerraformPrepare.apply(&cx(&world, "infrastructure.prepare", &[])).await.expect("prepared");
    let outputs = [("infrastructure.prepare", prepared.clone())];
    let scope = ApplyScope::Base;
    TerraformPlan { scope }.apply(&cx(&world, "infrastructure.plan", &outputs)).await.expect("planned");

    let other =
        r#"{"version":4,"terraform_version":"1.11.4","serial":7,"lineage":"another","outputs":{},"resources":[]}"#;
    let put = || {
        aws.s3().put_object().bucket("state").key("env:/prod-dr/key").body(ByteStream::from_static(other.as_bytes()))
    };
    put().send().await.expect("replaced");
    let refused = TerraformApply { scope }
        .apply(&cx(&world, "infrastructure.apply", &outputs))
        .await
        .expect_err("another's state");
    assert_eq!(refused.kind, FailureKind::Conflict, "{refused}");
    let recorded = prepared["lineage"].as_str().expect("a lineage");
    assert!(refused.cause.contains("lineage another, serial 7") && refused.cause.contains(recorded), "{refused}");
    assert!(!site.logs().iter().any(|log| log.ends_with("-apply")), "{:?}", site.logs());
    let now = aws.s3().get_object().bucket("state").key("env:/prod-dr/key").send().await.expect("it is there");
    assert_eq!(now.body.collect().await.expect("a body").into_bytes(), other.as_bytes(), "nothing was written");
    let scope = ApplyScope::Adoption;
    let refused =
        TerraformPlan { scope }.apply(&cx(&world, "adoption.plan", &outputs)).await.expect_err("another's state");
    assert_eq!(refused.kind, FailureKind::Conflict, "{refused}");
}
