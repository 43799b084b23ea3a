//! What else a world has after a rehearsal, as lines: recovery points that stand in it, and who may do what.

use std::collections::BTreeSet;

use crate::aws::{AwsError, Session, explain};

/// The snapshots of clusters and the backups of tables in a region.
pub(super) async fn recovery_points(session: &Session) -> Result<Vec<String>, AwsError> {
    let region = session.region();
    let found = session.rds().describe_db_cluster_snapshots().into_paginator().items().send().try_collect().await;
    let snapshots = found.map_err(explain("rds:DescribeDBClusterSnapshots"))?;
    // RDS names its own ones by their time.
    let snapshots = snapshots.iter().filter(|it| it.snapshot_type() != Some("automated")).map(|it| {
        let (id, cluster, status) = (it.db_cluster_snapshot_identifier(), it.db_cluster_identifier(), it.status());
        format!("{region} snapshot {id:?} of {cluster:?} {status:?}")
    });
    let found = session.dynamodb().list_backups().send().await.map_err(explain("dynamodb:ListBackups"))?;
    let mut backups: Vec<String> = found
        .backup_summaries()
        .iter()
        .map(|it| format!("{region} backup {:?} of {:?} {:?}", it.backup_name(), it.table_name(), it.backup_status()))
        .collect();
    backups.sort();
    // Two of a name are no fewer than one.
    let backups = backups.iter().enumerate().map(|(nr, line)| {
        let before = backups[..nr].iter().filter(|it| *it == line).count();
        format!("{line} no. {}", before + 1)
    });
    Ok(snapshots.chain(backups).collect())
}

/// Users with their keys, and roles, each with its policies.
pub(super) async fn identities(session: &Session) -> Result<Vec<String>, AwsError> {
    let iam = session.iam();
    let mut lines = Vec::new();
    let users = iam.list_users().into_paginator().items().send().try_collect().await;
    for user in users.map_err(explain("iam:ListUsers"))? {
        let name = user.user_name();
        let keys = iam.list_access_keys().user_name(name).send().await.map_err(explain("iam:ListAccessKeys"))?;
        let mut keys: Vec<_> = keys.access_key_metadata().iter().map(|key| key.status()).collect();
        keys.sort();
        let inline = iam.list_user_policies().user_name(name).send().await.map_err(explain("iam:ListUserPolicies"))?;
        let attached = iam.list_attached_user_policies().user_name(name).send().await;
        let attached = attached.map_err(explain("iam:ListAttachedUserPolicies"))?;
        let attached: BTreeSet<_> = attached.attached_policies().iter().map(|it| it.policy_name()).collect();
        lines.push(format!("user {name} keys {keys:?} policies {:?} {attached:?}", inline.policy_names()));
    }
    let roles = iam.list_roles().into_paginator().items().send().try_collect().await;
    for role in roles.map_err(explain("iam:ListRoles"))? {
        let name = role.role_name();
        let inline = iam.list_role_policies().role_name(name).send().await.map_err(explain("iam:ListRolePolicies"))?;
        let attached = iam.list_attached_role_policies().role_name(name).send().await;
        let attached = attached.map_err(explain("iam:ListAttachedRolePolicies"))?;
        let attached: BTreeSet<_> = attached.attached_policies().iter().map(|it| it.policy_name()).collect();
        lines.push(format!("role {name} policies {:?} {attached:?}", inline.policy_names()));
    }
    Ok(lines)
}
