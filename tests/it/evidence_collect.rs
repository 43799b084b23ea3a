//! Evidence collected with the command as the operator uses it, against the emulator and the real Terraform, and proven without
//! either. The emulator knows no event history: `Trail` is a fake of CloudTrail, from the API reference ("LookupEvents").

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use flate2::read::MultiGzDecoder;
use lifeboat::evidence::{EvidenceStep, SEAL, Sealed, verify_folder};
use lifeboat::journal;
use lifeboat::manifest;
use lifeboat::rehearse::proxy::{Catch, Effect, Pattern, Release, Trap};
use lifeboat::runbook::{Action, StepId};
use lifeboat::steps::{CollectEvidence, Cx, Step, StepError, World, evidence_verifies};
use serde_json::{Value, json};

use crate::contain::authenticates;
use crate::scripted::Scripted;
use crate::state_custody::Tiny;
use crate::{command, offline};

const REGION: &str = "eu-west-2";
const KEPT: &str = "kept";
const STATE_KEY: &str = "env:/tiny/tiny.tfstate";
const EVENTS: usize = 3;

const BLOCKS: &str = r#"aurora "logs" {
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

const ROOT: &str = "resource \"terraform_data\" \"a\" {\n  input = \"new\"\n}\n";

/// As Terraform writes it, with a blank that nobody else would.
const STATE: &str = r#"{"version": 4,  "terraform_version": "1.11.4", "serial": 3, "lineage": "6b56a75b-0000-0000-0000-000000000000",
 "outputs": {"password": {"value": "hunter2", "type": "string", "sensitive": true}}, "resources": [
 {"mode": "managed", "type": "terraform_data", "name": "a", "provider": "provider[\"terraform.io/builtin/terraform\"]",
  "instances": [{"schema_version": 0, "attributes": {"id": "x", "input": {"value": "old", "type": "string"},
  "output": {"value": "old", "type": "string"}, "triggers_replace": null}, "sensitive_attributes": []}]}], "check_results": null}"#;

struct Site {
    tiny: Tiny,
    trail: Scripted,
}

fn rule(more: &str) -> String {
    format!(
        "evidence {{\n  bucket = \"{KEPT}\"\n  prefix = \"breaches\"\n  log_groups = [\"/app/a\", \"/app/b\"]\n{more}}}\n"
    )
}

