//! A bucket taken back to how it was, with the command as the operator uses it, against the emulator's versions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketVersioningStatus, CompletedMultipartUpload, CompletedPart, ExpirationStatus,
    LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration, StorageClass, VersioningConfiguration,
};
use jiff::Timestamp;
use lifeboat::rehearse::proxy::{Effect, Pattern, read_records};
use serde_json::Value;

use crate::state_custody::Tiny;

pub const BUCKET: &str = "logs";

/// What a reader sees: content and metadata by key.
pub type Seen = BTreeMap<String, (Vec<u8>, BTreeMap<String, String>)>;

pub struct Site {
    pub tiny: Tiny,
    pub s3: Client,
}

impl Site {
    pub async fn new() -> Self {
        let tiny = Tiny::with_root("").await;
        let s3 = tiny.moto.session("us-east-1").s3();
        s3.create_bucket().bucket(BUCKET).send().await.expect("a bucket");
        let site = Self { tiny, s3 };
        site.versioning(BucketVersioningStatus::Enabled).await;
        site
    }

    pub async fn versioning(&self, status: BucketVersioningStatus) {
        let configuration = VersioningConfiguration::builder().status(status).build();
        let put = self.s3.put_bucket_versioning().bucket(BUCKET).versioning_configuration(configuration);
        put.send().await.expect("versioning");
    }

    pub async fn put(&self, key: &str, content: &str, note: &str) {
        let body = ByteStream::from(content.as_bytes().to_vec());
        let put = self.s3.put_object().bucket(BUCKET).key(key).body(body).metadata("note", note);
        put.send().await.expect("an object");
    }

    pub async fn delete(&self, key: &str) {
        self.s3.delete_object().bucket(BUCKET).key(key).send().await.expect("a delete marker");
    }

    pub async fn seen(&self) -> Seen {
        let mut seen = Seen::new();
        let listed = self.s3.list_objects_v2().bucket(BUCKET).send().await.expect("a listing");
        for object in listed.contents() {
            let key = object.key().expect("a key").to_owned();
            let got = self.s3.get_object().bucket(BUCKET).key(&key).send().await.expect("an object");
            let metadata = got.metadata().into_iter().flatten().map(|(name, it)| (name.clone(), it.clone())).collect();
            let body = got.body.collect().await.expect("a body").to_vec();
            seen.insert(key, (body, metadata));
        }
        seen
    }

    /// Ids of all versions and delete markers.
    pub async fn versions(&self) -> BTreeSet<String> {
        let listed = self.s3.list_object_versions().bucket(BUCKET).send().await.expect("a listing");
        assert_ne!(listed.is_truncated(), Some(true));
        let id =
            |key: Option<&str>, id: Option<&str>| format!("{} {}", key.unwrap_or_default(), id.unwrap_or_default());
        let versions = listed.versions().iter().map(|it| id(it.key(), it.version_id()));
        versions.chain(listed.delete_markers().iter().map(|it| id(it.key(), it.version_id()))).collect()
    }

    /// The emulator tells times in whole seconds.
    pub async fn later(&self) -> String {
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let now = Timestamp::now();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        now.to_string()
    }

    pub async fn recover(&self, to: &str, more: &[&str]) -> (Option<i32>, String, String) {
        let args = ["recover", "bucket", BUCKET, "--env", "tiny", "--to", to];
        self.tiny.lifeboat(&[&args[..], more].concat()).await
    }

    /// The same, with what it says to people as one line of words.
    pub async fn words(&self, to: &str, more: &[&str]) -> (Option<i32>, String) {
        self.tiny.recover("bucket", BUCKET, to, more).await
    }

    pub fn requests(&self, operation: &str) -> usize {
        let requests = read_records(&self.tiny.moto.dir.path().join("requests.jsonl")).expect("requests");
        requests.iter().filter(|it| it.operation == operation && it.resource.as_deref() == Some(BUCKET)).count()
    }
}

