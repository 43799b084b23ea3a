//! After a breach a cluster, a table or a bucket comes back as it was before, with the command as the operator uses it. The emulator
//! has no event history and makes all recovery points now: who made one is told by a fake of CloudTrail in front of it, and is
//! unknown without that.

use aws_sdk_rds::types::Tag;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::{SignedDuration, Timestamp};
use lifeboat::aws::dynamodb::{put_resource_policy, resource_policy, table};
use lifeboat::aws::rds::{cluster, instance};
use serde_json::json;

use crate::command;
use crate::recover_aurora;
use crate::recover_table;
use crate::state_custody::Tiny;

const CONTAINED: &str =
    "containment {\n  break_glass = [\"arn:aws:iam::123456789012:user/moto\"]\n  users = [\"mallory\"]\n}\n";

/// A breach that begins now: with no margin all that was made until now is of before it.
fn now() -> String {
    Timestamp::now().to_string()
}

async fn recover(tiny: &Tiny, what: &str, name: &str, before: &str, more: &[&str]) -> (Option<i32>, String) {
    let own = ["recover", what, name, "--env", "tiny", "--clean-before", before];
    tiny.words(&[&own[..], more].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_comes_back_from_its_newest_clean_snapshot_with_the_settings_of_the_one_that_stands() {
    let site = recover_aurora::Site::new().await;
    site.tiny.write_manifest(CONTAINED);
    let session = site.tiny.moto.session("us-east-1");
    let take = site.client.create_db_cluster_snapshot().db_cluster_identifier("logs");
    take.db_cluster_snapshot_identifier("nightly").send().await.expect("a snapshot");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let at = now();
    let take = site.client.create_db_cluster_snapshot().db_cluster_identifier("logs");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    take.db_cluster_snapshot_identifier("poisoned").send().await.expect("a snapshot");

    let (code, said) = recover(&site.tiny, "aurora", "logs", &at, &["--as", "logs-clean", "--dry-run"]).await;
    assert_eq!((code, said.contains("has no clean recovery point")), (Some(3), true), "an hour's margin: {said}");
    for words in ["cluster-snapshot:nightly", "cluster-snapshot:poisoned", "newer than", "nothing was changed"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let clean = ["--margin", "0s", "--as", "logs-clean"];
    let (code, said) = recover(&site.tiny, "aurora", "logs", &at, &[&clean[..], &["--dry-run"]].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    for words in [
        "from the clean recovery point",
        "becomes cluster logs-clean",
        "candidates for the clean recovery point",
        "not taken: arn:aws:rds:us-east-1:123456789012:cluster-snapshot:poisoned",
        "look at it before you approve",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(cluster(&session, "logs-clean").await.expect("an answer"), None, "a dry run makes nothing");

    let (code, said) = recover(&site.tiny, "aurora", "logs", &at, &[&clean[..], &["--confirm", "tiny"]].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    let source = cluster(&session, "logs").await.expect("an answer").expect("the source");
    let restored = cluster(&session, "logs-clean").await.expect("an answer").expect("the restored one");
    assert!(!restored.tags["lifeboat:recovery-point"].contains("poisoned"), "{restored:?}");
    assert_eq!(
        (restored.port, &restored.scaling, &restored.log_exports),
        (source.port, &source.scaling, &source.log_exports)
    );
    assert_eq!(restored.tags.get("team").map(String::as_str), Some("logs"));
    for name in ["logs-clean-1", "logs-clean-2"] {
        assert!(instance(&session, name).await.expect("an answer").is_some(), "{name}");
    }
    let report = site.tiny.report(&site.tiny.run()).await;
    assert!(report["not_checked"].to_string().contains("whoever broke in may have changed them"), "{report}");
    let (code, said) = recover(&site.tiny, "aurora", "logs", &at, &clean).await;
    assert_eq!((code, said.contains("cluster logs-clean stands in us-east-1 already")), (Some(3), true), "{said}");
    let (code, said) = recover(&site.tiny, "aurora", "logs", &at, &["--as", "logs", "--margin", "0s"]).await;
    assert_eq!((code, said.contains("cluster logs stands in us-east-1 already")), (Some(3), true), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_was_deleted_comes_back_from_what_its_snapshot_tells() {
    let site = recover_aurora::Site::new().await;
    let take = site.client.create_db_cluster_snapshot().db_cluster_identifier("logs");
    let take = take.db_cluster_snapshot_identifier("nightly").tags(Tag::builder().key("a").value("b").build());
    take.send().await.expect("a snapshot");
    let off = site.client.modify_db_cluster().db_cluster_identifier("logs").deletion_protection(false);
    off.send().await.expect("a change");
    for name in ["logs-writer", "logs-reader"] {
        site.client.delete_db_instance().db_instance_identifier(name).send().await.expect("a deletion");
    }
    site.client.delete_db_cluster().db_cluster_identifier("logs").skip_final_snapshot(true).send().await.expect("gone");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let more = ["--region", "us-east-1", "--margin", "0s", "--as", "logs", "--confirm", "tiny"];
    let (code, said) = recover(&site.tiny, "aurora", "logs", &now(), &more).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("cluster logs is gone") && !said.contains("left as it is"), "{said}");
    let session = site.tiny.moto.session("us-east-1");
    assert!(cluster(&session, "logs").await.expect("an answer").is_some());
    assert!(instance(&session, "logs-1").await.expect("an answer").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_comes_back_from_its_newest_clean_backup_without_the_policy_that_an_intruder_may_have_written() {
    let site = recover_table::Site::new().await;
    let session = site.tiny.moto.session("us-east-1");
    let source = table(&session, "metadata").await.expect("an answer").expect("the table");
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Principal": { "AWS": "999999999999" },
        "Action": "dynamodb:*", "Resource": source.arn }] });
    put_resource_policy(&session, &source.arn, &policy.to_string()).await.expect("a policy");
    let (code, said) = recover(&site.tiny, "table", "metadata", &now(), &["--margin", "0s", "--dry-run"]).await;
    assert_eq!((code, said.contains("there are no recovery points at all")), (Some(3), true), "{said}");
    site.client.create_backup().table_name("metadata").backup_name("nightly").send().await.expect("a backup");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;

    let more = ["--margin", "0s", "--as", "clean", "--confirm", "tiny", "--expect", "items == 3"];
    let (code, said) = recover(&site.tiny, "table", "metadata", &now(), &more).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("becomes table clean") && said.contains("taken: arn:aws:dynamodb"), "{said}");
    let restored = table(&session, "clean").await.expect("an answer").expect("the restored one");
    assert_eq!((&restored.ttl_attribute, &restored.stream), (&source.ttl_attribute, &source.stream));
    assert_eq!(restored.tags.get("team").map(String::as_str), Some("logs"));
    assert_eq!(resource_policy(&session, &restored.arn).await.expect("an answer"), None);
    let report = site.tiny.report(&site.tiny.run()).await;
    for words in ["its resource policy and autoscaling", "containment block names no users and roles"] {
        assert!(report["not_checked"].to_string().contains(words), "{words}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_lists_the_candidates_for_whoever_signs_the_choice_off_and_the_bundle_restores_that_one() {
    let site = recover_table::Site::new().await;
    site.tiny.write_manifest("approval {\n  people = 2\n}\n");
    site.client.create_backup().table_name("metadata").backup_name("nightly").send().await.expect("a backup");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let before = now();
    let bundle = site.tiny.path("bundle").display().to_string();
    let own = ["plan", "recover", "table", "metadata", "--env", "tiny", "--clean-before", &before, "--margin", "0s"];
    let (code, shown, said) = site.tiny.lifeboat(&[&own[..], &["--as", "clean", "--out", &bundle]].concat()).await;
    assert_eq!(code, Some(0), "{shown}{said}");
    assert!(shown.contains("candidates for clean recovery points") && shown.contains("who made"), "{shown}");
    let points = std::fs::read_to_string(site.tiny.path("bundle/recovery-points.json")).expect("recovery points");
    assert!(points.contains("\"taken\": true") && points.contains("\"made_by\": \"unknown"), "{points}");
    let (code, said) = site.tiny.approve(&bundle, "tiny").await;
    assert_eq!(code, Some(0), "{said}");
    // Another one that is made meanwhile is newer than the breach, and makes the bundle no staler.
    site.client.create_backup().table_name("metadata").backup_name("later").send().await.expect("a backup");
    let (code, said) = site.tiny.words(&["recover", "--bundle", &bundle, "--confirm", "tiny"]).await;
    assert_eq!(code, Some(0), "{said}");
    let session = site.tiny.moto.session("us-east-1");
    assert!(table(&session, "clean").await.expect("an answer").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_taken_back_to_the_breach_less_the_margin() {
    let tiny = Tiny::with_root("").await;
    let s3 = tiny.moto.session("us-east-1").s3();
    s3.create_bucket().bucket("logs").send().await.expect("a bucket");
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    s3.put_bucket_versioning().bucket("logs").versioning_configuration(on).send().await.expect("versions");
    s3.put_object().bucket("logs").key("a").body(b"good".to_vec().into()).send().await.expect("an object");
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let between = Timestamp::now();
    // S3 tells whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    s3.put_object().bucket("logs").key("a").body(b"poison".to_vec().into()).send().await.expect("an object");
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    // The margin takes the poison along that came before the breach was noticed.
    let noticed = Timestamp::now();
    let seconds = noticed.duration_since(between).as_secs() + 1;
    let margin = format!("{seconds}s");
    let (code, said) =
        recover(&tiny, "bucket", "logs", &noticed.to_string(), &["--margin", &margin, "--confirm", "tiny"]).await;
    assert_eq!(code, Some(0), "{said}");
    let now =
        s3.get_object().bucket("logs").key("a").send().await.expect("an object").body.collect().await.expect("a body");
    assert_eq!(now.into_bytes().as_ref(), b"good");
    let far = (Timestamp::now() + SignedDuration::from_hours(1)).to_string();
    let (code, said) = recover(&tiny, "bucket", "logs", &far, &[]).await;
    assert_eq!((code, said.contains("--clean-before") && said.contains("in the future")), (Some(2), true), "{said}");
    let (code, said) =
        recover(&tiny, "bucket", "logs", "2026-11-22T03:00:00Z", &["--to", "2026-11-22T03:00:00Z"]).await;
    assert_eq!((code, said.contains("cannot be used with")), (Some(2), true), "{said}");
    let (code, said) = tiny.recover("bucket", "logs", "2026-11-22T03:00:00Z", &["--margin", "15m"]).await;
    assert_eq!((code, said.contains("cannot be used with")), (Some(2), true), "{said}");
}

/// The emulator, with an event history in front of it (AWS CloudTrail API: "LookupEvents").
async fn with_history(upstream: String, snapshot: &str, user: &str) -> String {
    let told = json!({
        "eventName": "CreateDBClusterSnapshot", "eventTime": "2026-11-20T00:00:00Z",
        "userIdentity": { "type": "IAMUser", "arn": format!("arn:aws:iam::123456789012:user/{user}"), "userName": user },
        "requestParameters": { "dBClusterSnapshotIdentifier": snapshot }
    });
    let events = json!({ "Events": [{ "EventName": "CreateDBClusterSnapshot", "CloudTrailEvent": told.to_string() }] });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (upstream, events) = (upstream.clone(), events.to_string());
            let service = service_fn(move |request| answered(request, upstream.clone(), events.clone()));
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(async move { http.serve_connection(TokioIo::new(stream), service).await.ok() });
        }
    });
    url
}

async fn answered(
    request: Request<Incoming>,
    upstream: String,
    events: String,
) -> Result<Response<Full<Bytes>>, hyper_util::client::legacy::Error> {
    let target = request.headers().get("x-amz-target").map(|it| it.to_str().expect("words").to_owned());
    if target.is_some_and(|it| it.ends_with("LookupEvents")) {
        return Ok(Response::new(Full::from(events)));
    }
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    parts.uri = format!("{upstream}{path}").parse().expect("an address");
    let body = body.collect().await.expect("a body").to_bytes();
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let (parts, body) = client.request(Request::from_parts(parts, Full::new(body))).await?.into_parts();
    Ok(Response::from_parts(parts, Full::new(body.collect().await.expect("a body").to_bytes())))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_somebody_made_whom_the_manifest_shuts_out_is_refused_and_the_next_older_one_is_taken() {
    let site = recover_aurora::Site::new().await;
    site.tiny.write_manifest(CONTAINED);
    let take = site.client.create_db_cluster_snapshot().db_cluster_identifier("logs");
    take.db_cluster_snapshot_identifier("hers").send().await.expect("a snapshot");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let url = with_history(site.tiny.moto.endpoint(), "hers", "mallory").await;
    let before = now();
    let mut recover = site.tiny.command(&["recover", "cluster", "logs", "--env", "tiny", "--clean-before", &before]);
    recover.args(["--margin", "0s", "--dry-run"]).env("AWS_ENDPOINT_URL", &url);
    let (code, said) = command::said(recover).await;
    assert_eq!(code, Some(0), "{said}");
    let line =
        |mark: &str| said.lines().find(|line| line.trim_start().starts_with(mark)).unwrap_or_default().to_owned();
    assert!(line("taken:").contains(":rds:logs-") && line("taken:").contains("an automated snapshot"), "{said}");
    let refused = line("not taken:");
    assert!(refused.contains(":hers") && refused.contains("made by mallory, who is shut out"), "{said}");
    assert!(!said.contains("look at it before you approve"), "everybody is known: {said}");
}
