//! A table comes back from its backup: once, with all that a restore loses, counted to the last item.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, PutRequest, ScalarAttributeType, WriteRequest,
};
use lifeboat::aws::{Session, dynamodb};
use lifeboat::journal::FailureKind;
use lifeboat::manifest::{Comparison, Expectation, Quantity, Table, TableSource};
use lifeboat::steps::{Cx, RestoreTable, Seen, Step, VerifyTable};
use lifeboat::verify::{Width, count_items};
use serde_json::{Value, json};

use crate::harness::{self, TestEmulator};
use crate::world::{self, RECOVERY, RUN};

pub const STEP: &str = "restore.table.metadata";
const ADDRESS: &str = "aws_dynamodb_table.metadata";
pub const ITEMS: u64 = 60;

pub fn table(value: u64) -> Table {
    Table {
        name: "metadata".into(),
        source: "metadata-prod".into(),
        target: "metadata-dr".into(),
        from: TableSource::LatestBackup,
        aws_backup: None,
        adopt: Some(ADDRESS.into()),
        verify: vec![Expectation { quantity: Quantity::Items, comparison: Comparison::AtLeast, value }],
    }
}

/// What `infrastructure.plan` returns.
pub fn plan() -> Value {
    json!({"declared": {(ADDRESS): {"type": "aws_dynamodb_table", "values": {
        "billing_mode": "PAY_PER_REQUEST", "hash_key": "log_id", "range_key": "ingested_at",
        "global_secondary_index": [{"name": "by-source", "hash_key": "source", "range_key": "ingested_at"}],
        "ttl": [{"attribute_name": "expires_at", "enabled": true}], "point_in_time_recovery": [{"enabled": true}],
        "stream_enabled": true, "stream_view_type": "NEW_AND_OLD_IMAGES", "deletion_protection_enabled": true,
        "table_class": null, "tags_all": {"Team": "observability"}}}}})
}

fn cx(moto: &TestEmulator, run: &str, facts: Value) -> Cx {
    world::cx(moto, run, STEP, facts, &[("infrastructure.plan", plan())])
}

async fn make(session: &Session, name: &str) {
    let key =
        |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("a key");
    let attribute = |name: &str, kind| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build().expect("an attribute")
    };
    let index = GlobalSecondaryIndex::builder()
        .index_name("by-source")
        .key_schema(key("source", KeyType::Hash))
        .key_schema(key("ingested_at", KeyType::Range))
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()
        .expect("an index");
    session
        .dynamodb()
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("log_id", KeyType::Hash))
        .key_schema(key("ingested_at", KeyType::Range))
        .attribute_definitions(attribute("log_id", ScalarAttributeType::S))
        .attribute_definitions(attribute("ingested_at", ScalarAttributeType::N))
        .attribute_definitions(attribute("source", ScalarAttributeType::S))
        .global_secondary_indexes(index)
        .send()
        .await
        .expect("a table");
}

async fn fill(session: &Session, name: &str, items: std::ops::Range<u64>) {
    let put = |number: u64| {
        let request = PutRequest::builder()
            .item("log_id", AttributeValue::S(format!("log-{number}")))
            .item("ingested_at", AttributeValue::N(number.to_string()))
            .item("source", AttributeValue::S("app".into()));
        WriteRequest::builder().put_request(request.build().expect("an item")).build()
    };
    for batch in items.collect::<Vec<_>>().chunks(25) {
        let requests = batch.iter().map(|number| put(*number)).collect();
        session.dynamodb().batch_write_item().request_items(name, requests).send().await.expect("a batch");
    }
}

/// The source table with a backup, as a replica in the recovery region would have it. Its ARN.
pub async fn backed_up(moto: &TestEmulator) -> String {
    let session = moto.session(RECOVERY);
    make(&session, "metadata-prod").await;
    fill(&session, "metadata-prod", 0..ITEMS).await;
    let backup = session.dynamodb().create_backup().table_name("metadata-prod").backup_name("nightly").send().await;
    let details = backup.expect("a backup").backup_details.expect("its details");
    details.backup_arn
}

