//! A cutover: all records in one batch, what stood is known before, and can be put back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::ready;

use aws_sdk_route53::types as sdk;
use lifeboat::aws::Session;
use lifeboat::aws::route53::{ChangeBatch, RecordSet, change, record_sets_named};
use lifeboat::manifest::{Answer, Backend, Cluster, ClusterSource, Cutover, Record, Region, Text, Zone};
use lifeboat::steps::{Resolver, Standing, StepError, change_records, check_cutover, view_cutover};
use serde_json::{Value, json};

use crate::harness;
use crate::scripted::Scripted;

pub fn recovery() -> Region {
    let backend =
        Backend { bucket: "state".into(), key: "logs.tfstate".into(), use_lockfile: true, extra: BTreeMap::new() };
    Region { name: "us-east-1".into(), workspace: "prod-dr".into(), backend, variables: BTreeMap::new() }
}

pub fn cluster() -> Cluster {
    Cluster {
        name: "logs".into(),
        source: "logs-prod".into(),
        target: "logs-dr".into(),
        from: ClusterSource::LatestSnapshot,
        instances: 1,
        adopt: None,
        subnet_group: None,
        security_groups: vec![],
        rows: None,
    }
}

pub fn literal(text: &str) -> Text {
    Text::Literal(text.into())
}

pub fn simple(name: &str, kind: &str, values: Vec<Text>) -> Record {
    Record {
        name: name.into(),
        kind: kind.into(),
        answer: Answer::Values { ttl_seconds: 60, values },
        set_identifier: None,
        weight: None,
        failover: None,
        health_check_id: None,
    }
}

pub fn cutover(records: Vec<Record>) -> Cutover {
    Cutover { name: "api".into(), zone: Zone::Name("example.com".into()), records }
}

pub async fn zone(session: &Session, private: bool) -> String {
    let mut request = session.route53().create_hosted_zone().name("example.com").caller_reference("test");
    if private {
        let vpc = sdk::Vpc::builder().vpc_id("vpc-12345678").vpc_region(sdk::VpcRegion::UsEast1).build();
        let config = sdk::HostedZoneConfig::builder().private_zone(true).comment("inside").build();
        request = request.vpc(vpc).hosted_zone_config(config);
    }
    let answer = request.send().await.expect("a zone");
    answer.hosted_zone().expect("a zone").id().trim_start_matches("/hostedzone/").to_owned()
}

/// Puts record sets in place as the CLI would.
async fn put(session: &Session, zone: &str, sets: Value) {
    let changes: Vec<Value> = sets
        .as_array()
        .expect("a list")
        .iter()
        .map(|s| json!({ "Action": "UPSERT", "ResourceRecordSet": s }))
        .collect();
    let batch = serde_json::from_value(json!({ "Comment": "before", "Changes": changes })).expect("a batch");
    change(session, zone, &batch).await.expect("changed");
}

async fn answer(session: &Session, zone: &str, name: &str) -> Vec<RecordSet> {
    let mut sets = record_sets_named(session, zone, name).await.expect("records");
    sets.sort_by(|a, b| a.set_identifier.cmp(&b.set_identifier));
    sets
}

fn values(set: &RecordSet) -> Vec<&str> {
    set.resource_records.iter().map(|record| record.value.as_str()).collect()
}

