//! Whether the example stands in its recovery region: asked of the emulator, never of what lifeboat says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::types::{AttributeValue, PointInTimeRecoveryStatus, TimeToLiveStatus};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::Object;
use futures::StreamExt;
use lifeboat::aws::Session;
use sha2::{Digest, Sha256};

use crate::shared_world::SHARED;

const CLUSTER: &str = "streaming-logs-aurora-prod-dr";
const TABLE: &str = "streaming-logs-metadata-prod";
const SOURCE: &str = "streaming-logs-logs-prod-backup";
pub const TARGET: &str = "streaming-logs-logs-prod-dr";
/// Every so many-th object is fetched on both sides, besides all that are special.
const FETCHED: usize = 20;

/// Clients of the emulator at `endpoint`, of the lost and of the recovery region.
pub struct Clouds {
    pub lost: Session,
    pub recovery: Session,
}

impl Clouds {
    pub fn at(endpoint: &str) -> Self {
        Self { lost: Session::emulated("eu-west-2", endpoint), recovery: Session::emulated("us-east-1", endpoint) }
    }

    /// Everything that a failover brings back, whole and where it belongs.
    pub async fn hold_the_recovered_stack(&self) {
        let endpoint = self.cluster_serves().await;
        self.table_is_whole().await;
        self.bucket_equals_its_source().await;
        self.catalog_points_to_the_recovery_bucket().await;
        let records = self.records().await;
        let expected = [
            ("db.streaming-logs.example.com.".to_owned(), None, endpoint),
            (
                "ingest.streaming-logs.example.com.".into(),
                Some(0),
                "ingest.eu-west-2.streaming-logs.example.com".into(),
            ),
            (
                "ingest.streaming-logs.example.com.".into(),
                Some(100),
                "ingest.us-east-1.streaming-logs.example.com".into(),
            ),
        ];
        assert_eq!(records, BTreeSet::from(expected));
    }

    /// Returns the cluster's endpoint.
    async fn cluster_serves(&self) -> String {
        let clusters = self.recovery.rds().describe_db_clusters().send().await.expect("clusters");
        let [cluster] = clusters.db_clusters() else { panic!("not one cluster: {clusters:?}") };
        assert_eq!((cluster.db_cluster_identifier(), cluster.status()), (Some(CLUSTER), Some("available")));
        let instances = self.recovery.rds().describe_db_instances().send().await.expect("instances");
        let [instance] = instances.db_instances() else { panic!("not one instance: {instances:?}") };
        assert_eq!(instance.db_cluster_identifier(), Some(CLUSTER));
        assert_eq!(
            (instance.db_instance_class(), instance.db_instance_status()),
            (Some("db.serverless"), Some("available"))
        );
        cluster.endpoint().expect("an endpoint").to_owned()
    }

    async fn table_is_whole(&self) {
        let (here, target) = (self.recovery.dynamodb(), format!("{TABLE}-dr"));
        let tables = here.list_tables().send().await.expect("tables");
        assert_eq!(tables.table_names(), [target.as_str()]);
        let restored = items(&self.recovery, &target).await;
        assert_eq!(restored.len(), 1000);
        assert_eq!(restored, items(&self.lost, TABLE).await, "each item as it was");
        let ttl = here.describe_time_to_live().table_name(&target).send().await.expect("TTL");
        let ttl = ttl.time_to_live_description.expect("TTL");
        assert_eq!(
            (ttl.attribute_name(), ttl.time_to_live_status()),
            (Some("expires_at"), Some(&TimeToLiveStatus::Enabled))
        );
        let backups = here.describe_continuous_backups().table_name(&target).send().await.expect("backups");
        let backups = backups.continuous_backups_description.expect("backups");
        let pitr = backups.point_in_time_recovery_description().and_then(|it| it.point_in_time_recovery_status());
        assert_eq!(pitr, Some(&PointInTimeRecoveryStatus::Enabled));
        let table = here.describe_table().table_name(&target).send().await.expect("the table").table.expect("it");
        let arn = table.table_arn().expect("an ARN");
        let tags = here.list_tags_of_resource().resource_arn(arn).send().await.expect("tags");
        let tags: BTreeMap<&str, &str> = tags.tags().iter().map(|tag| (tag.key(), tag.value())).collect();
        for (key, value) in [("Environment", "prod-dr"), ("ManagedBy", "terraform"), ("Service", "streaming-logs")] {
            assert_eq!(tags.get(key), Some(&value), "{tags:?}");
        }
    }

