//! A catalog recreated in the recovery region: the same tables and partitions, at the recovery region's locations.

use std::collections::BTreeMap;

use aws_sdk_glue::types as sdk;
use lifeboat::aws::{Session, glue};
use lifeboat::journal::FailureKind;
use lifeboat::manifest::{Bucket, Catalog, CatalogSource, Comparison, Expectation, Quantity};
use lifeboat::steps::{Seen, Standing, check_catalog, observe_catalog, restore_catalog, verify_catalog};
use serde_json::{Value, json};

use crate::harness;
use crate::scripted::Scripted;

fn catalog() -> Catalog {
    let locations = [("s3://logs-prod/", "s3://logs-dr/"), ("s3://logs-prod/athena", "s3://athena-dr/out")];
    Catalog {
        name: "logs".into(),
        source: "streaming_logs".into(),
        target: "streaming_logs_dr".into(),
        from: CatalogSource::Export("s3://exports/catalog.json".into()),
        locations: locations.map(|(old, new)| (old.to_owned(), new.to_owned())).into(),
        verify: vec![],
        athena: None,
    }
}

fn partition(day: usize) -> Value {
    json!({
        "Values": [format!("2026-01-{day:03}")],
        "DatabaseName": "streaming_logs",
        "TableName": "logs",
        "CreationTime": "2026-01-01T00:00:00+00:00",
        "StorageDescriptor": {
            "Columns": [{ "Name": "message", "Type": "string" }],
            "Location": format!("s3://logs-prod/logs/day={day:03}/"),
            "SerdeInfo": { "SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe" },
        },
        "CatalogId": "123456789012",
    })
}

fn export(days: usize) -> Value {
    json!({
        "Database": { "Name": "streaming_logs", "Description": "logs", "LocationUri": "s3://logs-prod/",
                      "CreateTime": "2026-01-01T00:00:00+00:00", "CatalogId": "123456789012" },
        "Tables": [
            {
                "Name": "logs",
                "DatabaseName": "streaming_logs",
                "CreateTime": "2026-01-01T00:00:00+00:00",
                "Retention": 0,
                "StorageDescriptor": {
                    "Columns": [{ "Name": "message", "Type": "string", "Comment": "as sent" }],
                    "Location": "s3://logs-prod/logs/",
                    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
                    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                    "Compressed": true,
                    "NumberOfBuckets": -1,
                    "SerdeInfo": { "SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
                                   "Parameters": { "path": "s3://logs-prod/logs/", "case": "x" } },
                    "StoredAsSubDirectories": false,
                },
                "PartitionKeys": [{ "Name": "day", "Type": "string" }],
                "TableType": "EXTERNAL_TABLE",
                "Parameters": { "storage.location.template": "s3://logs-prod/athena/day=${day}" },
                "CreatedBy": "arn:aws:iam::123456789012:root",
                "IsRegisteredWithLakeFormation": false,
                "VersionId": "4",
            },
            { "Name": "daily", "TableType": "VIRTUAL_VIEW", "ViewOriginalText": "/* Presto View: e30= */" },
        ],
        "Partitions": { "logs": (0..days).map(partition).collect::<Vec<_>>() },
    })
}

async fn world(export: &Value) -> (harness::TestEmulator, Session) {
    let moto = harness::emulator().await;
    let session = moto.session("us-east-1");
    session.s3().create_bucket().bucket("exports").send().await.expect("a bucket");
    put(&session, export).await;
    (moto, session)
}

async fn put(session: &Session, export: &Value) {
    let body = export.to_string().into_bytes().into();
    session.s3().put_object().bucket("exports").key("catalog.json").body(body).send().await.expect("an export");
}

