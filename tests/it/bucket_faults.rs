//! Copies and rollbacks of a bucket whose S3 does not give in: denied in the middle of a listing or of the work, parts that
//! fail for ever, versions that vanish, keys of very many versions. Answered by script, because the emulator denies nothing
//! and would take minutes over ten thousand versions.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::stream;
use hyper::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use lifeboat::aws::s3::Object;
use lifeboat::runbook::BucketRollback;
use lifeboat::steps::{Cx, RollBackBucket, Step, StepError, Todo, VerifyRollback, list_todo};
use lifeboat::transfer::{Bounded, Copier, Difference, Known, Limits, TransferError, changes, copy_missing, roll_back};
use serde_json::{Value, json};

use crate::offline;
use crate::scripted::{Asked, Reply, Scripted};

const ETAG: &str = "0cc175b9c0f1b6a831c399e269772661";
const OTHER: &str = "92eb5ffee6ae2fec3ad71c777531578f";
const PARTS: &str = "0cc175b9c0f1b6a831c399e269772661-2";
/// Keys of a page (S3 API: "ListObjectVersions").
const OF_A_PAGE: usize = 1000;

fn at(second: i64) -> Timestamp {
    Timestamp::new(1_767_225_600 + second, 0).expect("a time")
}

fn rollback(second: i64) -> BucketRollback {
    BucketRollback { bucket: "logs".into(), prefix: String::new(), to: at(second), expect: vec![] }
}

fn refused(status: u16, code: &str) -> Reply {
    (status, format!("<Error><Code>{code}</Code><Message>no</Message></Error>")).into()
}

/// A version as a listing shows it: key, id, second, bytes and ETag.
#[derive(Clone)]
struct Told(&'static str, String, i64, u64, &'static str);

impl Told {
    fn xml(&self) -> String {
        let Self(key, id, second, bytes, etag) = self;
        format!(
            "<Version><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>false</IsLatest><LastModified>{}</LastModified>\
             <ETag>&quot;{etag}&quot;</ETag><Size>{bytes}</Size></Version>",
            at(*second)
        )
    }
}

/// The page that such a request asks for.
fn page(versions: &[Told], asked: &Asked) -> Reply {
    let value = |name: &str| {
        let (_, query) = asked.target.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    };
    let from = match (value("key-marker"), value("version-id-marker")) {
        (None, _) => 0,
        (Some(key), Some(id)) => versions.iter().position(|it| it.0 == key && it.1 == id).expect("a version") + 1,
        (Some(key), None) => versions.iter().position(|it| it.0 > key.as_str()).unwrap_or(versions.len()),
    };
    let of_it = &versions[from..versions.len().min(from + OF_A_PAGE)];
    let next = match (of_it.last(), from + of_it.len() < versions.len()) {
        (Some(last), true) => format!(
            "<IsTruncated>true</IsTruncated><NextKeyMarker>{}</NextKeyMarker><NextVersionIdMarker>{}</NextVersionIdMarker>",
            last.0, last.1
        ),
        _ => "<IsTruncated>false</IsTruncated>".to_owned(),
    };
    let told: String = of_it.iter().map(Told::xml).collect();
    (200, format!("<ListVersionsResult><EncodingType>url</EncodingType>{next}{told}</ListVersionsResult>")).into()
}

