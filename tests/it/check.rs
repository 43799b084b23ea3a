//! `lifeboat check` against the example's world, its primary region lost: what is ready, what stands in the way, what would
//! be lost, and that nothing is changed by asking.

use std::path::Path;

use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::command;
use crate::outage::Outage;

const BUCKET: &str = "streaming-logs-terraform-state-dr";

/// The example's environment with something else in its manifest.
fn with(folder: &Path, name: &str, from: &str, to: &str) -> String {
    let environments = folder.join(name);
    let (example, here) = (command::project().join("environments/prod"), environments.join("prod"));
    std::fs::create_dir_all(&here).expect("a folder");
    let manifest = std::fs::read_to_string(example.join("lifeboat.hcl")).expect("the example");
    assert!(manifest.contains(from), "{from}");
    let manifest =
        manifest.replace(from, to).replace("../../examples", &command::project().join("examples").to_string_lossy());
    std::fs::write(here.join("lifeboat.hcl"), manifest).expect("written");
    std::fs::copy(example.join("terraform.tfvars"), here.join("terraform.tfvars")).expect("copied");
    environments.to_string_lossy().into_owned()
}

/// Exit code and document of a check without a plan, which takes most of its time.
async fn check(outage: &Outage, args: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, Value) {
    checked(outage, &[args, &["--no-plan"]].concat(), variables).await
}

async fn checked(outage: &Outage, args: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, Value) {
    let args = [&["check", "prod", "-o", "json"], args].concat();
    let mut lifeboat = outage.command(env!("CARGO_BIN_EXE_lifeboat"), &args);
    lifeboat.envs(variables.iter().copied());
    let output = command::output(lifeboat).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    (output.status.code(), json)
}

/// What a list of a document says of something.
fn about<'a>(json: &'a Value, list: &str, about: &str) -> Vec<&'a str> {
    let entries = json[list].as_array().expect("a list").iter();
    entries.filter(|it| it["about"] == about).filter_map(|it| it["text"].as_str()).collect()
}

fn says(json: &Value, list: &str, of: &str, words: &str) {
    assert!(about(json, list, of).iter().any(|text| text.contains(words)), "{list} of {of}: {words}: {json:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_says_what_is_ready_what_would_be_lost_and_what_stands_in_the_way_and_changes_nothing() {
    let outage = Outage::begin().await;
    what_is_ready_is_told_with_ages_and_metrics(&outage).await;
    an_old_recovery_point_misses_its_objective(&outage).await;
    what_is_only_doubtful_is_warned_of(&outage).await;
    what_stands_in_the_way_is_told_all_at_once(&outage).await;
    what_cannot_be_asked_is_said_as_such(&outage).await;
    let requests = outage.requests();
    let lost: Vec<_> = requests.iter().filter(|it| it.region == "eu-west-2").collect();
    assert!(lost.is_empty(), "the lost region was asked: {lost:?}");
    let wrote: Vec<_> = requests.iter().filter(|it| !reads(&it.operation)).collect();
    assert!(wrote.is_empty(), "not even a lease: {wrote:?}");
    assert_eq!(command::runs(&outage.state()), Vec::<std::path::PathBuf>::new(), "no folder of a run is left");
}

fn reads(operation: &str) -> bool {
    ["Get", "List", "Describe", "Head"].iter().any(|verb| operation.starts_with(verb))
}

async fn what_is_ready_is_told_with_ages_and_metrics(outage: &Outage) {
    let metrics = outage.home.path().join("lifeboat.prom");
    let (code, json) = checked(outage, &["--prometheus", &metrics.to_string_lossy()], &[]).await;
    assert_eq!((code, json["verdict"].as_str()), (Some(0), Some("ready")), "{json:#}");
    let stores: Vec<(&str, &str)> = json["stores"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|it| it["age_seconds"].as_u64().is_some_and(|age| age < 900) && it["met"] == true)
        .filter_map(|it| Some((it["component"].as_str()?, it["name"].as_str()?)))
        .collect();
    assert_eq!(
        stores,
        [("aurora", "logs"), ("table", "metadata"), ("bucket", "logs"), ("catalog", "logs")],
        "{json:#}"
    );
    says(&json, "in_order", "terraform", "provider registry.terraform.io/hashicorp/aws 5.100.0 is in ");
    says(&json, "in_order", "lease", "nobody has ever held it");
    assert!(about(&json, "obstacles", "steps").is_empty());
    says(&json, "in_order", "plan", "Terraform would add 3");
    assert!(!json["not_checked"].to_string().contains("what Terraform would do"), "{json:#}");
    let metrics = std::fs::read_to_string(metrics).expect("metrics");
    let common = "service=\"streaming-logs\",environment=\"prod\"";
    assert!(metrics.contains(&format!("\nlifeboat_ready{{{common}}} 1\n")), "{metrics}");
    assert!(
        metrics.contains(&format!("\nlifeboat_rpo_seconds{{{common},component=\"aurora\",name=\"logs\"}} ")),
        "{metrics}"
    );

    // What a check costs beside Terraform, which is not started then: far less than the half-hour of a managed service.
    let (_, json) = check(outage, &[], &[]).await;
    assert!(json["took_ms"].as_u64().is_some_and(|ms| ms < 10_000), "{json:#}");

    let (code, said) = outage.lifeboat(&["check", "prod", "--no-plan"]).await;
    assert_eq!((code, said.as_str()), (Some(0), ""), "what it finds is data: it goes to standard output");
    let output = command::output(outage.command(env!("CARGO_BIN_EXE_lifeboat"), &["check", "prod", "--no-plan"])).await;
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.starts_with("streaming-logs prod: READY to fail over\n"), "{text}");
    assert!(text.contains("what Terraform would do, and what the guards say of it: --no-plan"), "{text}");
    assert!(text.lines().all(|line| console::measure_text_width(line) <= 80), "{text}");
}