#[tokio::test]
async fn tables_and_partitions_are_recreated_once_at_the_new_locations() {
    let (_moto, session) = world(&export(230)).await;
    let checked = check_catalog(&session, &catalog(), &[]).await.expect("may start");
    assert_eq!((&checked.facts["tables"], &checked.facts["partitions"]), (&json!(2), &json!(230)));
    assert_eq!(checked.facts["recovery_point"], "s3://exports/catalog.json");
    assert!(checked.facts["recovery_point_at"].as_str().is_some());
    assert_eq!(checked.facts["warnings"], json!(["table daily is a view; its text is taken over as it stands"]));
    assert_eq!(observe_catalog(&session, &catalog(), &[]).await, Ok(Seen::Absent));

    let output = restore_catalog(&session, &catalog(), &[], |_, _, _| {}).await.expect("recreated");
    let expected = json!({ "database": "streaming_logs_dr", "tables": 2, "partitions": 230, "created_tables": 2,
                           "created_partitions": 230 });
    assert_eq!(output, expected);
    let made = glue::catalog(&session, "streaming_logs_dr").await.expect("an answer").expect("a database");
    assert_eq!(made.database.location_uri.as_deref(), Some("s3://logs-dr/"));
    let table = &made.tables["logs"];
    let descriptor = table.storage_descriptor.as_ref().expect("a descriptor");
    assert_eq!(descriptor.location.as_deref(), Some("s3://logs-dr/logs/"));
    assert!(descriptor.compressed);
    assert_eq!(descriptor.number_of_buckets, Some(-1));
    assert_eq!(descriptor.columns[0].comment.as_deref(), Some("as sent"));
    assert_eq!(descriptor.serde_info.as_ref().expect("a SerDe").parameters["path"], "s3://logs-dr/logs/");
    assert_eq!(table.parameters["storage.location.template"], "s3://athena-dr/out/day=${day}");
    assert_eq!(made.tables["daily"].view_original_text.as_deref(), Some("/* Presto View: e30= */"));
    let last = &made.partitions["logs"][&vec!["2026-01-229".to_owned()]];
    let location = last.storage_descriptor.as_ref().and_then(|descriptor| descriptor.location.as_deref());
    assert_eq!(location, Some("s3://logs-dr/logs/day=229/"));

    let again = restore_catalog(&session, &catalog(), &[], |_, _, _| {}).await.expect("nothing to do");
    assert_eq!((&again["created_tables"], &again["created_partitions"]), (&json!(0), &json!(0)));
    assert!(matches!(observe_catalog(&session, &catalog(), &[]).await, Ok(Seen::Done(_))));
    assert_eq!(check_catalog(&session, &catalog(), &[]).await.expect("may start").standing, Standing::InPlace);
    let proven = verify_catalog(&session, &catalog(), &[]).await.expect("equal");
    assert_eq!((&proven["tables"], &proven["partitions"]), (&json!(2), &json!(230)));

    put(&session, &export(233)).await;
    let more = restore_catalog(&session, &catalog(), &[], |_, _, _| {}).await.expect("three more");
    assert_eq!(more["created_partitions"], 3);
}