    /// Names, sizes and ETags of all; ETags are hashes of the contents. What is special is fetched as well.
    async fn bucket_equals_its_source(&self) {
        let s3 = self.recovery.s3();
        let (source, target) = (self.objects(SOURCE).await, self.objects(TARGET).await);
        assert!(source.len() as u64 >= SHARED.objects, "{} objects", source.len());
        let told = |objects: &BTreeMap<String, Object>| -> BTreeMap<String, (Option<i64>, Option<String>)> {
            objects.iter().map(|(key, it)| (key.clone(), (it.size(), it.e_tag().map(str::to_owned)))).collect()
        };
        assert!(told(&source) == told(&target), "{SOURCE} and {TARGET} differ");
        let large = target["app/large/archive.tar"].clone();
        assert_eq!(large.size(), Some(20 * 1024 * 1024));
        assert!(large.e_tag().is_some_and(|tag| tag.trim_matches('"').ends_with("-3")), "{large:?}");

        let usual = |key: &str| key.contains("/year=2026/");
        let picked: Vec<&String> =
            source.keys().enumerate().filter(|(n, key)| n % FETCHED == 0 || !usual(key)).map(|(_, key)| key).collect();
        let compared = futures::stream::iter(picked).map(|key| {
            let s3 = s3.clone();
            async move {
                let of = |bucket| whole(s3.get_object().bucket(bucket).key(key));
                let (one, other) = (of(SOURCE).await, of(TARGET).await);
                assert!(one == other, "{key}: {one:?} is not {other:?}");
                one.metadata.is_some_and(|it| !it.is_empty())
            }
        });
        let with_metadata = compared.buffer_unordered(8).filter(|it| std::future::ready(*it)).count().await;
        assert!(with_metadata * 100 > source.len(), "{with_metadata} of the fetched have metadata");

        let mut tagged = 0;
        for key in source.keys() {
            // Asking for the tags of all would take as long as the failover.
            if !is_tagged(key) {
                continue;
            }
            let of = |bucket| s3.get_object_tagging().bucket(bucket).key(key).send();
            let (one, other) = tokio::join!(of(SOURCE), of(TARGET));
            let (one, other) = (one.expect("tags"), other.expect("tags"));
            assert_eq!(one.tag_set(), other.tag_set(), "{key}");
            tagged += usize::from(one.tag_set().len() == 2);
        }
        assert!(tagged * 60 >= source.len(), "{tagged} objects have tags");
    }

    async fn objects(&self, bucket: &str) -> BTreeMap<String, Object> {
        let mut pages = self.recovery.s3().list_objects_v2().bucket(bucket).into_paginator().send();
        let mut objects = BTreeMap::new();
        while let Some(page) = pages.next().await {
            let found = page.expect("a page").contents.unwrap_or_default();
            objects.extend(found.into_iter().map(|it| (it.key().expect("a key").to_owned(), it)));
        }
        objects
    }

    async fn catalog_points_to_the_recovery_bucket(&self) {
        let was = partitions(&self.lost, "streaming_logs_prod").await;
        let is = partitions(&self.recovery, "streaming_logs_prod_dr").await;
        assert_eq!(is.len(), 24);
        let moved = |at: &String| at.replace("s3://streaming-logs-logs-prod/", "s3://streaming-logs-logs-prod-dr/");
        let expected: BTreeMap<_, _> = was.into_iter().map(|(name, at)| (name, moved(&at))).collect();
        assert_eq!(is, expected);
        assert!(is.values().all(|at| at.starts_with("s3://streaming-logs-logs-prod-dr/")), "{is:?}");
    }

