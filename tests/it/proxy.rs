//! The recording proxy of a rehearsal, asked by the real SDK clients, with the real emulator behind it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use bytes::Bytes;
use http_body_util::BodyExt;
use lifeboat::aws::Session;
use lifeboat::rehearse::proxy::{Effect, Pattern, Proxy, ProxyOptions, RequestRecord, Summary, read_records};

use crate::harness::{self, TestEmulator};

const AWAY: &str = "eu-west-2";
const HERE: &str = "us-east-1";

struct Rig {
    moto: TestEmulator,
    proxy: Proxy,
    log: PathBuf,
}

impl Rig {
    async fn new() -> Self {
        let moto = harness::emulator().await;
        let log = moto.dir.path().join("requests.jsonl");
        let options = ProxyOptions { upstream: moto.emulator.address(), log: log.clone(), port: None };
        let proxy = Proxy::start(&options).await.expect("a proxy");
        Self { moto, proxy, log }
    }

    fn session(&self, region: &str) -> Session {
        Session::emulated(region, &self.proxy.endpoint())
    }

    fn records(&self) -> Vec<RequestRecord> {
        read_records(&self.log).expect("records")
    }
}

async fn make_bucket(session: &Session, name: &str) {
    let place = (session.region() != HERE).then(|| {
        CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(session.region()))
            .build()
    });
    let made = session.s3().create_bucket().bucket(name).set_create_bucket_configuration(place).send().await;
    made.expect("a bucket");
}

async fn make_table(session: &Session, name: &str) {
    let attribute = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
    let made = session
        .dynamodb()
        .create_table()
        .table_name(name)
        .attribute_definitions(attribute.build().expect("an attribute"))
        .key_schema(key.build().expect("a key"))
        .billing_mode(BillingMode::PayPerRequest)
        .send()
        .await;
    made.expect("a table");
}

async fn make_cluster(session: &Session, name: &str) {
    let made = session
        .rds()
        .create_db_cluster()
        .db_cluster_identifier(name)
        .engine("aurora-mysql")
        .master_username("admin")
        .master_user_password("not-a-secret")
        .send()
        .await;
    made.expect("a cluster");
}

async fn cluster_status(session: &Session, name: &str) -> String {
    let answer = session.rds().describe_db_clusters().db_cluster_identifier(name).send().await.expect("an answer");
    answer.db_clusters()[0].status().expect("a status").to_owned()
}

#[tokio::test]
async fn every_service_is_recorded_by_operation_and_region() {
    let rig = Rig::new().await;
    let (here, away) = (rig.session(HERE), rig.session(AWAY));
    here.caller().await.expect("a caller");
    make_bucket(&away, "logs").await;
    here.s3().put_object().bucket("logs").key("a b+c/\u{e9}").body(b"x".to_vec().into()).send().await.expect("put");
    here.s3().head_object().bucket("logs").key("a b+c/\u{e9}").send().await.expect("head");
    here.s3().copy_object().bucket("logs").key("copy").copy_source("logs/a%20b%2Bc/%C3%A9").send().await.expect("copy");
    here.s3().list_objects_v2().bucket("logs").send().await.expect("list");
    make_table(&here, "metadata").await;
    here.dynamodb().describe_table().table_name("metadata").send().await.expect("described");
    make_cluster(&away, "aurora").await;
    here.route53().create_hosted_zone().name("example.com").caller_reference("1").send().await.expect("a zone");
    here.glue().get_databases().send().await.expect("databases");
    rig.proxy.stop().await.expect("all recorded");

    let records = read_records(&rig.log).expect("records");
    let seen: Vec<String> = records
        .iter()
        .map(|record| format!("{} {}:{} {}", record.region, record.service, record.operation, record.status))
        .collect();
    let expected = [
        "us-east-1 sts:GetCallerIdentity 200",
        "eu-west-2 s3:CreateBucket 200",
        "us-east-1 s3:PutObject 200",
        "us-east-1 s3:HeadObject 200",
        "us-east-1 s3:CopyObject 200",
        "us-east-1 s3:ListObjectsV2 200",
        "us-east-1 dynamodb:CreateTable 200",
        "us-east-1 dynamodb:DescribeTable 200",
        "eu-west-2 rds:CreateDBCluster 200",
        "us-east-1 route53:CreateHostedZone 201",
        "us-east-1 glue:GetDatabases 200",
    ];
    assert_eq!(seen, expected);
    assert_eq!(records[8].resource.as_deref(), Some("aurora"));
    assert!(records.iter().all(|record| record.agent == "lifeboat"), "{records:?}");
    let summary = Summary::of(&records);
    assert_eq!((summary.requests_in(AWAY), summary.requests_in(HERE)), (2, 8));
}

#[tokio::test]
async fn a_request_to_a_bucket_counts_for_the_region_where_it_lives() {
    let rig = Rig::new().await;
    make_bucket(&rig.moto.session(AWAY), "logs").await;
    rig.proxy.control().bucket_home("logs", AWAY);
    rig.session(HERE).s3().list_objects_v2().bucket("logs").send().await.expect("list");
    assert_eq!(Summary::of(&rig.records()).requests_in(AWAY), 1);
}

