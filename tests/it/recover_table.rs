//! A table restored to a point in time beside itself, with the command as the operator uses it. What the emulator does not do:
//! it restores the items of now, whatever the time is.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, PointInTimeRecoverySpecification,
    ProvisionedThroughput, ScalarAttributeType, StreamSpecification, StreamViewType, Tag, TimeToLiveSpecification,
};
use jiff::Timestamp;
use lifeboat::aws::autoscaling::{self, ScaledCapacity, ScalingPolicy, Schedule, Suspended};
use lifeboat::aws::dynamodb::{put_resource_policy, recovery_window, resource_policy, table};
use lifeboat::rehearse::proxy::{Effect, Pattern};
use lifeboat::steps::sample_table;
use lifeboat::verify::sample::Sample;

use crate::scripted::{Asked, Scripted};
use crate::state_custody::Tiny;

pub struct Site {
    pub tiny: Tiny,
    pub client: Client,
}

impl Site {
    pub async fn new() -> Self {
        let tiny = Tiny::with_root("").await;
        let client = tiny.moto.session("us-east-1").dynamodb();
        let site = Self { tiny, client };
        site.create("metadata").await;
        site
    }

    async fn create(&self, name: &str) {
        Self::create_with(&self.client, name).await;
    }

    async fn create_with(client: &Client, name: &str) {
        let key = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S).build();
        let hash = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build();
        let stream =
            StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::KeysOnly).build();
        let tag = Tag::builder().key("team").value("logs").build().expect("a tag");
        let create = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest).tags(tag);
        let create = create.attribute_definitions(key.expect("a key")).key_schema(hash.expect("a key"));
        create.stream_specification(stream.expect("a stream")).send().await.expect("a table");
        let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name("expires").build().expect("TTL");
        let set = client.update_time_to_live().table_name(name).time_to_live_specification(ttl);
        set.send().await.expect("TTL");
        for nr in 0..3 {
            let item = HashMap::from([("id".to_owned(), AttributeValue::S(format!("item {nr}")))]);
            client.put_item().table_name(name).set_item(Some(item)).send().await.expect("an item");
        }
    }

    /// Switches point-in-time recovery on; gives a time that can be restored.
    pub async fn recoverable(&self) -> Timestamp {
        let on = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true).build();
        let set = self.client.update_continuous_backups().table_name("metadata");
        set.point_in_time_recovery_specification(on.expect("it")).send().await.expect("point-in-time recovery");
        let window = recovery_window(&self.tiny.moto.session("us-east-1"), "metadata").await.expect("an answer");
        window.expect("a window").latest
    }

    async fn recover(&self, name: &str, to: &str, more: &[&str]) -> (Option<i32>, String) {
        self.tiny.recover("table", name, to, more).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_restored_beside_itself_with_the_settings_that_a_restore_loses() {
    let site = Site::new().await;
    let to = site.recoverable().await.to_string();
    let session = site.tiny.moto.session("us-east-1");
    let (code, said) = site.recover("metadata", &to, &["--as", "metadata-then", "--dry-run"]).await;
    assert_eq!((code, said.contains("becomes table metadata-then")), (Some(0), true), "{said}");
    assert_eq!(table(&session, "metadata-then").await.expect("an answer"), None, "a dry run makes nothing");

    let expect = ["--as", "metadata-then", "--confirm", "tiny", "--expect", "items == 3"];
    let (code, said) = site.recover("metadata", &to, &expect).await;
    assert_eq!(code, Some(0), "{said}");
    let source = table(&session, "metadata").await.expect("an answer").expect("the source");
    let restored = table(&session, "metadata-then").await.expect("an answer").expect("the restored one");
    assert_eq!(restored.restored_from, Some(source.arn.clone()));
    assert_eq!((&restored.ttl_attribute, &restored.stream), (&source.ttl_attribute, &source.stream));
    assert_eq!((&restored.billing_mode, restored.point_in_time_recovery), (&source.billing_mode, true));
    assert_eq!(restored.tags.get("team").map(String::as_str), Some("logs"));
    let report = site.tiny.report(&site.tiny.run()).await;
    assert_eq!(report["scenario"], "recover", "{report}");
    assert!(report["not_checked"].to_string().contains("Kinesis streams"), "{report}");
    // The emulator does not speak CloudWatch's protocol.
    let warnings = report["steps"][0]["warnings"].to_string();
    assert!(warnings.contains("whether alarms watch table metadata is not known"), "{report}");

    let (code, said) = site.recover("metadata", &to, &expect).await;
    assert_eq!((code, said.contains("table metadata-then stands in us-east-1 already")), (Some(3), true), "{said}");
    let short = ["--as", "metadata-short", "--confirm", "tiny", "--expect", "items >= 4"];
    let (code, said) = site.recover("metadata", &to, &short).await;
    assert_eq!((code, said.contains("it holds 3 items, expected items >= 4")), (Some(5), true), "{said}");
}

/// A provisioned table whose reads are scaled, with a resource policy.
async fn attach(site: &Site) -> String {
    let throughput = ProvisionedThroughput::builder().read_capacity_units(5).write_capacity_units(5).build();
    let provisioned = site.client.update_table().table_name("metadata").billing_mode(BillingMode::Provisioned);
    provisioned.provisioned_throughput(throughput.expect("it")).send().await.expect("a provisioned table");
    let session = site.tiny.moto.session("us-east-1");
    let policy = ScalingPolicy {
        name: "reads".into(),
        metric: "DynamoDBReadCapacityUtilization".into(),
        target: 70.0,
        scale_in_cooldown_seconds: Some(60),
        scale_out_cooldown_seconds: Some(30),
        disable_scale_in: Some(false),
    };
    let reads = ScaledCapacity {
        resource: "table/metadata".into(),
        dimension: "dynamodb:table:ReadCapacityUnits".into(),
        min: 5,
        max: 50,
        suspended: Suspended { scale_in: true, ..Suspended::default() },
        policies: vec![policy],
        other_policies: Vec::new(),
        schedules: vec![Schedule {
            name: "nights".into(),
            schedule: "cron(0 22 * * ? *)".into(),
            timezone: Some("Europe/London".into()),
            from: Some("2030-01-01T00:00:00Z".parse().expect("a time")),
            until: None,
            min: Some(1),
            max: Some(2),
        }],
    };
    autoscaling::scale(&session, &reads).await.expect("it is scaled");
    let arn = table(&session, "metadata").await.expect("an answer").expect("the table").arn;
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"123456789012"}},"Action":"dynamodb:GetItem","Resource":"{arn}"}}]}}"#
    );
    put_resource_policy(&session, &arn, &policy).await.expect("a policy");
    policy
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_attached_to_the_table_is_attached_to_the_restored_one() {
    let site = Site::new().await;
    let policy = attach(&site).await;
    let to = site.recoverable().await.to_string();
    let (code, said) =
        site.recover("metadata", &to, &["--as", "then", "--confirm", "tiny", "--region", "us-east-1"]).await;
    assert_eq!(code, Some(0), "{said}");
    let session = site.tiny.moto.session("us-east-1");
    let restored = table(&session, "then").await.expect("an answer").expect("the table");
    assert_eq!(restored.billing_mode, "PROVISIONED");
    let scaled = autoscaling::scaled(&session, &["table/then".to_owned()]).await.expect("an answer");
    assert_eq!(scaled.len(), 1, "{scaled:?}");
    assert_eq!((scaled[0].min, scaled[0].max, scaled[0].policies[0].target), (5, 50, 70.0));
    let before = autoscaling::scaled(&session, &["table/metadata".to_owned()]).await.expect("an answer");
    assert_eq!(before.len(), 1, "the source keeps its own");
    assert_eq!((scaled[0].schedules.len(), &scaled[0].schedules), (1, &before[0].schedules));
    assert!(scaled[0].suspended.scale_in && !scaled[0].suspended.scale_out, "{scaled:?}");
    let attached = resource_policy(&session, &restored.arn).await.expect("an answer");
    assert_eq!(attached, Some(policy.replace("table/metadata", "table/then")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_restored_to_that_time_is_refused_with_what_can() {
    let site = Site::new().await;
    let refused = async |name: &str, to: &str, more: &[&str], code: i32, words: &str| {
        let (found, said) = site.recover(name, to, &[&["--confirm", "tiny"], more].concat()).await;
        assert_eq!(found, Some(code), "{said}");
        assert!(said.contains(words), "{words}: {said}");
    };
    let long_ago = "2001-01-01T00:00:00Z";
    refused("metadata", long_ago, &[], 3, "point-in-time recovery of table metadata is off").await;
    site.recoverable().await;
    refused("metadata", long_ago, &[], 3, "can be restored to a time from").await;
    refused("no-such", long_ago, &[], 3, "there is no table no-such in eu-west-2 or us-east-1").await;
    refused("metadata", "2999-01-01T00:00:00Z", &[], 2, "is in the future").await;
    refused("metadata", "2026-01-01T00:00:00", &[], 2, "write date, time and zone").await;
    refused("metadata", long_ago, &["--as", "metadata"], 3, "table metadata stands in us-east-1 already").await;
    refused("metadata", long_ago, &["--expect", "objects >= 1"], 2, "known: items").await;
    refused("metadata", long_ago, &["--expect", "items"], 2, "write three words").await;
    let elsewhere = site.tiny.moto.session("eu-west-2").dynamodb();
    Site::create_with(&elsewhere, "metadata").await;
    refused("metadata", long_ago, &[], 3, "table metadata is in eu-west-2 and in us-east-1").await;
    refused("metadata", long_ago, &["--region", "eu-west-2"], 3, "point-in-time recovery of table metadata is off")
        .await;
    refused("metadata", long_ago, &["--region", "us-east-1"], 3, "can be restored to a time from").await;
    refused("metadata", long_ago, &["--region", "us-west-1"], 2, "is no region of tiny").await;
    site.tiny.proxy.control().add(Pattern::region("eu-west-2"), Effect::Refuse);
    refused("metadata", long_ago, &["--region", "us-east-1"], 3, "can be restored to a time from").await;
    let tables = site.client.list_tables().send().await.expect("a list");
    assert_eq!(tables.table_names(), ["metadata"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_tells_how_much_of_the_table_has_changed_since() {
    let site = Site::new().await;
    let to = site.recoverable().await.to_string();
    let (code, said) = site.recover("metadata", &to, &["--as", "then", "--confirm", "tiny"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("3 sampled items compared, all as they are in table metadata now"), "{said}");
    let report = site.tiny.report(&site.tiny.run()).await;
    assert!(report["not_checked"].to_string().contains("exports and backups of table metadata"), "{report}");

    let id = |nr: u32| ("id".to_owned(), AttributeValue::S(format!("item {nr}")));
    let altered = HashMap::from([id(0), ("secret".to_owned(), AttributeValue::N("1.0".into()))]);
    site.client.put_item().table_name("metadata").set_item(Some(altered)).send().await.expect("an item");
    let delete = site.client.delete_item().table_name("metadata").set_key(Some(HashMap::from([id(1)])));
    delete.send().await.expect("a deletion");
    site.client.put_item().table_name("metadata").set_item(Some(HashMap::from([id(7)]))).send().await.expect("an item");
    let session = site.tiny.moto.session("us-east-1");
    let found = sample_table(&session, "metadata", "then", &["id".to_owned()], &|| false).await.expect("a sample");
    assert_eq!(found, Sample { items: 3, equal: 1, differ: 1, gone: 1, not_read: 0 });
}

/// The emulator tells everything at once; the real one leaves keys over.
#[tokio::test]
async fn a_source_that_leaves_keys_over_is_asked_again_and_not_for_ever() {
    let scanned = r#"{"Count": 2, "Items": [{"id": {"S": "a"}}, {"id": {"S": "b"}}]}"#;
    let left = |ids: &str| format!(r#"{{"Responses": {{}}, "UnprocessedKeys": {{"t": {{"Keys": [{ids}]}}}}}}"#);
    let both = r#"{"id": {"S": "a"}}, {"id": {"S": "b"}}"#;
    let (all_left, tells) = (left(both), r#"{"Responses": {"t": [{"id": {"S": "a"}}, {"id": {"S": "b"}}]}}"#);
    let asked_of = |server: &Scripted| {
        let of = |it: &Asked| it.header("x-amz-target").ends_with("BatchGetItem");
        server.asked().iter().filter(|it| of(it)).count()
    };
    for (told_at, expected, requests) in [
        (2, Sample { items: 2, equal: 2, ..Sample::default() }, 3),
        (99, Sample { items: 2, not_read: 2, ..Sample::default() }, 6),
    ] {
        let (asked, all_left) = (AtomicUsize::new(0), all_left.clone());
        let server = Scripted::start(move |it: &Asked| {
            if it.header("x-amz-target").ends_with("Scan") {
                let first = it.body.contains("\"Segment\":0");
                return (200, if first { scanned } else { r#"{"Count": 0, "Items": []}"# }.to_owned());
            }
            assert!(it.body.contains("\"ConsistentRead\":true"), "{it:?}");
            let nr = asked.fetch_add(1, Ordering::Relaxed);
            (200, if nr < told_at { all_left.clone() } else { tells.to_owned() })
        })
        .await;
        let found = sample_table(&server.session("us-east-1"), "t", "then", &["id".to_owned()], &|| false).await;
        assert_eq!((found.expect("a sample"), asked_of(&server)), (expected, requests));
    }
    let server = Scripted::start(|it: &Asked| match it.header("x-amz-target").ends_with("Scan") {
        true => (200, scanned.to_owned()),
        false => (400, r#"{"__type": "AccessDeniedException", "message": "no"}"#.to_owned()),
    })
    .await;
    let denied = sample_table(&server.session("us-east-1"), "t", "then", &["id".to_owned()], &|| false).await;
    assert!(denied.is_err_and(|error| error.to_string().contains("dynamodb:BatchGetItem: AccessDeniedException")));
}