#[tokio::test]
async fn simple_weighted_failover_and_alias_records_move_in_one_batch_and_back() {
    let moto = harness::emulator().await;
    let session = moto.session("us-east-1");
    let zone = zone(&session, false).await;
    let set = |id: &str, key: &str, value: Value, ip: &str| {
        let name = if key == "Weight" { "weighted" } else { "failover" };
        json!({ "Name": format!("{name}.example.com"), "Type": "A", "SetIdentifier": id, key: value, "TTL": 60,
                "ResourceRecords": [{ "Value": ip }] })
    };
    put(
        &session,
        &zone,
        json!([
            { "Name": "*.example.com", "Type": "CNAME", "TTL": 600, "ResourceRecords": [{ "Value": "old.example.net" }] },
            set("blue", "Weight", json!(100), "192.0.2.1"),
            set("green", "Weight", json!(0), "192.0.2.2"),
            set("one", "Failover", json!("PRIMARY"), "192.0.2.1"),
            { "Name": "untouched.example.com", "Type": "A", "TTL": 60, "ResourceRecords": [{ "Value": "192.0.2.7" }] },
        ]),
    )
    .await;
    let blue = Record {
        set_identifier: Some("blue".into()),
        weight: Some(0),
        ..simple("weighted.example.com", "A", vec![literal("192.0.2.1")])
    };
    let green = Record {
        set_identifier: Some("green".into()),
        weight: Some(100),
        ..simple("weighted.example.com", "A", vec![literal("192.0.2.2")])
    };
    let one = Record {
        set_identifier: Some("one".into()),
        failover: Some("PRIMARY".into()),
        ..simple("failover.example.com", "A", vec![literal("192.0.2.9")])
    };
    let alias = Record {
        answer: Answer::Alias {
            name: literal("lb.us-east-1.elb.amazonaws.com"),
            zone_id: literal("Z35SXDOTRQ7X7K"),
            evaluate_target_health: true,
        },
        ..simple("alias.example.com", "A", vec![])
    };
    let star =
        simple("*.example.com", "CNAME", vec![Text::Cluster { name: "logs".into(), attribute: "endpoint".into() }]);
    let cutover = cutover(vec![star, blue, green, one, alias]);
    let (clusters, region) = ([cluster()], recovery());
    let output = |step: &str| (step == "restore.aurora.logs").then(|| json!({ "endpoint": "logs-dr.cluster.example" }));
    let resolver = Resolver::new(&session, &clusters, &region, output);
    let checked = check_cutover(&session, &cutover, &resolver).await.expect("may start");
    assert_eq!(checked.standing, Standing::Unknown);
    assert_eq!(checked.facts["zone_id"], json!(zone));
    assert_eq!(
        checked.facts["warnings"],
        json!(["resolvers may keep CNAME *.example.com for another 600 s: lower its TTL beforehand"])
    );

    let dir = tempfile::tempdir().expect("a folder");
    let before = view_cutover(&session, &cutover, &resolver).await.expect("a view");
    let noted = RefCell::new(Value::Null);
    let note = |value| {
        *noted.borrow_mut() = value;
        ready(Ok(()))
    };
    let id = change_records(&session, &cutover, &before, "r1", dir.path(), note).await.expect("changed");
    assert!(!id.is_empty());
    assert_eq!(values(&answer(&session, &zone, "*.example.com").await[0]), ["logs-dr.cluster.example"]);
    let weights: Vec<_> = answer(&session, &zone, "weighted.example.com").await.iter().map(|set| set.weight).collect();
    assert_eq!(weights, [Some(0), Some(100)]);
    assert_eq!(values(&answer(&session, &zone, "failover.example.com").await[0]), ["192.0.2.9"]);
    let made = answer(&session, &zone, "alias.example.com").await;
    assert_eq!(made[0].alias_target.as_ref().map(|alias| alias.evaluate_target_health), Some(true));
    assert!(view_cutover(&session, &cutover, &resolver).await.expect("a view").is_done());
    assert_eq!(check_cutover(&session, &cutover, &resolver).await.expect("may start").standing, Standing::InPlace);

    let noted = noted.into_inner();
    assert_eq!(noted["zone_id"], json!(zone));
    assert_eq!(noted["records"][0]["record_set"]["ResourceRecords"], json!([{ "Value": "old.example.net" }]));
    assert_eq!(noted["records"][4]["record_set"], Value::Null);
    let undo = std::fs::read(dir.path().join("undo-api.json")).expect("an undo batch");
    let undo: ChangeBatch = serde_json::from_slice(&undo).expect("a change batch");
    change(&session, &zone, &undo).await.expect("undone");
    assert_eq!(values(&answer(&session, &zone, "*.example.com").await[0]), ["old.example.net"]);
    let weights: Vec<_> = answer(&session, &zone, "weighted.example.com").await.iter().map(|set| set.weight).collect();
    assert_eq!(weights, [Some(100), Some(0)]);
    assert_eq!(answer(&session, &zone, "alias.example.com").await, []);
    assert_eq!(values(&answer(&session, &zone, "untouched.example.com").await[0]), ["192.0.2.7"]);
}