/// Three pages of one event each.
async fn trail() -> Scripted {
    Scripted::start(|asked| {
        let asked: Value = serde_json::from_str(&asked.body).expect("JSON");
        let page = asked["NextToken"].as_str().map_or(1, |token| token.parse().expect("a number"));
        let id = format!("event-{page}");
        let record = json!({ "eventVersion": "1.11", "eventID": id, "eventName": "DeleteTrail", "userIdentity": { "userName": "mallory" } });
        let event = json!({
            "EventId": id, "EventName": "DeleteTrail", "ReadOnly": "false", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
            "EventTime": 1_796_000_000.0, "EventSource": "cloudtrail.amazonaws.com", "Username": "mallory", "Resources": [],
            "CloudTrailEvent": record.to_string(),
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
    async fn new() -> Self {
        let site = Self::without_bucket().await;
        let s3 = site.s3();
        let made = s3.create_bucket().bucket(KEPT).object_lock_enabled_for_bucket(true);
        made.create_bucket_configuration(here()).send().await.expect("the evidence bucket");
        versioned(&s3, KEPT).await;
        site
    }

    async fn without_bucket() -> Self {
        let tiny = Tiny::with_root(ROOT).await;
        tiny.write_manifest(&format!("{BLOCKS}{}", rule("  retain_days = 1\n")));
        let site = Self { tiny, trail: trail().await };
        let (session, s3) = (site.tiny.moto.session(REGION), site.s3());
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

    fn s3(&self) -> aws_sdk_s3::Client {
        self.tiny.moto.session(REGION).s3()
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.tiny.command(args);
        command.env("AWS_ENDPOINT_URL_CLOUDTRAIL", self.trail.url());
        command
    }

    async fn lifeboat(&self, args: &[&str]) -> (Option<i32>, String) {
        let (code, said) = command::said(self.command(args)).await;
        (code, said.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    async fn collect(&self, more: &[&str]) -> (Option<i32>, String) {
        self.lifeboat(&[&["evidence", "collect", "tiny"], more].concat()).await
    }

    fn run_dir(&self) -> PathBuf {
        self.tiny.home().join("state/runs").join(self.tiny.run())
    }

    fn prefix(&self) -> String {
        format!("breaches/{}/", self.tiny.run())
    }

    /// What `aws s3 sync` of the run's folder would lay into a folder.
    async fn synced(&self) -> tempfile::TempDir {
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
    async fn made(&self) -> [usize; 3] {
        let session = self.tiny.moto.session(REGION);
        let snapshots = session.rds().describe_db_cluster_snapshots().snapshot_type("manual").send().await;
        let backups = session.dynamodb().list_backups().send().await.expect("backups");
        let exports = session.logs().describe_export_tasks().send().await.expect("exports");
        let snapshots = snapshots.expect("snapshots").db_cluster_snapshots().len();
        [snapshots, backups.backup_summaries().len(), exports.export_tasks().len()]
    }

    /// What a step of the run is given by another that would destroy something.
    fn gate(&self) -> Cx {
        let loaded = journal::load(&self.run_dir()).expect("a journal");
        let output = loaded.state.steps[&StepId::new(SEAL)].output.clone();
        let manifest = manifest::load(&self.tiny.path("environments"), "tiny").unwrap_or_else(|_| panic!("a manifest"));
        let world = offline::world(&self.tiny.run(), &self.run_dir(), self.tiny.moto.session(REGION));
        let world = World { manifest: Arc::new(manifest), ..world };
        let outputs = [(StepId::new(SEAL), output)].into_iter().collect();
        Cx::detached(Arc::new(world), "teardown.destroy", Value::Null, outputs)
    }

    async fn refused(&self) -> StepError {
        evidence_verifies(&self.gate()).await.expect_err("it is not what was sealed")
    }
}

fn here() -> aws_sdk_s3::types::CreateBucketConfiguration {
    aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(REGION.into()).build()
}

async fn versioned(s3: &aws_sdk_s3::Client, bucket: &str) {
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let put = s3.put_bucket_versioning().bucket(bucket).versioning_configuration(enabled);
    put.send().await.expect("versions");
}

async fn put(s3: &aws_sdk_s3::Client, bucket: &str, key: &str, content: &str) {
    let body = ByteStream::from(content.as_bytes().to_vec());
    s3.put_object().bucket(bucket).key(key).body(body).send().await.expect("an object");
}

async fn read(s3: &aws_sdk_s3::Client, key: &str) -> Vec<u8> {
    let object = s3.get_object().bucket(KEPT).key(key).send().await.expect("an object");
    object.body.collect().await.expect("a body").to_vec()
}

fn lines(path: &Path) -> Vec<Value> {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    MultiGzDecoder::new(file).read_to_string(&mut text).expect("it is compressed");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

const CONFIRMED: [&str; 2] = ["--confirm", "tiny"];

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_collected_and_proven_with_nothing_but_the_files() {
    let _turn = command::turn().await;
    let site = Site::new().await;
    let role = "  role = \"arn:aws:iam::123456789012:role/evidence\"\n  retain_days = 1\n";
    site.tiny.write_manifest(&format!("{BLOCKS}{}", rule(role)));
    let dry = command::output(site.command(&["evidence", "collect", "tiny", "--dry-run"])).await;
    let listed = String::from_utf8_lossy(&dry.stdout).into_owned();
    assert_eq!(dry.status.code(), Some(0), "{}", String::from_utf8_lossy(&dry.stderr));
    for words in [
        "make snapshot lifeboat-",
        "make backup lifeboat-",
        "make export of log group /app/b",
        "write s3://kept/breaches/",
    ] {
        assert!(listed.contains(words), "{words}: {listed}");
    }
    let objects = site.s3().list_objects_v2().bucket(KEPT).send().await.expect("a list");
    assert_eq!((site.made().await, objects.contents().len()), ([0, 0, 0], 0), "a dry run makes nothing");
    let began = Instant::now();
    let (code, said) = site.collect(&[&CONFIRMED[..], &["--breach-at", "2026-01-04T00:00:00Z"]].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(site.tiny.proxy.control().seen(&Pattern::operation("sts", "AssumeRole")) > 0, "it is written by the role");
    let asked: Value = serde_json::from_str(&site.trail.asked()[0].body).expect("JSON");
    assert_eq!(asked["StartTime"].as_f64(), Some(1_767_225_600.0), "72 hours before: {asked}");
    assert_eq!(site.made().await, [1, 1, 2]);
    assert!(began.elapsed().as_millis() >= 1000, "three pages are two pauses of half a second");
    let folder = site.synced().await;
    let file = folder.path().join("evidence.json");
    let verified = verify_folder(&file, None).expect("a manifest");
    assert!(verified.whole && verified.unlocked == 0, "{verified:?}");
    let (code, _, words) = site.tiny.lifeboat(&["evidence", "verify", &file.display().to_string()]).await;
    assert_eq!(code, Some(0), "{words}");
    let report = site.tiny.report(&site.tiny.run()).await;
    assert_eq!(report["evidence"]["sha256"], verified.manifest_sha256, "for the case file");
    assert!(said.contains(&verified.manifest_sha256), "{said}");
    assert_eq!(std::fs::read(site.run_dir().join("evidence.json")).unwrap(), std::fs::read(&file).unwrap());

    let at = |key: &str| folder.path().join(key);
    let text = |key: &str| std::fs::read_to_string(at(key)).unwrap_or_else(|error| panic!("{key}: {error}"));
    let versions = lines(&at("buckets/logs-prod.versions-00001.jsonl.gz"));
    let told: Vec<_> = versions.iter().map(|it| (it["key"].as_str(), it["delete_marker"].as_bool())).collect();
    assert_eq!(told, [(Some("a/b"), Some(true)), (Some("a/b"), None), (Some("a/b"), None)], "{versions:?}");
    assert_eq!(text("terraform/state.tfstate"), STATE, "byte for byte");
    let plan = text("terraform/plan.json");
    assert!(plan.contains("terraform_data.a") && plan.contains("new"), "{plan}");
    assert!(text("iam/credential-report.csv").starts_with("user,arn,"));
    assert!(!text("iam/credential-report.csv").contains("hunter2"));
    assert!(lines(&at("network/security-groups-00001.jsonl.gz")).iter().all(|it| it["groupId"].is_string()));
    assert!(lines(&at("network/network-acls-00001.jsonl.gz")).iter().all(|it| it["entrySet"].is_array()));
    for region in ["eu-west-2", "us-east-1"] {
        let events = lines(&at(&format!("cloudtrail/{region}-00001.jsonl.gz")));
        let ids: Vec<_> = events.iter().map(|it| it["eventID"].as_str().unwrap()).collect();
        assert_eq!(ids, ["event-1", "event-2", "event-3"], "each as it was recorded");
    }
    let cluster: Value = serde_json::from_str(&text("clusters/logs-prod.json")).expect("JSON");
    assert_eq!(cluster["snapshot"]["DBClusterSnapshot"]["DBClusterIdentifier"], "logs-prod", "{cluster}");
    let table: Value = serde_json::from_str(&text("tables/metadata-prod.json")).expect("JSON");
    assert_eq!(table["table"]["Table"]["TableName"], "metadata-prod", "{table}");
    let manifest: Value = serde_json::from_str(&text("evidence.json")).expect("JSON");
    let exported =
        manifest["items"].as_array().unwrap().iter().filter(|it| it["key"].as_str().unwrap().starts_with("logs/"));
    assert!(exported.count() >= 2, "{manifest}");
    assert!(
        manifest["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|it| it["version_id"].is_string() && it["lock"]["mode"] == "GOVERNANCE"),
        "{manifest}"
    );
    assert_eq!(manifest["snapshots"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_done_to_the_evidence_closes_the_gate_and_is_named() {
    let _turn = command::turn().await;
    let site = Site::new().await;
    let (code, said) = site.collect(&CONFIRMED).await;
    assert_eq!(code, Some(0), "{said}");
    let proof = evidence_verifies(&site.gate()).await.expect("it is as it was sealed");
    assert!(proof.items >= 14 && proof.snapshots == 2 && proof.bytes > 0, "{proof:?}");
    let (s3, prefix) = (site.s3(), site.prefix());
    let key = |below: &str| format!("{prefix}{below}");

    let report = key("iam/credential-report.csv");
    let mut changed = read(&s3, &report).await;
    changed[0] ^= 1;
    put(&s3, KEPT, &report, &String::from_utf8(changed).expect("text")).await;
    let refused = site.refused().await;
    assert_eq!(refused.kind, lifeboat::journal::FailureKind::CheckFailed);
    assert!(refused.cause.contains("- iam/credential-report.csv: its SHA-256 is "), "{refused}");
    assert!(refused.cause.contains("is still as it was sealed"), "a version of it stands: {refused}");
    // It is one, and no other.
    assert_eq!(refused.cause.lines().count(), 2, "{refused}");

    s3.delete_object().bucket(KEPT).key(key("terraform/state.tfstate")).send().await.expect("a marker");
    put(&s3, KEPT, &key("iam/planted"), "x").await;
    let snapshots = site.tiny.moto.session(REGION).rds().describe_db_cluster_snapshots().snapshot_type("manual");
    let snapshots = snapshots.send().await.expect("snapshots");
    let snapshot = snapshots.db_cluster_snapshots()[0].db_cluster_snapshot_identifier().expect("its name");
    let delete = site.tiny.moto.session(REGION).rds().delete_db_cluster_snapshot();
    delete.db_cluster_snapshot_identifier(snapshot).send().await.expect("it is gone");
    let refused = site.refused().await;
    for words in [
        "- terraform/state.tfstate: missing; version",
        "- iam/planted: it was added later",
        "cluster-snapshot:lifeboat-",
        "(cluster logs-prod): missing",
    ] {
        assert!(refused.cause.contains(words), "{words}: {refused}");
    }
    assert_eq!(refused.cause.lines().count(), 5, "{refused}");

    let manifest = String::from_utf8(read(&s3, &key("evidence.json")).await).expect("text");
    put(&s3, KEPT, &key("evidence.json"), &manifest.replace("\"environment\": \"tiny\"", "\"environment\": \"tinz\""))
        .await;
    let refused = site.refused().await;
    assert!(refused.cause.contains("evidence.json: its SHA-256 is"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_without_sealed_evidence_is_closed() {
    let dir = tempfile::tempdir().expect("a folder");
    let world = Arc::new(offline::world("r", dir.path(), offline::nobody()));
    let refused = evidence_verifies(&Cx::detached(world, "teardown.destroy", Value::Null, [].into())).await;
    assert!(refused.expect_err("nothing is sealed").cause.contains("no evidence is sealed in this run"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bucket_to_write_to_nothing_is_made() {
    let _turn = command::turn().await;
    let site = Site::without_bucket().await;
    let (code, said) = site.collect(&CONFIRMED).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("there is no evidence bucket kept"), "{said}");
    site.tiny.write_manifest(BLOCKS);
    let (code, said) = site.collect(&CONFIRMED).await;
    assert_eq!((code, said.contains("has no evidence block")), (Some(2), true), "{said}");
    site.tiny.write_manifest(&format!("approval {{\n}}\n{BLOCKS}{}", rule("")));
    let (code, said) = site.collect(&CONFIRMED).await;
    assert_eq!((code, said.contains("collecting evidence has no bundle")), (Some(3), true), "{said}");
    assert_eq!((site.made().await, command::runs(&site.tiny.home().join("state")).len()), ([0, 0, 0], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_denies_writes_is_found_before_anything_is_made() {
    let _turn = command::turn().await;
    let site = Site::new().await;
    let iam = site.tiny.moto.session(REGION).iam();
    iam.create_user().user_name("reader").send().await.expect("a user");
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:PutObject", "Resource": format!("arn:aws:s3:::{KEPT}/*")},
    ]});
    let put = iam.put_user_policy().user_name("reader").policy_name("own").policy_document(policy.to_string());
    put.send().await.expect("a policy");
    let key = iam.create_access_key().user_name("reader").send().await.expect("a key").access_key.expect("it");
    let mut command = site.command(&["evidence", "collect", "tiny", "--confirm", "tiny"]);
    command.env("AWS_ACCESS_KEY_ID", key.access_key_id()).env("AWS_SECRET_ACCESS_KEY", key.secret_access_key());
    authenticates(&site.tiny.moto.endpoint(), true).await;
    let (code, said) = command::said(command).await;
    authenticates(&site.tiny.moto.endpoint(), false).await;
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("evidence cannot be kept in bucket kept: s3:PutObject: AccessDenied"), "{said}");
    let objects = site.s3().list_objects_v2().bucket(KEPT).send().await.expect("a list");
    assert_eq!((site.made().await, objects.contents().len()), ([0, 0, 0], 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_goes_down_with_the_stack_is_no_place_for_evidence() {
    let _turn = command::turn().await;
    let site = Site::new().await;
    let bucket = format!(
        r#""resources": [{{"mode": "managed", "type": "aws_s3_bucket", "name": "b", "instances": [{{"attributes": {{"id": "{KEPT}"}}}}]}},"#
    );
    put(&site.s3(), "away", STATE_KEY, &STATE.replace(r#""resources": ["#, &bucket)).await;
    let (code, said) = site.collect(&CONFIRMED).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("evidence bucket kept is aws_s3_bucket.b of the stack"), "{said}");
    assert_eq!(site.made().await, [0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_replies_lead_to_the_same_snapshot_backup_and_export() {
    let _turn = command::turn().await;
    // And where the bucket locks nothing and keeps no versions.
    let site = Site::without_bucket().await;
    site.s3().create_bucket().bucket(KEPT).create_bucket_configuration(here()).send().await.expect("a bucket");
    let control = site.tiny.proxy.control();
    let lost = [("rds", "CreateDBClusterSnapshot"), ("dynamodb", "CreateBackup"), ("logs", "CreateExportTask")];
    let rules =
        lost.map(|(service, name)| control.add(Pattern::operation(service, name), Effect::LoseReply { nth: 1 }));
    let (code, said) = site.collect(&CONFIRMED).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(rules.iter().all(|rule| control.hits(*rule) > 0), "each reply was lost");
    assert_eq!(site.made().await, [1, 1, 2]);
    assert!(
        said.contains("bucket kept has no Object Lock") && said.contains("bucket kept keeps no versions"),
        "{said}"
    );
    let folder = site.synced().await;
    let verified = verify_folder(&folder.path().join("evidence.json"), None).expect("a manifest");
    assert_eq!((verified.whole, verified.unlocked), (true, verified.items), "{verified:?}");
    evidence_verifies(&site.gate()).await.expect("it is as it was sealed");
    let key = format!("{}iam/credential-report.csv", site.prefix());
    put(&site.s3(), KEPT, &key, "user,arn\n").await;
    assert!(site.refused().await.cause.contains("- iam/credential-report.csv: its SHA-256 is"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_is_killed_over_what_may_be_made_once_makes_no_second_one() {
    let _turn = command::turn().await;
    for operation in ["CreateDBClusterSnapshot", "CreateBackup", "CreateExportTask"] {
        killed_over(operation).await;
    }
}

async fn killed_over(operation: &'static str) {
    let site = Site::new().await;
    let caught = site.tiny.proxy.control().trap(Trap {
        matches: Box::new(move |call, _| call.operation == operation),
        nth: 1,
        catch: Catch::After,
    });
    let mut running =
        tokio::process::Command::from(site.command(&["evidence", "collect", "tiny", "--confirm", "tiny"]))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
    let caught = caught.await.expect("the request");
    running.kill().await.expect("it is killed");
    caught.release(Release::Withhold);
    let run = site.tiny.run();
    let (code, said) = site.lifeboat(&["resume", &run]).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(site.made().await, [1, 1, 2], "{operation}");
    let folder = site.synced().await;
    assert!(verify_folder(&folder.path().join("evidence.json"), None).expect("a manifest").whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_leaves_out_is_named_in_the_manifest_and_what_it_left_behind_is_sealed() {
    let _turn = command::turn().await;
    let site = Site::new().await;
    let refusing = "  lifecycle {\n    precondition {\n      condition     = length(path.module) == 0\n      error_message = \"not so\"\n    }\n  }\n}\n";
    site.tiny.write("root/main.tf", &ROOT.replace("}\n", refusing));
    let (code, said) = site.collect(&CONFIRMED).await;
    assert_eq!((code, said.contains("not so")), (Some(4), true), "{said}");
    // As a step would that was stopped half-way.
    put(&site.s3(), KEPT, &format!("{}terraform/half", site.prefix()), "half").await;
    let run = site.tiny.run();
    let leave_out = ["resume", &run, "--skip", "evidence.terraform.plan", "--because", "it cannot be planned"];
    let (code, said) = site.lifeboat(&leave_out).await;
    assert_eq!(code, Some(5), "{said}");
    let folder = site.synced().await;
    let verified = verify_folder(&folder.path().join("evidence.json"), None).expect("a manifest");
    assert!(verified.whole, "{verified:?}");
    let left = verified.not_collected.iter().find(|it| it.what == "step evidence.terraform.plan").expect("it is named");
    assert!(left.why.ends_with("it cannot be planned"), "{left:?}");
    let manifest: Value =
        serde_json::from_slice(&read(&site.s3(), &format!("{}evidence.json", site.prefix())).await).expect("JSON");
    let half =
        manifest["items"].as_array().unwrap().iter().find(|it| it["key"] == "terraform/half").expect("it is sealed");
    assert_eq!(
        (&half["what"], &half["lock"]["mode"]),
        (&json!("found there when the evidence was sealed"), &json!("GOVERNANCE"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_and_the_rest_is_collected() {
    let _turn = command::turn().await;
    let site = Site::new().await;
    let session = site.tiny.moto.session(REGION);
    session.dynamodb().delete_table().table_name("metadata-prod").send().await.expect("it is gone");
    session.logs().delete_log_group().log_group_name("/app/a").send().await.expect("it is gone");
    site.s3().delete_object().bucket("away").key(STATE_KEY).send().await.expect("it is gone");
    let (code, said) = site.collect(&CONFIRMED).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("there is no table metadata-prod: nothing of it is kept"), "{said}");
    let folder = site.synced().await;
    let verified = verify_folder(&folder.path().join("evidence.json"), None).expect("a manifest");
    let missing: Vec<_> = verified.not_collected.iter().map(|it| it.what.as_str()).collect();
    let expected = [
        "table metadata-prod",
        "Terraform state of workspace tiny",
        "Terraform plan of workspace tiny",
        "log group /app/a",
    ];
    assert_eq!((verified.whole, missing), (true, expected.to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_more_versions_than_a_page_is_listed_to_its_end() {
    const VERSIONS: usize = 1100;
    let site = Site::new().await;
    let s3 = site.s3();
    for number in 0..VERSIONS {
        put(&s3, "logs-prod", &format!("many/{:04}", number / 2), "x").await;
    }
    let step = bucket_step(&site);
    let outputs = [(StepId::new("evidence.place"), json!({ "object_lock": false }))];
    let world = offline::world("r", site.tiny.home(), site.tiny.moto.session(REGION));
    let cx = Cx::detached(Arc::new(world), "evidence.bucket.logs-prod", Value::Null, outputs.into());
    let output = step.apply(&cx).await.expect("it is listed");
    assert_eq!(output["versions"], VERSIONS + 3, "with the two and the marker of before");
    let item = &output["items"][0];
    let bytes = read(&s3, "breaches/r/buckets/logs-prod.versions-00001.jsonl.gz").await;
    assert_eq!((item["size_bytes"].as_u64(), item["lock"].is_null()), (Some(bytes.len() as u64), true));
    let mut text = String::new();
    MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("it is compressed");
    let told: std::collections::BTreeSet<&str> = text.lines().collect();
    assert_eq!(told.len(), VERSIONS + 3, "each once");
}

fn bucket_step(site: &Site) -> CollectEvidence {
    let manifest = manifest::load(&site.tiny.path("environments"), "tiny").unwrap_or_else(|_| panic!("a manifest"));
    let rule = manifest.evidence.clone().expect("a rule");
    let now = jiff::Timestamp::now();
    let steps = lifeboat::scenario::evidence_steps(&manifest, REGION, &rule, now, &[]);
    let step = steps.into_iter().find(|it| it.id.as_str() == "evidence.bucket.logs-prod").expect("the step");
    let Action::Evidence { evidence: EvidenceStep { place, what } } = step.action else { panic!("{step:?}") };
    CollectEvidence { step: EvidenceStep { place, what } }
}

#[test]
fn what_a_step_carries_survives_the_journal() {
    let sealed = json!({"place": {"bucket": "b", "region": "r", "prefix": ""}, "run": "r", "key": "k", "version_id": null,
        "sha256": "s", "items": 1, "snapshots": 0, "not_collected": 0});
    let read: Sealed = serde_json::from_value(sealed).expect("a form that was written");
    assert_eq!(read.place.under("r"), "r/");
}
