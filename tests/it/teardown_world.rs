//! A small stack in its primary region, built by the real Terraform in the emulator, and a run that takes it down and builds
//! it again, with the engine and a journal. The evidence is a fake: files that stand for those of a real run.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use lifeboat::aws::Session;
use lifeboat::aws::s3::{StateObject, list_versions};
use lifeboat::engine::{Ended, Engine, Preflight, execute, preflight};
use lifeboat::journal::{self, Event, Journal, RunStarted, RunState};
use lifeboat::manifest::{self, Manifest};
use lifeboat::rehearse::breach::{Site, stand};
use lifeboat::rehearse::proxy::{Proxy, ProxyOptions};
use lifeboat::rehearse::{example, private_environment};
use lifeboat::runbook::{Action, ApplyScope, Phase, Runbook, StepId, StepSpec};
use lifeboat::scenario::{self, teardown_steps};
use lifeboat::steps::{self, EvidenceGate, World};
use lifeboat::templates::Templates;
use lifeboat::terraform::approved::Approved;
use lifeboat::terraform::{Workdir, WorkdirOptions, version};
use tokio::sync::{mpsc, watch};

use crate::fake_evidence::{FakeEvidence, sha256};
use crate::harness::{self, ACCOUNT, TestEmulator};

pub const REGION: &str = "eu-west-2";

/// What a test needs of a stack, and nothing that takes long to make.
pub const ROOT: &str = r#"terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
  backend "s3" {}
}
provider "aws" {
  region      = "eu-west-2"
  # Few, so that what is refused on purpose ends soon; more than one, so that a connection lost by chance ends nothing.
  max_retries = 3
  default_tags {
    tags = { Stack = "shop" }
  }
}
resource "aws_s3_bucket" "logs" {
  bucket = "shop-logs"
}
resource "aws_s3_bucket" "results" {
  bucket = "shop-results"
}
resource "aws_s3_bucket_versioning" "results" {
  bucket = aws_s3_bucket.results.id
  versioning_configuration {
    status = "Enabled"
  }
}
resource "aws_dynamodb_table" "orders" {
  name                        = "shop-orders"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  deletion_protection_enabled = true
  attribute {
    name = "id"
    type = "S"
  }
}
resource "aws_secretsmanager_secret" "db" {
  name                    = "shop-db"
  recovery_window_in_days = 7
}
resource "aws_cloudwatch_log_group" "app" {
  name              = "/shop/app"
  retention_in_days = 30
}
resource "aws_cloudwatch_log_stream" "app" {
  name           = "app"
  log_group_name = aws_cloudwatch_log_group.app.name
}
resource "aws_athena_workgroup" "queries" {
  name = "shop"
  configuration {
    result_configuration {
      output_location = "s3://${aws_s3_bucket.results.id}/"
    }
  }
}
resource "aws_iam_role" "app" {
  name = "shop-app"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}
"#;

pub const MANIFEST: &str = r#"service = "shop"
account = "123456789012"
terraform {
  root         = "../../root"
  lock_timeout = "20s"
}
region "primary" {
  name      = "eu-west-2"
  workspace = "shop"
  backend   = { bucket = "shop-state", key = "shop.tfstate", use_lockfile = true }
}
region "recovery" {
  name      = "us-east-1"
  workspace = "shop-dr"
  backend   = { bucket = "shop-state-dr", key = "shop.tfstate", use_lockfile = true }
}
"#;

/// The log bucket stays, and all else goes: the table although it is protected.
pub const RULES: &str = r#"guard {
  max_destroys  = 0
  protect       = ["aws_dynamodb_table.orders"]
  protect_types = ["aws_s3_bucket"]
}
rebuild {
  keep       = ["aws_s3_bucket.logs"]
  replace    = ["aws_dynamodb_table.orders", "aws_s3_bucket.results"]
  empty      = ["shop-results"]
  workgroups = ["shop"]
}
"#;

/// A stack, where it lies, and how its run is reached.
pub struct Stack {
    pub moto: TestEmulator,
    pub proxy: Proxy,
    pub place: Place,
}

/// The folder of a stack's run, and the endpoint that the run talks to: all that another process needs of it.
#[derive(Clone)]
pub struct Place {
    pub dir: PathBuf,
    pub endpoint: String,
    /// The folder of environments, and which one it is.
    pub environments: PathBuf,
    pub name: &'static str,
}

impl Stack {
    /// A stack of this root, whose run goes by these rules of the manifest.
    pub async fn of(root: &str, rules: &str) -> Self {
        let stack = Self::bare(rules).await;
        stack.place.write("root/main.tf", root);
        stack.make_bucket("shop-state").await;
        stack.stand("stand").await;
        stack
    }

