//! The world before the outage, built in the real emulator and looked at with the SDK.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::ScalarAttributeType;
use jiff::SignedDuration;
use lifeboat::aws::Session;
use lifeboat::manifest::{
    Answer, Backend, Bucket, Catalog, CatalogSource, Cluster, ClusterSource, Comparison, Cutover, Expectation,
    Manifest, Quantity, Record, Region, Table, TableSource, TerraformRoot, Text, Zone,
};
use lifeboat::rehearse::world::{Known, Plenty, World, build};
use serde_json::Value;

use crate::harness::{self, TestEmulator};

const AWAY: &str = "eu-west-2";
const HERE: &str = "us-east-1";

fn region(name: &str, bucket: &str) -> Region {
    let backend =
        Backend { bucket: bucket.into(), key: "logs.tfstate".into(), use_lockfile: true, extra: BTreeMap::new() };
    Region { name: name.into(), workspace: name.into(), backend, variables: BTreeMap::new() }
}

fn at_least(quantity: Quantity, value: u64) -> Vec<Expectation> {
    vec![Expectation { quantity, comparison: Comparison::AtLeast, value }]
}

fn weighted(identifier: &str, weight: u8, value: Text) -> Record {
    Record {
        name: "ingest.example.com".into(),
        kind: "CNAME".into(),
        answer: Answer::Values { ttl_seconds: 60, values: vec![value] },
        set_identifier: Some(identifier.into()),
        weight: Some(weight),
        failover: None,
        health_check_id: None,
    }
}

/// Unlike the example's in every name; only the root is the example's.
pub fn manifest() -> Manifest {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let db = Record {
        name: "db.example.com".into(),
        set_identifier: None,
        weight: None,
        ..weighted("", 0, Text::Cluster { name: "main".into(), attribute: "endpoint".into() })
    };
    Manifest {
        path: PathBuf::from("/tmp/lifeboat.hcl"),
        environment: "test".into(),
        service: "shop".into(),
        account: harness::ACCOUNT.into(),
        terraform: TerraformRoot {
            root: root.join("examples/streaming-logs/infra"),
            var_files: vec![root.join("environments/prod/terraform.tfvars")],
            binary: None,
            parallelism: None,
            lock_timeout: SignedDuration::from_secs(60),
        },
        primary: region(AWAY, "shop-state"),
        recovery: region(HERE, "shop-state-dr"),
        objectives: BTreeMap::new(),
        clusters: vec![Cluster {
            name: "main".into(),
            source: "shop-db".into(),
            target: "shop-db-dr".into(),
            from: ClusterSource::LatestSnapshot,
            instances: 1,
            adopt: Some("module.database.aws_rds_cluster.logs".into()),
            subnet_group: None,
            security_groups: Vec::new(),
            rows: None,
        }],
        tables: vec![Table {
            name: "orders".into(),
            source: "shop-orders".into(),
            target: "shop-orders-dr".into(),
            from: TableSource::LatestBackup,
            aws_backup: None,
            adopt: Some("module.metadata.aws_dynamodb_table.metadata".into()),
            verify: at_least(Quantity::Items, 1000),
        }],
        buckets: vec![Bucket {
            name: "files".into(),
            source: "shop-files-backup".into(),
            source_role: None,
            target: "shop-files-dr".into(),
            include: vec![],
            exclude: vec![],
            verify: at_least(Quantity::Bytes, 1),
            batch: None,
            engine: Default::default(),
        }],
        catalogs: vec![
            Catalog {
                name: "events".into(),
                source: "shop_events".into(),
                target: "shop_events_dr".into(),
                from: CatalogSource::Export("s3://shop-exports/glue/events.json".into()),
                locations: BTreeMap::from([("s3://shop-files/".into(), "s3://shop-files-dr/".into())]),
                verify: Vec::new(),
                athena: None,
            },
            Catalog {
                name: "audit".into(),
                source: "shop_audit".into(),
                target: "shop_audit_dr".into(),
                from: CatalogSource::Replica("shop_audit_replica".into()),
                locations: BTreeMap::from([("s3://shop-files/".into(), "s3://shop-files-dr/".into())]),
                verify: at_least(Quantity::Partitions, 30),
                athena: None,
            },
        ],
        checks: Vec::new(),
        approval: None,
        cutovers: vec![Cutover {
            name: "public".into(),
            zone: Zone::Name("example.com".into()),
            records: vec![
                db,
                weighted("recovery", 100, Text::TerraformOutput("ingest_endpoint".into())),
                weighted("primary", 0, Text::Literal("ingest.primary.example.com".into())),
            ],
        }],
        guards: Default::default(),
        containment: None,
        rotation: None,
        evidence: None,
        rebuild: Default::default(),
    }
}