#[tokio::test]
async fn a_table_that_stands_otherwise_is_a_conflict_and_nothing_is_created() {
    let (_moto, session) = world(&export(3)).await;
    let database = sdk::DatabaseInput::builder().name("streaming_logs_dr").build().expect("an input");
    session.glue().create_database().database_input(database).send().await.expect("a database");
    let descriptor = sdk::StorageDescriptor::builder().location("s3://elsewhere/logs/").build();
    let table = sdk::TableInput::builder().name("logs").storage_descriptor(descriptor).build().expect("an input");
    session.glue().create_table().database_name("streaming_logs_dr").table_input(table).send().await.expect("a table");

    let Ok(Seen::Conflict { cause, .. }) = observe_catalog(&session, &catalog(), &[]).await else {
        panic!("no conflict was seen");
    };
    assert!(cause.contains("table logs stands with location \"s3://elsewhere/logs\""), "{cause}");
    let error = restore_catalog(&session, &catalog(), &[], |_, _, _| {}).await.expect_err("a conflict");
    assert_eq!(error.kind, FailureKind::Conflict);
    let stands = glue::catalog(&session, "streaming_logs_dr").await.expect("an answer").expect("a database");
    assert_eq!(stands.tables.len(), 1);
    let error = verify_catalog(&session, &catalog(), &[]).await.expect_err("not equal");
    assert_eq!(error.kind, FailureKind::CheckFailed);
    assert!(error.cause.contains("table daily is missing"), "{error}");
    assert!(error.cause.contains("outside the recovery region"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_recreated_blocks_before_the_run() {
    let (_moto, session) = world(&export(1)).await;
    let nowhere = Catalog { locations: BTreeMap::new(), ..catalog() };
    let blocked = check_catalog(&session, &nowhere, &[]).await.expect_err("no prefix matches");
    assert!(blocked.cause.contains("table logs: s3://logs-prod/logs/"), "{blocked}");
    let bucket = Bucket {
        name: "l".into(),
        source: "s".into(),
        source_role: None,
        target: "logs-prod".into(),
        include: vec![],
        exclude: vec![],
        verify: vec![],
        batch: None,
        engine: Default::default(),
    };
    check_catalog(&session, &nowhere, &[bucket]).await.expect("the bucket is the recovery region's own");

    let missing = Catalog { from: CatalogSource::Export("s3://exports/none.json".into()), ..catalog() };
    let blocked = check_catalog(&session, &missing, &[]).await.expect_err("no export");
    assert_eq!(blocked.cause, "the export s3://exports/none.json does not exist");
}

/// An Iceberg table whose newest metadata file is at `metadata`.
fn iceberg(location: &str, metadata: &str) -> Value {
    let mut export = export(0);
    export["Tables"][0]["PartitionKeys"] = json!([]);
    export["Tables"][0]["StorageDescriptor"] = json!({ "Location": location });
    export["Tables"][0]["Parameters"] = json!({ "table_type": "ICEBERG", "metadata_location": metadata });
    export["Partitions"] = json!({});
    export
}

#[tokio::test]
async fn an_iceberg_table_is_recreated_where_it_stays_and_refused_where_its_files_lead_elsewhere() {
    let (_moto, session) = world(&iceberg("s3://logs-prod/logs", "s3://logs-prod/logs/metadata/2.json")).await;
    let blocked = check_catalog(&session, &catalog(), &[]).await.expect_err("it would be moved");
    assert!(blocked.cause.contains("table logs is an Iceberg table at s3://logs-prod/logs: its metadata"), "{blocked}");
    assert!(blocked.cause.contains("rewrite_table_path"), "{blocked}");

    session.s3().create_bucket().bucket("logs-dr").send().await.expect("a bucket");
    let metadata = "s3://logs-dr/logs/metadata/2.json";
    put(&session, &iceberg("s3://logs-dr/logs", metadata)).await;
    let blocked = check_catalog(&session, &catalog(), &[]).await.expect_err("there is no metadata file");
    assert!(blocked.cause.contains("metadata/2.json does not exist any more"), "{blocked}");
    let file = async |list: &str| {
        let text =
            json!({ "format-version": 2, "location": "s3://logs-dr/logs", "snapshots": [{ "manifest-list": list }] });
        let body = text.to_string().into_bytes().into();
        session
            .s3()
            .put_object()
            .bucket("logs-dr")
            .key("logs/metadata/2.json")
            .body(body)
            .send()
            .await
            .expect("a file");
    };
    file("s3://logs-prod/logs/metadata/snap.avro").await;
    let blocked = check_catalog(&session, &catalog(), &[]).await.expect_err("it leads to the old bucket");
    assert!(blocked.cause.contains("names 1 places elsewhere: s3://logs-prod/logs/metadata/snap.avro"), "{blocked}");

    file("s3://logs-dr/logs/metadata/snap.avro").await;
    let checked = check_catalog(&session, &catalog(), &[]).await.expect("it stays where it is");
    assert!(checked.facts["warnings"].to_string().contains("its manifests and data files were not"), "{checked:?}");
    restore_catalog(&session, &catalog(), &[], |_, _, _| {}).await.expect("recreated");
    verify_catalog(&session, &catalog(), &[]).await.expect("equal");
    let made = glue::catalog(&session, "streaming_logs_dr").await.expect("an answer").expect("a database");
    assert_eq!(made.tables["logs"].parameters["metadata_location"], metadata);
    put(&session, &iceberg("s3://logs-dr/logs", "s3://logs-dr/logs/metadata/3.json")).await;
    let text = json!({ "location": "s3://logs-dr/logs" }).to_string().into_bytes().into();
    session.s3().put_object().bucket("logs-dr").key("logs/metadata/3.json").body(text).send().await.expect("a file");
    let Ok(Seen::Conflict { cause, .. }) = observe_catalog(&session, &catalog(), &[]).await else {
        panic!("another snapshot is no conflict");
    };
    assert!(cause.contains("stands with metadata file"), "{cause}");
}

#[tokio::test]
async fn a_replica_in_the_recovery_region_is_a_source_as_well() {
    let (_moto, session) = world(&export(4)).await;
    let replica = Catalog {
        target: "replica".into(),
        locations: [("s3://logs-prod".into(), "s3://logs-prod".into())].into(),
        ..catalog()
    };
    restore_catalog(&session, &replica, &[], |_, _, _| {}).await.expect("a replica");
    let from = Catalog { from: CatalogSource::Replica("replica".into()), ..catalog() };
    let output = restore_catalog(&session, &from, &[], |_, _, _| {}).await.expect("recreated");
    assert_eq!((&output["tables"], &output["partitions"]), (&json!(2), &json!(4)));
    verify_catalog(&session, &from, &[]).await.expect("equal");
    let error =
        check_catalog(&session, &Catalog { from: CatalogSource::Replica("none".into()), ..catalog() }, &[]).await;
    assert_eq!(error.expect_err("none").cause, "database none is not in us-east-1");
}

#[tokio::test]
async fn lost_partitions_and_unmet_expectations_fail_the_verification() {
    let (_moto, session) = world(&export(5)).await;
    restore_catalog(&session, &catalog(), &[], |_, _, _| {}).await.expect("recreated");
    let expected = Expectation { quantity: Quantity::Partitions, comparison: Comparison::MoreThan, value: 5 };
    let strict = Catalog { verify: vec![expected], ..catalog() };
    let error = verify_catalog(&session, &strict, &[]).await.expect_err("5 are not more than 5");
    assert_eq!(error.cause, "database streaming_logs_dr: partitions > 5 was expected, found 5");
    let delete = session.glue().delete_partition().database_name("streaming_logs_dr").table_name("logs");
    delete.partition_values("2026-01-003").send().await.expect("deleted");
    let error = verify_catalog(&session, &catalog(), &[]).await.expect_err("one is lost");
    assert_eq!(error.cause, "database streaming_logs_dr: table logs lacks 1 partitions");
}

/// The emulator ignores the page size, so pages are answered by script.
#[tokio::test]
async fn every_page_of_partitions_is_read() {
    let server = Scripted::start(|asked| {
        let page = |day: usize, next: Value| {
            let mut partition = partition(day);
            partition["CreationTime"] = json!(1.0);
            json!({ "Partitions": [partition], "NextToken": next }).to_string()
        };
        let body: Value = serde_json::from_str(&asked.body).expect("a request");
        match body["NextToken"].as_str() {
            None => (200, json!({ "Partitions": [], "NextToken": "a" }).to_string()),
            Some("a") => (200, page(1, json!("b"))),
            Some("b") => (200, page(2, Value::Null)),
            Some(other) => (400, other.to_owned()),
        }
    })
    .await;
    let found = glue::partitions(&server.session("us-east-1"), "d", "t").await.expect("partitions");
    assert_eq!(
        found.iter().map(|partition| partition.values[0].as_str()).collect::<Vec<_>>(),
        ["2026-01-001", "2026-01-002"]
    );
}