#[tokio::test]
async fn nothing_changes_where_what_stood_cannot_be_noted_or_is_not_known() {
    let moto = harness::emulator().await;
    let session = moto.session("us-east-1");
    let zone = zone(&session, false).await;
    let dir = tempfile::tempdir().expect("a folder");
    let (clusters, region) = ([cluster()], recovery());
    let resolver = Resolver::new(&session, &clusters, &region, |_| None);

    let known = cutover(vec![simple("api.example.com", "A", vec![literal("192.0.2.9")])]);
    let before = view_cutover(&session, &known, &resolver).await.expect("a view");
    let full = |_| ready(Err(StepError::failed("the disk is full")));
    change_records(&session, &known, &before, "r1", dir.path(), full).await.expect_err("not noted");
    assert_eq!(answer(&session, &zone, "api.example.com").await, []);

    let reference = Text::TerraformOutput("endpoint".into());
    let unknown = cutover(vec![simple("api.example.com", "CNAME", vec![reference])]);
    let before = view_cutover(&session, &unknown, &resolver).await.expect("a view");
    let error =
        change_records(&session, &unknown, &before, "r1", dir.path(), |_| ready(Ok(()))).await.expect_err("unknown");
    assert_eq!(error.to_string(), "CNAME api.example.com needs terraform.output.endpoint, which is not known");
    let lost = dir.path().join("missing");
    let before = view_cutover(&session, &known, &resolver).await.expect("a view");
    let error = change_records(&session, &known, &before, "r1", &lost, |_| ready(Ok(()))).await.expect_err("no folder");
    assert!(error.to_string().contains("cannot be written"), "{error}");
    assert_eq!(answer(&session, &zone, "api.example.com").await, []);
}

#[tokio::test]
async fn a_later_run_reads_from_the_recovery_state_that_the_traffic_is_there_already() {
    let moto = harness::emulator().await;
    let session = moto.session("us-east-1");
    let zone = zone(&session, false).await;
    let cutover = cutover(vec![simple("api.example.com", "CNAME", vec![Text::TerraformOutput("host".into())])]);
    let (clusters, region) = ([cluster()], recovery());
    let check = async || {
        let resolver = Resolver::new(&session, &clusters, &region, |_| None);
        check_cutover(&session, &cutover, &resolver).await
    };
    assert_eq!(check().await.expect("may start").standing, Standing::Unknown);

    session.s3().create_bucket().bucket("state").send().await.expect("a bucket");
    let state = async |host: Value, sensitive: bool| {
        let state = json!({ "version": 4, "serial": 7, "lineage": "l", "resources": [{ "type": "x" }],
                            "outputs": { "host": { "value": host, "type": "string", "sensitive": sensitive } } });
        let body = state.to_string().into_bytes().into();
        let put = session.s3().put_object().bucket("state").key("env:/prod-dr/logs.tfstate").body(body);
        put.send().await.expect("a state");
    };
    state(json!("API.example.net"), false).await;
    assert_eq!(check().await.expect("may start").standing, Standing::Unknown);
    put(
        &session,
        &zone,
        json!([{ "Name": "api.example.com", "Type": "CNAME", "TTL": 60, "ResourceRecords": [{ "Value": "api.example.net." }] }]),
    )
    .await;
    assert_eq!(check().await.expect("may start").standing, Standing::InPlace);
    state(json!("secret"), true).await;
    let blocked = check().await.expect_err("a secret");
    assert!(blocked.to_string().contains("host is sensitive") && !blocked.to_string().contains("secret,"), "{blocked}");
}