async fn an_old_recovery_point_misses_its_objective(outage: &Outage) {
    // Aged by the manifest: the world's are of some seconds ago.
    let folder = outage.home.path();
    let old = with(folder, "old", "rto = \"4h\"\n  rpo = \"15m\"", "rto = \"4h\"\n  rpo = \"1s\"");
    let metrics = folder.join("old.prom");
    let (code, json) = check(outage, &["--environments", &old, "--prometheus", &metrics.to_string_lossy()], &[]).await;
    assert_eq!((code, json["verdict"].as_str()), (Some(5), Some("objective_missed")), "{json:#}");
    assert_eq!(json["stores"][0]["met"], false);
    let metrics = std::fs::read_to_string(metrics).expect("metrics");
    assert!(
        metrics.contains("lifeboat_objectives_met{service=\"streaming-logs\",environment=\"prod\"} 0\n"),
        "{metrics}"
    );
    assert!(metrics.contains("lifeboat_ready{service=\"streaming-logs\",environment=\"prod\"} 1\n"), "{metrics}");
}

async fn what_is_only_doubtful_is_warned_of(outage: &Outage) {
    let cloud = &outage.clouds.recovery;
    let zones = cloud.route53().list_hosted_zones().send().await.expect("zones");
    let zone = zones.hosted_zones().iter().find(|zone| zone.name() == "streaming-logs.example.com.").expect("the zone");
    let answer = ResourceRecord::builder().value("db.eu-west-2.example.com").build().expect("a value");
    let set = ResourceRecordSet::builder().name("db.streaming-logs.example.com").r#type(RrType::Cname).ttl(3600);
    let set = set.resource_records(answer).build().expect("a record set");
    let change = Change::builder().action(ChangeAction::Upsert).resource_record_set(set).build().expect("a change");
    let batch = ChangeBatch::builder().changes(change).build().expect("a batch");
    cloud
        .route53()
        .change_resource_record_sets()
        .hosted_zone_id(zone.id())
        .change_batch(batch)
        .send()
        .await
        .expect("changed");

    // Without a mirror Terraform would ask the registry.
    let plain = outage.home.path().join("plain.tfrc");
    std::fs::write(&plain, "").expect("written");
    let plain = plain.to_string_lossy();
    let nothing = [("TF_CLI_CONFIG_FILE", &*plain), ("HOME", "/nowhere"), ("XDG_DATA_DIRS", "/nowhere")];
    let (code, json) = check(outage, &[], &nothing).await;
    assert_eq!(code, Some(0), "nothing of it stands in the way: {json:#}");
    says(&json, "warnings", "cutover.public", "db.streaming-logs.example.com CNAME has a TTL of 3600 s");
    says(&json, "in_order", "state bucket", "streaming-logs-terraform-state-dr is there, and versioned");
    says(&json, "warnings", "terraform", "5.100.0 would be downloaded from registry.terraform.io");
}

