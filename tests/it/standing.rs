//! What stands in the region where a plan would make something: with the emulator, and for service quotas, which it does
//! not list, with a server that answers in the documented shapes.

use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use lifeboat::aws::{self, quotas};
use lifeboat::guard::names::{Claim, Kind, Standing};
use lifeboat::guard::quotas::{BUCKETS, RDS_CLUSTERS, TABLES};
use serde_json::json;

use crate::harness;
use crate::scripted::{Asked, Scripted};

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_taken_or_still_kept_are_seen_and_others_are_free() {
    let moto = harness::emulator().await;
    let session = moto.session("us-east-1");
    session.s3().create_bucket().bucket("taken-bucket").send().await.expect("a bucket");
    session.logs().create_log_group().log_group_name("/taken/group").send().await.expect("a log group");
    session
        .glue()
        .create_database()
        .database_input(aws_sdk_glue::types::DatabaseInput::builder().name("taken").build().expect("an input"))
        .send()
        .await
        .expect("a database");
    for name in ["taken", "deleted"] {
        session.secrets().create_secret().name(name).secret_string("x").send().await.expect("a secret");
    }
    session.secrets().delete_secret().secret_id("deleted").recovery_window_in_days(7).send().await.expect("deleted");
    let id = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S).build();
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build();
    let table = session.dynamodb().create_table().table_name("taken").billing_mode(BillingMode::PayPerRequest);
    let table = table.attribute_definitions(id.expect("it")).key_schema(key.expect("it"));
    table.send().await.expect("a table");

    let look = async |kind, name: &str| {
        aws::standing(&session, &Claim { address: "a.b".into(), kind, name: name.into() }).await
    };
    let taken = Standing::Taken("there already".into());
    let there = [
        (Kind::Bucket, "taken-bucket"),
        (Kind::LogGroup, "/taken/group"),
        (Kind::Secret, "taken"),
        (Kind::Table, "taken"),
        (Kind::Database, "taken"),
    ];
    for (kind, name) in there {
        assert_eq!(look(kind, name).await, taken, "{kind:?}");
    }
    let deleted = look(Kind::Secret, "deleted").await;
    assert!(matches!(&deleted, Standing::Deleting(until) if until.starts_with("20")), "{deleted:?}");
    let free = [
        (Kind::Bucket, "taken-bucke"),
        (Kind::LogGroup, "/taken/grou"),
        (Kind::Secret, "take"),
        (Kind::Table, "take"),
        (Kind::Database, "take"),
        (Kind::Cluster, "taken"),
        (Kind::Instance, "taken"),
        (Kind::ClusterSnapshot, "taken"),
        (Kind::InstanceSnapshot, "taken"),
    ];
    for (kind, name) in free {
        assert_eq!(look(kind, name).await, Standing::Free, "{kind:?}");
    }
    let counted = [(TABLES, Some(1)), (BUCKETS, Some(1)), (RDS_CLUSTERS, Some(0)), ("L-F678F1CE", None)];
    for (quota, count) in counted {
        assert_eq!(aws::count(&session, quota).await.expect("a count"), count, "{quota}");
    }
}

#[tokio::test]
async fn a_look_up_that_is_denied_is_not_taken_for_free() {
    let denied = |_: &Asked| {
        let body = json!({ "__type": "AccessDeniedException", "message": "not authorized to perform it" });
        (400, body.to_string())
    };
    let server = Scripted::start(denied).await;
    let session = server.session("us-east-1");
    for kind in [Kind::Table, Kind::LogGroup, Kind::Secret, Kind::Database] {
        let seen = aws::standing(&session, &Claim { address: "a.b".into(), kind, name: "x".into() }).await;
        assert!(matches!(&seen, Standing::Unknown(why) if why.contains("AccessDenied")), "{kind:?} {seen:?}");
    }
    assert!(quotas::limit(&session, "vpc", "L-F678F1CE").await.expect_err("denied").is("AccessDeniedException"));
}

/// Answers as Service Quotas does (Service Quotas API: "GetServiceQuota", "GetAWSDefaultServiceQuota", "Errors").
fn service_quotas(asked: &Asked) -> (u16, String) {
    let operation = asked.header("x-amz-target").rsplit('.').next().unwrap_or_default().to_owned();
    let raised = asked.body.contains("L-F678F1CE");
    let quota = |value: f64| {
        json!({ "Quota": { "ServiceCode": "vpc", "QuotaCode": "L-F678F1CE", "QuotaName": "VPCs per Region",
                           "Value": value, "Unit": "None", "Adjustable": true, "GlobalQuota": false } })
    };
    match (operation.as_str(), raised) {
        ("GetServiceQuota", true) => (200, quota(12.0).to_string()),
        ("GetAWSDefaultServiceQuota", false) if asked.body.contains("L-A4707A72") => (200, quota(5.0).to_string()),
        _ => {
            (400, json!({ "__type": "NoSuchResourceException", "Message": "The resource does not exist" }).to_string())
        }
    }
}

#[tokio::test]
async fn a_quota_is_the_accounts_own_or_the_default_or_not_known() {
    let server = Scripted::start(service_quotas).await;
    let session = server.session("us-east-1");
    assert_eq!(quotas::limit(&session, "vpc", "L-F678F1CE").await, Ok(12.0));
    assert_eq!(quotas::limit(&session, "vpc", "L-A4707A72").await, Ok(5.0));
    let unknown = quotas::limit(&session, "vpc", "L-00000000").await.expect_err("it is not known");
    assert!(unknown.is("NoSuchResourceException"), "{unknown}");
}
