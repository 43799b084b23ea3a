//! What of a manifest is restored in a rebuild after a breach: in the primary region, under its own names, from clean recovery
//! points. Pure; the scenario that composes a rebuild puts it together.

use super::{expected, step};
use crate::manifest::{CleanBefore, Cluster, ClusterSource, Component, Manifest, Table, TableSource};
use crate::runbook::{Action, BucketRollback, Phase, StepSpec};

/// The clusters as they are restored. What the manifest says of the recovery region's network is not the primary's: the root
/// declares that, or RDS's defaults hold.
pub fn clean_clusters(manifest: &Manifest, rule: &CleanBefore) -> Vec<Cluster> {
    let clean = |cluster: &Cluster| Cluster {
        target: cluster.source.clone(),
        from: ClusterSource::CleanBefore(rule.clone()),
        subnet_group: None,
        security_groups: Vec::new(),
        ..cluster.clone()
    };
    manifest.clusters.iter().map(clean).collect()
}

/// The tables as they are restored. The vault that a manifest names is the recovery region's, so that all of the primary's count.
pub fn clean_tables(manifest: &Manifest, rule: &CleanBefore) -> Vec<Table> {
    let clean = |table: &Table| {
        let mut clean =
            Table { target: table.source.clone(), from: TableSource::CleanBefore(rule.clone()), ..table.clone() };
        if let Some(access) = &mut clean.aws_backup {
            access.vault = None;
        }
        clean
    };
    manifest.tables.iter().map(clean).collect()
}

/// How a bucket of the primary region is taken back in place. Keys that a failover leaves out are as much the service's, so all are
/// taken back; what a failover expects of a copy is not what stood here then.
pub fn clean_bucket(bucket: &str, rule: &CleanBefore) -> BucketRollback {
    BucketRollback { bucket: bucket.to_owned(), prefix: String::new(), to: rule.cutoff(), expect: Vec::new() }
}

/// The step that keeps a cluster's recovery point, to be done before anything is torn down.
pub fn preserve_point(cluster: &Cluster, after: &[&str]) -> StepSpec {
    step(
        &format!("preserve.aurora.{}", cluster.name),
        Phase::Evidence,
        after,
        format!("keep the recovery point of cluster {}", cluster.source),
        Some(Component::Aurora),
        expected::PRESERVE_POINT,
        Action::PreservePoint { cluster: cluster.clone() },
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::SignedDuration;

    use super::*;
    use crate::manifest;

    #[test]
    fn stores_come_back_under_their_own_names_in_the_primary_region() {
        let environments = Path::new(env!("CARGO_MANIFEST_DIR")).join("environments");
        let manifest = manifest::load(&environments, "prod").unwrap();
        let before = "2026-11-22T03:00:00Z".parse().unwrap();
        let rule = CleanBefore { before, margin: SignedDuration::from_hours(1), refused_makers: Vec::new() };
        let clusters = clean_clusters(&manifest, &rule);
        assert!(!clusters.is_empty());
        for (clean, said) in clusters.iter().zip(&manifest.clusters) {
            assert_eq!((&clean.source, &clean.target, &clean.adopt), (&said.source, &said.source, &said.adopt));
            assert_eq!(clean.from, ClusterSource::CleanBefore(rule.clone()));
        }
        for (clean, said) in clean_tables(&manifest, &rule).iter().zip(&manifest.tables) {
            assert_eq!((&clean.target, &clean.adopt), (&said.source, &said.adopt));
        }
        for bucket in &manifest.buckets {
            let rollback = clean_bucket(&bucket.source, &rule);
            assert_eq!((&rollback.bucket, rollback.to.to_string().as_str()), (&bucket.source, "2026-11-22T02:00:00Z"));
        }
    }
}