async fn table_items(session: &Session, table: &str) -> usize {
    let pages = session.dynamodb().scan().table_name(table).into_paginator().items().send().try_collect().await;
    pages.expect("a scan").len()
}

#[tokio::test]
async fn the_world_before_the_outage_is_whole() {
    let moto = harness::emulator().await;
    let began = Instant::now();
    let world = build(&manifest(), &moto.endpoint(), Plenty::USUAL).await.expect("a world");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());

    the_cluster_has_a_snapshot_in_both_regions(&moto, &world).await;
    the_table_is_in_the_primary_and_its_backup_in_the_recovery_region(&moto, &world).await;
    the_bucket_holds_what_is_said(&moto, &world).await;
    the_catalogs_reached_the_recovery_region(&moto, &world).await;
    the_records_answer_with_the_primary(&moto, &world).await;
    let homes: BTreeMap<&str, &str> =
        world.buckets_at.iter().map(|home| (home.bucket.as_str(), home.region.as_str())).collect();
    let expected = [
        ("shop-exports", HERE),
        ("shop-files", AWAY),
        ("shop-files-backup", HERE),
        ("shop-state", AWAY),
        ("shop-state-dr", HERE),
    ];
    assert_eq!(homes, BTreeMap::from(expected));
}

async fn the_cluster_has_a_snapshot_in_both_regions(moto: &TestEmulator, world: &World) {
    let away = moto.session(AWAY).rds();
    let clusters = away.describe_db_clusters().send().await.expect("clusters");
    let [cluster] = clusters.db_clusters() else { panic!("{clusters:?}") };
    assert_eq!(cluster.db_cluster_identifier(), Some("shop-db"));
    assert_eq!(cluster.engine_version(), Some("8.0.mysql_aurora.3.08.2"), "as the root's var file says");
    assert_eq!(cluster.db_cluster_members().len(), 1);
    let here = moto.session(HERE).rds();
    let snapshots = here.describe_db_cluster_snapshots().db_cluster_identifier("shop-db").send().await;
    let snapshots = snapshots.expect("snapshots");
    let [snapshot] = snapshots.db_cluster_snapshots() else { panic!("{snapshots:?}") };
    assert_eq!(snapshot.db_cluster_snapshot_identifier(), Some(world.clusters[0].snapshot.as_str()));
    assert!(world.clusters[0].snapshot.starts_with("shop-db-backup-20"));
    assert!(here.describe_db_clusters().send().await.expect("clusters").db_clusters().is_empty());
}

async fn the_table_is_in_the_primary_and_its_backup_in_the_recovery_region(moto: &TestEmulator, world: &World) {
    let (here, away) = (moto.session(HERE), moto.session(AWAY));
    assert_eq!(table_items(&away, "shop-orders").await, 1000);
    assert!(here.dynamodb().list_tables().send().await.expect("tables").table_names().is_empty());
    let backups = here.dynamodb().list_backups().table_name("shop-orders").send().await.expect("backups");
    let [backup] = backups.backup_summaries() else { panic!("{backups:?}") };
    assert_eq!(backup.backup_arn(), world.tables[0].backup_arn.as_deref());
    let restore = here.dynamodb().restore_table_from_backup().target_table_name("restored");
    let restored = restore.set_backup_arn(world.tables[0].backup_arn.clone()).send().await.expect("restored");
    let table = restored.table_description.expect("a table");
    assert_eq!(table_items(&here, "restored").await, 1000);
    let kinds: BTreeMap<&str, &ScalarAttributeType> = table
        .attribute_definitions()
        .iter()
        .map(|attribute| (attribute.attribute_name(), attribute.attribute_type()))
        .collect();
    let expected = [
        ("ingested_at", &ScalarAttributeType::N),
        ("log_id", &ScalarAttributeType::S),
        ("source", &ScalarAttributeType::S),
    ];
    assert_eq!(kinds, BTreeMap::from(expected), "as the root declares it");
    assert_eq!(table.global_secondary_indexes()[0].index_name(), Some("by-source"));
    let ttl = away.dynamodb().describe_time_to_live().table_name("shop-orders").send().await.expect("TTL");
    assert_eq!(ttl.time_to_live_description().and_then(|ttl| ttl.attribute_name()), Some("expires_at"));
}