    /// The project's example, whose run goes by its own rules.
    pub async fn example() -> Self {
        let mut stack = Self::bare("").await;
        stack.place.environments = example::write(&stack.place.dir.join("example")).expect("the example");
        stack.place.name = example::ENVIRONMENT;
        stack.make_bucket(&stack.place.loaded().primary.backend.bucket).await;
        stack.stand("stand").await;
        stack
    }

    /// Builds it, or what is new of it, in this folder; not through the proxy.
    pub async fn stand(&self, folder: &str) {
        let endpoint = self.moto.endpoint();
        let (work, environment) = (self.place.folder(folder), self.place.environment(&endpoint));
        let site = Site { dir: &work, endpoint: &endpoint, environment: &environment, binary: None };
        stand(&self.place.loaded(), site).await.expect("it stands");
    }

    /// Where nothing stands.
    pub async fn bare(rules: &str) -> Self {
        let moto = harness::emulator().await;
        let dir = std::fs::canonicalize(moto.dir.path()).expect("the folder");
        let options = ProxyOptions { upstream: moto.emulator.address(), log: dir.join("requests.jsonl"), port: None };
        let proxy = Proxy::start(&options).await.expect("a proxy");
        let place = Place::at(dir, proxy.endpoint());
        place.write("root/main.tf", ROOT);
        place.write("environments/shop/lifeboat.hcl", &format!("{MANIFEST}{rules}"));
        Self { moto, proxy, place }
    }

    pub async fn new() -> Self {
        Self::of(ROOT, RULES).await
    }

    /// Clients that do not go through the proxy.
    pub fn session(&self) -> Session {
        self.moto.session(REGION)
    }

    pub async fn make_bucket(&self, name: &str) {
        let place = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(REGION));
        let make = self.session().s3().create_bucket().bucket(name).create_bucket_configuration(place.build());
        make.send().await.expect("a bucket");
    }

    pub async fn put(&self, bucket: &str, key: &str) {
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"x");
        self.session().s3().put_object().bucket(bucket).key(key).body(body).send().await.expect("an object");
    }

    /// Takes the evidence of these buckets: the fake's, as it stands now.
    pub async fn keep_evidence(&self, buckets: &[&str]) {
        let mut text = String::new();
        for bucket in buckets {
            writeln!(text, "bucket {bucket}").unwrap();
            let (client, mut from) = (self.session().s3(), None);
            loop {
                let page = list_versions(&client, bucket, "", from).await.expect("versions");
                for it in &page.versions {
                    writeln!(text, "{bucket} {} {}", it.version_id, it.key).unwrap();
                }
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
        }
        text += "queries shop\n";
        self.place.write("evidence/inventory", &text);
        self.place.write("evidence/sha256", &sha256(text.as_bytes()));
    }

    /// The tables, buckets, secrets and roles that stand.
    pub async fn standing(&self) -> Vec<String> {
        let session = self.session();
        let tables = session.dynamodb().list_tables().send().await.expect("tables").table_names.unwrap_or_default();
        let buckets = session.s3().list_buckets().send().await.expect("buckets").buckets.unwrap_or_default();
        let roles = session.iam().list_roles().send().await.expect("roles").roles;
        let secrets = session.secrets().list_secrets().send().await.expect("secrets").secret_list.unwrap_or_default();
        let mut all = tables;
        all.extend(buckets.into_iter().filter_map(|it| it.name));
        all.extend(roles.into_iter().map(|it| it.role_name));
        all.extend(secrets.into_iter().filter_map(|it| it.name));
        all.retain(|name| name != "shop-state");
        all.sort();
        all
    }
}

impl Place {
    /// Of a small stack.
    pub fn at(dir: PathBuf, endpoint: String) -> Self {
        Self { environments: dir.join("environments"), dir, endpoint, name: "shop" }
    }

