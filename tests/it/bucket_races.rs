//! A bucket that changes while it is copied, and an S3 that has a bad day: answered by script, because the emulator
//! knows no conditional copies and is never busy.

use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::body::Bytes;
use lifeboat::journal::FailureKind;
use lifeboat::manifest::Bucket;
use lifeboat::steps::{StepError, restore_bucket};
use serde_json::{Value, json};

use crate::scripted::{Asked, Reply, Scripted};

const OLD: &str = "0cc175b9c0f1b6a831c399e269772661";
const NEW: &str = "92eb5ffee6ae2fec3ad71c777531578f";

fn listing(keys: usize) -> Reply {
    let contents: String = (0..keys)
        .map(|n| format!("<Contents><Key>k{n:04}</Key><Size>1</Size><ETag>&quot;{OLD}&quot;</ETag></Contents>"))
        .collect();
    let xml = format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>");
    (200, xml).into()
}

fn refused(status: u16, code: &str) -> Reply {
    (status, format!("<Error><Code>{code}</Code><Message>no</Message></Error>")).into()
}

fn copied() -> Reply {
    (200, "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>".to_owned()).into()
}

fn head(etag: Option<&str>) -> Reply {
    let Some(etag) = etag else { return (404, String::new()).into() };
    Reply {
        status: 200,
        headers: vec![("etag", format!("\"{etag}\"")), ("content-length", "1".to_owned())],
        body: Bytes::new(),
    }
}

/// Restores a bucket of `keys` objects from a source that now has `source` and a target that now has `target`.
async fn restore(
    keys: usize,
    source: Option<&'static str>,
    target: Option<&'static str>,
    put: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static,
) -> (Result<Value, StepError>, Vec<Asked>) {
    let puts = AtomicUsize::new(0);
    let server = Scripted::start(move |asked: &Asked| {
        let path = asked.target.split('?').next().unwrap_or_default().trim_end_matches('/');
        match (asked.method.as_str(), path) {
            ("HEAD", "/to" | "/from") => (200, String::new()).into(),
            ("GET", "/from") => listing(keys),
            ("GET", "/to") => listing(0),
            ("HEAD", path) if path.starts_with("/from/") => head(source),
            ("HEAD", _) => head(target),
            ("PUT", _) => put(asked, puts.fetch_add(1, Ordering::Relaxed)),
            other => panic!("not expected: {other:?}"),
        }
    })
    .await;
    let bucket = Bucket {
        name: "b".into(),
        source: "from".into(),
        source_role: None,
        target: "to".into(),
        include: vec![],
        exclude: vec![],
        verify: vec![],
        batch: None,
        engine: Default::default(),
    };
    let output = restore_bucket(&server.session("us-east-1"), &bucket, None, || false, |_, _| {}).await;
    (output, server.asked().into_iter().filter(|asked| asked.method == "PUT").collect())
}

#[tokio::test]
async fn a_source_that_changes_under_the_copy_is_copied_as_it_is_by_then() {
    let (output, puts) = restore(1, Some(NEW), None, |asked, _| {
        let current = asked.header("x-amz-copy-source-if-match") == format!("\"{NEW}\"");
        if current { copied() } else { refused(412, "PreconditionFailed") }
    })
    .await;
    assert_eq!(output.expect("copied")["copied"], 1);
    let conditions: Vec<_> = puts.iter().map(|put| put.header("x-amz-copy-source-if-match").to_owned()).collect();
    assert_eq!(conditions, [format!("\"{OLD}\""), format!("\"{NEW}\"")]);
    assert!(puts.iter().all(|put| put.header("if-none-match") == "*"), "an object could have been overwritten");
}

#[tokio::test]
async fn an_object_that_vanishes_from_the_source_is_named() {
    let (output, _) = restore(1, None, None, |_, _| refused(404, "NoSuchKey")).await;
    let output = output.expect("nothing to copy");
    assert_eq!((&output["copied"], &output["vanished"]), (&json!(0), &json!({ "count": 1, "first": ["k0000"] })));
}

#[tokio::test]
async fn an_object_that_another_writes_meanwhile_is_a_conflict() {
    let (output, puts) = restore(1, Some(OLD), Some(NEW), |_, _| refused(412, "PreconditionFailed")).await;
    let error = output.expect_err("occupied");
    assert_eq!(error.kind, FailureKind::Conflict);
    assert!(error.cause.contains("k0000 (the MD5s differ)"), "{error}");
    assert_eq!(puts.len(), 1);
}

#[tokio::test]
async fn a_copy_whose_answer_was_lost_is_found_and_not_made_again() {
    let (output, puts) = restore(1, Some(OLD), Some(OLD), |_, nth| match nth {
        0 => refused(500, "InternalError"),
        _ => refused(412, "PreconditionFailed"),
    })
    .await;
    let output = output.expect("found");
    assert_eq!((&output["objects"], &output["skipped"], puts.len()), (&json!(1), &json!(1), 2));
}

#[tokio::test]
async fn a_busy_s3_slows_the_copy_and_fails_no_object() {
    let (output, puts) = restore(200, Some(OLD), None, |_, nth| match nth % 3 {
        0 if nth < 240 => refused(503, "SlowDown"),
        _ => copied(),
    })
    .await;
    assert_eq!(output.expect("copied")["copied"], 200);
    assert_eq!(puts.len(), 280);
}

#[tokio::test]
async fn a_denied_copy_ends_early_with_the_permission_that_is_missing() {
    let (output, puts) = restore(1000, Some(OLD), None, |_, _| refused(403, "AccessDenied")).await;
    let error = output.expect_err("denied");
    assert!(error.hint.is_some_and(|hint| hint.contains("allow s3:PutObject")));
    assert!(puts.len() < 300, "{} requests were made in vain", puts.len());
}

#[tokio::test]
async fn an_answer_that_is_not_understood_is_asked_for_again_through_the_sdk_with_the_same_request() {
    let (output, puts) = restore(1, Some(OLD), None, |asked, _| {
        let direct = asked.header("user-agent").starts_with("lifeboat/");
        if direct { refused(400, "AuthorizationHeaderMalformed") } else { copied() }
    })
    .await;
    assert_eq!(output.expect("copied")["copied"], 1);
    let [direct, sdk] = &puts[..] else { panic!("{} requests", puts.len()) };
    assert!(sdk.header("user-agent").contains("aws-sdk-rust/"));
    let asks = |asked: &Asked| {
        let names = asked.headers.keys().map(|name| name.as_str().to_owned());
        let of_itself = ["authorization", "user-agent", "x-amz-user-agent", "x-amz-date", "amz-sdk-invocation-id"];
        let names = names.filter(|name| !of_itself.contains(&name.as_str()) && !name.starts_with("amz-sdk-"));
        let headers: std::collections::BTreeMap<_, _> =
            names.map(|name| (name.clone(), asked.header(&name).to_owned())).collect();
        (asked.target.clone(), headers)
    };
    assert_eq!(asks(direct), asks(sdk), "what is sent without the SDK is not what the SDK sends");
}
