//! A cluster and its instances as they stand, and what is wrong with them.

use super::StepError;
use super::cluster_instances::InstanceSettings;
use super::cluster_settings::ClusterSettings;
use crate::aws::Session;
use crate::aws::rds::{self, ClusterState, InstanceState};

/// What stands of a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterLook {
    pub cluster: ClusterState,
    /// In the order of the wanted ones.
    pub instances: Vec<Option<InstanceState>>,
}

impl ClusterLook {
    /// `None` where the cluster does not stand.
    ///
    /// # Errors
    /// RDS could not be asked, or a status will not become better by itself.
    pub async fn at(session: &Session, id: &str, wanted: &[InstanceSettings]) -> Result<Option<Self>, StepError> {
        let Some(cluster) = rds::cluster(session, id).await? else { return Ok(None) };
        alive(&format!("cluster {id}"), &cluster.status)?;
        let mut instances = Vec::with_capacity(wanted.len());
        for instance in wanted {
            let seen = rds::instance(session, &instance.request.id).await?;
            if let Some(seen) = &seen {
                alive(&format!("instance {}", seen.id), &seen.status)?;
            }
            instances.push(seen);
        }
        Ok(Some(Self { cluster, instances }))
    }

    /// What keeps it from serving; empty when all is well.
    pub fn faults(&self, wanted: &[InstanceSettings]) -> Vec<String> {
        let mut faults = Vec::new();
        if self.cluster.status != "available" {
            faults.push(format!("cluster {} is {}", self.cluster.id, self.cluster.status));
        }
        for (wanted, seen) in wanted.iter().zip(&self.instances) {
            let id = &wanted.request.id;
            match seen {
                None => faults.push(format!("instance {id} is missing")),
                Some(seen) if seen.status != "available" => faults.push(format!("instance {id} is {}", seen.status)),
                Some(_) if !self.cluster.members.iter().any(|member| member.id == *id) => {
                    faults.push(format!("instance {id} is not a member of cluster {}", self.cluster.id));
                }
                Some(_) => {}
            }
        }
        let writers = self.cluster.members.iter().filter(|member| member.writer).count();
        if !wanted.is_empty() && writers != 1 && faults.is_empty() {
            faults.push(format!("cluster {} has {writers} writers", self.cluster.id));
        }
        if self.cluster.endpoint.is_none() && faults.is_empty() {
            faults.push(format!("cluster {} has no endpoint", self.cluster.id));
        }
        faults
    }

    /// Settings that are not as declared, of the cluster and its instances.
    pub fn differences(
        &self,
        settings: &ClusterSettings,
        wanted: &[InstanceSettings],
    ) -> Vec<crate::verify::Difference> {
        let mut differences = settings.differences(&self.cluster);
        for (wanted, seen) in wanted.iter().zip(&self.instances) {
            differences.extend(seen.iter().flat_map(|seen| wanted.differences(seen)));
        }
        differences
    }
}

/// Refuses a status that no wait will change (Amazon Aurora User Guide: "Viewing DB cluster status", "Viewing DB
/// instance status").
pub(super) fn alive(what: &str, status: &str) -> Result<(), StepError> {
    let lasting = status.starts_with("incompatible-")
        || status.starts_with("inaccessible-encryption-")
        || matches!(
            status,
            "failed"
                | "cloning-failed"
                | "migration-failed"
                | "restore-error"
                | "insufficient-capacity"
                | "deleting"
                | "stopping"
                | "stopped"
        );
    if !lasting {
        return Ok(());
    }
    let hint = if status.starts_with("inaccessible-") {
        "make the KMS key usable again, then retry the step"
    } else {
        "look at its events (aws rds describe-events), mend or delete it, then retry the step"
    };
    Err(StepError::failed(format!("{what} is {status}")).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::rds::{InstanceRequest, Member};

    fn wanted() -> Vec<InstanceSettings> {
        let request = InstanceRequest { id: "logs-1".into(), ..InstanceRequest::default() };
        vec![InstanceSettings { address: None, request }]
    }

    fn look(status: &str, member: Option<bool>) -> ClusterLook {
        let members = member.map(|writer| Member { id: "logs-1".into(), writer, parameter_group_status: None });
        let cluster = ClusterState {
            id: "logs".into(),
            status: "available".into(),
            endpoint: Some("logs.cluster".into()),
            members: members.into_iter().collect(),
            ..ClusterState::default()
        };
        let instance = InstanceState { id: "logs-1".into(), status: status.into(), ..InstanceState::default() };
        ClusterLook { cluster, instances: vec![Some(instance)] }
    }

    #[test]
    fn a_cluster_serves_when_its_instances_are_available_members_and_one_writes() {
        assert_eq!(look("available", Some(true)).faults(&wanted()), Vec::<String>::new());
        assert_eq!(look("creating", Some(true)).faults(&wanted()), ["instance logs-1 is creating"]);
        assert_eq!(look("available", None).faults(&wanted()), ["instance logs-1 is not a member of cluster logs"]);
        assert_eq!(look("available", Some(false)).faults(&wanted()), ["cluster logs has 0 writers"]);
    }

    #[test]
    fn a_status_that_no_wait_changes_is_an_error_at_once() {
        let error = alive("cluster logs", "inaccessible-encryption-credentials").expect_err("it is dead");
        assert_eq!(error.cause, "cluster logs is inaccessible-encryption-credentials");
        assert!(error.hint.is_some_and(|hint| hint.contains("KMS key")));
        assert_eq!(alive("cluster logs", "backing-up"), Ok(()));
    }
}