    /// Name, weight and answer of the CNAMEs.
    pub async fn records(&self) -> BTreeSet<(String, Option<i64>, String)> {
        let route53 = self.recovery.route53();
        let zones = route53.list_hosted_zones().send().await.expect("zones");
        let [zone] = zones.hosted_zones() else { panic!("{zones:?}") };
        let sets = route53.list_resource_record_sets().hosted_zone_id(zone.id()).send().await.expect("records");
        let cnames = sets.resource_record_sets().iter().filter(|set| set.r#type().as_str() == "CNAME");
        cnames.map(|set| (set.name().to_owned(), set.weight(), set.resource_records()[0].value().to_owned())).collect()
    }

    /// Everything that a second failover could have touched, with the times at which it was made or written.
    pub async fn fingerprint(&self) -> BTreeSet<String> {
        let mut found: BTreeSet<String> = self.records().await.iter().map(|record| format!("{record:?}")).collect();
        for bucket in self.recovery.s3().list_buckets().send().await.expect("buckets").buckets() {
            let name = bucket.name().expect("a name");
            let objects = self.objects(name).await;
            let told = |it: &Object| format!("{name} {:?} {:?} {:?}", it.key(), it.e_tag(), it.last_modified());
            found.extend(objects.values().map(told));
        }
        for session in [&self.lost, &self.recovery] {
            let clusters = session.rds().describe_db_clusters().send().await.expect("clusters");
            // Not all of it: what can be restored latest is later with every answer.
            found.extend(clusters.db_clusters().iter().map(|it| {
                let (name, status, made) = (it.db_cluster_identifier(), it.status(), it.cluster_create_time());
                format!("{name:?} {status:?} {made:?} {:?} {:?}", it.endpoint(), it.tag_list())
            }));
            let instances = session.rds().describe_db_instances().send().await.expect("instances");
            found.extend(instances.db_instances().iter().map(|it| {
                let (name, status, made) =
                    (it.db_instance_identifier(), it.db_instance_status(), it.instance_create_time());
                format!("{name:?} {status:?} {made:?} {:?}", it.tag_list())
            }));
            for table in
                session.dynamodb().list_tables().into_paginator().items().send().try_collect().await.expect("it")
            {
                let table = session.dynamodb().describe_table().table_name(table).send().await.expect("a table");
                found.insert(format!("{:?}", table.table));
            }
        }
        assert!(found.len() > 4000, "{} is not everything", found.len());
        found
    }
}

/// The numbers of the objects stand in their names, and decide which have tags.
fn is_tagged(key: &str) -> bool {
    let number = key.rsplit_once("part-").and_then(|(_, rest)| rest.strip_suffix(".json"));
    number.and_then(|number| number.parse::<u64>().ok()).is_some_and(|number| number.is_multiple_of(50))
}

/// What a reader gets of an object.
#[derive(Debug, PartialEq)]
struct Whole {
    sha256: String,
    bytes: usize,
    content_type: Option<String>,
    metadata: Option<HashMap<String, String>>,
}

async fn whole(request: aws_sdk_s3::operation::get_object::builders::GetObjectFluentBuilder) -> Whole {
    let GetObjectOutput { body, content_type, metadata, .. } = request.send().await.expect("an object");
    let body = body.collect().await.expect("a body").into_bytes();
    let sha256 = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    Whole { sha256, bytes: body.len(), content_type, metadata }
}

async fn items(session: &Session, table: &str) -> BTreeMap<String, HashMap<String, AttributeValue>> {
    let items = session.dynamodb().scan().table_name(table).consistent_read(true).into_paginator().items().send();
    let items: Vec<_> = items.try_collect().await.expect("a scan");
    items.into_iter().map(|item| (format!("{:?} {:?}", item["log_id"], item["ingested_at"]), item)).collect()
}

/// Where the partitions of a database are, by table and values.
async fn partitions(session: &Session, database: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let tables = session.glue().get_tables().database_name(database).send().await.expect("tables");
    for table in tables.table_list() {
        let pages = session.glue().get_partitions().database_name(database).table_name(table.name());
        let partitions: Vec<_> = pages.into_paginator().send().try_collect().await.expect("partitions");
        for partition in partitions.iter().flat_map(|page| page.partitions()) {
            let location = partition.storage_descriptor().and_then(|it| it.location()).expect("a location");
            found.insert(format!("{} {:?}", table.name(), partition.values()), location.to_owned());
        }
    }
    found
}
