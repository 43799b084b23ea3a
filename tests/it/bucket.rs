//! A bucket's restore: equal copies, only of what is missing, and nothing of anybody else's touched.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CompletedMultipartUpload, CompletedPart,
    CreateBucketConfiguration, VersioningConfiguration,
};
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use lifeboat::aws::Session;
use lifeboat::manifest::{Bucket, Comparison, Expectation, Quantity};
use lifeboat::steps::{Seen, Standing, StepError, check_bucket, observe_bucket, restore_bucket, verify_bucket};
use serde_json::{Value, json};

use crate::harness;
use crate::recover_bucket_odd::odd_keys;

const SOURCE: &str = "logs-backup";
const TARGET: &str = "logs-recovery";

/// The begin of a run that every object of the test is older than, clock skew included.
fn later() -> Timestamp {
    Timestamp::now() + SignedDuration::from_mins(10)
}

fn bucket() -> Bucket {
    Bucket {
        name: "logs".into(),
        source: SOURCE.into(),
        source_role: None,
        target: TARGET.into(),
        include: vec![],
        exclude: vec![],
        verify: vec![],
        batch: None,
        engine: Default::default(),
    }
}

async fn create(session: &Session, name: &str) {
    let request = session.s3().create_bucket().bucket(name);
    let request = match session.region() {
        "us-east-1" => request,
        region => {
            let place = BucketLocationConstraint::from(region);
            request.create_bucket_configuration(CreateBucketConfiguration::builder().location_constraint(place).build())
        }
    };
    request.send().await.expect("a bucket");
}

async fn put(s3: &Client, bucket: &str, key: &str, body: &[u8]) {
    let body = ByteStream::from(body.to_vec());
    s3.put_object().bucket(bucket).key(key).body(body).send().await.expect("an object");
}

async fn get(s3: &Client, bucket: &str, key: &str) -> Vec<u8> {
    let answer = s3.get_object().bucket(bucket).key(key).send().await.expect("an object");
    answer.body.collect().await.expect("its content").to_vec()
}

async fn put_in_parts(s3: &Client, bucket: &str, key: &str, sizes: &[usize]) -> String {
    let upload = s3.create_multipart_upload().bucket(bucket).key(key).content_type("application/x-log");
    let upload = upload.metadata("origin", "firehose").tagging("team=a%20%2B%20b").send().await.expect("an upload");
    let id = upload.upload_id().expect("an id");
    let mut parts = Vec::new();
    for (number, size) in (1_i32..).zip(sizes) {
        let body: Vec<u8> = (0..*size).map(|at| u8::try_from((at * 31 + *size) % 251).expect("a byte")).collect();
        let part = s3.upload_part().bucket(bucket).key(key).upload_id(id).part_number(number);
        let part = part.body(ByteStream::from(body)).send().await.expect("a part");
        parts.push(CompletedPart::builder().part_number(number).e_tag(part.e_tag().expect("its ETag")).build());
    }
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let done = s3.complete_multipart_upload().bucket(bucket).key(key).upload_id(id).multipart_upload(parts);
    done.send().await.expect("an object").e_tag().expect("its ETag").to_owned()
}

async fn etag(s3: &Client, bucket: &str, key: &str) -> String {
    let head = s3.head_object().bucket(bucket).key(key).send().await.expect("an object");
    head.e_tag().expect("its ETag").to_owned()
}

