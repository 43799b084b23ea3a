//! What is there before anybody breaks in, besides the stack: the people, the buckets for state and evidence, the data, and a
//! recovery point of each store.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, TryStreamExt, stream};

use crate::aws::{Session, explain};
use crate::manifest::{Manifest, Table};
use crate::rehearse::RehearseError;
use crate::rehearse::world;

/// Objects that are there before.
const OBJECTS: u32 = 40;
const WRITERS: usize = 8;
const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// Access keys of somebody.
#[derive(Clone, Debug)]
pub struct Keys {
    pub name: String,
    pub id: String,
    pub secret: String,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Ground {
    pub planner: Keys,
    pub approver: Keys,
    /// The data of each bucket that stays, by name, as it was before.
    pub buckets: BTreeMap<String, BTreeMap<String, String>>,
    /// The items of each table, by its name in the primary region.
    pub tables: BTreeMap<String, Vec<String>>,
}

/// Makes the buckets and the people. The stack is built after it, and filled by [`fill`].
pub(super) async fn prepare(manifest: &Manifest, endpoint: &str) -> Result<(Keys, Keys), RehearseError> {
    let primary = Session::emulated(&manifest.primary.name, endpoint);
    let recovery = Session::emulated(&manifest.recovery.name, endpoint);
    world::buckets_of_a_breach(manifest, endpoint).await?;
    let planner = person(&primary, "ana-who-plans").await?;
    let approver = person(&primary, "bo-who-approves").await?;
    world::exports(manifest, &recovery).await?;
    if let Some(rule) = &manifest.containment {
        for arn in &rule.break_glass {
            break_glass(&primary, arn).await?;
        }
    }
    Ok((planner, approver))
}

pub(super) async fn person(session: &Session, name: &str) -> Result<Keys, RehearseError> {
    let iam = session.iam();
    iam.create_user().user_name(name).send().await.map_err(explain("iam:CreateUser"))?;
    let policy = iam.put_user_policy().user_name(name).policy_name("work").policy_document(EVERYTHING);
    policy.send().await.map_err(explain("iam:PutUserPolicy"))?;
    let made = iam.create_access_key().user_name(name).send().await.map_err(explain("iam:CreateAccessKey"))?;
    let key = made.access_key.ok_or_else(|| RehearseError::Unsupported(format!("the emulator gives {name} no key")))?;
    Ok(Keys { name: name.to_owned(), id: key.access_key_id().to_owned(), secret: key.secret_access_key().to_owned() })
}

/// A role that anybody of the account may assume, and that may do anything.
pub(super) async fn role(session: &Session, name: &str, account: &str) -> Result<(), RehearseError> {
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":"sts:AssumeRole"}}]}}"#
    );
    let iam = session.iam();
    let made = iam.create_role().role_name(name).assume_role_policy_document(trust).send().await;
    made.map_err(explain("iam:CreateRole"))?;
    let policy = iam.put_role_policy().role_name(name).policy_name("work").policy_document(EVERYTHING);
    policy.send().await.map_err(explain("iam:PutRolePolicy"))?;
    Ok(())
}

async fn break_glass(session: &Session, arn: &str) -> Result<(), RehearseError> {
    let Some((kind, name)) = arn.split_once(":iam::").and_then(|(_, rest)| rest.split_once(':')?.1.rsplit_once('/'))
    else {
        return Ok(());
    };
    let account = arn.split(':').nth(4).unwrap_or_default();
    match kind.split('/').next() {
        Some("user") => person(session, name).await.map(drop),
        _ => role(session, name, account).await,
    }
}

/// Fills what the stack has made, and keeps a recovery point of it.
pub(super) async fn fill(
    manifest: &Manifest,
    endpoint: &str,
    (planner, approver): (Keys, Keys),
) -> Result<Ground, RehearseError> {
    let primary = Session::emulated(&manifest.primary.name, endpoint);
    let mut ground = Ground { planner, approver, buckets: BTreeMap::new(), tables: BTreeMap::new() };
    for bucket in &manifest.rebuild.buckets {
        for nr in 0..OBJECTS {
            put(&primary, bucket, &format!("app/day={:02}/part-{nr:05}.json", nr % 12), "as it was").await?;
        }
        ground.buckets.insert(bucket.clone(), objects(&primary, bucket).await?);
    }
    for table in &manifest.tables {
        let keys = keys_of(&primary, table).await?;
        let puts = (0..world::items_of(table)?).map(|nr| {
            let (session, keys) = (&primary, &keys);
            async move { put_item(session, table, keys, &format!("item-{nr:05}"), "as it was").await }
        });
        let puts: Vec<_> = puts.collect();
        stream::iter(puts).buffer_unordered(WRITERS).try_collect::<Vec<()>>().await?;
        ground.tables.insert(table.source.clone(), items(&primary, &table.source).await?);
        back_up(&primary, table, "nightly").await?;
    }
    for cluster in &manifest.clusters {
        give_password(&primary, &cluster.source).await?;
        snapshot(&primary, &cluster.source, &format!("{}-nightly", cluster.source)).await?;
    }
    Ok(ground)
}

