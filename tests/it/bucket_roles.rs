//! A source that another identity reads: everything goes through this machine, and comes out as S3's own copy would. Real content
//! against the emulator; who asks for what, and a source that changes, by script.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use jiff::{SignedDuration, Timestamp};
use lifeboat::manifest::Bucket;
use lifeboat::steps::{Seen, check_bucket, observe_bucket, restore_bucket, verify_bucket};
use serde_json::json;

use crate::harness;
use crate::scripted::{Asked, Reply, Scripted};

const ROLE: &str = "arn:aws:iam::210987654321:role/backup-reader";

fn bucket(source: &str, target: &str) -> Bucket {
    Bucket {
        name: "logs".into(),
        source: source.into(),
        source_role: Some(ROLE.into()),
        target: target.into(),
        include: vec![],
        exclude: vec![],
        verify: vec![],
        batch: None,
        engine: Default::default(),
    }
}

#[tokio::test]
async fn what_a_role_reads_in_another_account_is_copied_equal_in_content_headers_tags_and_cut() {
    let moto = harness::emulator().await;
    let session = moto.session("us-east-1");
    let (theirs, ours) = (session.assuming(ROLE).await.s3(), session.s3());
    theirs.create_bucket().bucket("logs-backup").send().await.expect("a bucket");
    ours.create_bucket().bucket("logs-dr").send().await.expect("a bucket");
    let odd = "odd/a b+c%41//../ü'\"&<>";
    for (key, content) in [("plain", "then"), ("empty", ""), (odd, "odd")] {
        let put = theirs.put_object().bucket("logs-backup").key(key).body(ByteStream::from_static(content.as_bytes()));
        let put = put.content_type("application/x-log").metadata("origin", "firehose").tagging("team=a%20%2B%20b");
        put.send().await.expect("an object");
    }
    let upload = theirs.create_multipart_upload().bucket("logs-backup").key("large").tagging("team=logs");
    let id = upload.send().await.expect("an upload").upload_id().expect("an id").to_owned();
    let mut parts = CompletedMultipartUpload::builder();
    for (number, bytes) in [(1, 5 << 20), (2, 6 << 20), (3, 17)] {
        let put = theirs.upload_part().bucket("logs-backup").key("large").upload_id(&id).part_number(number);
        let put = put.body(ByteStream::from(vec![b'x'; bytes])).send().await.expect("a part");
        parts = parts.parts(CompletedPart::builder().part_number(number).e_tag(put.e_tag().expect("it")).build());
    }
    let done = theirs.complete_multipart_upload().bucket("logs-backup").key("large").upload_id(&id);
    done.multipart_upload(parts.build()).send().await.expect("an object");

    let bucket = bucket("logs-backup", "logs-dr");
    let found = check_bucket(&session, &bucket, Timestamp::now()).await.expect("it may be copied");
    let warned = found.facts["warnings"].to_string();
    assert!(warned.contains("every byte goes through this machine") && warned.contains(ROLE), "{warned}");
    let began = Some(Timestamp::now() + SignedDuration::from_mins(10));
    let output = restore_bucket(&session, &bucket, began, || false, |_, _| {}).await.expect("copied");
    assert_eq!((&output["copied"], &output["bytes"]), (&json!(4), &json!((11 << 20) + 17 + 7)));
    for key in ["plain", "empty", odd, "large"] {
        let head = async |client: &aws_sdk_s3::Client, bucket: &str| {
            let head = client.head_object().bucket(bucket).key(key).send().await.expect("an object");
            let text = |text: Option<&str>| text.map(str::to_owned);
            (text(head.e_tag()), text(head.content_type()), head.metadata().cloned(), head.tag_count())
        };
        assert_eq!(head(&theirs, "logs-backup").await, head(&ours, "logs-dr").await, "{key}");
        let tags = ours.get_object_tagging().bucket("logs-dr").key(key).send().await.expect("tags");
        let team = if key == "large" { "logs" } else { "a + b" };
        assert_eq!(tags.tag_set().first().map(|tag| tag.value()), Some(team), "{key}");
    }
    // The emulator tells a CRC-32 where it is asked for a CRC-64/NVME of parts.
    let config = ours.config().to_builder().response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    let unchecked = aws_sdk_s3::Client::from_conf(config.build());
    let large = unchecked.get_object().bucket("logs-dr").key("large").send().await.expect("an object");
    let content = large.body.collect().await.expect("content").to_vec();
    assert!(content.len() == (11 << 20) + 17 && content.iter().all(|byte| *byte == b'x'));

    assert!(matches!(observe_bucket(&session, &bucket, began, |_| {}).await, Ok(Seen::Done(_))));
    verify_bucket(&session, &bucket, began, |_| {}).await.expect("it is equal");
    let again = restore_bucket(&session, &bucket, began, || false, |_, _| {}).await.expect("nothing to copy");
    assert_eq!((&again["copied"], &again["skipped"]), (&json!(0), &json!(4)));
}

