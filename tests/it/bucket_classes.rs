//! Objects that a copy has to treat by how they are kept: archived ones, and large ones by their checksum.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::StorageClass;
use hyper::body::Bytes;
use jiff::Timestamp;
use lifeboat::manifest::Bucket;
use lifeboat::steps::{Blocked, Checked, check_bucket, restore_bucket};
use serde_json::{Value, json};

use crate::harness;
use crate::scripted::{Asked, Reply, Scripted};

fn bucket() -> Bucket {
    Bucket {
        name: "logs".into(),
        source: "from".into(),
        source_role: None,
        target: "goal".into(),
        include: vec![],
        exclude: vec![],
        verify: vec![],
        batch: None,
        engine: Default::default(),
    }
}

#[tokio::test]
async fn objects_in_an_archive_block_before_the_run_and_are_named() {
    let moto = harness::emulator().await;
    let session = moto.session("us-east-1");
    let s3 = session.s3();
    for name in ["from", "goal"] {
        s3.create_bucket().bucket(name).send().await.expect("a bucket");
    }
    let classes = [
        ("now", StorageClass::GlacierIr),
        ("plain", StorageClass::Standard),
        ("cold", StorageClass::Glacier),
        ("ice", StorageClass::DeepArchive),
    ];
    for (key, class) in classes {
        let put = s3.put_object().bucket("from").key(key).storage_class(class);
        put.body(ByteStream::from_static(b"x")).send().await.expect("an object");
    }
    let blocked = check_bucket(&session, &bucket(), Timestamp::now()).await.expect_err("two cannot be copied");
    let said = "source bucket from has 2 objects in an archive, where they cannot be copied: cold (GLACIER), ice \
                (DEEP_ARCHIVE)";
    assert_eq!(blocked.cause, said);
    assert!(blocked.hint.is_some_and(|hint| hint.contains("Restoring an archived object")));
    let error = restore_bucket(&session, &bucket(), None, || false, |_, _| {}).await.expect_err("S3 refuses");
    assert!(error.hint.as_ref().is_some_and(|hint| hint.contains("aws s3api restore-object")), "{error:?}");

    for key in ["cold", "ice"] {
        s3.delete_object().bucket("from").key(key).send().await.expect("gone");
    }
    let checked = check_bucket(&session, &bucket(), Timestamp::now()).await.expect("the rest can be copied");
    assert_eq!(checked.facts["objects"], 2);
}

const ETAG: &str = "0cc175b9c0f1b6a831c399e269772661";

/// Checks a source of one object against an empty target. `restore` is what the listing says of its restore.
async fn check(
    class: &str,
    restore: &str,
    archive_status: Option<&'static str>,
) -> (Result<Checked, Blocked>, Vec<Asked>) {
    let listing = format!(
        "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>k</Key><Size>1</Size>\
         <ETag>&quot;{ETAG}&quot;</ETag><StorageClass>{class}</StorageClass>{restore}</Contents></ListBucketResult>"
    );
    let server = Scripted::start(move |asked: &Asked| -> Reply {
        let path = asked.target.split('?').next().unwrap_or_default().trim_end_matches('/');
        match (asked.method.as_str(), path) {
            ("GET", "/from") => (200, listing.clone()).into(),
            ("HEAD", "/from/k") => {
                let headers = archive_status.map(|status| ("x-amz-archive-status", status.to_owned()));
                Reply { status: 200, headers: headers.into_iter().collect(), body: Bytes::new() }
            }
            ("HEAD", "/from") => (200, String::new()).into(),
            ("HEAD", "/goal") => (404, String::new()).into(),
            other => panic!("not expected: {other:?}"),
        }
    })
    .await;
    let checked = check_bucket(&server.session("us-east-1"), &bucket(), Timestamp::now()).await;
    (checked, server.asked())
}

fn restore(in_progress: bool) -> String {
    let expiry = if in_progress { "" } else { "<RestoreExpiryDate>2029-12-21T00:00:00.000Z</RestoreExpiryDate>" };
    format!("<RestoreStatus><IsRestoreInProgress>{in_progress}</IsRestoreInProgress>{expiry}</RestoreStatus>")
}