async fn what_stands_in_the_way_is_told_all_at_once(outage: &Outage) {
    let cloud = &outage.clouds.recovery;
    let lease = json!({ "schema_version": 1, "service": "streaming-logs", "environment": "prod", "run": "20261122T0312-prod-7f3a",
        "fence": 3, "beat": 9, "ttl_seconds": 60, "since": "2026-11-22T03:12:00Z", "released": false, "finished": false,
        "holder": { "host": "bastion", "pid": 1, "caller": "arn:aws:iam::123456789012:user/else", "token": "x" } });
    let key = "lifeboat/streaming-logs/prod/lease.json";
    let put = cloud.s3().put_object().bucket(BUCKET).key(key).body(ByteStream::from(lease.to_string().into_bytes()));
    put.send().await.expect("a lease");
    let snapshots = cloud.rds().describe_db_cluster_snapshots().send().await.expect("snapshots");
    for snapshot in snapshots.db_cluster_snapshots() {
        let id = snapshot.db_cluster_snapshot_identifier().expect("an id");
        cloud.rds().delete_db_cluster_snapshot().db_cluster_snapshot_identifier(id).send().await.expect("deleted");
    }
    // A mirror that has nothing, and nobody else to ask.
    let empty = outage.home.path().join("empty.tfrc");
    let mirror = "provider_installation {\n  filesystem_mirror {\n    path = \"/nowhere\"\n  }\n}\n";
    std::fs::write(&empty, mirror).expect("written");
    let metrics = outage.home.path().join("blocked.prom");
    let variables = [("TF_CLI_CONFIG_FILE", &*empty.to_string_lossy())];
    let (code, json) = check(outage, &["--prometheus", &metrics.to_string_lossy()], &variables).await;
    assert_eq!((code, json["verdict"].as_str()), (Some(3), Some("not_ready")), "{json:#}");
    says(&json, "obstacles", "lease", "held for run 20261122T0312-prod-7f3a");
    says(
        &json,
        "obstacles",
        "restore.aurora.logs",
        "no snapshot of cluster streaming-logs-aurora-prod stands in us-east-1",
    );
    says(&json, "obstacles", "terraform", "hashicorp/aws 5.100.0 is not on this machine");
    assert_eq!(json["obstacles"].as_array().map(Vec::len), Some(3), "{json:#}");
    let metrics = std::fs::read_to_string(metrics).expect("metrics");
    assert!(metrics.contains("lifeboat_ready{service=\"streaming-logs\",environment=\"prod\"} 0\n"), "{metrics}");

    cloud.s3().delete_object().bucket(BUCKET).key(key).send().await.expect("gone");
    let missing = with(outage.home.path(), "missing", BUCKET, "streaming-logs-nowhere");
    let (code, json) = check(outage, &["--environments", &missing], &[]).await;
    assert_eq!(code, Some(3));
    says(&json, "obstacles", "state bucket", "streaming-logs-nowhere does not exist");
    assert!(json["not_checked"].to_string().contains("the lease"), "{json:#}");
}

async fn what_cannot_be_asked_is_said_as_such(outage: &Outage) {
    let other = with(outage.home.path(), "other", "123456789012", "210987654321");
    let (code, json) = check(outage, &["--environments", &other], &[]).await;
    assert_eq!(code, Some(3));
    says(&json, "obstacles", "credentials", "these credentials are of account 123456789012");
    let unchecked = json["not_checked"].to_string();
    assert!(unchecked.contains("recovery points, state bucket, lease, records"), "{unchecked}");
    assert!(json["stores"][0]["age_seconds"].is_null() && json["stores"][0]["met"].is_null(), "{json:#}");
    let (code, json) = check(outage, &["--tf-bin", "/nowhere/terraform"], &[]).await;
    assert_eq!(code, Some(3));
    says(&json, "obstacles", "terraform", "/nowhere/terraform");
}
