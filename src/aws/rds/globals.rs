//! Aurora global databases: describe, fail over. Both are asked in a region of the secondary; the primary's is not asked.

use aws_sdk_rds::config::{self, retry::RetryConfig};
use aws_sdk_rds::types::{GlobalCluster as Described, GlobalClusterMember};

use crate::aws::{AwsError, Session, explain};

/// A global database as it stands (RDS API: "GlobalCluster").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlobalCluster {
    pub id: String,
    pub status: String,
    pub engine: String,
    pub engine_version: String,
    pub members: Vec<GlobalMember>,
    /// A failover or switchover that is under way.
    pub moving: Option<Moving>,
}

/// A cluster of it (RDS API: "GlobalClusterMember").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GlobalMember {
    pub arn: String,
    /// Whether it is the primary.
    pub writer: bool,
    /// `enabled`, `disabled`, …; told of secondaries.
    pub write_forwarding: Option<String>,
    /// `connected`, `pending-resync`.
    pub synchronization: Option<String>,
}

/// What is under way (RDS API: "FailoverState").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moving {
    /// `pending`, `failing-over`, `switching-over`, `cancelling`.
    pub status: String,
    /// ARN of the cluster that is being promoted.
    pub to: String,
    /// Whether it is a failover, and no switchover.
    pub data_loss: bool,
}

impl GlobalMember {
    /// Its region and identifier.
    pub fn place(&self) -> (&str, &str) {
        let mut parts = self.arn.splitn(7, ':');
        (parts.nth(3).unwrap_or_default(), parts.nth(2).unwrap_or_default())
    }
}

/// The global database of that identifier, or `None` if there is none (RDS API: "DescribeGlobalClusters").
///
/// # Errors
/// Any answer but the global database or "not found".
pub async fn global_cluster(session: &Session, id: &str) -> Result<Option<GlobalCluster>, AwsError> {
    let answer = session.rds().describe_global_clusters().global_cluster_identifier(id).send().await;
    match answer.map_err(explain("rds:DescribeGlobalClusters")) {
        // The emulator tells of all, whichever is asked for.
        Ok(answer) => Ok(answer.global_clusters().iter().map(from_sdk).find(|it| it.id.eq_ignore_ascii_case(id))),
        Err(error) if error.is_any(&["GlobalClusterNotFoundFault", "GlobalClusterNotFound"]) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Begins to fail a global database over to a secondary, without waiting for what is not replicated (RDS API:
/// "FailoverGlobalCluster"). It is sent once: whether a request whose answer is lost has arrived is to be looked for.
///
/// # Errors
/// RDS refuses, for example because another failover is under way.
pub async fn fail_over_global(session: &Session, id: &str, target_arn: &str) -> Result<(), AwsError> {
    session
        .rds()
        .failover_global_cluster()
        .global_cluster_identifier(id)
        .target_db_cluster_identifier(target_arn)
        .allow_data_loss(true)
        .customize()
        .config_override(config::Builder::new().retry_config(RetryConfig::disabled()))
        .send()
        .await
        .map_err(explain("rds:FailoverGlobalCluster"))?;
    Ok(())
}

fn from_sdk(global: &Described) -> GlobalCluster {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let state = global.failover_state().filter(|state| state.status().is_some());
    GlobalCluster {
        id: text(global.global_cluster_identifier()),
        status: text(global.status()),
        engine: text(global.engine()),
        engine_version: text(global.engine_version()),
        members: global.global_cluster_members().iter().map(member).collect(),
        moving: state.map(|state| Moving {
            status: text(state.status().map(|status| status.as_str())),
            to: text(state.to_db_cluster_arn()),
            data_loss: state.is_data_loss_allowed().unwrap_or_default(),
        }),
    }
}

fn member(member: &GlobalClusterMember) -> GlobalMember {
    GlobalMember {
        arn: member.db_cluster_arn().unwrap_or_default().to_owned(),
        writer: member.is_writer().unwrap_or_default(),
        write_forwarding: member.global_write_forwarding_status().map(|status| status.as_str().to_owned()),
        synchronization: member.synchronization_status().map(|status| status.as_str().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_known_by_region_and_identifier() {
        let arn = "arn:aws:rds:us-east-1:123456789012:cluster:logs-dr".to_owned();
        assert_eq!(GlobalMember { arn, ..GlobalMember::default() }.place(), ("us-east-1", "logs-dr"));
        assert_eq!(GlobalMember::default().place(), ("", ""));
    }
}