#[tokio::test]
async fn a_refused_region_does_not_answer_and_the_other_one_does() {
    let rig = Rig::new().await;
    rig.proxy.control().refuse_region(AWAY);
    let error = rig.session(AWAY).rds().describe_db_clusters().send().await.expect_err("a dead region");
    assert!(matches!(error, aws_sdk_rds::error::SdkError::DispatchFailure(_)), "{error:?}");
    rig.session(HERE).rds().describe_db_clusters().send().await.expect("a living region");
    let records = rig.records();
    let refused: Vec<_> = records.iter().filter(|record| record.region == AWAY).collect();
    assert!(!refused.is_empty() && refused.iter().all(|record| record.status == 0), "{records:?}");

    rig.proxy.control().clear();
    rig.session(AWAY).rds().describe_db_clusters().send().await.expect("it is back");
}

#[tokio::test]
async fn what_was_created_is_in_creation_for_a_while() {
    let rig = Rig::new().await;
    let session = rig.session(HERE);
    make_cluster(&session, "old").await;
    rig.proxy.control().settle_after(Duration::from_secs(2));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let began = Instant::now();
    make_cluster(&session, "new").await;
    make_table(&session, "table").await;
    assert_eq!(cluster_status(&session, "new").await, "creating");
    assert_eq!(cluster_status(&session, "old").await, "available");
    let table = async || {
        let answer = session.dynamodb().describe_table().table_name("table").send().await.expect("an answer");
        answer.table().and_then(|table| table.table_status().cloned()).expect("a status")
    };
    assert_eq!(table().await, TableStatus::Creating);
    while cluster_status(&session, "new").await == "creating" && began.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!((2..5).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(table().await, TableStatus::Active);
}

#[tokio::test]
async fn twenty_mebibytes_pass_in_both_directions() {
    let rig = Rig::new().await;
    let session = rig.session(HERE);
    make_bucket(&session, "logs").await;
    let content = Bytes::from((0..20 * 1024 * 1024_u32).map(|at| ((at * 31) >> 8) as u8).collect::<Vec<u8>>());
    session.s3().put_object().bucket("logs").key("large").body(content.clone().into()).send().await.expect("put");
    let answer = session.s3().get_object().bucket("logs").key("large").send().await.expect("got");
    assert!(answer.body.collect().await.expect("a body").into_bytes() == content);
    let records = rig.records();
    let sent = records.iter().find(|record| record.operation == "PutObject").expect("recorded");
    let got = records.iter().find(|record| record.operation == "GetObject").expect("recorded");
    assert!(sent.request_bytes >= content.len() as u64, "{sent:?}");
    assert_eq!(got.response_bytes, content.len() as u64);
}

#[tokio::test]
async fn a_presigned_address_works_through_the_proxy() {
    let rig = Rig::new().await;
    let session = rig.session(AWAY);
    make_bucket(&session, "logs").await;
    session.s3().put_object().bucket("logs").key("k").body(b"here".to_vec().into()).send().await.expect("put");
    let expires = aws_sdk_s3::presigning::PresigningConfig::expires_in(Duration::from_secs(60)).expect("a time");
    let signed = session.s3().get_object().bucket("logs").key("k").presigned(expires).await.expect("an address");
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<http_body_util::Empty<Bytes>>();
    let answer = client.get(signed.uri().parse().expect("an address")).await.expect("an answer");
    assert_eq!(answer.into_body().collect().await.expect("a body").to_bytes(), "here");
    let record = rig.records().pop().expect("a record");
    assert_eq!((record.region.as_str(), record.operation.as_str()), (AWAY, "GetObject"));
}

#[tokio::test]
async fn throttled_requests_are_done_later_and_a_lost_reply_was_carried_out() {
    let rig = Rig::new().await;
    let session = rig.session(HERE);
    let control = rig.proxy.control();
    control.add(Pattern::default(), Effect::Throttle { share: 0.2, seed: 1 });
    for number in 0..6 {
        make_bucket(&session, &format!("bucket-{number}")).await;
    }
    session.rds().describe_db_clusters().send().await.expect("an answer");
    session.dynamodb().list_tables().send().await.expect("an answer");
    assert!(rig.records().iter().any(|record| record.status == 503), "{:?}", rig.records());

    control.clear();
    control.add(Pattern::operation("rds", "CreateDBCluster"), Effect::LoseReply { nth: 1 });
    let retried = session
        .rds()
        .create_db_cluster()
        .db_cluster_identifier("once")
        .engine("aurora-mysql")
        .master_username("admin")
        .master_user_password("not-a-secret")
        .send()
        .await
        .expect_err("the SDK's second try finds the first one's cluster");
    // moto fails at the second cluster's first automated snapshot, AWS with DBClusterAlreadyExistsFault.
    assert!(format!("{retried:?}").contains("AlreadyExistsFault"), "{retried:?}");
    assert_eq!(rig.moto.session(HERE).rds().describe_db_clusters().send().await.expect("one").db_clusters().len(), 1);
    assert_eq!(control.seen(&Pattern::operation("rds", "CreateDBCluster")), 2);
}