async fn state(session: &Session) -> dynamodb::TableState {
    dynamodb::table(session, "metadata-dr").await.expect("an answer").expect("the table")
}

#[tokio::test]
async fn the_table_comes_back_with_everything_that_a_restore_loses() {
    let moto = harness::emulator().await;
    let backup = backed_up(&moto).await;
    let step = RestoreTable { table: table(1) };
    let checked = step.check(&cx(&moto, RUN, Value::Null)).await.expect("there is a backup");
    assert_eq!(checked.facts["recovery_point"], json!(backup));
    assert!(checked.facts["recovery_point_at"].is_string(), "{}", checked.facts);
    assert_eq!(checked.facts["approximate_items"], ITEMS);
    let cx = cx(&moto, RUN, checked.facts);
    assert_eq!(step.observe(&cx).await, Ok(Seen::Absent));
    let output = step.apply(&cx).await.expect("it is restored");
    step.verify(&cx, &output).await.expect("it is as declared");
    assert_eq!(output["adopt"], json!([{"address": ADDRESS, "id": "metadata-dr"}]));

    let state = state(&cx.world.aws).await;
    assert_eq!(state.ttl_attribute.as_deref(), Some("expires_at"));
    assert!(state.point_in_time_recovery && state.deletion_protection);
    assert_eq!(state.stream.map(|stream| stream.view).as_deref(), Some("NEW_AND_OLD_IMAGES"));
    assert_eq!(state.billing_mode, "PAY_PER_REQUEST");
    assert_eq!(state.tags.get("Team").map(String::as_str), Some("observability"));
    assert_eq!(state.tags.get("lifeboat:run").map(String::as_str), Some(RUN));
    assert_eq!(state.indexes["by-source"].status, "ACTIVE");
}

#[tokio::test]
async fn applying_twice_changes_nothing_the_second_time() {
    let moto = harness::emulator().await;
    backed_up(&moto).await;
    let step = RestoreTable { table: table(1) };
    let facts = step.check(&cx(&moto, RUN, Value::Null)).await.expect("there is a backup").facts;
    let cx = cx(&moto, RUN, facts).resumed();
    let first = step.apply(&cx).await.expect("it is restored");
    let before = state(&cx.world.aws).await;
    assert_eq!(step.observe(&cx).await, Ok(Seen::Done(first.clone())));
    assert_eq!(step.apply(&cx).await, Ok(first));
    assert_eq!(state(&cx.world.aws).await, before);
}

#[tokio::test]
async fn a_crash_after_the_restore_was_accepted_is_taken_up_where_it_stopped() {
    let moto = harness::emulator().await;
    let backup = backed_up(&moto).await;
    let step = RestoreTable { table: table(1) };
    let facts = step.check(&cx(&moto, RUN, Value::Null)).await.expect("there is a backup").facts;
    // What is left when the process dies right after the first request: the bare table, without any tag.
    let (table, source) = ("metadata-dr".to_owned(), dynamodb::RestoreSource::Backup(backup));
    let request = dynamodb::RestoreRequest { table, source, billing_mode: None, capacity: None, kms_key: None };
    dynamodb::restore_table(&moto.session(RECOVERY), request).await.expect("a restore");
    let resumed = cx(&moto, RUN, facts.clone()).resumed();
    assert!(matches!(step.observe(&resumed).await, Ok(Seen::InProgress(_))));
    // A run that has not begun the step did not make that table.
    assert!(matches!(step.observe(&cx(&moto, RUN, facts)).await, Ok(Seen::Conflict { .. })));
    let output = step.apply(&resumed).await.expect("it is completed");
    step.verify(&resumed, &output).await.expect("it is as declared");
}

#[tokio::test]
async fn a_table_of_that_name_that_is_not_ours_is_a_conflict_and_stays_as_it_is() {
    let moto = harness::emulator().await;
    backed_up(&moto).await;
    let session = moto.session(RECOVERY);
    make(&session, "metadata-dr").await;
    let before = state(&session).await;
    let step = RestoreTable { table: table(1) };
    let checked = step.check(&cx(&moto, RUN, Value::Null)).await.expect("there is a backup");
    assert!(checked.facts["warnings"].to_string().contains("stands in us-east-1 already"), "{}", checked.facts);
    for cx in [cx(&moto, RUN, checked.facts.clone()), cx(&moto, RUN, checked.facts.clone()).resumed()] {
        assert!(matches!(step.observe(&cx).await, Ok(Seen::Conflict { .. })));
        assert_eq!(step.apply(&cx).await.expect_err("it is not ours").kind, FailureKind::Conflict);
    }
    assert_eq!(state(&session).await, before);
}