/// A bucket that keeps these versions; `other` answers what is asked of its objects, `listed` may answer a listing first.
async fn bucket(
    versions: Vec<Told>,
    listed: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
    other: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> Scripted {
    Scripted::start(move |asked: &Asked| -> Reply {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        match (asked.method.as_str(), path.trim_end_matches('/')) {
            ("HEAD", "/logs") => (200, String::new()).into(),
            ("GET", "/logs") if query.starts_with("versioning") => {
                (200, "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>".to_owned()).into()
            }
            ("GET", "/logs") if query.starts_with("lifecycle") => refused(404, "NoSuchLifecycleConfiguration"),
            ("GET", "/logs") if query.starts_with("encryption") => {
                refused(404, "ServerSideEncryptionConfigurationNotFoundError")
            }
            ("GET", "/logs") => listed(asked).unwrap_or_else(|| page(&versions, asked)),
            _ => other(asked),
        }
    })
    .await
}

fn nothing_else(asked: &Asked) -> Reply {
    panic!("not expected: {asked:?}")
}

/// Checks and takes back, as a run does.
async fn recover(server: &Scripted, rollback: &BucketRollback) -> (Value, Result<Value, StepError>) {
    let dir = tempfile::tempdir().expect("a folder");
    let world = Arc::new(offline::world("run", dir.path(), server.session("us-east-1")));
    let step = RollBackBucket { rollback: rollback.clone() };
    let id = rollback.step();
    let cx = |facts| Cx::detached(Arc::clone(&world), id.as_str(), facts, Default::default());
    let facts = step.check(&cx(Value::Null)).await.expect("it may begin").facts;
    let output = step.apply(&cx(facts.clone())).await;
    (facts, output)
}

#[tokio::test]
async fn of_twelve_thousand_versions_of_one_key_the_one_of_then_is_taken() {
    const VERSIONS: i64 = 12_000;
    let told =
        (1..=VERSIONS).rev().map(|nr| Told("k", format!("v{nr}"), nr, 1, if nr % 2 == 0 { ETAG } else { OTHER }));
    let before = Told("a", "a1".into(), 1, 1, ETAG);
    let after = [Told("z", "z2".into(), VERSIONS, 1, OTHER), Told("z", "z1".into(), 1, 1, ETAG)];
    let versions: Vec<Told> = [before].into_iter().chain(told).chain(after).collect();
    let server = bucket(
        versions,
        |_| None,
        |asked| match asked.method.as_str() {
            "PUT" => (200, "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>".to_owned()).into(),
            _ => nothing_else(asked),
        },
    )
    .await;
    let mut todo = Vec::new();
    let each = |it: Todo| todo.push((it.key, it.version_id));
    let found =
        list_todo(&server.session("us-east-1"), &offline::manifest(), &rollback(7_001), each).await.expect("a list");
    assert_eq!((found.keys, found.current.objects, found.afterwards.bytes), (3, 3, 3));
    let expected = [("k", "v7001"), ("z", "z1")].map(|(key, id)| (key.to_owned(), Some(id.to_owned())));
    assert_eq!(todo, expected);
    let pages = server.asked().iter().filter(|asked| asked.target.contains("versions")).count();
    assert!(pages <= 20, "{pages} pages of a thousand were read for {VERSIONS} versions");

    let (_, output) = recover(&server, &rollback(7_001)).await;
    assert_eq!(output.expect("taken back")["restored"], 2);
    let puts = server.asked().into_iter().filter(|asked| asked.method == "PUT");
    let mut copied: Vec<String> = puts.map(|put| put.header("x-amz-copy-source").to_owned()).collect();
    copied.sort();
    assert_eq!(copied, ["logs/k?versionId=v7001", "logs/z?versionId=z1"]);
}

/// Before anything is done, in the work and in the proof.
#[tokio::test]
async fn a_listing_of_versions_that_is_denied_half_way_is_never_taken_for_its_end() {
    let versions: Vec<Told> = (0..1500).rev().map(|nr| Told("k", format!("v{nr}"), nr, 1, ETAG)).collect();
    let denied = |asked: &Asked| asked.target.contains("key-marker").then(|| refused(403, "AccessDenied"));
    let server = bucket(versions, denied, nothing_else).await;
    let session = server.session("us-east-1");
    let said = "s3:ListBucketVersions: AccessDenied: no (bucket logs)";
    let blocked = list_todo(&session, &offline::manifest(), &rollback(10), |_| {}).await.expect_err("denied");
    assert_eq!(blocked.cause, said);
    assert_eq!(blocked.hint.as_deref(), Some("allow s3:ListBucketVersions for the role that runs lifeboat"));
    let dir = tempfile::tempdir().expect("a folder");
    let world = Arc::new(offline::world("run", dir.path(), session));
    let cx = Cx::detached(world, "recover.bucket.logs", json!({ "hides": true }), Default::default());
    let error = RollBackBucket { rollback: rollback(10) }.apply(&cx).await.expect_err("denied");
    assert_eq!((error.cause.as_str(), error.hint.is_some()), (said, true));
    let error = VerifyRollback { rollback: rollback(10) }.apply(&cx).await.expect_err("not proven");
    assert_eq!(error.cause, said);
    assert!(server.asked().iter().all(|asked| asked.method != "PUT"), "half of a history decides nothing");
}

/// Line breaks and slashes that neither XML, nor a header, nor a path carries as they are.
#[tokio::test]
async fn keys_with_line_breaks_and_slashes_at_the_beginning_are_copied_taken_back_and_hidden() {
    let listed = [
        Told("%2F%2Flead", "l1".into(), 20, 1, OTHER),
        Told("line%0Afeed", "f2".into(), 20, 1, OTHER),
        Told("line%0Afeed", "f1".into(), 1, 7, ETAG),
        Told("new%0D%0Aline", "n1".into(), 20, 1, OTHER),
    ];
    let server = bucket(
        listed.to_vec(),
        |_| None,
        |asked| match asked.method.as_str() {
            "PUT" => (200, "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>".to_owned()).into(),
            "POST" => (200, "<DeleteResult/>".to_owned()).into(),
            "DELETE" => (204, String::new()).into(),
            _ => nothing_else(asked),
        },
    )
    .await;
    let (_, output) = recover(&server, &rollback(10)).await;
    let output = output.expect("taken back");
    assert_eq!((&output["restored"], &output["hidden"]), (&json!(1), &json!(2)));
    let asked = server.asked();
    let path = |asked: &Asked| asked.target.split('?').next().unwrap_or_default().to_owned();
    let of = |method: &str| asked.iter().filter(|it| it.method == method).map(path).collect::<Vec<_>>();
    assert_eq!(of("PUT"), ["/logs/line%0Afeed"]);
    assert_eq!(of("DELETE"), ["/logs/new%0D%0Aline"], "XML would carry it as another key");
    let put = asked.iter().find(|it| it.method == "PUT").expect("a copy");
    assert_eq!(put.header("x-amz-copy-source"), "logs/line%0Afeed?versionId=f1");
    assert!(asked.iter().any(|it| it.method == "POST" && it.body.contains("<Key>//lead</Key>")), "{asked:?}");

    let server = Scripted::start(|asked: &Asked| -> Reply {
        assert_eq!((asked.method.as_str(), asked.header("x-amz-copy-source")), ("PUT", "from/a%0Ab"));
        (200, "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>".to_owned()).into()
    })
    .await;
    let copier = Arc::new(Copier::new(&server.session("us-east-1"), "from", "to", impatient(), || false));
    let comparer = Arc::new(copier.comparer(0));
    let missing = stream::iter([Ok(Difference::Missing(object("a\nb", 1, ETAG)))]);
    let done = copy_missing(copier, comparer, missing, None, |_| {}).await.expect("copied");
    assert_eq!((done.copied, path(&server.asked()[0])), (1, "/to/a%0Ab".to_owned()));
}

fn object(key: &str, size_bytes: u64, etag: &str) -> Object {
    Object {
        key: key.into(),
        version_id: None,
        size_bytes,
        etag: etag.into(),
        storage_class: None,
        archived: false,
        modified_at: None,
    }
}

/// A key that needs its version of second 1 back.
fn overwritten(key: &'static str, etag: &'static str, bytes: u64) -> [Told; 2] {
    [Told(key, format!("{key}2"), 20, 1, OTHER), Told(key, format!("{key}1"), 1, bytes, etag)]
}

#[tokio::test]
async fn a_version_that_vanishes_or_is_denied_during_the_work_is_named_and_the_others_are_taken_back() {
    let versions: Vec<Told> = ["a", "b", "c"].iter().flat_map(|key| overwritten(key, ETAG, 7)).collect();
    let server = bucket(
        versions,
        |_| None,
        |asked| match asked.header("x-amz-copy-source") {
            "logs/a?versionId=a1" => refused(404, "NoSuchVersion"),
            "logs/b?versionId=b1" => refused(403, "AccessDenied"),
            "logs/c?versionId=c1" => (200, "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>".to_owned()).into(),
            _ => nothing_else(asked),
        },
    )
    .await;
    let (facts, output) = recover(&server, &rollback(10)).await;
    assert_eq!(facts["to_do"], 3);
    let error = output.expect_err("two are not as they were");
    assert!(error.cause.starts_with("2 objects could not be taken back: "), "{error}");
    assert!(error.cause.contains("a (its version of then is gone by now)"), "{error}");
    assert!(error.cause.contains("b (s3:PutObject: AccessDenied: no)"), "{error}");
    assert_eq!(error.hint.as_deref(), Some("allow s3:PutObject for the role that runs lifeboat"));
    assert_eq!(server.asked().iter().filter(|asked| asked.header("x-amz-copy-source").contains("c1")).count(), 1);
}

/// An object of two parts, the second of which is answered so, and a small one beside it.
fn parts(second: fn() -> Reply) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    move |asked| {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let large = path.ends_with("/large");
        match asked.method.as_str() {
            "HEAD" => {
                let bytes = if query.contains("partNumber") { 5 << 20 } else { 10 << 20 };
                let headers = vec![("etag", format!("\"{PARTS}\"")), ("content-length", bytes.to_string())];
                Reply { status: 200, headers, body: Bytes::new() }
            }
            "GET" => (200, "<Tagging><TagSet/></Tagging>".to_owned()).into(),
            "POST" => {
                assert!(!query.contains("uploadId"), "it was completed without its second part");
                let begun = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
                (200, begun.to_owned()).into()
            }
            "DELETE" if large => (204, String::new()).into(),
            "PUT" if query.contains("partNumber=2") => second(),
            "PUT" if large => (200, "<CopyPartResult><ETag>x</ETag></CopyPartResult>".to_owned()).into(),
            "PUT" => (200, "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>".to_owned()).into(),
            _ => nothing_else(asked),
        }
    }
}

