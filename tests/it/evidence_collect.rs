//! Evidence collected with the command as the operator uses it, against the emulator and the real Terraform, and proven without
//! either.

use std::io::Read;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use lifeboat::evidence::{EvidenceStep, Sealed, verify_folder};
use lifeboat::rehearse::proxy::{Catch, Effect, Pattern, Trap};
use lifeboat::runbook::{Action, StepId};
use lifeboat::scenario::{evidence, evidence_steps};
use lifeboat::steps::{CollectEvidence, Cx, Step, evidence_verifies};
use serde_json::{Value, json};

use crate::contain::authenticates;
use crate::evidence_site::{
    BLOCKS, CONFIRMED, KEPT, POLICY, REGION, ROOT, STATE, STATE_KEY, Site, here, lines, put, read, rule,
};
use crate::{command, offline};

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_collected_and_proven_with_nothing_but_the_files() {
    let _turn = command::turn().await;
    let site = Site::by_role("arn:aws:iam::123456789012:role/evidence").await;
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
    let (code, said) = site.collect(&[&CONFIRMED[..], &["--breach-at", "2026-01-04T00:00:00Z"]].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(site.tiny.proxy.control().seen(&Pattern::operation("sts", "AssumeRole")) > 0, "it is written by the role");
    let asked: Value = serde_json::from_str(&site.trail.asked()[0].body).expect("JSON");
    assert_eq!(asked["StartTime"].as_f64(), Some(1_767_225_600.0), "72 hours before: {asked}");
    assert_eq!(site.made().await, [1, 1, 2]);
    let times = site.times.lock().expect("no panic").clone();
    let of_region: Vec<_> = times.iter().filter(|(region, _)| region == REGION).map(|(_, at)| *at).collect();
    let gaps: Vec<_> = of_region.windows(2).map(|pair| pair[1].duration_since(pair[0])).collect();
    assert!(gaps.len() == 2 && gaps.iter().all(|gap| gap.as_millis() >= 500), "two requests a second: {gaps:?}");
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
    let settings: Value = serde_json::from_str(&text("buckets/logs-prod.json")).expect("JSON");
    assert_eq!(settings["BucketPolicy"]["Statement"][0]["Sid"], "Theirs", "{settings}");
    assert_eq!(
        (&settings["Replication"], settings.as_object().map(|it| it.len())),
        (&Value::Null, Some(9)),
        "{settings}"
    );
    assert!(settings["BucketAcl"]["Owner"]["ID"].is_string(), "{settings}");
    assert_eq!(text("terraform/state.tfstate"), STATE, "byte for byte");
    let plan = text("terraform/plan.json");
    assert!(plan.contains("terraform_data.a") && plan.contains("new"), "{plan}");
    assert!(!plan.contains("hunter2"), "it holds no secret: {plan}");
    let report = text("iam/credential-report.csv");
    assert!(report.starts_with("user,arn,") && report.contains("\nmallory,"), "{report}");
    let identities = lines(&at("iam/authorization-details-00001.jsonl.gz"));
    let mallory = identities.iter().find(|it| it["UserName"] == "mallory").expect("the user");
    let policy = mallory["UserPolicyList"][0]["PolicyDocument"].as_str().expect("it is decoded");
    assert_eq!((&mallory["kind"], policy), (&json!("user"), POLICY));
    let groups = lines(&at("network/security-groups-00001.jsonl.gz"));
    assert!(!groups.is_empty() && groups.iter().all(|it| it["groupId"].is_string()), "{groups:?}");
    let acls = lines(&at("network/network-acls-00001.jsonl.gz"));
    assert!(!acls.is_empty() && acls.iter().all(|it| it["entrySet"].is_array()), "{acls:?}");
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
    command::killed(site.command(&["evidence", "collect", "tiny", "--confirm", "tiny"]), caught).await;
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
        // The emulator answers with nothing, which is no answer.
        "Notification of bucket logs-prod",
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
    let manifest = site.manifest();
    let rule = manifest.evidence.clone().expect("a rule");
    let steps = evidence_steps(&manifest, REGION, &rule, breach(), &[]);
    let step = steps.into_iter().find(|it| it.id.as_str() == "evidence.bucket.logs-prod").expect("the step");
    let Action::Evidence { evidence: EvidenceStep { place, what } } = step.action else { panic!("{step:?}") };
    CollectEvidence { step: EvidenceStep { place, what } }
}

fn breach() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn as_part_of_another_runbook_it_waits_for_what_it_is_told_and_seals_last() {
    let site = Site::empty().await;
    let manifest = site.manifest();
    let rule = manifest.evidence.clone().expect("a rule");
    let runbook = evidence(&manifest, REGION, &rule, breach());
    let order: Vec<&str> = runbook.order().expect("a runbook").iter().map(|step| step.id.as_str()).collect();
    assert_eq!((order[0], &order[order.len() - 2..]), ("evidence.place", &["evidence.seal", "evidence.verify"][..]));
    let seal = runbook.step(&StepId::new("evidence.seal")).expect("it");
    assert_eq!(seal.after.len(), order.len() - 2, "it waits for all that is collected");
    let of = evidence_steps(&manifest, "us-east-1", &rule, breach(), &[StepId::new("contain.user.a")]);
    assert_eq!(of[0].after, [StepId::new("contain.user.a")]);
    let ids: Vec<&str> = of.iter().map(|step| step.id.as_str()).collect();
    assert!(ids.contains(&"evidence.aurora.logs-dr") && !ids.contains(&"evidence.aurora.logs-prod"), "{ids:?}");
}

#[test]
fn what_a_step_carries_survives_the_journal() {
    let sealed = json!({"place": {"bucket": "b", "region": "r", "prefix": ""}, "run": "r", "key": "k", "version_id": null,
        "sha256": "s", "items": 1, "snapshots": 0, "not_collected": 0});
    let read: Sealed = serde_json::from_value(sealed).expect("a form that was written");
    assert_eq!(read.place.under("r"), "r/");
}