pub const CONFIRMED: [&str; 2] = ["--confirm", "tiny"];

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_seen_as_it_was_has_lost_nothing_and_comes_back_by_the_same_command() {
    let site = Site::new().await;
    let odd = format!("odd/a b+c%41//../ü\u{1f600}'\"&<>/{}", "x".repeat(900));
    for key in ["same", "overwritten", "deleted", "overwritten then deleted", "only metadata", "empty", &odd] {
        site.put(key, if key == "empty" { "" } else { "then" }, "then").await;
    }
    site.put("gone before", "x", "x").await;
    site.delete("gone before").await;
    let to = site.later().await;
    let then = site.seen().await;
    site.put("overwritten", "now", "now").await;
    site.put("overwritten then deleted", "now", "now").await;
    for key in ["deleted", "overwritten then deleted", "empty", &odd] {
        site.delete(key).await;
    }
    site.put("only metadata", "then", "now").await;
    site.put("new", "now", "now").await;
    site.put("gone before", "now", "now").await;
    let before = site.later().await;
    let (corrupted, versions) = (site.seen().await, site.versions().await);

    let (code, listed, said) = site.recover(&to, &["--dry-run", "-o", "json"]).await;
    assert_eq!(code, Some(0), "{said}");
    let todo: BTreeMap<String, String> = listed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .map(|it| (it["key"].as_str().expect("a key").to_owned(), it["do"].as_str().expect("a deed").to_owned()))
        .collect();
    let expected = [
        ("overwritten", "restore"),
        ("deleted", "restore"),
        ("overwritten then deleted", "restore"),
        ("only metadata", "restore"),
        ("empty", "restore"),
        (odd.as_str(), "restore"),
        ("new", "hide"),
        ("gone before", "hide"),
    ];
    let expected = expected.map(|(key, deed)| (key.to_owned(), deed.to_owned()));
    assert_eq!(todo, BTreeMap::from(expected));
    assert_eq!(site.versions().await, versions, "a dry run changes nothing");

    let (code, _, said) = site.recover(&to, &CONFIRMED).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("6 keys of 9 back to the version of then") && said.contains("2 keys not there then"),
        "{said}"
    );
    assert_eq!(site.seen().await, then);
    let rolled = site.versions().await;
    assert!(rolled.is_superset(&versions), "nothing is permanently deleted");
    assert_eq!(rolled.len(), versions.len() + 8, "what was right is left alone");

    let (code, _, said) = site.recover(&to, &CONFIRMED).await;
    assert_eq!((code, said.contains("is as it was at")), (Some(0), true), "{said}");
    assert_eq!(site.versions().await, rolled, "a second time changes nothing");

    let (code, _, said) = site.recover(&before, &CONFIRMED).await;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(site.seen().await, corrupted, "the way back is the same command");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_of_several_parts_comes_back_cut_as_it_was_with_its_tags() {
    let site = Site::new().await;
    let begun = site.s3.create_multipart_upload().bucket(BUCKET).key("large").tagging("team=logs");
    let upload = begun.send().await.expect("an upload").upload_id().expect("an id").to_owned();
    let mut parts = CompletedMultipartUpload::builder();
    for (number, bytes) in [(1, 5 << 20), (2, 6 << 20), (3, 17)] {
        let body = ByteStream::from(vec![b'x'; bytes]);
        let put = site.s3.upload_part().bucket(BUCKET).key("large").upload_id(&upload).part_number(number).body(body);
        let etag = put.send().await.expect("a part").e_tag().expect("an ETag").to_owned();
        parts = parts.parts(CompletedPart::builder().part_number(number).e_tag(etag).build());
    }
    let complete = site.s3.complete_multipart_upload().bucket(BUCKET).key("large").upload_id(&upload);
    let etag = complete.multipart_upload(parts.build()).send().await.expect("an object").e_tag().map(str::to_owned);
    let to = site.later().await;
    site.put("large", "now", "now").await;
    site.later().await;
    let (code, _, said) = site.recover(&to, &CONFIRMED).await;
    assert_eq!(code, Some(0), "{said}");
    let head = site.s3.head_object().bucket(BUCKET).key("large").send().await.expect("an object");
    assert_eq!(head.e_tag().map(str::to_owned), etag);
    let tags = site.s3.get_object_tagging().bucket(BUCKET).key("large").send().await.expect("tags");
    assert_eq!(tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect::<Vec<_>>(), [("team", "logs")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_in_an_archive_are_named_before_anything_is_changed() {
    let site = Site::new().await;
    let put = site.s3.put_object().bucket(BUCKET).key("cold").body(ByteStream::from_static(b"then"));
    put.storage_class(StorageClass::Glacier).send().await.expect("an object");
    let to = site.later().await;
    site.put("cold", "now", "now").await;
    site.later().await;
    let versions = site.versions().await;
    let (code, _, said) = site.recover(&to, &CONFIRMED).await;
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("1 object in an archive, where they cannot be copied: cold (GLACIER)"), "{said}");
    assert!(said.contains("restore those versions first"), "{said}");
    assert_eq!(site.versions().await, versions);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_keys_under_the_prefix_are_taken_back() {
    let site = Site::new().await;
    for key in ["a/1", "b/1"] {
        site.put(key, "then", "then").await;
    }
    let to = site.later().await;
    for key in ["a/1", "b/1", "a/2", "b/2"] {
        site.put(key, "now!", "now").await;
    }
    // Of what happens to a key in one second the emulator does not know the order.
    site.later().await;
    let (code, _, said) = site.recover(&to, &["--prefix", "a/", "--confirm", "tiny"]).await;
    assert_eq!(code, Some(0), "{said}");
    let seen: Vec<(String, Vec<u8>)> =
        site.seen().await.into_iter().map(|(key, (content, _))| (key, content)).collect();
    let expected = [("a/1", "then"), ("b/1", "now!"), ("b/2", "now!")];
    assert_eq!(seen, expected.map(|(key, content)| (key.to_owned(), content.as_bytes().to_vec())));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_back_is_refused_and_nothing_is_changed() {
    let site = Site::new().await;
    site.put("a", "then", "then").await;
    let to = site.later().await;
    site.put("a", "now", "now").await;
    let versions = site.versions().await;
    let refused = async |to: &str, more: &[&str], code: i32, words: &str| {
        let (found, _, said) = site.recover(to, more).await;
        let unwrapped = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(found, Some(code), "{said}");
        assert!(unwrapped.contains(words), "{words}: {said}");
    };
    refused("2999-01-01T00:00:00Z", &CONFIRMED, 2, "is in the future").await;
    refused("2026-11-22T03:00:00", &CONFIRMED, 2, "invalid value").await;
    refused(&to, &["--confirm", "prod"], 2, "--confirm says prod").await;
    // No terminal, and nobody has said yes.
    refused(&to, &[], 2, "needs to be confirmed").await;
    site.tiny.write_manifest("approval {\n  people = 2\n}\n");
    refused(&to, &CONFIRMED, 3, "is changed by approved bundles only").await;
    site.tiny.write_manifest("");
    site.versioning(BucketVersioningStatus::Suspended).await;
    refused(&to, &CONFIRMED, 3, "switch versioning on again").await;
    refused(&to, &["--dry-run"], 3, "switch versioning on again").await;
    assert_eq!(site.versions().await, versions);
    let (code, _, said) =
        site.tiny.lifeboat(&["recover", "bucket", "state", "--env", "tiny", "--to", &to, "--confirm", "tiny"]).await;
    assert_eq!((code, said.contains("holds Terraform's state, leases, journals")), (Some(3), true), "{said}");
    site.s3.create_bucket().bucket("never-versioned").send().await.expect("a bucket");
    let (code, _, said) = site
        .tiny
        .lifeboat(&["recover", "bucket", "never-versioned", "--env", "tiny", "--to", &to, "--confirm", "tiny"])
        .await;
    assert_eq!((code, said.contains("has never kept versions")), (Some(3), true), "{said}");
    let (code, _, said) =
        site.tiny.lifeboat(&["recover", "bucket", "no-such", "--env", "tiny", "--to", &to, "--dry-run"]).await;
    assert_eq!((code, said.contains("there is no bucket no-such")), (Some(3), true), "{said}");
    let runs = site.tiny.home().join("state/runs");
    let left = std::fs::read_dir(&runs).map(|entries| entries.count()).unwrap_or_default();
    assert_eq!(left, 0, "a run that never began leaves no folder");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed_is_gone_on_with_and_copies_nothing_again_that_was_done() {
    const KEYS: usize = 200;
    let site = Site::new().await;
    for nr in 0..KEYS {
        site.put(&format!("k{nr:03}"), "then", "then").await;
    }
    let to = site.later().await;
    for nr in 0..KEYS {
        site.put(&format!("k{nr:03}"), "now", "now").await;
    }
    let then = site.versions().await.len();
    site.tiny.proxy.control().add(Pattern::operation("s3", "CopyObject"), Effect::Delay(Duration::from_millis(300)));
    let mut command = tokio::process::Command::from(site.tiny.command(&[
        "recover",
        "bucket",
        BUCKET,
        "--env",
        "tiny",
        "--to",
        &to,
        "--confirm",
        "tiny",
    ]));
    let mut child = command.stderr(std::process::Stdio::null()).spawn().expect("it starts");
    while site.requests("CopyObject") < 70 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it was killed");
    }
    child.kill().await.expect("killed");
    site.tiny.proxy.control().clear();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let done = site.versions().await.len() - then;
    let asked = site.requests("CopyObject");
    assert!((70..KEYS).contains(&done), "{done} of {KEYS} were done when it was killed");

    // Somebody goes on writing before the run is gone on with.
    site.later().await;
    site.put("k000", "written since", "since").await;
    site.put("new since", "written since", "since").await;
    let run = site.tiny.run();
    // The lease of the dead one is its own machine's, so that nobody has to wait for it.
    let (code, _, said) = site.tiny.lifeboat(&["resume", &run]).await;
    let unwrapped = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, Some(5), "{said}");
    assert!(unwrapped.contains("what is written after it was looked at is left alone"), "{said}");
    let mut seen = site.seen().await;
    for key in ["k000", "new since"] {
        assert_eq!(seen.remove(key).map(|(content, _)| content), Some(b"written since".to_vec()), "{key}");
    }
    assert!(seen.len() == KEYS - 1 && seen.values().all(|(content, _)| content == b"then"));
    assert_eq!(site.requests("CopyObject") - asked, KEYS - done, "only what was not done is copied");
    assert_eq!(site.versions().await.len(), then + KEYS + 2, "each key has got one version");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_history_may_be_gone_is_not_taken_for_one_that_was_not_there() {
    let site = Site::new().await;
    let to = site.later().await;
    site.put("may have been there", "now", "now").await;
    let rule = LifecycleRule::builder()
        .id("old versions")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .noncurrent_version_expiration(NoncurrentVersionExpiration::builder().noncurrent_days(1).build());
    let rules = BucketLifecycleConfiguration::builder().rules(rule.build().expect("a rule")).build().expect("rules");
    lifecycle(&site, rules).await;
    let older = (Timestamp::now() - jiff::SignedDuration::from_hours(25)).to_string();
    let (code, _, said) = site.recover(&older, &["--dry-run"]).await;
    assert_eq!((code, said.contains("0 hidden, 1 left alone")), (Some(0), true), "{said}");
    // A day has not passed since then, so that the rule has removed nothing.
    let (code, _, said) = site.recover(&to, &["--dry-run"]).await;
    assert_eq!((code, said.contains("1 hidden, 0 left alone")), (Some(0), true), "{said}");

    let unversioned = "switched-on-later";
    site.s3.create_bucket().bucket(unversioned).send().await.expect("a bucket");
    let put = site.s3.put_object().bucket(unversioned).key("overwrites").body(ByteStream::from_static(b"now"));
    put.send().await.expect("an object");
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let switch = site.s3.put_bucket_versioning().bucket(unversioned).versioning_configuration(on);
    switch.send().await.expect("versioning");
    let args = ["recover", "bucket", unversioned, "--env", "tiny", "--to", to.as_str()];
    let (code, _, said) = site.tiny.lifeboat(&[&args[..], &CONFIRMED].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Nobody knows whether 1 key stood there then"), "{said}");
    let there = site.s3.head_object().bucket(unversioned).key("overwrites").send().await;
    assert!(there.is_ok(), "what nobody knows of is not hidden");
}

async fn lifecycle(site: &Site, rules: BucketLifecycleConfiguration) {
    let put = site.s3.put_bucket_lifecycle_configuration().bucket(BUCKET).lifecycle_configuration(rules);
    put.send().await.expect("a lifecycle configuration");
}