/// What a part is answered, how often it is then asked for, and what is said of it.
type Answer = (fn() -> Reply, RangeInclusive<usize>, &'static str);

const FEW: u32 = 4;

fn impatient() -> Limits {
    Limits { attempts: FEW, ..Limits::default() }
}

/// The part was asked for that often, the upload was given up, and the small object arrived.
fn given_up(server: &Scripted, attempts: RangeInclusive<usize>) {
    let asked = server.asked();
    let count = |of: &dyn Fn(&Asked) -> bool| asked.iter().filter(|asked| of(asked)).count();
    let asked_for = count(&|it| it.target.contains("partNumber=2") && it.method == "PUT");
    assert!(attempts.contains(&asked_for), "{asked_for} times");
    assert_eq!(count(&|it| it.method == "DELETE" && it.target.contains("uploadId=u")), 1, "it would be paid for");
    assert_eq!(count(&|it| it.method == "PUT" && it.target.contains("/small")), 1);
}

#[tokio::test]
async fn a_part_that_fails_for_ever_ends_its_object_alone_and_leaves_no_upload_behind() {
    // S3 answers with an error, with one inside a good answer, and with "slow down".
    let few = FEW as usize;
    let answers: [Answer; 4] = [
        (|| refused(500, "InternalError"), few..=few, "InternalError"),
        (|| refused(200, "InternalError"), few..=few, "InternalError"),
        // Of what else gets through meanwhile each gives it another turn.
        (|| refused(503, "SlowDown"), few..=few + 6, "SlowDown"),
        (|| refused(403, "AccessDenied"), 1..=1, "AccessDenied"),
    ];
    for (second, attempts, code) in answers {
        let server = Scripted::start(parts(second)).await;
        let missing = [object("large", 10 << 20, PARTS), object("small", 1, ETAG)];
        let copier = Arc::new(Copier::new(&server.session("us-east-1"), "from", "to", impatient(), || false));
        let comparer = Arc::new(copier.comparer(0));
        let missing = stream::iter(missing.map(|it| Ok(Difference::Missing(it))));
        let error = copy_missing(copier, comparer, missing, None, |_| {}).await.expect_err("one is missing");
        let TransferError::Failed { said, .. } = &error else { panic!("{error:?}") };
        assert!(said.starts_with(&format!("1 object could not be copied: large (s3:PutObject: {code}")), "{said}");
        given_up(&server, attempts.clone());

        let versions = [overwritten("large", PARTS, 10 << 20), overwritten("small", ETAG, 7)].concat();
        let server = bucket(versions, |_| None, parts(second)).await;
        let session = server.session("us-east-1");
        let copier = Arc::new(Copier::over_current(&session, "logs", impatient(), || false));
        let comparer = Arc::new(copier.comparer(0));
        let bounded = Bounded { until: None, known: Known { hides: true, etags_tell: true } };
        let decisions = changes(session.s3(), "logs", "", at(10));
        let error = roll_back(copier, comparer, decisions, bounded, |_| {}).await.expect_err("one is not as it was");
        let TransferError::Failed { said, .. } = &error else { panic!("{error:?}") };
        assert!(said.starts_with(&format!("1 object could not be taken back: large (s3:PutObject: {code}")), "{said}");
        given_up(&server, attempts);
    }
}

#[tokio::test]
async fn a_source_that_does_not_hold_still_is_named_and_not_followed_for_ever() {
    let changes = AtomicUsize::new(0);
    let server = Scripted::start(move |asked: &Asked| -> Reply {
        let nr = changes.fetch_add(1, Ordering::Relaxed);
        match (asked.method.as_str(), asked.target.split('?').next().unwrap_or_default()) {
            ("HEAD", "/from/k") => {
                let headers = vec![("etag", format!("\"{nr:032x}\"")), ("content-length", "1".to_owned())];
                Reply { status: 200, headers, body: Bytes::new() }
            }
            ("HEAD", _) => (404, String::new()).into(),
            ("PUT", _) => refused(412, "PreconditionFailed"),
            other => panic!("not expected: {other:?}"),
        }
    })
    .await;
    let copier = Arc::new(Copier::new(&server.session("us-east-1"), "from", "to", impatient(), || false));
    let comparer = Arc::new(copier.comparer(0));
    let missing = stream::iter([Ok(Difference::Missing(object("k", 1, ETAG)))]);
    let error = copy_missing(copier, comparer, missing, None, |_| {}).await.expect_err("it never held still");
    let said = "1 object could not be copied: k (the source changed 4 times while it was copied)";
    assert_eq!(error.to_string(), said);
    assert_eq!(server.asked().iter().filter(|asked| asked.method == "PUT").count(), 4);
}

/// A run that is gone on with, or a clock that was set back, asks the step and no command line.
#[tokio::test]
async fn a_time_in_the_future_blocks_in_the_step_as_well() {
    let server = bucket(vec![], |_| None, nothing_else).await;
    let later = BucketRollback { to: Timestamp::now() + SignedDuration::from_hours(1), ..rollback(0) };
    let blocked =
        list_todo(&server.session("us-east-1"), &offline::manifest(), &later, |_| {}).await.expect_err("future");
    assert!(blocked.cause.contains("is in the future: it is "), "{}", blocked.cause);
    assert_eq!(server.asked().len(), 0, "nobody was asked");
}
