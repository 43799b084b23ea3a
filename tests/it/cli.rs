//! The command as people call it, above all wrongly: what it says, its exit code, and that nothing was changed.

#![expect(clippy::disallowed_methods, reason = "the command is started as a user would start it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lifeboat::rehearse::proxy::{Proxy, ProxyOptions, read_records};

use crate::harness::{self, TestEmulator};

/// `lifeboat` with a home of its own, no credentials and no endpoint but those that a test gives.
struct Lifeboat {
    home: tempfile::TempDir,
    variables: Vec<(String, String)>,
    environments: PathBuf,
}

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

impl Lifeboat {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { home, variables: Vec::new(), environments: project().join("environments") }
    }

    fn against(mut self, emulator: &TestEmulator) -> Self {
        self.set("AWS_ENDPOINT_URL", &emulator.endpoint());
        self.set("AWS_ACCESS_KEY_ID", "testing");
        self.set("AWS_SECRET_ACCESS_KEY", "testing");
        self
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.into(), value.into()));
    }

    /// Environments of the test's own: a copy of the example's, changed.
    fn with_manifest(mut self, change: impl Fn(String) -> String) -> Self {
        let dir = self.home.path().join("environments/prod");
        std::fs::create_dir_all(&dir).unwrap();
        let from = project().join("environments/prod");
        let manifest = std::fs::read_to_string(from.join("lifeboat.hcl")).unwrap();
        let manifest = manifest.replace("../../examples", &project().join("examples").to_string_lossy());
        std::fs::write(dir.join("lifeboat.hcl"), change(manifest)).unwrap();
        std::fs::copy(from.join("terraform.tfvars"), dir.join("terraform.tfvars")).unwrap();
        self.environments = self.home.path().join("environments");
        self
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.home.path());
        for name in ["PATH", "TF_CLI_CONFIG_FILE"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command
            .env("HOME", self.home.path())
            .env("LIFEBOAT_HOME", self.home.path().join("state"))
            .env("LIFEBOAT_ENVIRONMENTS", &self.environments)
            // Nobody is asked for credentials that are not there.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_lifeboat")).args(args).output().unwrap()
    }

    /// Runs it, expects the exit code, and returns what it said.
    fn refuses(&self, args: &[&str], code: i32) -> String {
        let output = self.run(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?} said:\n{said}");
        assert_eq!(self.runs(), Vec::<String>::new(), "nothing may have begun");
        said
    }

    /// Runs that have a journal.
    fn runs(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.home.path().join("state/runs")) else { return Vec::new() };
        let names = entries.map(|entry| entry.unwrap().path()).filter(|dir| dir.join("journal.jsonl").exists());
        names.map(|dir| dir.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }
}

const FAILOVER: &[&str] = &["failover", "prod", "--confirm", "prod"];

#[test]
fn an_environment_that_is_not_there_is_answered_with_those_that_are() {
    let said = Lifeboat::new().refuses(&["failover", "prd", "--confirm", "prd"], 2);
    assert!(said.contains("prod") && said.contains("dev"), "{said}");
}

#[test]
fn a_failover_is_not_started_by_accident() {
    let lifeboat = Lifeboat::new();
    let said = lifeboat.refuses(&["failover", "prod", "--confirm", "dev"], 2);
    assert!(said.contains("the environment is prod"), "{said}");
    let said = lifeboat.refuses(&["failover", "prod", "--confirm", "prod", "--impact-at", "2999-01-01T00:00:00Z"], 2);
    assert!(said.contains("in the future"), "{said}");
}

#[test]
fn ten_megabytes_of_braces_are_refused_at_once() {
    let lifeboat = Lifeboat::new().with_manifest(|_| "{".repeat(10_000_000));
    let began = std::time::Instant::now();
    lifeboat.refuses(FAILOVER, 2);
    assert!(began.elapsed().as_secs() < 2);
}

