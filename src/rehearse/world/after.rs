//! The world after a rehearsal, written down so that two of them can be compared: everything that a run makes or
//! moves, without what differs from run to run (times, generated ids, the run's name).
//!
//! Only reads, asked of the emulator directly and never through the proxy.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::Select;
use futures::future::try_join_all;

use super::RunNames;
use super::others::{identities, recovery_points};
use crate::aws::{AwsError, Session, explain};
use crate::manifest::Manifest;
use crate::rehearse::RehearseError;
use crate::terraform::state::State;

/// What lifeboat itself keeps in the state bucket: journal and lease, which differ from run to run.
const OWN_OBJECTS: &str = "lifeboat/";

/// A world as lines of text, one for each thing in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct After(pub BTreeSet<String>);

/// How one world differs from another: `-` what is missing, `+` what is there besides. Pure.
pub fn difference(expected: &After, found: &After) -> Vec<String> {
    let missing = expected.0.difference(&found.0).map(|line| format!("- {line}"));
    let besides = found.0.difference(&expected.0).map(|line| format!("+ {line}"));
    missing.chain(besides).collect()
}

/// Writes a world down; `names` are those of the run that made it.
///
/// # Errors
/// The emulator does not answer.
pub async fn after(manifest: &Manifest, endpoint: &str, names: &RunNames) -> Result<After, RehearseError> {
    let sessions = [&manifest.primary.name, &manifest.recovery.name].map(|name| Session::emulated(name, endpoint));
    let mut lines = BTreeSet::new();
    let mut generated = BTreeMap::new();
    for session in &sessions {
        lines.extend(clusters(session, &mut generated).await?);
        lines.extend(tables(session).await?);
        lines.extend(catalogs(session).await?);
        lines.extend(recovery_points(session).await?);
    }
    let [_, recovery] = &sessions;
    lines.extend(buckets(recovery, manifest).await?);
    lines.extend(records(recovery).await?);
    lines.extend(identities(recovery).await?);
    let plain = |line: String| {
        let line = names.plain(&line);
        generated.iter().fold(line, |line, (id, name): (&String, &String)| line.replace(id.as_str(), name))
    };
    Ok(After(lines.into_iter().map(plain).collect()))
}

async fn clusters(session: &Session, generated: &mut BTreeMap<String, String>) -> Result<Vec<String>, AwsError> {
    let (rds, region) = (session.rds(), session.region());
    let mut lines = Vec::new();
    let found = rds.describe_db_clusters().into_paginator().items().send().try_collect().await;
    for cluster in found.map_err(explain("rds:DescribeDBClusters"))? {
        let name = cluster.db_cluster_identifier().unwrap_or_default();
        for (what, address) in [("writer", cluster.endpoint()), ("reader", cluster.reader_endpoint())] {
            generated.extend(address.map(|address| (address.to_owned(), format!("{what}-of-{name}"))));
        }
        let mut tags: Vec<String> =
            cluster.tag_list().iter().map(|tag| format!("{:?}={:?}", tag.key(), tag.value())).collect();
        tags.sort();
        let members: BTreeSet<_> = cluster.db_cluster_members().iter().map(|it| it.db_instance_identifier()).collect();
        lines.push(format!(
            "{region} cluster {name} {:?} {:?} {:?} {members:?} {tags:?}",
            cluster.status(),
            cluster.engine(),
            cluster.database_name(),
        ));
    }
    let found = rds.describe_db_instances().into_paginator().items().send().try_collect().await;
    for instance in found.map_err(explain("rds:DescribeDBInstances"))? {
        lines.push(format!(
            "{region} instance {:?} of {:?} {:?} {:?}",
            instance.db_instance_identifier(),
            instance.db_cluster_identifier(),
            instance.db_instance_class(),
            instance.db_instance_status(),
        ));
    }
    Ok(lines)
}

async fn tables(session: &Session) -> Result<Vec<String>, AwsError> {
    let dynamodb = session.dynamodb();
    let names = dynamodb.list_tables().into_paginator().items().send().try_collect().await;
    let names: Vec<String> = names.map_err(explain("dynamodb:ListTables"))?;
    try_join_all(names.iter().map(|name| table(session, name))).await
}

async fn table(session: &Session, name: &str) -> Result<String, AwsError> {
    let dynamodb = session.dynamodb();
    let told = dynamodb.describe_table().table_name(name).send().await.map_err(explain("dynamodb:DescribeTable"))?;
    let table = told.table.unwrap_or_else(|| aws_sdk_dynamodb::types::TableDescription::builder().build());
    let mut items = 0;
    let mut pages = dynamodb.scan().table_name(name).select(Select::Count).into_paginator().send();
    while let Some(page) = pages.next().await {
        items += page.map_err(explain("dynamodb:Scan"))?.count();
    }
    let ttl = dynamodb.describe_time_to_live().table_name(name).send().await;
    let ttl = ttl.map_err(explain("dynamodb:DescribeTimeToLive"))?.time_to_live_description;
    let backups = dynamodb.describe_continuous_backups().table_name(name).send().await;
    let backups = backups.map_err(explain("dynamodb:DescribeContinuousBackups"))?.continuous_backups_description;
    let pitr = backups.as_ref().and_then(|it| it.point_in_time_recovery_description());
    let arn = table.table_arn().unwrap_or_default();
    let tags = dynamodb.list_tags_of_resource().resource_arn(arn).send().await;
    let tags = tags.map_err(explain("dynamodb:ListTagsOfResource"))?;
    let tags: BTreeSet<String> = tags.tags().iter().map(|tag| format!("{}={}", tag.key(), tag.value())).collect();
    let indexes: BTreeSet<_> = table.global_secondary_indexes().iter().map(|it| it.index_name()).collect();
    Ok(format!(
        "{} table {name} {:?} {items} items, keys {:?}, indexes {indexes:?}, TTL {:?} {:?}, PITR {:?}, stream {:?}, {tags:?}",
        session.region(),
        table.table_status(),
        table.key_schema(),
        ttl.as_ref().and_then(|it| it.attribute_name()),
        ttl.as_ref().and_then(|it| it.time_to_live_status()),
        pitr.and_then(|it| it.point_in_time_recovery_status()),
        table.stream_specification().map(|it| it.stream_view_type()),
    ))
}

