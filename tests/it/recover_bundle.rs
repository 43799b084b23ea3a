//! From a plan of a recovery to its run: planned without a change, approved by a second person, and done as approved. With the
//! command and the emulator; no Terraform is started.

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification, ScalarAttributeType,
};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use jiff::Timestamp;
use lifeboat::aws::dynamodb::{recovery_window, table};
use lifeboat::rehearse::proxy::{Effect, Pattern};

use crate::state_custody::Tiny;

const APPROVAL: &str = "approval {\n  people = 2\n}\n";

async fn site() -> Tiny {
    let tiny = Tiny::with_root("").await;
    tiny.write_manifest(APPROVAL);
    tiny
}

/// Plans a recovery; what was shown, and the bundle's path.
async fn planned(tiny: &Tiny, what: &[&str], bundle: &str) -> (String, String) {
    let path = tiny.path(bundle).to_string_lossy().into_owned();
    let (code, page, said) = tiny.lifeboat(&[&["plan", "recover"], what, &["--out", &path]].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
    (page, path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_taken_back_only_as_it_was_approved() {
    let tiny = site().await;
    let s3 = tiny.moto.session("us-east-1").s3();
    s3.create_bucket().bucket("logs").send().await.expect("a bucket");
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let versioned = s3.put_bucket_versioning().bucket("logs").versioning_configuration(enabled);
    versioned.send().await.expect("versioning");
    let put = async |key: &str, text: &'static str| {
        let put = s3.put_object().bucket("logs").key(key).body(ByteStream::from_static(text.as_bytes()));
        put.send().await.expect("an object");
    };
    let read = async |key: &str| -> Option<Vec<u8>> {
        let got = s3.get_object().bucket("logs").key(key).send().await.ok()?;
        Some(got.body.collect().await.expect("a body").to_vec())
    };
    put("a", "then").await;
    put("b", "then").await;
    // The emulator tells times in whole seconds.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let to = Timestamp::now().to_string();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    put("a", "now").await;
    put("c", "now").await;
    let what = ["bucket", "logs", "--env", "tiny", "--to", &to];

    let (code, said) = tiny.recover("bucket", "logs", &to, &["--confirm", "tiny"]).await;
    assert_eq!(code, Some(3), "{said}");
    let planning = format!("next: lifeboat plan recover bucket logs --env tiny --to {to}");
    assert!(said.contains("lifeboat recover --bundle BUNDLE") && said.contains(&planning), "{said}");

    let (page, bundle) = planned(&tiny, &what, "one").await;
    for words in ["1 key of 3 back to the version of then", "1 key not there then", "recover of", "    c"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert_eq!(read("a").await.as_deref(), Some(&b"now"[..]), "a plan changes nothing");
    let run = ["recover", "--bundle", &bundle, "--confirm", "tiny"];
    let (code, said) = tiny.words(&run).await;
    assert_eq!((code, said.contains("is not approved")), (Some(3), true), "{said}");
    let (code, said) = tiny.words(&["approve", &bundle, "--confirm", "tiny"]).await;
    assert_eq!((code, said.contains("two people are asked for")), (Some(3), true), "{said}");
    let (code, said) = tiny.approve(&bundle, "tiny").await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("next: lifeboat recover --bundle {bundle}")), "{said}");

    // Of the same number of keys, but another one.
    s3.delete_object().bucket("logs").key("c").send().await.expect("a delete marker");
    put("d", "now").await;
    let (code, said) = tiny.words(&run).await;
    assert_eq!((code, said.contains("is not what was approved")), (Some(3), true), "{said}");
    assert!(said.contains("list_sha256"), "{said}");
    let fresh = said.split("next: lifeboat approve ").nth(1).and_then(|it| it.split_whitespace().next());
    let fresh = fresh.expect("a new bundle").to_owned();
    assert_eq!(read("a").await.as_deref(), Some(&b"now"[..]), "nothing was changed");

    let (code, said) = tiny.approve(&fresh, "tiny").await;
    assert_eq!(code, Some(0), "{said}");
    let run = ["recover", "--bundle", &fresh, "--confirm", "tiny"];
    let (code, said) = tiny.words(&run).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(read("a").await.as_deref(), Some(&b"then"[..]));
    assert_eq!((read("c").await, read("d").await), (None, None));
    let report = tiny.report(&tiny.run()).await;
    assert_eq!(report["bundle"]["approver"].as_str().map(|it| it.contains("second")), Some(true), "{report}");
    let (code, said) = tiny.words(&run).await;
    assert_eq!((code, said.contains("has used it")), (Some(3), true), "{said}");

    let (code, said) = tiny.words(&[&["plan", "recover"], &what[..]].concat()).await;
    assert_eq!((code, said.contains("There is nothing to approve")), (Some(0), true), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_restored_as_approved_and_a_held_run_goes_on_by_its_approval() {
    let tiny = site().await;
    let client = tiny.moto.session("us-east-1").dynamodb();
    let key = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S).build();
    let hash = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build();
    let create = client.create_table().table_name("metadata").billing_mode(BillingMode::PayPerRequest);
    let create = create.attribute_definitions(key.expect("a key")).key_schema(hash.expect("a key"));
    create.send().await.expect("a table");
    let on = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true).build();
    let set = client.update_continuous_backups().table_name("metadata");
    set.point_in_time_recovery_specification(on.expect("it")).send().await.expect("point-in-time recovery");
    let session = tiny.moto.session("us-east-1");
    let to = recovery_window(&session, "metadata").await.expect("an answer").expect("a window").latest.to_string();
    let what = ["table", "metadata", "--env", "tiny", "--to", &to, "--as", "metadata-then", "--expect", "items >= 0"];

    let (page, bundle) = planned(&tiny, &what, "one.tar.zst").await;
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("becomes table metadata-then"), "{page}");
    let found = lifeboat::bundle::read(&tiny.path("one.tar.zst")).expect("a bundle");
    let again = "--as metadata-then --expect 'items >= 0'";
    assert!(found.index.command.ends_with(again), "{}", found.index.command);
    let (code, said) = tiny.approve(&bundle, "tiny").await;
    assert_eq!(code, Some(0), "{said}");

    let fails = Pattern::operation("dynamodb", "RestoreTableToPointInTime");
    tiny.proxy.control().add(fails, Effect::Expire);
    let run = ["recover", "--bundle", &bundle, "--confirm", "tiny"];
    let (code, said) = tiny.words(&run).await;
    assert_eq!(code, Some(4), "{said}");
    tiny.proxy.control().clear();
    std::fs::remove_file(&bundle).expect("the operator's own copy");
    let (code, said) = tiny.words(&["resume", &tiny.run()]).await;
    assert_eq!(code, Some(0), "{said}");
    let restored = table(&session, "metadata-then").await.expect("an answer").expect("a table");
    assert_eq!(restored.status, "ACTIVE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_of_something_else_is_refused() {
    let tiny = site().await;
    let (code, said) = tiny.words(&["recover", "--bundle", "nowhere", "--confirm", "tiny"]).await;
    assert_eq!((code, said.contains("nowhere cannot be used")), (Some(3), true), "{said}");
    let (code, said) = tiny.words(&["recover"]).await;
    assert_eq!((code, said.contains("--bundle")), (Some(2), true), "{said}");
    let (code, said) = tiny.words(&["recover", "--bundle", "x", "table", "metadata"]).await;
    assert_eq!(code, Some(2), "{said}");
    let to = "2999-01-01T00:00:00Z";
    let (code, said) = tiny.words(&["plan", "recover", "table", "metadata", "--env", "tiny", "--to", to]).await;
    assert_eq!((code, said.contains("is in the future")), (Some(2), true), "{said}");
}
