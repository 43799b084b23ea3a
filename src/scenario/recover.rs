//! Recovery from corruption: what is there is taken back to how it was at a time, in the region where it is.

use super::{answers_not_checked, expected, rows_not_checked, step};
use crate::manifest::{
    Catalog, CatalogSource, CleanBefore, Cluster, ClusterSource, Component, Manifest, Objective, Table, TableSource,
};
use crate::runbook::{Action, BucketRollback, NotChecked, Phase, Runbook, StepSpec};

/// Its name in runbooks.
pub const RECOVER: &str = "recover";

/// The runbook that takes a bucket of `region` back to a time.
pub fn recover_bucket(manifest: &Manifest, region: &str, rollback: &BucketRollback) -> Runbook {
    let bucket = &rollback.bucket;
    let recover = rollback.step();
    let under = if rollback.prefix.is_empty() { String::new() } else { format!(" under {}", rollback.prefix) };
    let component = Some(Component::Bucket);
    let steps = vec![
        step(
            recover.as_str(),
            Phase::Restore,
            &[],
            format!("take {bucket}{under} back to {}", rollback.to),
            component,
            expected::ROLL_BACK_BUCKET,
            Action::RollBackBucket { rollback: rollback.clone() },
        ),
        step(
            &format!("verify.bucket.{bucket}"),
            Phase::Verification,
            &[recover.as_str()],
            format!("prove that {bucket}{under} is as it was"),
            component,
            expected::VERIFY,
            Action::VerifyRollback { rollback: rollback.clone() },
        ),
    ];
    let not_checked = vec![
        NotChecked {
            what: format!("whether {bucket} was right at {}", rollback.to),
            why: "the time was chosen by the operator".into(),
        },
        NotChecked {
            what: format!("access control lists, object lock settings and website redirects in {bucket}"),
            why: "a copy inside S3 does not take them over".into(),
        },
        NotChecked {
            what: format!("replicas of {bucket}"),
            why: "a replication rule may leave delete markers out".into(),
        },
    ];
    runbook(manifest, region, Component::Bucket, steps, not_checked)
}

/// The runbook that restores a cluster of `region` to a point in time, beside itself.
pub fn recover_cluster(manifest: &Manifest, region: &str, cluster: &Cluster) -> Runbook {
    let Cluster { name, source, target, .. } = cluster;
    let restore = format!("restore.aurora.{name}");
    let component = Some(Component::Aurora);
    let steps = vec![
        step(
            &restore,
            Phase::Restore,
            &[],
            format!("restore cluster {source} as {target}"),
            component,
            expected::RESTORE_CLUSTER,
            Action::RestoreCluster { cluster: cluster.clone() },
        ),
        step(
            &format!("verify.aurora.{name}"),
            Phase::Verification,
            &[&restore],
            format!("verify cluster {target}"),
            component,
            expected::VERIFY,
            Action::VerifyCluster { cluster: cluster.clone() },
        ),
    ];
    let mut not_checked: Vec<NotChecked> = rows_not_checked(cluster).into_iter().collect();
    not_checked.extend([NotChecked {
        what: format!("IAM roles, custom endpoints, autoscaling and alarms of cluster {target}"),
        why: "a restore brings none of them, and they are not read".into(),
    }]);
    if let ClusterSource::CleanBefore(rule) = &cluster.from {
        not_checked.extend(clean_not_checked(rule, &format!("cluster {target}")));
        not_checked.push(NotChecked {
            what: format!("network, groups, parameters and other settings of cluster {target}"),
            why: format!(
                "they are as cluster {source} has them now, if it still stands: whoever broke in may have changed them"
            ),
        });
    }
    runbook(manifest, region, Component::Aurora, steps, not_checked)
}