#[tokio::test]
async fn without_a_backup_in_the_recovery_region_nothing_starts() {
    let moto = harness::emulator().await;
    let blocked = RestoreTable { table: table(1) };
    let blocked = blocked.check(&cx(&moto, RUN, Value::Null)).await.expect_err("there is no backup");
    let said = "no backup of table metadata-prod stands in us-east-1: its only source is in eu-west-2";
    assert_eq!(blocked.cause, said);
    let gone = "arn:aws:dynamodb:us-east-1:123456789012:table/metadata-prod/backup/01";
    let named = RestoreTable { table: Table { from: TableSource::Backup(gone.into()), ..table(1) } };
    let blocked = named.check(&cx(&moto, RUN, Value::Null)).await.expect_err("it is not there");
    assert_eq!(blocked.cause, format!("backup {gone} does not stand in us-east-1"));
}

#[tokio::test]
async fn the_count_is_exact_in_any_number_of_segments() {
    let moto = harness::emulator().await;
    backed_up(&moto).await;
    let session = moto.session(RECOVERY);
    for segments in [1, 4, 16] {
        let width = Width { segments, at_a_time: 3 };
        let count = count_items(&session, "metadata-prod", width, &|_| {}, &|| false).await;
        assert_eq!(count.expect("a count"), ITEMS, "in {segments} segments");
    }
}

#[tokio::test]
async fn a_table_that_is_short_fails_the_verification_with_both_numbers() {
    let moto = harness::emulator().await;
    backed_up(&moto).await;
    let restore = RestoreTable { table: table(ITEMS) };
    let facts = restore.check(&cx(&moto, RUN, Value::Null)).await.expect("there is a backup").facts;
    let cx = cx(&moto, RUN, facts);
    restore.apply(&cx).await.expect("it is restored");
    let verify = VerifyTable { table: table(ITEMS) };
    assert_eq!(verify.observe(&cx).await, Ok(Seen::Absent));
    let output = verify.apply(&cx).await.expect("it is whole");
    assert_eq!(output, json!({"name": "metadata-dr", "items": ITEMS, "expected": ["items >= 60"]}));

    cx.world
        .aws
        .dynamodb()
        .delete_item()
        .table_name("metadata-dr")
        .key("log_id", AttributeValue::S("log-7".into()))
        .key("ingested_at", AttributeValue::N("7".into()))
        .send()
        .await
        .expect("an item less");
    let error = verify.apply(&cx).await.expect_err("it is short");
    assert_eq!(error.kind, FailureKind::CheckFailed);
    assert_eq!(error.cause, "table metadata-dr is not as expected: it holds 59 items, expected items >= 60");
}

#[tokio::test]
async fn a_setting_that_was_lost_after_the_restore_fails_the_verification_by_name() {
    let moto = harness::emulator().await;
    backed_up(&moto).await;
    let restore = RestoreTable { table: table(1) };
    let facts = restore.check(&cx(&moto, RUN, Value::Null)).await.expect("there is a backup").facts;
    let cx = cx(&moto, RUN, facts);
    let output = restore.apply(&cx).await.expect("it is restored");
    let change = dynamodb::TableChange::DeletionProtection(false);
    dynamodb::change_table(&cx.world.aws, "metadata-dr", change).await.expect("a change");
    let lost = "deletion_protection_enabled is false, declared true";
    let error = restore.verify(&cx, &output).await.expect_err("it drifted");
    assert_eq!(error.cause, format!("table metadata-dr is not as declared: {lost}"));
    let error = VerifyTable { table: table(1) }.apply(&cx).await.expect_err("it drifted");
    assert_eq!(error.cause, format!("table metadata-dr is not as expected: {lost}"));
}