#[test]
fn everything_that_is_wrong_with_a_manifest_is_said_at_once_with_its_place() {
    let lifeboat = Lifeboat::new().with_manifest(|manifest| {
        manifest
            .replace("account = \"123456789012\"", "account = \"1234\"")
            .replace("workspace = \"prod-dr\"", "workspce = \"prod-dr\"")
            .replace("module.database.aws_rds_cluster.logs", "module.database.aws_rds_cluster.nobody")
            .replace("aws_region       = \"us-east-1\"", "region           = \"us-east-1\"")
    });
    let said = lifeboat.refuses(FAILOVER, 2);
    for part in ["1234", "workspce", "aws_rds_cluster.nobody", "lifeboat.hcl:"] {
        assert!(said.contains(part), "{part} is not in:\n{said}");
    }
    assert!(said.lines().filter(|line| line.contains("lifeboat.hcl:")).count() >= 3, "{said}");
}

#[test]
fn a_var_file_that_is_no_hcl_is_named_with_its_place() {
    let lifeboat = Lifeboat::new().with_manifest(|manifest| manifest);
    std::fs::write(lifeboat.environments.join("prod/terraform.tfvars"), "aws_region = \n").unwrap();
    let said = lifeboat.refuses(FAILOVER, 2);
    assert!(said.contains("terraform.tfvars:"), "{said}");
}

#[test]
fn a_variable_that_the_root_does_not_declare_is_an_error_before_terraform_starts() {
    let lifeboat = Lifeboat::new().with_manifest(|manifest| manifest);
    std::fs::write(lifeboat.environments.join("prod/terraform.tfvars"), "regoin = \"eu-west-2\"\n").unwrap();
    let said = lifeboat.refuses(FAILOVER, 2);
    assert!(said.contains("regoin"), "{said}");
}