    pub fn write(&self, inside: &str, text: &str) {
        let path = self.dir.join(inside);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    fn folder(&self, name: &str) -> PathBuf {
        let path = self.dir.join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        path
    }

    pub fn loaded(&self) -> Manifest {
        manifest::load(&self.environments, self.name).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn environment(&self, endpoint: &str) -> lifeboat::terraform::environment::Environment {
        let user: Vec<_> = std::env::vars_os().collect();
        private_environment(&user, endpoint, &self.dir.join("home"))
    }

    /// Takes the stack down, and builds it again.
    pub fn runbook(&self) -> Runbook {
        let manifest = self.loaded().in_primary();
        let whole = scenario::failover(&manifest);
        let mut steps: Vec<StepSpec> =
            whole.steps.iter().filter(|it| it.action == Action::TerraformPrepare).cloned().collect();
        steps.extend(teardown_steps(&manifest, &[]));
        let built = whole.steps.iter().filter(|it| {
            let base = ApplyScope::Base;
            [Action::TerraformPlan { scope: base }, Action::TerraformApply { scope: base }, Action::TerraformSettled]
                .contains(&it.action)
        });
        steps.extend(built.cloned().map(|mut step| {
            if step.phase == Phase::Infrastructure {
                step.after.push(StepId::from("teardown.proof"));
            }
            step
        }));
        Runbook { steps, scenario: "rebuild".into(), ..whole }
    }

    /// A run's engine as a new process would make it.
    pub async fn engine(&self, runbook: Runbook, approved: Option<Arc<Approved>>) -> Engine {
        let manifest = Arc::new(self.loaded().in_primary());
        let (run_dir, environment) = (self.folder("run"), self.environment(&self.endpoint));
        let aws = Session::emulated(REGION, &self.endpoint);
        let binary = version::find(None, None, &environment, &run_dir).await.expect("terraform on PATH");
        let terraform = Workdir::new(WorkdirOptions {
            run_dir: run_dir.clone(),
            manifest: Arc::clone(&manifest),
            binary: Some(binary),
            environment,
            templates: Templates::new(None).expect("templates"),
            lock: None,
            states: Some(Arc::new(StateObject::of(&aws, &manifest.recovery))),
        })
        .bound_to(approved);
        let evidence: Arc<dyn EvidenceGate> = Arc::new(FakeEvidence { dir: self.dir.join("evidence") });
        let world = World { run: "run".into(), run_dir, manifest, aws, terraform, evidence: Some(evidence) };
        let (notices, mut told) = mpsc::unbounded_channel();
        tokio::spawn(async move { while told.recv().await.is_some() {} });
        let (_nobody, stop) = watch::channel(false);
        Engine { runbook: Arc::new(runbook), world: Arc::new(world), make: Arc::new(steps::make), notices, stop }
    }

    pub async fn preflight(&self) -> Preflight {
        preflight(&self.engine(self.runbook(), None).await).await
    }

    /// Begins the run and carries it as far as it goes.
    pub async fn run(&self) -> Ended {
        self.run_with(self.engine(self.runbook(), None).await).await
    }

    pub async fn run_with(&self, engine: Engine) -> Ended {
        let journal = Journal::create(&self.folder("run")).expect("a journal");
        journal.append(started(&engine.runbook)).expect("a record");
        execute(&engine, Arc::new(journal)).await.expect("a journal that can be written")
    }

    /// Takes it up again.
    pub async fn resume(&self, retry: &[&str]) -> Ended {
        let engine = self.engine(self.runbook(), None).await;
        let (journal, _) = Journal::open(&self.dir.join("run")).expect("the journal");
        let retry = retry.iter().map(|id| StepId::from(*id)).collect();
        let resumed = Event::RunResumed {
            pid: 1,
            host: "other".into(),
            retry,
            restaged: None,
            source: None,
            accepted: vec![],
            tenure: None,
        };
        journal.append(resumed).expect("a record");
        execute(&engine, Arc::new(journal)).await.expect("a journal that can be written")
    }

    pub fn state(&self) -> RunState {
        journal::load(&self.dir.join("run")).expect("the journal").state
    }

    pub fn output(&self, step: &str) -> serde_json::Value {
        self.state().steps[&StepId::from(step)].output.clone()
    }
}

/// Why a run is held: `step: cause` by line.
pub fn failures(ended: &Ended) -> String {
    match ended {
        Ended::Held { failures } => {
            failures.iter().map(|(step, failure)| format!("{step}: {}\n", failure.cause)).collect()
        }
        ended => panic!("{ended:?}"),
    }
}

fn started(runbook: &Runbook) -> Event {
    Event::RunStarted(Box::new(RunStarted {
        caller: format!("arn:aws:iam::{ACCOUNT}:user/ana"),
        ..harness::started("run", runbook.clone())
    }))
}

/// What of the small stack is listed by [`Stack::standing`].
pub const STANDS: [&str; 5] = ["shop-app", "shop-db", "shop-logs", "shop-orders", "shop-results"];

/// A stack with something in its buckets, and the evidence of it.
pub async fn filled() -> Stack {
    let stack = Stack::new().await;
    for key in ["a", "b", "a"] {
        stack.put("shop-results", key).await;
    }
    stack.put("shop-logs", "kept").await;
    stack.keep_evidence(&["shop-results"]).await;
    stack
}

/// How a run ended, in words.
pub fn told(ended: &Ended) -> String {
    if matches!(ended, Ended::Held { .. }) { failures(ended) } else { format!("{ended:?}") }
}
