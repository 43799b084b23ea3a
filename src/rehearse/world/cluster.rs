//! A source cluster in the primary region, its snapshot, and the snapshot's copy in the recovery region; of a global database
//! the secondary cluster in its place.

use aws_sdk_rds::types::{DbCluster, ServerlessV2ScalingConfiguration, Tag};
use jiff::Timestamp;

use super::Regions;
use super::declared::Declared;
use super::shape::ClusterShape;
use crate::aws::{AwsError, Session, explain};
use crate::manifest::{Cluster, ClusterSource, Manifest};

/// What a cluster of the primary answers at, and what it can be restored from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCluster {
    /// The manifest's name for it.
    pub name: String,
    pub endpoint: String,
    pub reader_endpoint: String,
    /// Identifier of the copy in the recovery region; empty for a global database, whose secondary stands there.
    pub snapshot: String,
    pub engine: String,
    pub engine_version: String,
}

/// # Errors
/// The emulator refused.
pub async fn build(manifest: &Manifest, cluster: &Cluster, regions: &Regions) -> Result<SourceCluster, AwsError> {
    let declared = cluster.adopt.as_deref().and_then(|address| Declared::find(manifest, address));
    let shape = declared.map_or_else(ClusterShape::default, |declared| declared.cluster());
    let made = create(manifest, (&cluster.source, &shape), &regions.primary).await?;
    let snapshot = match cluster.global() {
        Some(_) => {
            create(manifest, (&cluster.target, &shape), &regions.recovery).await?;
            String::new()
        }
        None => copied(manifest, cluster, regions).await?,
    };
    Ok(SourceCluster {
        name: cluster.name.clone(),
        endpoint: made.endpoint.unwrap_or_default(),
        reader_endpoint: made.reader_endpoint.unwrap_or_default(),
        snapshot,
        engine: made.engine.unwrap_or_default(),
        engine_version: made.engine_version.unwrap_or_default(),
    })
}

/// A snapshot of the source, and its copy in the recovery region.
async fn copied(manifest: &Manifest, cluster: &Cluster, regions: &Regions) -> Result<String, AwsError> {
    let snapshot = snapshot_name(cluster);
    regions
        .primary
        .rds()
        .create_db_cluster_snapshot()
        .db_cluster_identifier(&cluster.source)
        .db_cluster_snapshot_identifier(&snapshot)
        .send()
        .await
        .map_err(explain("rds:CreateDBClusterSnapshot"))?;
    regions
        .recovery
        .rds()
        .copy_db_cluster_snapshot()
        .source_db_cluster_snapshot_identifier(format!(
            "arn:aws:rds:{}:{}:cluster-snapshot:{snapshot}",
            manifest.primary.name, manifest.account
        ))
        .target_db_cluster_snapshot_identifier(&snapshot)
        .copy_tags(true)
        .send()
        .await
        .map_err(explain("rds:CopyDBClusterSnapshot"))?;
    Ok(snapshot)
}

/// The name that the backup job would give it; or the one that the manifest asks for.
fn snapshot_name(cluster: &Cluster) -> String {
    match &cluster.from {
        ClusterSource::LatestSnapshot
        | ClusterSource::Global(_)
        | ClusterSource::PointInTime(_)
        | ClusterSource::CleanBefore(_) => {
            format!("{}-backup-{}", cluster.source, Timestamp::now().strftime("%Y-%m-%d-%H-%M"))
        }
        ClusterSource::Snapshot(chosen) => chosen.rsplit(':').next().unwrap_or(chosen).to_owned(),
    }
}

async fn create(
    manifest: &Manifest,
    (id, shape): (&str, &ClusterShape),
    region: &Session,
) -> Result<DbCluster, AwsError> {
    let rds = region.rds();
    let scaling = ServerlessV2ScalingConfiguration::builder().min_capacity(0.5).max_capacity(16.0).build();
    let made = rds
        .create_db_cluster()
        .db_cluster_identifier(id)
        .engine(&shape.engine)
        .set_engine_version(shape.engine_version.clone())
        .set_database_name(shape.database_name.clone())
        .master_username(&shape.master_username)
        .master_user_password("made-up-for-the-rehearsal")
        .storage_encrypted(true)
        .backup_retention_period(7)
        .serverless_v2_scaling_configuration(scaling)
        .tags(Tag::builder().key("Service").value(&manifest.service).build())
        .send()
        .await
        .map_err(explain("rds:CreateDBCluster"))?;
    rds.create_db_instance()
        .db_instance_identifier(format!("{id}-1"))
        .db_cluster_identifier(id)
        .db_instance_class("db.serverless")
        .engine(&shape.engine)
        .send()
        .await
        .map_err(explain("rds:CreateDBInstance"))?;
    Ok(made.db_cluster.unwrap_or_else(|| DbCluster::builder().build()))
}
