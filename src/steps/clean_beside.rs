//! What a clean restore beside a store takes from the store that still stands: how its copy shall be. A rebuild restores under
//! the store's own name as the root declares it, and needs none of this.
//!
//! Whoever broke in may have changed the store: neither its key nor the resource policy of a table is taken over.

use serde_json::{Value, json};

use super::Blocked;
use super::cluster_point::{taken, wanted};
use super::cluster_settings::ClusterSettings;
use super::cluster_wanted::{WANTED, Wanted};
use super::table_settings::TableSettings;
use crate::aws::dynamodb::{self, TableState};
use crate::aws::rds::{self, ClusterState};
use crate::aws::{AwsError, Session};
use crate::manifest::{Cluster, Table};

/// Whether a cluster is restored beside its source.
pub(super) fn is_cluster(cluster: &Cluster) -> bool {
    cluster.adopt.is_none() && !cluster.target.eq_ignore_ascii_case(&cluster.source)
}

/// Whether a table is restored beside its source.
pub(super) fn is_table(table: &Table) -> bool {
    table.adopt.is_none() && table.target != table.source
}

/// What to know where there is no cluster whose settings could be taken.
pub(super) fn cluster_gone(cluster: &Cluster) -> String {
    format!(
        "cluster {} is gone: network, groups and capacity of the restored one are left to RDS, which takes the default ones",
        cluster.source
    )
}

/// The same of a table.
pub(super) fn table_gone(table: &Table) -> String {
    format!("table {} is gone: the restored one gets what the backup tells alone", table.source)
}

/// Adds to the facts how the restored cluster shall be, where its source still stands.
///
/// # Errors
/// A name is taken, or RDS could not be asked.
pub(super) async fn cluster(session: &Session, cluster: &Cluster, facts: &mut Value) -> Result<(), Blocked> {
    let (source, target, region) = (&cluster.source, &cluster.target, session.region());
    if rds::cluster(session, target).await?.is_some() {
        return Err(name_taken("cluster", target, region));
    }
    let Some(state) = rds::cluster(session, source).await? else { return Ok(()) };
    let wanted = as_it_stands(session, cluster, &state).await?;
    if let Some(instance) = taken(session, &wanted.instances).await? {
        return Err(name_taken("instance", &instance, region));
    }
    facts[WANTED] = json!(wanted);
    Ok(())
}

/// Whether it is encrypted, and with which key, is the snapshot's to say.
async fn as_it_stands(session: &Session, cluster: &Cluster, state: &ClusterState) -> Result<Wanted, AwsError> {
    let Wanted { settings, instances } = wanted(session, cluster, state).await?;
    Ok(Wanted { settings: ClusterSettings { encrypted: None, kms_key: None, ..settings }, instances })
}

/// Adds to the facts how the restored table shall be, where its source still stands.
///
/// # Errors
/// The name is taken, or DynamoDB could not be asked.
pub(super) async fn table(session: &Session, table: &Table, facts: &mut Value) -> Result<(), Blocked> {
    let Table { source, target, .. } = table;
    if dynamodb::has_table(session, target).await? {
        return Err(name_taken("table", target, session.region()));
    }
    if let Some(state) = dynamodb::table(session, source).await? {
        facts["settings"] = json!(settings(&state, facts["billing_mode"].as_str()));
    }
    Ok(())
}

/// How it is billed is the backup's to say: what its capacity is at the moment may be what it was scaled to.
fn settings(state: &TableState, billing_mode: Option<&str>) -> TableSettings {
    let billing_mode = billing_mode.map(str::to_owned);
    TableSettings { billing_mode, capacity: None, ..TableSettings::of_table(state) }
}

fn name_taken(kind: &str, name: &str, region: &str) -> Blocked {
    Blocked {
        cause: format!("{kind} {name} stands in {region} already"),
        hint: Some("choose another name for the restored one with --as".to_owned()),
    }
}