const OLD: &str = "0cc175b9c0f1b6a831c399e269772661";
const NEW: &str = "92eb5ffee6ae2fec3ad71c777531578f";

fn assumed() -> Reply {
    let credentials = "<AccessKeyId>ASIAREADER</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t\
                       </SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration>";
    let xml = format!(
        "<AssumeRoleResponse><AssumeRoleResult><Credentials>{credentials}</Credentials><AssumedRoleUser><Arn>{ROLE}</Arn>\
         <AssumedRoleId>R:lifeboat</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
    );
    (200, xml).into()
}

fn object(etag: &str, body: &str) -> Reply {
    let headers = vec![("etag", format!("\"{etag}\"")), ("content-length", "1".to_owned())];
    Reply { status: 200, headers, body: body.to_owned().into() }
}

#[tokio::test]
async fn the_role_reads_and_never_writes_and_a_source_that_changes_is_copied_as_it_is_by_then() {
    let changed = AtomicBool::new(false);
    let server = Scripted::start(move |asked: &Asked| {
        let path = asked.target.split('?').next().unwrap_or_default().trim_end_matches('/');
        let listing = |contents: &str| -> Reply {
            let xml = format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>");
            (200, xml).into()
        };
        match (asked.method.as_str(), path) {
            ("POST", "") if asked.body.contains("Action=AssumeRole") => assumed(),
            ("HEAD", "/to" | "/from") => (200, String::new()).into(),
            ("GET", "/from") => {
                listing(&format!("<Contents><Key>k</Key><Size>1</Size><ETag>&quot;{OLD}&quot;</ETag></Contents>"))
            }
            ("GET", "/to") => listing(""),
            ("HEAD", "/from/k") => object(if changed.load(Ordering::Relaxed) { NEW } else { OLD }, ""),
            ("HEAD", "/to/k") => (404, String::new()).into(),
            ("GET", "/from/k") if asked.header("if-match") == format!("\"{NEW}\"") => object(NEW, "b"),
            ("GET", "/from/k") => {
                changed.store(true, Ordering::Relaxed);
                (412, "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>".to_owned()).into()
            }
            ("PUT", "/to/k") => object(NEW, ""),
            other => panic!("not expected: {other:?}"),
        }
    })
    .await;
    let output = restore_bucket(&server.session("us-east-1"), &bucket("from", "to"), None, || false, |_, _| {}).await;
    assert_eq!(output.expect("copied")["copied"], 1);
    let asked = server.asked();
    for asked in asked.iter().filter(|asked| asked.method != "POST") {
        let by_role = asked.header("authorization").contains("Credential=ASIAREADER/");
        assert_eq!(by_role, asked.target.starts_with("/from"), "{} {}", asked.method, asked.target);
    }
    let puts: Vec<_> = asked.iter().filter(|asked| asked.method == "PUT").collect();
    assert_eq!(puts.len(), 1);
    assert_eq!(puts[0].header("if-none-match"), "*", "an object could have been overwritten");
    assert!(puts[0].body.contains('b'), "the content of by then");
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed_blocks_with_what_it_takes() {
    let server = Scripted::start(|asked: &Asked| -> Reply {
        assert!(asked.body.contains("Action=AssumeRole"), "{asked:?}");
        let error = "<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized</Message></Error>";
        (403, format!("<ErrorResponse>{error}</ErrorResponse>")).into()
    })
    .await;
    let blocked = check_bucket(&server.session("us-east-1"), &bucket("from", "to"), Timestamp::now()).await;
    let blocked = blocked.expect_err("nobody may read it");
    assert!(blocked.cause.contains(&format!("source bucket from cannot be read as {ROLE}")), "{}", blocked.cause);
    assert!(blocked.hint.is_some_and(|hint| hint.contains("trust policy")));
}
