//! A service that was broken into, and the bucket that evidence of it goes to, for tests of collecting it. The emulator knows no
//! event history: `trail` is a fake of CloudTrail, from the API reference ("LookupEvents").

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use flate2::read::MultiGzDecoder;
use lifeboat::evidence::SEAL;
use lifeboat::journal;
use lifeboat::manifest::{self, Manifest};
use lifeboat::runbook::StepId;
use lifeboat::steps::{Cx, StepError, World, evidence_verifies};
use serde_json::{Value, json};

use crate::scripted::Scripted;
use crate::state_custody::Tiny;
use crate::{command, offline};

pub const REGION: &str = "eu-west-2";
pub const KEPT: &str = "kept";
pub const STATE_KEY: &str = "env:/tiny/tiny.tfstate";
const EVENTS: usize = 3;

pub const BLOCKS: &str = r#"aurora "logs" {
  source    = "logs-prod"
  target    = "logs-dr"
  from      = latest_snapshot
}
table "metadata" {
  source = "metadata-prod"
  target = "metadata-dr"
  from   = latest_backup
}
bucket "logs" {
  source = "logs-prod"
  target = "logs-dr"
}
"#;

pub const ROOT: &str = "resource \"terraform_data\" \"a\" {\n  input = \"new\"\n}\n";

pub const POLICY: &str =
    r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;

/// As Terraform writes it, with a blank that nobody else would.
pub const STATE: &str = r#"{"version": 4,  "terraform_version": "1.11.4", "serial": 3, "lineage": "6b56a75b-0000-0000-0000-000000000000",
 "outputs": {"password": {"value": "hunter2", "type": "string", "sensitive": true}}, "resources": [
 {"mode": "managed", "type": "terraform_data", "name": "a", "provider": "provider[\"terraform.io/builtin/terraform\"]",
  "instances": [{"schema_version": 0, "attributes": {"id": "x", "input": {"value": "old", "type": "string"},
  "output": {"value": "old", "type": "string"}, "triggers_replace": null}, "sensitive_attributes": []}]}], "check_results": null}"#;

pub struct Site {
    pub tiny: Tiny,
    pub trail: Scripted,
    pub times: Times,
}

pub fn rule(more: &str) -> String {
    format!(
        "evidence {{\n  bucket = \"{KEPT}\"\n  prefix = \"breaches\"\n  log_groups = [\"/app/a\", \"/app/b\"]\n{more}}}\n"
    )
}

/// Who asked CloudTrail when, by region.
pub type Times = Arc<Mutex<Vec<(String, Instant)>>>;

/// Three pages of one event each.
async fn trail(times: Times) -> Scripted {
    Scripted::start(move |asked| {
        // `Credential=KEY/DATE/REGION/SERVICE/aws4_request`
        let region = asked.header("authorization").split('/').nth(2).unwrap_or_default().to_owned();
        times.lock().expect("no panic").push((region, Instant::now()));
        let asked: Value = serde_json::from_str(&asked.body).expect("JSON");
        let page = asked["NextToken"].as_str().map_or(1, |token| token.parse().expect("a number"));
        let id = format!("event-{page}");
        let record = json!({
            "eventVersion": "1.11", "eventID": id, "eventName": "DeleteTrail", "userIdentity": { "userName": "mallory" },
        });
        let event = json!({
            "EventId": id, "EventName": "DeleteTrail", "ReadOnly": "false", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "EventTime": 1_796_000_000.0, "EventSource": "cloudtrail.amazonaws.com", "Username": "mallory",
            "Resources": [], "CloudTrailEvent": record.to_string(),
        });
        let mut answer = json!({ "Events": [event] });
        if page < EVENTS {
            answer["NextToken"] = json!((page + 1).to_string());
        }
        (200, answer.to_string())
    })
    .await
}

impl Site {
    /// A service with everything that is collected, and an evidence bucket with Object Lock.
    pub async fn new() -> Self {
        let site = Self::without_bucket().await;
        evidence_bucket(&site.s3()).await;
        site
    }

    /// The same with the evidence bucket written and read by a role.
    pub async fn by_role(role: &str) -> Self {
        let site = Self::new().await;
        site.tiny.write_manifest(&format!("{BLOCKS}{}", rule(&format!("  role = \"{role}\"\n  retain_days = 1\n"))));
        site
    }

    /// The manifest, and nothing that it names.
    pub async fn empty() -> Self {
        let tiny = Tiny::with_root(ROOT).await;
        tiny.write_manifest(&format!("{BLOCKS}{}", rule("  retain_days = 1\n")));
        let times = Times::default();
        Self { tiny, trail: trail(Arc::clone(&times)).await, times }
    }

    pub fn manifest(&self) -> Manifest {
        manifest::load(&self.tiny.path("environments"), "tiny").unwrap_or_else(|_| panic!("a manifest"))
    }