pub(super) async fn put(session: &Session, bucket: &str, key: &str, body: &str) -> Result<(), RehearseError> {
    let put = session.s3().put_object().bucket(bucket).key(key).body(body.as_bytes().to_vec().into());
    put.send().await.map_err(explain("s3:PutObject"))?;
    Ok(())
}

/// What is current in a bucket: keys with their ETags.
pub(super) async fn objects(session: &Session, bucket: &str) -> Result<BTreeMap<String, String>, RehearseError> {
    let pages = session.s3().list_objects_v2().bucket(bucket).into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.map_err(explain("s3:ListBucket"))?;
    let objects = pages.iter().flat_map(|page| page.contents());
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Ok(objects.map(|it| (text(it.key()), text(it.e_tag()))).collect())
}

/// The names and kinds of a table's keys.
pub(super) async fn keys_of(session: &Session, table: &Table) -> Result<Vec<(String, String)>, RehearseError> {
    let told = session.dynamodb().describe_table().table_name(&table.source).send().await;
    let told = told.map_err(explain("dynamodb:DescribeTable"))?;
    let told = told.table().ok_or_else(|| RehearseError::Unsupported(format!("table {} is not told", table.source)))?;
    let kinds: HashMap<&str, &str> =
        told.attribute_definitions().iter().map(|it| (it.attribute_name(), it.attribute_type().as_str())).collect();
    let keys = told.key_schema().iter().map(|it| it.attribute_name());
    Ok(keys.map(|name| (name.to_owned(), kinds.get(name).copied().unwrap_or("S").to_owned())).collect())
}

pub(super) async fn put_item(
    session: &Session,
    table: &Table,
    keys: &[(String, String)],
    id: &str,
    content: &str,
) -> Result<(), RehearseError> {
    let number = || id.bytes().map(u64::from).sum::<u64>().to_string();
    let key = |kind: &str| match kind {
        "N" => AttributeValue::N(number()),
        "B" => AttributeValue::B(id.as_bytes().to_vec().into()),
        _ => AttributeValue::S(id.to_owned()),
    };
    let mut item: HashMap<String, AttributeValue> = keys.iter().map(|(name, kind)| (name.clone(), key(kind))).collect();
    item.insert("rehearsed_content".to_owned(), AttributeValue::S(content.to_owned()));
    let put = session.dynamodb().put_item().table_name(&table.source).set_item(Some(item));
    put.send().await.map_err(explain("dynamodb:PutItem"))?;
    Ok(())
}

/// All items of a table, each as text, sorted.
pub(super) async fn items(session: &Session, table: &str) -> Result<Vec<String>, RehearseError> {
    let pages = session.dynamodb().scan().table_name(table).consistent_read(true).into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.map_err(explain("dynamodb:Scan"))?;
    let text = |item: &HashMap<String, AttributeValue>| {
        let sorted: BTreeMap<&String, String> = item.iter().map(|(name, value)| (name, format!("{value:?}"))).collect();
        format!("{sorted:?}")
    };
    let mut items: Vec<String> = pages.iter().flat_map(|page| page.items()).map(text).collect();
    items.sort();
    Ok(items)
}

pub(super) async fn back_up(session: &Session, table: &Table, name: &str) -> Result<String, RehearseError> {
    let backup = session.dynamodb().create_backup().table_name(&table.source).backup_name(name).send().await;
    let backup = backup.map_err(explain("dynamodb:CreateBackup"))?;
    Ok(backup.backup_details.map(|it| it.backup_arn).unwrap_or_default())
}

/// The emulator restores no snapshot of a cluster that RDS keeps the password of, unless it was ever given one.
async fn give_password(session: &Session, cluster: &str) -> Result<(), RehearseError> {
    let change = session.rds().modify_db_cluster().db_cluster_identifier(cluster).master_user_password("a-made-up-one");
    change.apply_immediately(true).send().await.map_err(explain("rds:ModifyDBCluster"))?;
    Ok(())
}

pub(super) async fn snapshot(session: &Session, cluster: &str, id: &str) -> Result<(), RehearseError> {
    let request = session.rds().create_db_cluster_snapshot().db_cluster_identifier(cluster);
    let made = request.db_cluster_snapshot_identifier(id).send().await;
    made.map_err(explain("rds:CreateDBClusterSnapshot"))?;
    Ok(())
}