/// The runbook that restores a table of `region` to a point in time, beside itself.
pub fn recover_table(manifest: &Manifest, region: &str, table: &Table) -> Runbook {
    let Table { name, source, target, .. } = table;
    let restore = format!("restore.table.{name}");
    let component = Some(Component::Table);
    let steps = vec![
        step(
            &restore,
            Phase::Restore,
            &[],
            format!("restore table {source} as {target}"),
            component,
            expected::RESTORE_TABLE,
            Action::RestoreTable { table: table.clone() },
        ),
        step(
            &format!("verify.table.{name}"),
            Phase::Verification,
            &[&restore],
            format!("count and verify table {target}"),
            component,
            expected::VERIFY,
            Action::VerifyTable { table: table.clone() },
        ),
    ];
    let mut not_checked = vec![
        NotChecked {
            what: format!("exports and backups of table {source}"),
            why: "they are not read: what the items were then is DynamoDB's own word".into(),
        },
        NotChecked {
            what: format!("Kinesis streams of table {target}"),
            why: "a restore brings none, and they are not read".into(),
        },
    ];
    let what = format!("contents of the items of table {target}");
    match &table.from {
        TableSource::CleanBefore(rule) => {
            not_checked.push(NotChecked { what, why: "items are counted, and compared with nothing".into() });
            not_checked.extend(clean_not_checked(rule, &format!("table {target}")));
            not_checked.push(NotChecked {
                what: format!("settings of table {target}; its resource policy and autoscaling, which it has none of"),
                why: format!("the settings are as table {source} has them now, if it still stands: whoever broke in may have changed them"),
            });
        }
        _ => not_checked.push(NotChecked {
            what,
            why: "items are counted; a sample alone is compared with the table as it is now".into(),
        }),
    }
    if table.verify.is_empty() {
        let what = format!("number of items of table {target}");
        not_checked.push(NotChecked { what, why: "no number was expected".into() });
    }
    runbook(manifest, region, Component::Table, steps, not_checked)
}

/// What nobody knows of a store that was restored from a clean recovery point.
fn clean_not_checked(rule: &CleanBefore, what: &str) -> Vec<NotChecked> {
    let data = NotChecked {
        what: format!("whether the data of {what} is free of what an intruder wrote"),
        why: format!("it is of {} or before: when the breach began was said by the operator", rule.cutoff()),
    };
    let makers = rule.refused_makers.is_empty().then(|| NotChecked {
        what: format!("whether an intruder made the recovery point of {what}"),
        why: "the manifest's containment block names no users and roles".into(),
    });
    [data].into_iter().chain(makers).collect()
}

/// The runbook that recreates a catalog of `region` as it was at a time, beside itself.
pub fn recover_catalog(manifest: &Manifest, region: &str, catalog: &Catalog) -> Runbook {
    let Catalog { name, source, target, .. } = catalog;
    let restore = format!("restore.catalog.{name}");
    let component = Some(Component::Catalog);
    let steps = vec![
        step(
            &restore,
            Phase::Restore,
            &[],
            format!("recreate catalog {source} as {target}"),
            component,
            expected::RESTORE_CATALOG,
            Action::RestoreCatalog { catalog: catalog.clone() },
        ),
        step(
            &format!("verify.catalog.{name}"),
            Phase::Verification,
            &[&restore],
            format!("verify catalog {target}"),
            component,
            expected::VERIFY,
            Action::VerifyCatalog { catalog: catalog.clone() },
        ),
    ];
    let mut not_checked = vec![
        NotChecked {
            what: format!("data that the tables of {target} lead to"),
            why: "definitions are brought back; what lies at their locations is as it is now".into(),
        },
        NotChecked {
            what: format!(
                "Lake Formation permissions, statistics, indexes and older versions of the tables of {target}"
            ),
            why: "an export has none of them".into(),
        },
    ];
    if let CatalogSource::Version(version) = &catalog.from
        && version.written_at < version.to
    {
        not_checked.push(NotChecked {
            what: format!("what has changed in {source} between {} and {}", version.written_at, version.to),
            why: "the export of then was written before".into(),
        });
    }
    let away = region != manifest.recovery.name;
    let why = if away { "Athena is asked in the recovery region alone" } else { "no query is sent to Athena" };
    not_checked.extend(answers_not_checked(catalog, why));
    if catalog.verify.is_empty() {
        let what = format!("number of tables and partitions of {target}");
        not_checked.push(NotChecked { what, why: "no number was expected".into() });
    }
    runbook(manifest, region, Component::Catalog, steps, not_checked)
}

fn runbook(
    manifest: &Manifest,
    region: &str,
    component: Component,
    steps: Vec<StepSpec>,
    not_checked: Vec<NotChecked>,
) -> Runbook {
    let counts = |(of, _): &(&Component, &Objective)| [component, Component::System].contains(of);
    let objectives = manifest.objectives.iter().filter(counts);
    Runbook {
        scenario: RECOVER.into(),
        environment: manifest.environment.clone(),
        service: manifest.service.clone(),
        account: manifest.account.clone(),
        from_region: region.to_owned(),
        to_region: region.to_owned(),
        steps,
        objectives: objectives.map(|(component, objective)| (*component, *objective)).collect(),
        not_checked,
    }
}