    pub async fn without_bucket() -> Self {
        let site = Self::empty().await;
        let (session, s3) = (site.tiny.moto.session(REGION), site.s3());
        let iam = session.iam();
        iam.create_user().user_name("mallory").send().await.expect("a user");
        let own = iam.put_user_policy().user_name("mallory").policy_name("own").policy_document(POLICY);
        own.send().await.expect("a policy");
        let cluster = session.rds().create_db_cluster().db_cluster_identifier("logs-prod").engine("aurora-mysql");
        cluster.master_username("admin").master_user_password("not-a-secret").send().await.expect("a cluster");
        let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build().expect("a key");
        let id = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S).build();
        let table = session.dynamodb().create_table().table_name("metadata-prod").key_schema(key);
        let table = table.attribute_definitions(id.expect("an attribute")).billing_mode(BillingMode::PayPerRequest);
        table.send().await.expect("a table");
        for bucket in ["away", "logs-prod"] {
            s3.create_bucket().bucket(bucket).create_bucket_configuration(here()).send().await.expect("a bucket");
        }
        let open = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "Theirs", "Effect": "Allow", "Principal": "*",
            "Action": "s3:GetObject", "Resource": "arn:aws:s3:::logs-prod/*"}]}"#;
        s3.put_bucket_policy().bucket("logs-prod").policy(open).send().await.expect("a policy");
        put(&s3, "away", STATE_KEY, STATE).await;
        versioned(&s3, "logs-prod").await;
        for content in ["1", "2"] {
            put(&s3, "logs-prod", "a/b", content).await;
        }
        s3.delete_object().bucket("logs-prod").key("a/b").send().await.expect("a marker");
        for group in ["/app/a", "/app/b"] {
            let logs = session.logs();
            logs.create_log_group().log_group_name(group).send().await.expect("a log group");
            logs.create_log_stream().log_group_name(group).log_stream_name("s").send().await.expect("a stream");
            let event = aws_sdk_cloudwatchlogs::types::InputLogEvent::builder()
                .timestamp(jiff::Timestamp::now().as_millisecond() - 1000)
                .message(format!("mallory was here: {group}"))
                .build()
                .expect("an event");
            let put = logs.put_log_events().log_group_name(group).log_stream_name("s").log_events(event);
            put.send().await.expect("an event");
        }
        site
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        self.tiny.moto.session(REGION).s3()
    }

    pub fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.tiny.command(args);
        command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", self.trail.url());
        command
    }

    pub async fn lifeboat(&self, args: &[&str]) -> (Option<i32>, String) {
        let (code, said) = command::said(self.command(args)).await;
        (code, said.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    pub async fn collect(&self, more: &[&str]) -> (Option<i32>, String) {
        self.lifeboat(&[&["evidence", "collect", "tiny"], more].concat()).await
    }

    pub fn run_dir(&self) -> PathBuf {
        self.tiny.home().join("state/runs").join(self.tiny.run())
    }

    pub fn prefix(&self) -> String {
        format!("breaches/{}/", self.tiny.run())
    }

    /// What `aws s3 sync` of the run's folder would lay into a folder.
    pub async fn synced(&self) -> tempfile::TempDir {
        let (folder, s3, prefix) = (tempfile::tempdir().expect("a folder"), self.s3(), self.prefix());
        let pages = s3.list_objects_v2().bucket(KEPT).prefix(&prefix).send().await.expect("a list");
        for object in pages.contents() {
            let key = object.key().expect("a key");
            let path = folder.path().join(key.strip_prefix(&prefix).expect("below"));
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, read(&s3, key).await).expect("a file");
        }
        folder
    }

    /// How many snapshots, backups and exports there are.
    pub async fn made(&self) -> [usize; 3] {
        let session = self.tiny.moto.session(REGION);
        let snapshots = session.rds().describe_db_cluster_snapshots().snapshot_type("manual").send().await;
        let backups = session.dynamodb().list_backups().send().await.expect("backups");
        let exports = session.logs().describe_export_tasks().send().await.expect("exports");
        let snapshots = snapshots.expect("snapshots").db_cluster_snapshots().len();
        [snapshots, backups.backup_summaries().len(), exports.export_tasks().len()]
    }

    /// What a step of the run is given by another that would destroy something.
    pub fn gate(&self) -> Cx {
        let loaded = journal::load(&self.run_dir()).expect("a journal");
        let output = loaded.state.steps[&StepId::new(SEAL)].output.clone();
        let manifest = self.manifest();
        let world = offline::world(&self.tiny.run(), &self.run_dir(), self.tiny.moto.session(REGION));
        let world = World { manifest: Arc::new(manifest), ..world };
        let outputs = [(StepId::new(SEAL), output)].into_iter().collect();
        Cx::detached(Arc::new(world), "teardown.destroy", Value::Null, outputs)
    }

    pub async fn refused(&self) -> StepError {
        evidence_verifies(&self.gate()).await.expect_err("it is not what was sealed")
    }
}

async fn evidence_bucket(s3: &aws_sdk_s3::Client) {
    let made = s3.create_bucket().bucket(KEPT).object_lock_enabled_for_bucket(true);
    made.create_bucket_configuration(here()).send().await.expect("the evidence bucket");
    versioned(s3, KEPT).await;
}

pub fn here() -> aws_sdk_s3::types::CreateBucketConfiguration {
    aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(REGION.into()).build()
}

async fn versioned(s3: &aws_sdk_s3::Client, bucket: &str) {
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let put = s3.put_bucket_versioning().bucket(bucket).versioning_configuration(enabled);
    put.send().await.expect("versions");
}

pub async fn put(s3: &aws_sdk_s3::Client, bucket: &str, key: &str, content: &str) {
    let body = ByteStream::from(content.as_bytes().to_vec());
    s3.put_object().bucket(bucket).key(key).body(body).send().await.expect("an object");
}

pub async fn read(s3: &aws_sdk_s3::Client, key: &str) -> Vec<u8> {
    let object = s3.get_object().bucket(KEPT).key(key).send().await.expect("an object");
    object.body.collect().await.expect("a body").to_vec()
}

pub fn lines(path: &Path) -> Vec<Value> {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    MultiGzDecoder::new(file).read_to_string(&mut text).expect("it is compressed");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

pub const CONFIRMED: [&str; 2] = ["--confirm", "tiny"];