#[tokio::test]
async fn an_archived_object_that_was_restored_is_copied_like_any_other() {
    let (checked, asked) = check("DEEP_ARCHIVE", &restore(false), None).await;
    assert_eq!(checked.expect("it can be read").facts["objects"], 1);
    let listing = asked.iter().find(|asked| asked.method == "GET").expect("a listing");
    assert_eq!(listing.header("x-amz-optional-object-attributes"), "RestoreStatus", "S3 would not tell");
    let (checked, _) = check("GLACIER", &restore(true), None).await;
    assert!(checked.is_err_and(|blocked| blocked.cause.contains("k (GLACIER)")), "it is still being restored");
}

#[tokio::test]
async fn the_archive_tiers_of_intelligent_tiering_are_asked_for() {
    let (checked, _) = check("INTELLIGENT_TIERING", "", Some("DEEP_ARCHIVE_ACCESS")).await;
    assert!(checked.is_err_and(|blocked| blocked.cause.contains("k (INTELLIGENT_TIERING)")));
    let (checked, _) = check("INTELLIGENT_TIERING", "", None).await;
    assert_eq!(checked.expect("it is in a tier that is read at once").facts["warnings"], json!([]));
}

/// How an object of `bytes` with that ETag and checksum is copied: what was asked of the target.
async fn copied(bytes: u64, etag: &'static str, checksum: Option<(&'static str, &'static str)>) -> (Value, Vec<Asked>) {
    let listing = |contents: &str| -> Reply {
        (200, format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>")).into()
    };
    let server = Scripted::start(move |asked: &Asked| -> Reply {
        let path = asked.target.split('?').next().unwrap_or_default().trim_end_matches('/');
        let upload = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
        match (asked.method.as_str(), path) {
            ("HEAD", "/from" | "/goal") => (200, String::new()).into(),
            ("GET", "/from") => listing(&format!(
                "<Contents><Key>k</Key><Size>{bytes}</Size><ETag>&quot;{etag}&quot;</ETag></Contents>"
            )),
            ("GET", "/goal") => listing(""),
            ("GET", "/from/k") => (200, "<Tagging><TagSet/></Tagging>".to_owned()).into(),
            ("HEAD", "/from/k") => {
                let mut headers = vec![("etag", format!("\"{etag}\"")), ("content-length", bytes.to_string())];
                if let Some((algorithm, kind)) = checksum {
                    headers.push((algorithm, "AAAA".to_owned()));
                    headers.push(("x-amz-checksum-type", kind.to_owned()));
                }
                Reply { status: 200, headers, body: Bytes::new() }
            }
            ("POST", "/goal/k") if asked.target.contains("uploadId") => {
                (200, "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>".to_owned()).into()
            }
            ("POST", "/goal/k") => (200, upload.to_owned()).into(),
            ("PUT", "/goal/k") if asked.target.contains("uploadId") => {
                (200, "<CopyPartResult><ETag>x</ETag></CopyPartResult>".to_owned()).into()
            }
            ("PUT", "/goal/k") => (200, "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>".to_owned()).into(),
            other => panic!("not expected: {other:?}"),
        }
    })
    .await;
    let output = restore_bucket(&server.session("us-east-1"), &bucket(), None, || false, |_, _| {}).await;
    let asked = server.asked().into_iter().filter(|asked| matches!(asked.method.as_str(), "PUT" | "POST"));
    (output.expect("copied"), asked.collect())
}

#[tokio::test]
async fn a_large_object_is_cut_only_where_its_checksum_survives_it() {
    let sizes = 200 << 20;
    for algorithm in ["x-amz-checksum-sha256", "x-amz-checksum-sha1"] {
        let (output, asked) = copied(sizes, ETAG, Some((algorithm, "FULL_OBJECT"))).await;
        assert_eq!(output["copied"], 1);
        let [put] = asked.as_slice() else { panic!("{algorithm}: {asked:?}") };
        assert!(!put.target.contains("uploadId"), "{algorithm}: S3 gives no SHA of a whole object for parts");
    }
    for algorithm in ["x-amz-checksum-crc64nvme", "x-amz-checksum-crc32c", "x-amz-checksum-crc32"] {
        let (_, asked) = copied(sizes, ETAG, Some((algorithm, "FULL_OBJECT"))).await;
        let parts = asked.iter().filter(|asked| asked.target.contains("partNumber")).count();
        assert_eq!(parts, 4, "{algorithm}");
        let created = asked.iter().find(|asked| asked.method == "POST").expect("an upload");
        assert_eq!(created.header("x-amz-checksum-type"), "FULL_OBJECT");
    }
    let (_, asked) = copied(sizes, ETAG, None).await;
    assert_eq!(asked.len(), 1, "without a checksum the ETag has to stay the same: {asked:?}");
}

#[tokio::test]
async fn a_sha_of_parts_stays_one_of_parts() {
    let etag = "0cc175b9c0f1b6a831c399e269772661-4";
    let (_, asked) = copied(200 << 20, etag, Some(("x-amz-checksum-sha256", "FULL_OBJECT"))).await;
    let created = asked.iter().find(|asked| asked.method == "POST").expect("an upload");
    assert_eq!(created.header("x-amz-checksum-type"), "COMPOSITE", "S3 would refuse the upload");
    assert_eq!(created.header("x-amz-checksum-algorithm"), "SHA256");
}

#[tokio::test]
async fn an_object_of_one_part_is_copied_whole() {
    let etag = "0cc175b9c0f1b6a831c399e269772661-1";
    for bytes in [1, 5 << 20, 200 << 20] {
        let (_, asked) = copied(bytes, etag, None).await;
        let parts: Vec<_> = asked.iter().filter(|asked| asked.target.contains("partNumber")).collect();
        let [part] = parts.as_slice() else { panic!("{bytes}: {parts:?}") };
        assert_eq!(part.header("x-amz-copy-source-range"), "", "S3 refuses a range of a small source");
        assert_eq!(part.header("x-amz-copy-source-if-match"), format!("\"{etag}\""));
    }
}

/// What a check and a restore say of a source or target whose second page is answered so.
async fn listed(of: &'static str, second: fn() -> Reply) -> [String; 2] {
    let server = Scripted::start(move |asked: &Asked| -> Reply {
        let path = asked.target.split('?').next().unwrap_or_default().trim_end_matches('/');
        let page = |truncated: &str| -> Reply {
            let xml = format!("<ListBucketResult>{truncated}</ListBucketResult>");
            (200, xml).into()
        };
        match (asked.method.as_str(), path) {
            ("HEAD", _) => (200, String::new()).into(),
            ("GET", path) if path.trim_start_matches('/') != of => page("<IsTruncated>false</IsTruncated>"),
            ("GET", _) if asked.target.contains("continuation-token") => second(),
            ("GET", _) => page("<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"),
            other => panic!("not expected: {other:?}"),
        }
    })
    .await;
    let session = server.session("us-east-1");
    let checked = check_bucket(&session, &bucket(), Timestamp::now()).await.expect_err("not known to be empty");
    let restored =
        restore_bucket(&session, &bucket(), None, || false, |_, _| {}).await.expect_err("not known to be empty");
    [checked.cause, restored.cause]
}

#[tokio::test]
async fn a_listing_that_is_denied_or_cut_short_is_an_error_and_never_empty() {
    let denied = || (403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>".to_owned()).into();
    let cut = || (200, "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>".to_owned()).into();
    for of in ["from", "goal"] {
        for said in listed(of, denied).await {
            assert!(said.contains("s3:ListBucket: AccessDenied"), "{of}: {said}");
        }
        for said in listed(of, cut).await {
            assert!(said.contains("is cut short without a continuation token"), "{of}: {said}");
        }
    }
}