async fn catalogs(session: &Session) -> Result<Vec<String>, AwsError> {
    let (glue, region) = (session.glue(), session.region());
    let mut lines = Vec::new();
    let databases = glue.get_databases().send().await.map_err(explain("glue:GetDatabases"))?;
    for database in databases.database_list() {
        let name = database.name();
        lines.push(format!("{region} catalog {name} {:?}", database.location_uri()));
        let tables = glue.get_tables().database_name(name).send().await.map_err(explain("glue:GetTables"))?;
        for table in tables.table_list() {
            let location = table.storage_descriptor().and_then(|it| it.location());
            lines.push(format!("{region} catalog {name} table {} {location:?}", table.name()));
            let pages = glue.get_partitions().database_name(name).table_name(table.name());
            let mut pages = pages.into_paginator().send();
            while let Some(page) = pages.next().await {
                for partition in page.map_err(explain("glue:GetPartitions"))?.partitions() {
                    let location = partition.storage_descriptor().and_then(|it| it.location());
                    let values = partition.values();
                    lines.push(format!("{region} catalog {name} table {} {values:?} {location:?}", table.name()));
                }
            }
        }
    }
    Ok(lines)
}

async fn buckets(session: &Session, manifest: &Manifest) -> Result<Vec<String>, RehearseError> {
    let s3 = session.s3();
    let found = s3.list_buckets().send().await.map_err(explain("s3:ListBuckets"))?;
    let evidence = manifest.evidence.as_ref().map(|rule| rule.place(&manifest.primary.name).bucket);
    let mut lines = Vec::new();
    for name in found.buckets().iter().filter_map(|bucket| bucket.name()) {
        lines.push(format!("bucket {name}"));
        let keeps_state = [&manifest.primary, &manifest.recovery].iter().any(|region| region.backend.bucket == name);
        let mut pages = s3.list_objects_v2().bucket(name).into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page.map_err(explain("s3:ListObjectsV2"))?.contents() {
                let key = object.key().unwrap_or_default();
                if evidence.as_deref() == Some(name) {
                    // It tells times, and is other bytes each time.
                    lines.push(format!("bucket {name} {key}"));
                } else if !keeps_state {
                    lines.push(format!("bucket {name} {key} {:?} {:?}", object.size(), object.e_tag()));
                } else if !key.starts_with(OWN_OBJECTS) {
                    lines.extend(state(session, name, key).await?);
                }
            }
        }
    }
    Ok(lines)
}

/// A state is other bytes each time; what it holds is the same.
async fn state(session: &Session, bucket: &str, key: &str) -> Result<Vec<String>, RehearseError> {
    let object = session.s3().get_object().bucket(bucket).key(key).send().await.map_err(explain("s3:GetObject"))?;
    let unreadable = |why: String| RehearseError::Unsupported(format!("s3://{bucket}/{key} as a state: {why}"));
    let bytes = object.body.collect().await.map_err(|error| unreadable(error.to_string()))?.into_bytes();
    match State::read(bytes.as_ref()) {
        Ok(state) => {
            let tainted = state.tainted.keys().map(|address| format!("state {key} {address} is half made"));
            let held = state.resources.keys().map(|address| format!("state {key} {address}"));
            Ok(tainted.chain(held).chain([format!("state {key}")]).collect())
        }
        // A lock that was left behind, or something else that is no state.
        Err(_) => Ok(vec![format!("bucket {bucket} {key}")]),
    }
}

async fn records(session: &Session) -> Result<Vec<String>, AwsError> {
    let route53 = session.route53();
    let mut lines = Vec::new();
    let zones = route53.list_hosted_zones().send().await.map_err(explain("route53:ListHostedZones"))?;
    for zone in zones.hosted_zones() {
        let sets = route53.list_resource_record_sets().hosted_zone_id(zone.id()).max_items(300).send().await;
        for set in sets.map_err(explain("route53:ListResourceRecordSets"))?.resource_record_sets() {
            let values: Vec<&str> = set.resource_records().iter().map(|record| record.value()).collect();
            let (id, weight, alias) = (set.set_identifier(), set.weight(), set.alias_target().map(|it| it.dns_name()));
            lines.push(format!("record {} {} {id:?} {weight:?} {alias:?} {values:?}", set.name(), set.r#type()));
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(lines: &[&str]) -> After {
        After(lines.iter().map(|line| (*line).to_owned()).collect())
    }

    #[test]
    fn worlds_differ_by_what_is_missing_and_what_is_there_besides() {
        let (one, other) = (world(&["bucket a", "record x 100"]), world(&["bucket a", "record x 0", "bucket b"]));
        assert_eq!(difference(&one, &other), ["- record x 100", "+ bucket b", "+ record x 0"]);
        assert!(difference(&one, &one).is_empty());
    }
}