async fn tags(s3: &Client, bucket: &str, key: &str) -> Vec<(String, String)> {
    let tags = s3.get_object_tagging().bucket(bucket).key(key).send().await.expect("tags");
    tags.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

async fn restore(session: &Session) -> Result<Value, StepError> {
    restore_bucket(session, &bucket(), Some(later()), || false, |_, _| {}).await
}

async fn both() -> (harness::TestEmulator, Session, Client) {
    let moto = harness::emulator().await;
    let session = moto.session("us-east-1");
    create(&session, SOURCE).await;
    create(&session, TARGET).await;
    let s3 = session.s3();
    (moto, session, s3)
}

#[tokio::test]
async fn a_copy_keeps_headers_metadata_tags_and_etag() {
    let (_moto, session, s3) = both().await;
    s3.put_object()
        .bucket(SOURCE)
        .key("a.json")
        .body(ByteStream::from_static(b"{}"))
        .content_type("application/json")
        .cache_control("no-store")
        .content_encoding("gzip")
        .metadata("owner", "logs")
        .tagging("class=x%2By")
        .send()
        .await
        .expect("an object");
    let large = put_in_parts(&s3, SOURCE, "large.log", &[8 << 20, 8 << 20, 4 << 20]).await;
    let uneven = put_in_parts(&s3, SOURCE, "uneven.log", &[5 << 20, 7 << 20, 1 << 20]).await;
    assert!(large.ends_with("-3\""), "{large}");

    let output = restore(&session).await.expect("copied");
    assert_eq!((&output["copied"], &output["objects"]), (&json!(3), &json!(3)));
    assert_eq!(etag(&s3, TARGET, "large.log").await, large);
    assert_eq!(etag(&s3, TARGET, "uneven.log").await, uneven);
    assert_eq!(etag(&s3, TARGET, "a.json").await, etag(&s3, SOURCE, "a.json").await);
    assert_eq!(get(&s3, TARGET, "large.log").await, get(&s3, SOURCE, "large.log").await);

    let small = s3.head_object().bucket(TARGET).key("a.json").send().await.expect("an object");
    assert_eq!(small.content_type(), Some("application/json"));
    assert_eq!(small.cache_control(), Some("no-store"));
    assert_eq!(small.content_encoding(), Some("gzip"));
    assert_eq!(small.metadata().and_then(|m| m.get("owner")).map(String::as_str), Some("logs"));
    let parts = s3.head_object().bucket(TARGET).key("large.log").send().await.expect("an object");
    assert_eq!(parts.content_type(), Some("application/x-log"));
    assert_eq!(parts.metadata().and_then(|m| m.get("origin")).map(String::as_str), Some("firehose"));
    assert_eq!(tags(&s3, TARGET, "a.json").await, [("class".to_owned(), "x+y".to_owned())]);
    assert_eq!(tags(&s3, TARGET, "large.log").await, [("team".to_owned(), "a + b".to_owned())]);
    verify_bucket(&session, &bucket(), Some(later()), |_| {}).await.expect("equal");
    let uploads = s3.list_multipart_uploads().bucket(TARGET).send().await.expect("uploads");
    assert!(uploads.uploads().is_empty(), "an upload was left behind");
}

#[tokio::test]
async fn keys_of_any_characters_arrive_under_the_same_name() {
    let (_moto, session, s3) = both().await;
    let odd = odd_keys();
    let mut keys: Vec<&str> = odd.iter().map(String::as_str).collect();
    keys.extend([
        "plain",
        "with space",
        "plus+sign",
        "per%cent",
        "per%2Fcent",
        "q?u=e&r;y#f",
        "ünï/côdé/\u{1f600}",
        "double//slash",
        "trailing/",
        "quote\"'<>&",
        "back\\slash",
        "colon:at@",
        "empty",
    ]);
    for key in &keys {
        let key = *key;
        let body = if key == "empty" { b"".as_slice() } else { key.as_bytes() };
        put(&s3, SOURCE, key, body).await;
    }
    let output = restore(&session).await.expect("copied");
    assert_eq!(output["copied"], json!(keys.len()));
    for key in keys {
        assert_eq!(get(&s3, TARGET, key).await, get(&s3, SOURCE, key).await, "{key}");
    }
    verify_bucket(&session, &bucket(), Some(later()), |_| {}).await.expect("equal");
}

#[tokio::test]
async fn a_second_restore_copies_only_what_is_missing() {
    let (_moto, session, s3) = both().await;
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    s3.put_bucket_versioning().bucket(TARGET).versioning_configuration(versioning).send().await.expect("versions");
    for key in ["a", "b", "c"] {
        put(&s3, SOURCE, key, key.as_bytes()).await;
    }
    assert_eq!(restore(&session).await.expect("copied")["copied"], 3);
    put(&s3, SOURCE, "d", b"d").await;
    assert_eq!(observe_bucket(&session, &bucket(), Some(later()), |_| {}).await, Ok(Seen::Absent));
    let again = restore(&session).await.expect("copied");
    assert_eq!((&again["copied"], &again["skipped"], &again["bytes"]), (&json!(1), &json!(3), &json!(4)));
    let done = json!({ "objects": 4, "bytes": 4, "copied": 0, "skipped": 4, "extra": 0 });
    assert_eq!(observe_bucket(&session, &bucket(), Some(later()), |_| {}).await, Ok(Seen::Done(done)));
    let versions = s3.list_object_versions().bucket(TARGET).send().await.expect("versions");
    assert_eq!(versions.versions().len(), 4, "an object was written twice");
    let checked = check_bucket(&session, &bucket(), later()).await.expect("may start");
    assert_eq!(checked.standing, Standing::InPlace);
}

#[tokio::test]
async fn what_the_target_holds_otherwise_is_a_conflict_and_stays() {
    let (_moto, session, s3) = both().await;
    put(&s3, SOURCE, "a", b"source").await;
    put(&s3, SOURCE, "b", b"source").await;
    put(&s3, TARGET, "a", b"theirs").await;
    put(&s3, TARGET, "foreign", b"theirs").await;
    let Ok(Seen::Conflict { cause, hint }) = observe_bucket(&session, &bucket(), Some(later()), |_| {}).await else {
        panic!("no conflict was seen");
    };
    assert!(cause.contains("1 object that the source does not have: foreign"), "{cause}");
    assert!(cause.contains("1 object with other content than the source's: a (the MD5s differ)"), "{cause}");
    assert!(hint.is_some_and(|hint| hint.contains("nothing was overwritten")));
    let blocked = check_bucket(&session, &bucket(), later()).await.expect_err("nothing in the run could clear it");
    assert!(blocked.cause.contains("1 object that the source does not have: foreign"), "{}", blocked.cause);
    let error = restore(&session).await.expect_err("a conflict");
    assert_eq!(error.kind, lifeboat::journal::FailureKind::Conflict);
    assert_eq!(get(&s3, TARGET, "a").await, b"theirs");
    assert_eq!(get(&s3, TARGET, "foreign").await, b"theirs");
    let error = verify_bucket(&session, &bucket(), Some(later()), |_| {}).await.expect_err("not equal");
    assert_eq!(error.kind, lifeboat::journal::FailureKind::CheckFailed);
}

/// What Firehose delivers as soon as the base apply has built it.
#[tokio::test]
async fn what_is_written_to_the_target_during_the_run_is_left_alone_and_counted() {
    let (_moto, session, s3) = both().await;
    put(&s3, SOURCE, "a", b"source").await;
    let began = Timestamp::now();
    check_bucket(&session, &bucket(), began).await.expect("may start");
    put(&s3, TARGET, "2026/control-message", b"CWL CONTROL MESSAGE").await;
    let output = restore_bucket(&session, &bucket(), Some(began), || false, |_, _| {}).await.expect("copied");
    assert_eq!((&output["copied"], &output["objects"], &output["extra"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(get(&s3, TARGET, "2026/control-message").await, b"CWL CONTROL MESSAGE");
    let seen = observe_bucket(&session, &bucket(), Some(began), |_| {}).await.expect("an answer");
    assert!(matches!(seen, Seen::Done(output) if output["extra"] == 1));
    let output = verify_bucket(&session, &bucket(), Some(began), |_| {}).await.expect("equal");
    assert_eq!((&output["objects"], &output["extra"]), (&json!(1), &json!(1)));

    put(&s3, TARGET, "a", b"theirs").await;
    let error =
        restore_bucket(&session, &bucket(), Some(began), || false, |_, _| {}).await.expect_err("another content");
    assert_eq!(error.kind, lifeboat::journal::FailureKind::Conflict);
    assert_eq!(get(&s3, TARGET, "a").await, b"theirs");
}

/// An object that is lost between copy and proof: the way on that the hint names works.
#[tokio::test]
async fn what_was_lost_before_the_proof_is_copied_when_the_restore_is_tried_again() {
    let (_moto, session, s3) = both().await;
    for key in ["a", "b"] {
        put(&s3, SOURCE, key, key.as_bytes()).await;
    }
    restore(&session).await.expect("copied");
    s3.delete_object().bucket(TARGET).key("a").send().await.expect("gone");
    let error = verify_bucket(&session, &bucket(), Some(later()), |_| {}).await.expect_err("one is missing");
    assert!(error.cause.ends_with("1 object missing: a"), "{error}");
    let hint = error.hint.expect("a way on");
    assert!(hint.ends_with("--retry restore.bucket.logs --retry verify.bucket.logs"), "{hint}");
    assert_eq!(observe_bucket(&session, &bucket(), Some(later()), |_| {}).await, Ok(Seen::Absent), "it begins again");
    assert_eq!(restore(&session).await.expect("copied")["copied"], 1);
    verify_bucket(&session, &bucket(), Some(later()), |_| {}).await.expect("equal");
}

#[tokio::test]
async fn equal_content_in_other_parts_is_compared_by_content() {
    let (_moto, session, s3) = both().await;
    put_in_parts(&s3, SOURCE, "a", &[6 << 20, 1 << 20]).await;
    let body = get(&s3, SOURCE, "a").await;
    put(&s3, TARGET, "a", &body).await;
    assert_ne!(etag(&s3, SOURCE, "a").await, etag(&s3, TARGET, "a").await);
    assert_eq!(verify_bucket(&session, &bucket(), Some(later()), |_| {}).await.expect("equal")["objects"], 1);
    let mut altered = body;
    altered[6 << 20] ^= 1;
    put(&s3, TARGET, "a", &altered).await;
    let error = verify_bucket(&session, &bucket(), Some(later()), |_| {}).await.expect_err("one bit is another");
    assert!(error.cause.contains("with other content"), "{error}");
}

#[tokio::test]
async fn a_source_that_is_missing_or_only_in_the_failed_region_blocks() {
    let moto = harness::emulator().await;
    let recovery = moto.session("us-east-1");
    let blocked = check_bucket(&recovery, &bucket(), later()).await.expect_err("there is none");
    assert_eq!(blocked.cause, "source bucket logs-backup does not exist");
    create(&moto.session("eu-west-2"), SOURCE).await;
    let blocked = check_bucket(&recovery, &bucket(), later()).await.expect_err("it is elsewhere");
    assert_eq!(blocked.cause, "source bucket logs-backup is only in eu-west-2, not in us-east-1");
}

#[tokio::test]
async fn a_check_tells_the_recovery_point_before_the_target_is_there() {
    let moto = harness::emulator().await;
    let session = moto.session("us-east-1");
    create(&session, SOURCE).await;
    put(&session.s3(), SOURCE, "a", b"abc").await;
    let checked = check_bucket(&session, &bucket(), later()).await.expect("may start");
    assert_eq!(checked.standing, Standing::Absent);
    assert_eq!(checked.facts["objects"], 1);
    assert_eq!(checked.facts["bytes_to_copy"], 3);
    let at: Timestamp = checked.facts["recovery_point_at"].as_str().expect("a time").parse().expect("RFC 3339");
    assert!((Timestamp::now() - at).get_seconds() < 600);
    assert_eq!(checked.facts["warnings"], json!([]));
    let error = restore(&session).await.expect_err("no target");
    assert!(error.hint.is_some_and(|hint| hint.contains("Terraform")));
}

#[tokio::test]
async fn an_unmet_expectation_fails_the_verification() {
    let (_moto, session, s3) = both().await;
    put(&s3, SOURCE, "a", b"abc").await;
    restore(&session).await.expect("copied");
    let expects = |quantity, value| Expectation { quantity, comparison: Comparison::AtLeast, value };
    let mut bucket = bucket();
    bucket.verify = vec![expects(Quantity::Objects, 1), expects(Quantity::Bytes, 4)];
    let error = verify_bucket(&session, &bucket, Some(later()), |_| {}).await.expect_err("3 bytes are not 4");
    assert_eq!(error.cause, "bucket logs-recovery: bytes >= 4 was expected, found 3");
}

#[tokio::test]
async fn an_empty_source_is_warned_of_and_meets_no_expectation() {
    let (_moto, session, _) = both().await;
    let checked = check_bucket(&session, &bucket(), later()).await.expect("may start");
    assert!(checked.facts["warnings"][0].as_str().is_some_and(|text| text.contains("is empty")), "{checked:?}");
    assert_eq!(restore(&session).await.expect("nothing to copy")["copied"], 0);
    let one = Expectation { quantity: Quantity::Objects, comparison: Comparison::AtLeast, value: 1 };
    let bucket = Bucket { verify: vec![one], ..bucket() };
    let error = verify_bucket(&session, &bucket, Some(later()), |_| {}).await.expect_err("none is not one");
    assert_eq!(error.cause, "bucket logs-recovery: objects >= 1 was expected, found 0");
}

#[tokio::test]
async fn a_listing_of_several_pages_is_copied_whole() {
    let (_moto, session, s3) = both().await;
    let puts = (0..1_100).map(|number| {
        let s3 = s3.clone();
        async move { put(&s3, SOURCE, &format!("{number:05}"), b"x").await }
    });
    // All at once would wait longer for the emulator than a request may.
    futures::stream::iter(puts).buffer_unordered(16).collect::<Vec<()>>().await;
    assert_eq!(restore(&session).await.expect("copied")["copied"], 1_100);
    assert_eq!(verify_bucket(&session, &bucket(), Some(later()), |_| {}).await.expect("equal")["objects"], 1_100);
}

#[tokio::test]
async fn a_stopped_copy_says_so_and_is_taken_up_again() {
    let (_moto, session, s3) = both().await;
    put_in_parts(&s3, SOURCE, "large", &[5 << 20, 5 << 20]).await;
    let error = restore_bucket(&session, &bucket(), Some(later()), || true, |_, _| {}).await.expect_err("stopped");
    assert_eq!(error.kind, lifeboat::journal::FailureKind::Interrupted);
    let uploads = s3.list_multipart_uploads().bucket(TARGET).send().await.expect("uploads");
    assert!(uploads.uploads().is_empty(), "an upload was left behind");
    assert_eq!(restore(&session).await.expect("copied")["copied"], 1);
}

#[tokio::test]
async fn only_what_is_chosen_is_copied_compared_and_counted() {
    let moto = harness::emulator().await;
    let session = moto.session("us-east-1");
    create(&session, SOURCE).await;
    create(&session, TARGET).await;
    let s3 = session.s3();
    for key in ["logs/a.json", "logs/b.tmp", "logs/deep/c.json", "other/d.json"] {
        put(&s3, SOURCE, key, b"then").await;
    }
    // What is left out is nobody's business in the target either.
    put(&s3, TARGET, "other/foreign", b"x").await;
    let chosen = Bucket { include: vec!["logs/*".into()], exclude: vec!["*.tmp".into()], ..bucket() };
    let found = check_bucket(&session, &chosen, Timestamp::now()).await.expect("nothing foreign");
    assert_eq!(found.facts["objects"], 2);
    let output = restore_bucket(&session, &chosen, Some(later()), || false, |_, _| {}).await.expect("copied");
    assert_eq!((&output["copied"], &output["objects"]), (&json!(2), &json!(2)));
    let proven = verify_bucket(&session, &chosen, Some(later()), |_| {}).await.expect("equal");
    assert_eq!(proven["objects"], 2);
    let listed = s3.list_objects_v2().bucket(TARGET).send().await.expect("a listing");
    let keys: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["logs/a.json", "logs/deep/c.json", "other/foreign"]);
    put(&s3, TARGET, "logs/foreign", b"x").await;
    let blocked = check_bucket(&session, &chosen, Timestamp::now() + SignedDuration::from_mins(10)).await;
    assert!(blocked.expect_err("it is in the way").cause.contains("logs/foreign"));
}