#[test]
fn missing_credentials_block() {
    let said = Lifeboat::new().refuses(FAILOVER, 3);
    assert!(said.contains("who is asking") && said.contains("AWS_PROFILE"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_is_refused() {
    let emulator = harness::emulator().await;
    let lifeboat =
        Lifeboat::new().against(&emulator).with_manifest(|manifest| manifest.replace("123456789012", "210987654321"));
    let said = lifeboat.refuses(FAILOVER, 3);
    assert!(said.contains("210987654321") && said.contains("123456789012"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terraform_that_is_missing_or_too_old_blocks() {
    let emulator = harness::emulator().await;
    let mut lifeboat = Lifeboat::new().against(&emulator);
    lifeboat.set("LIFEBOAT_TF_BIN", "terraform-of-another-machine");
    let said = lifeboat.refuses(FAILOVER, 3);
    assert!(said.contains("terraform-of-another-machine"), "{said}");
    let old = lifeboat.home.path().join("old-terraform");
    script(&old, "#!/bin/sh\necho '{\"terraform_version\": \"0.12.31\"}'\n");
    lifeboat.set("LIFEBOAT_TF_BIN", &old.to_string_lossy());
    let said = lifeboat.refuses(FAILOVER, 3);
    assert!(said.contains("0.12.31"), "{said}");
}

/// A stand-in for a program.
fn script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_missing_in_the_recovery_region_is_listed_before_the_outage() {
    let emulator = harness::emulator().await;
    let lifeboat = Lifeboat::new().against(&emulator);
    let said = lifeboat.refuses(FAILOVER, 3);
    for step in ["restore.aurora.logs", "restore.table.metadata", "restore.bucket.logs", "cutover.public"] {
        assert!(said.contains(step), "{step} is not in:\n{said}");
    }
    let output = lifeboat.run(&["plan", "failover", "prod"]);
    assert_eq!(output.status.code(), Some(3));
    let plan = String::from_utf8(output.stdout).unwrap();
    assert!(plan.contains("in the way") && plan.contains("critical path"), "{plan}");
    assert!(plan.lines().all(|line| line.chars().count() <= 80), "{plan}");
    let output = lifeboat.run(&["plan", "failover", "prod", "-o", "json"]);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan["schema_version"], 1);
    // Terraform cannot plan without the bucket for its state, which a failover would have found only after the steps.
    let blocked = plan["blocked"].as_array().unwrap();
    let planning = |it: &&serde_json::Value| it["step"] == "infrastructure.plan";
    let [terraform] = blocked.iter().filter(planning).collect::<Vec<_>>()[..] else { panic!("{blocked:?}") };
    assert!(terraform["cause"].as_str().is_some_and(|cause| cause.contains("streaming-logs-terraform-state-dr")));
    assert_eq!(blocked.len() - 1, said.matches("restore.").count() + said.matches("cutover.").count());
}

#[test]
fn the_generated_files_are_written_for_reading_without_asking_anybody() {
    let lifeboat = Lifeboat::new();
    let args = ["plan", "failover", "prod", "--generate-only", "generated"];
    let output = lifeboat.run(&args);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let dir = lifeboat.home.path().join("generated");
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    assert!(read("backend.hcl").contains("\"streaming-logs-terraform-state-dr\""));
    let names: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(names.len(), 4);
    assert_eq!(lifeboat.run(&args).status.code(), Some(0), "the same again is fine");
    std::fs::write(dir.join("backend.hcl"), "# mine\n").unwrap();
    assert_eq!(lifeboat.run(&args).status.code(), Some(1));
    assert_eq!(read("backend.hcl"), "# mine\n", "a file with other content is left alone");
}

#[test]
fn a_run_that_is_not_there_is_named() {
    let lifeboat = Lifeboat::new();
    for args in [&["report", "nobody"][..], &["status", "../../etc"], &["resume", "nobody"]] {
        let said = lifeboat.refuses(args, 2);
        assert!(said.contains("there is no run"), "{said}");
    }
    lifeboat.refuses(&["status"], 2);
    lifeboat.refuses(&["resume"], 3);
    assert_eq!(lifeboat.run(&["runs"]).status.code(), Some(0));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let lifeboat = Lifeboat::new();
    let shell = format!("{} --help | true; exit ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_lifeboat"));
    let output = lifeboat.command("bash").args(["-c", &shell]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_end_within_minutes_block_a_failover_and_short_ones_are_told() {
    let emulator = harness::emulator().await;
    let ending_in = |minutes: i64| {
        let mut lifeboat = Lifeboat::new().against(&emulator);
        let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(minutes * 60 + 30);
        lifeboat.set("AWS_SESSION_TOKEN", "testing");
        lifeboat.set("AWS_CREDENTIAL_EXPIRATION", &end.to_string());
        lifeboat.refuses(FAILOVER, 3)
    };
    let said = ending_in(2);
    assert!(said.contains("error: the credentials end in 2 min") && said.contains("log in again"), "{said}");
    let said = ending_in(20);
    assert!(said.contains("warning: the credentials end in 20 min; the run is expected to take"), "{said}");
}

/// The profiles say the lost region on purpose: nothing may follow them there.
const PROFILES: &str = "[profile base]
aws_access_key_id = testing
aws_secret_access_key = testing
region = eu-west-2
[profile oncall]
role_arn = arn:aws:iam::123456789012:role/oncall
source_profile = base
region = eu-west-2
";

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_assumed_in_the_recovery_region_whatever_its_profile_says() {
    let emulator = harness::emulator().await;
    let log = emulator.dir.path().join("requests.jsonl");
    let options = ProxyOptions { upstream: emulator.emulator.address(), log: log.clone(), port: None };
    let proxy = Proxy::start(&options).await.unwrap();
    proxy.control().refuse_region("eu-west-2");
    let mut lifeboat = Lifeboat::new();
    let config = lifeboat.home.path().join("aws-config");
    std::fs::write(&config, PROFILES).unwrap();
    lifeboat.set("AWS_ENDPOINT_URL", &proxy.endpoint());
    lifeboat.set("AWS_CONFIG_FILE", &config.to_string_lossy());
    lifeboat.set("AWS_PROFILE", "oncall");
    let said = lifeboat.refuses(FAILOVER, 3);
    assert!(said.contains("steps cannot start"), "it got as far as asking for recovery points: {said}");
    let requests = read_records(&log).unwrap();
    assert!(requests.iter().any(|it| it.operation == "AssumeRole" && it.region == "us-east-1"), "{requests:?}");
    let lost: Vec<_> = requests.iter().filter(|it| it.region == "eu-west-2").collect();
    assert!(lost.is_empty(), "{lost:?}");
}
