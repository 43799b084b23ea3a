//! What the proxy plays of the world, because the emulator cannot hold it: where buckets live, the replicas of global tables, the
//! global databases.

use std::time::Duration;

use super::proxy::{Control, Global};
use super::world::World;
use crate::manifest::{Manifest, TableSource};

/// Tells the proxy. A failover of a global database takes `takes`.
pub(super) fn play(manifest: &Manifest, world: &World, control: &Control, takes: Duration) {
    let (primary, recovery) = (&manifest.primary.name, &manifest.recovery.name);
    for home in &world.buckets_at {
        control.bucket_home(&home.bucket, &home.region);
    }
    for table in manifest.tables.iter().filter(|table| table.from == TableSource::Replica) {
        control.replicated(&table.target, &[primary, recovery]);
    }
    for (cluster, built) in manifest.clusters.iter().zip(&world.clusters) {
        let Some(id) = cluster.global() else { continue };
        let arn = |region: &str, id: &str| format!("arn:aws:rds:{region}:{}:cluster:{id}", manifest.account);
        let members = [arn(primary, &cluster.source), arn(recovery, &cluster.target)];
        control.global(id, Global::of(&built.engine, &built.engine_version, &members).taking(takes));
    }
}