#[tokio::test]
async fn zones_and_records_that_route_53_would_refuse_block_before_the_run() {
    let moto = harness::emulator().await;
    let session = moto.session("us-east-1");
    let (clusters, region) = ([cluster()], recovery());
    let resolver = Resolver::new(&session, &clusters, &region, |_| None);
    let api = cutover(vec![simple("api.example.com", "A", vec![literal("192.0.2.9")])]);
    let blocked = check_cutover(&session, &api, &resolver).await.expect_err("no zone");
    assert_eq!(blocked.to_string(), "no hosted zone is called example.com");

    let public = zone(&session, false).await;
    put(
        &session,
        &public,
        json!([{ "Name": "api.example.com", "Type": "A", "SetIdentifier": "blue", "Weight": 1, "TTL": 60,
                 "ResourceRecords": [{ "Value": "192.0.2.1" }] }]),
    )
    .await;
    let blocked = check_cutover(&session, &api, &resolver).await.expect_err("weighted records stand");
    assert!(blocked.to_string().contains("to be simple, but a weighted record"), "{blocked}");
    let elsewhere = cutover(vec![simple("api.example.org", "A", vec![literal("192.0.2.9")])]);
    let blocked = check_cutover(&session, &elsewhere, &resolver).await.expect_err("another domain");
    assert!(blocked.to_string().contains("is not in hosted zone example.com"), "{blocked}");

    let private = zone(&session, true).await;
    let blocked = check_cutover(&session, &api, &resolver).await.expect_err("two zones");
    assert!(blocked.to_string().starts_with("2 hosted zones are called example.com"), "{blocked}");
    assert!(blocked.to_string().contains(&format!("{private} (private)")), "{blocked}");
    let by_id = Cutover { zone: Zone::Id(private), ..api };
    check_cutover(&session, &by_id, &resolver).await.expect("the id is clear");
}

/// The emulator answers each page with the first one where many records share a name, which AWS does not.
#[tokio::test]
async fn a_list_that_does_not_go_on_is_an_error_and_not_endless() {
    let moto = harness::emulator().await;
    let session = moto.session("us-east-1");
    let zone = zone(&session, false).await;
    let sets: Vec<Value> = (0..350)
        .map(|number| {
            json!({ "Name": "api.example.com", "Type": "A", "SetIdentifier": format!("{number:03}"), "Weight": 1,
                    "TTL": 60, "ResourceRecords": [{ "Value": "192.0.2.1" }] })
        })
        .collect();
    put(&session, &zone, json!(sets)).await;
    let error = record_sets_named(&session, &zone, "api.example.com").await.expect_err("the same page again");
    assert!(error.to_string().contains("cut short"), "{error}");
    assert_eq!(answer(&session, &zone, "ap.example.com").await, []);
}

#[tokio::test]
async fn records_beyond_the_first_page_are_found() {
    let page = |set: &str, next: &str| {
        format!(
            r#"<ListResourceRecordSetsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ResourceRecordSets>
            <ResourceRecordSet><Name>\052.example.com.</Name><Type>A</Type><SetIdentifier>{set}</SetIdentifier>
            <Weight>1</Weight><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord>
            </ResourceRecords></ResourceRecordSet></ResourceRecordSets>{next}<MaxItems>1</MaxItems>
            </ListResourceRecordSetsResponse>"#
        )
    };
    let first = page(
        "blue",
        "<IsTruncated>true</IsTruncated><NextRecordName>\\052.example.com.</NextRecordName>\
         <NextRecordType>A</NextRecordType><NextRecordIdentifier>green</NextRecordIdentifier>",
    );
    let last = page("green", "<IsTruncated>false</IsTruncated>");
    let server = Scripted::start(move |request| {
        (200, if request.target.contains("identifier=green") { last.clone() } else { first.clone() })
    })
    .await;
    let sets = record_sets_named(&server.session("us-east-1"), "Z1", "*.example.com").await.expect("records");
    let ids: Vec<_> = sets.iter().filter_map(|set| set.set_identifier.as_deref()).collect();
    assert_eq!(ids, ["blue", "green"]);
}