async fn the_bucket_holds_what_is_said(moto: &TestEmulator, world: &World) {
    let s3 = moto.session(HERE).s3();
    let mut objects = HashMap::new();
    let mut pages = s3.list_objects_v2().bucket("shop-files-backup").into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page.expect("a page").contents() {
            objects.insert(object.key().expect("a key").to_owned(), object.size().expect("a size"));
        }
    }
    let bytes: i64 = objects.values().sum();
    assert_eq!((objects.len() as u64, bytes as u64), (world.buckets[0].objects, world.buckets[0].bytes));
    assert_eq!(objects.len(), 2000);
    assert_eq!(objects["app/large/archive.tar"], 20 * 1024 * 1024);
    assert!(
        objects.contains_key("app/a+b=c&d.json") && objects.contains_key("app/caf\u{e9}/\u{65e5}\u{672c}\u{8a9e}.log")
    );
    let large = s3.head_object().bucket("shop-files-backup").key("app/large/archive.tar").send().await.expect("a head");
    assert!(large.e_tag().is_some_and(|tag| tag.trim_matches('"').ends_with("-3")), "{large:?}");
    assert_eq!(large.metadata().and_then(|metadata| metadata.get("origin")).map(String::as_str), Some("archive"));
    let odd = s3.get_object().bucket("shop-files-backup").key("app/with space/part 00001.json").send().await;
    assert_eq!(
        odd.expect("an object").body.collect().await.expect("a body").into_bytes().len() as i64,
        objects["app/with space/part 00001.json"]
    );
}

async fn the_catalogs_reached_the_recovery_region(moto: &TestEmulator, world: &World) {
    let here = moto.session(HERE);
    let export = here.s3().get_object().bucket("shop-exports").key("glue/events.json").send().await.expect("an export");
    let export: Value =
        serde_json::from_slice(&export.body.collect().await.expect("a body").into_bytes()).expect("JSON");
    let partitions = export["Partitions"].as_object().expect("partitions");
    assert_eq!(partitions.keys().map(String::as_str).collect::<Vec<_>>(), ["access_logs", "app_logs"]);
    for (table, partitions) in partitions {
        let partitions = partitions.as_array().expect("a list");
        let locations: BTreeSet<&str> =
            partitions.iter().filter_map(|part| part["StorageDescriptor"]["Location"].as_str()).collect();
        assert!(locations.len() >= 12 && locations.iter().all(|at| at.starts_with("s3://shop-files/")), "{table}");
    }
    let tables = here.glue().get_tables().database_name("shop_audit_replica").send().await.expect("tables");
    assert_eq!(tables.table_list().len() as u64, world.catalogs[1].tables);
    let mut found = 0;
    for table in tables.table_list() {
        let parts = here.glue().get_partitions().database_name("shop_audit_replica").table_name(table.name());
        found += parts.send().await.expect("partitions").partitions().len() as u64;
    }
    assert_eq!((found, world.catalogs[1].partitions), (30, 30));
}

async fn the_records_answer_with_the_primary(moto: &TestEmulator, world: &World) {
    let [zone] = world.zones.as_slice() else { panic!("{:?}", world.zones) };
    let route53 = moto.session(HERE).route53();
    let sets = route53.list_resource_record_sets().hosted_zone_id(&zone.id).send().await.expect("records");
    let answers: Vec<(Option<&str>, Option<i64>, &str)> = sets
        .resource_record_sets()
        .iter()
        .filter(|set| set.r#type().as_str() == "CNAME")
        .map(|set| (set.set_identifier(), set.weight(), set.resource_records()[0].value()))
        .collect();
    assert!(answers.iter().any(|(_, _, value)| value.contains("shop-db") && value.contains(AWAY)), "{answers:?}");
    assert!(answers.contains(&(Some("primary"), Some(100), "ingest.primary.example.com")), "{answers:?}");
    assert!(answers.iter().any(|(set, weight, _)| (*set, *weight) == (Some("recovery"), Some(0))), "{answers:?}");
    assert!(matches!(&zone.records[0].answer, Known::Values { ttl_seconds: 60, .. }));
}

#[tokio::test]
async fn a_world_that_cannot_be_is_refused_in_words() {
    let moto = harness::emulator().await;
    let mut manifest = manifest();
    manifest.clusters.clear();
    manifest.tables.clear();
    manifest.catalogs.clear();
    manifest.buckets.clear();
    manifest.cutovers[0].zone = Zone::Id("Z123".into());
    let error = build(&manifest, &moto.endpoint(), Plenty::FEW).await.expect_err("no such zone");
    assert!(error.to_string().contains("name the zone instead"), "{error}");
}
