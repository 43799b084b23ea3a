//! A source cluster in the primary region, its snapshot, and the snapshot's copy in the recovery region.

use aws_sdk_rds::types::{DbCluster, ServerlessV2ScalingConfiguration, Tag};
use jiff::Timestamp;

use super::Regions;
use super::declared::Declared;
use super::shape::ClusterShape;
use crate::aws::{AwsError, explain};
use crate::manifest::{Cluster, ClusterSource, Manifest};

/// What a cluster of the primary answers at, and what it can be restored from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCluster {
    /// The manifest's name for it.
    pub name: String,
    pub endpoint: String,
    pub reader_endpoint: String,
    /// Identifier of the copy in the recovery region.
    pub snapshot: String,
}

/// # Errors
/// The emulator refused.
pub async fn build(manifest: &Manifest, cluster: &Cluster, regions: &Regions) -> Result<SourceCluster, AwsError> {
    let declared = cluster.adopt.as_deref().and_then(|address| Declared::find(manifest, address));
    let shape = declared.map_or_else(ClusterShape::default, |declared| declared.cluster());
    let made = create(manifest, cluster, &shape, regions).await?;
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
    Ok(SourceCluster {
        name: cluster.name.clone(),
        endpoint: made.endpoint.unwrap_or_default(),
        reader_endpoint: made.reader_endpoint.unwrap_or_default(),
        snapshot,
    })
}

/// The name that the backup job would give it; or the one that the manifest asks for.
fn snapshot_name(cluster: &Cluster) -> String {
    match &cluster.from {
        ClusterSource::LatestSnapshot | ClusterSource::PointInTime(_) => {
            format!("{}-backup-{}", cluster.source, Timestamp::now().strftime("%Y-%m-%d-%H-%M"))
        }
        ClusterSource::Snapshot(chosen) => chosen.rsplit(':').next().unwrap_or(chosen).to_owned(),
    }
}

async fn create(
    manifest: &Manifest,
    cluster: &Cluster,
    shape: &ClusterShape,
    regions: &Regions,
) -> Result<DbCluster, AwsError> {
    let rds = regions.primary.rds();
    let scaling = ServerlessV2ScalingConfiguration::builder().min_capacity(0.5).max_capacity(16.0).build();
    let made = rds
        .create_db_cluster()
        .db_cluster_identifier(&cluster.source)
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
        .db_instance_identifier(format!("{}-1", cluster.source))
        .db_cluster_identifier(&cluster.source)
        .db_instance_class("db.serverless")
        .engine(&shape.engine)
        .send()
        .await
        .map_err(explain("rds:CreateDBInstance"))?;
    Ok(made.db_cluster.unwrap_or_else(|| DbCluster::builder().build()))
}
