//! The master user of an Aurora cluster: who it is, who keeps its password, and another password.

use crate::aws::secrets::Secret;
use crate::aws::{AwsError, Session, explain};

/// What RDS tells of a cluster's master user (RDS API: "DBCluster").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Master {
    pub user: Option<String>,
    /// ARN of the secret, where RDS keeps the password in one (Amazon Aurora User Guide: "Password management with Amazon Aurora
    /// and AWS Secrets Manager").
    pub managed: Option<String>,
    /// `available`, `resetting-master-credentials`, …
    pub status: String,
    /// Whether another password is accepted and not yet in force.
    pub pending: bool,
}

/// The master user of a cluster; `None` where there is no such cluster.
///
/// # Errors
/// Any answer but the cluster or "not found".
pub async fn master(session: &Session, cluster: &str) -> Result<Option<Master>, AwsError> {
    let Some(cluster) = super::clusters::described(session, cluster).await? else { return Ok(None) };
    let managed = cluster.master_user_secret().and_then(|secret| secret.secret_arn());
    let pending = cluster.pending_modified_values().is_some_and(|it| it.master_user_password().is_some());
    Ok(Some(Master {
        user: cluster.master_username().map(str::to_owned),
        managed: managed.map(str::to_owned),
        status: cluster.status().unwrap_or_default().to_owned(),
        pending,
    }))
}

/// Gives the master user another password, at once (RDS API: "ModifyDBCluster").
///
/// # Errors
/// RDS refuses, for example because the cluster is not `available`.
pub async fn set_master_password(session: &Session, cluster: &str, password: &Secret) -> Result<(), AwsError> {
    let modify = session.rds().modify_db_cluster().db_cluster_identifier(cluster).apply_immediately(true);
    let modify = modify.master_user_password(password.reveal());
    modify.send().await.map(drop).map_err(explain("rds:ModifyDBCluster"))
}
