//! What the proxy plays of the world, because the emulator cannot hold it: where buckets live, the replicas of global tables, the
//! recovery points of AWS Backup, the global databases.

use std::time::Duration;

use jiff::Timestamp;

use super::proxy::{Control, Global, VaultPoint};
use super::world::World;
use crate::manifest::{Manifest, TableSource};
use crate::steps::source_arn;

/// Tells the proxy. A failover of a global database takes `takes`, and so does a restore of AWS Backup.
pub(super) fn play(manifest: &Manifest, world: &World, control: &Control, takes: Duration) {
    let (primary, recovery) = (&manifest.primary.name, &manifest.recovery.name);
    for home in &world.buckets_at {
        control.bucket_home(&home.bucket, &home.region);
    }
    for table in manifest.tables.iter().filter(|table| table.from == TableSource::Replica) {
        control.replicated(&table.target, &[primary, recovery]);
    }
    for (table, built) in manifest.tables.iter().zip(&world.tables) {
        let Some((access, backup)) = table.aws_backup.as_ref().zip(built.backup_arn.as_ref()) else { continue };
        let arn = match &table.from {
            TableSource::Backup(arn) => arn.clone(),
            _ => format!("arn:aws:backup:{recovery}:{}:recovery-point:{}", manifest.account, table.name),
        };
        control.restore_jobs_take(takes);
        control.vault(VaultPoint {
            arn,
            vault: access.vault.clone().unwrap_or_else(|| "rehearsal".to_owned()),
            resource: source_arn(table, &access.role, primary, &manifest.account),
            backup: backup.clone(),
            status: "COMPLETED".to_owned(),
            storage_class: "WARM".to_owned(),
            // Newer than the backup that it stands for, which DynamoDB lists as well.
            created_at: Timestamp::now(),
            bytes: built.items,
        });
    }
    for (cluster, built) in manifest.clusters.iter().zip(&world.clusters) {
        let Some(id) = cluster.global() else { continue };
        let arn = |region: &str, id: &str| format!("arn:aws:rds:{region}:{}:cluster:{id}", manifest.account);
        let members = [arn(primary, &cluster.source), arn(recovery, &cluster.target)];
        control.global(id, Global::of(&built.engine, &built.engine_version, &members).taking(takes));
    }
}
