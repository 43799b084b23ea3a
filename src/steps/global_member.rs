//! A member of a global database as it stands, and what that means for a failover to it. Only reads, all of them asked in the
//! recovery region: what the primary region would say cannot be waited for.

use super::cluster_look::alive;
use super::{Blocked, Cx, StepError};
use crate::aws::rds::{self, ClusterState, GlobalCluster, GlobalMember, InstanceState};
use crate::manifest::Cluster;

/// The engines that lifeboat fails over (Amazon Aurora User Guide: "Using Amazon Aurora Global Database"). Others have global
/// clusters too, and RDS tells of them.
const ENGINES: [&str; 3] = ["aurora", "aurora-mysql", "aurora-postgresql"];

/// What stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Member {
    pub global: GlobalCluster,
    pub cluster: ClusterState,
    /// The instances of the cluster.
    pub instances: Vec<InstanceState>,
}

/// Who writes, as seen from the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The target does.
    Writer,
    /// The cluster with this ARN does.
    Secondary { writer: String },
    /// The target is about to, in AWS's own words.
    Moving(String),
}

impl Member {
    /// # Errors
    /// AWS could not be asked.
    pub async fn look(cx: &Cx, cluster: &Cluster, id: &str) -> Result<Option<Self>, crate::aws::AwsError> {
        let session = &cx.world.aws;
        let (global, found) =
            tokio::try_join!(rds::global_cluster(session, id), rds::cluster(session, &cluster.target))?;
        let Some(global) = global else { return Ok(None) };
        let cluster = found.unwrap_or_default();
        let mut instances = Vec::with_capacity(cluster.members.len());
        for member in &cluster.members {
            instances.extend(rds::instance(session, &member.id).await?);
        }
        Ok(Some(Self { global, cluster, instances }))
    }

    /// The target among the members.
    fn target(&self, cluster: &Cluster, region: &str) -> Option<&GlobalMember> {
        let same = |it: &&GlobalMember| is(it, region, &cluster.target);
        self.global.members.iter().find(same)
    }

    /// The target's ARN, as the global database knows it.
    pub fn target_arn(&self, cluster: &Cluster, region: &str) -> Option<String> {
        self.target(cluster, region).map(|member| member.arn.clone())
    }

    /// Who writes.
    ///
    /// # Errors
    /// It is not the manifest's global database: the target is no member, another cluster than the source writes, or a
    /// failover to another is under way.
    pub fn role(&self, cluster: &Cluster, region: &str, primary: &str) -> Result<Role, Blocked> {
        let (global, target, source) = (&self.global, &cluster.target, &cluster.source);
        let blocked = |cause: String, hint: String| Err(Blocked { cause, hint: Some(hint) });
        if !ENGINES.contains(&global.engine.as_str()) {
            return blocked(
                format!("global database {} is {}", global.id, global.engine),
                "an aurora block takes global databases of Aurora only".to_owned(),
            );
        }
        let Some(member) = self.target(cluster, region) else {
            return blocked(
                format!("cluster {target} in {region} is no member of global database {}: {}", global.id, self.members()),
                "correct `target` and `from`; a cluster that was detached from it writes on its own and is not failed over: \
                 take its aurora block out, or restore from a snapshot"
                    .to_owned(),
            );
        };
        if let Some(moving) = &global.moving {
            if moving.to != member.arn {
                return blocked(
                    format!("global database {} is {} already, to {}", global.id, moving.status, moving.to),
                    format!(
                        "wait until that has ended (aws rds describe-global-clusters --region {region}), then see who writes"
                    ),
                );
            }
            return Ok(Role::Moving(format!("{} to {target}", moving.status)));
        }
        if member.writer {
            return Ok(Role::Writer);
        }
        match global.members.iter().find(|member| member.writer) {
            Some(writer) if is(writer, primary, source) => Ok(Role::Secondary { writer: writer.arn.clone() }),
            Some(writer) => blocked(
                format!("cluster {} writes to global database {}, not {source} in {primary}", writer.arn, global.id),
                "correct `source` and region \"primary\" of the manifest, or see who has moved the writer".to_owned(),
            ),
            None => blocked(
                format!("no member of global database {} is said to write: {}", global.id, self.members()),
                format!("look at it (aws rds describe-global-clusters --region {region}), then try again"),
            ),
        }
    }

    fn members(&self) -> String {
        let members: Vec<&str> = self.global.members.iter().map(|member| member.arn.as_str()).collect();
        if members.is_empty() {
            "it has no members".to_owned()
        } else {
            format!("its members are {}", members.join(", "))
        }
    }

    /// Whether the target has somebody who can become the writer. A cluster without instances cannot be failed over to
    /// (Amazon Aurora User Guide: "Using switchover or failover in Amazon Aurora Global Database").
    ///
    /// # Errors
    /// It has not.
    pub fn can_be_promoted(&self, target: &str, region: &str) -> Result<(), Blocked> {
        if self.instances.iter().any(|instance| instance.status == "available") {
            return Ok(());
        }
        let engine = &self.cluster.engine;
        let (cause, hint) = match self.instances.first() {
            None => (
                format!("cluster {target} in {region} has no instance: nobody there could write"),
                format!(
                    "add one and wait until it is available: aws rds create-db-instance --region {region} --db-cluster-identifier \
                     {target} --db-instance-identifier {target}-1 --db-instance-class CLASS --engine {engine}"
                ),
            ),
            Some(instance) => (
                format!(
                    "no instance of cluster {target} in {region} is available: {} is {}",
                    instance.id, instance.status
                ),
                "wait until one is, or look at its events (aws rds describe-events)".to_owned(),
            ),
        };
        Err(Blocked { cause, hint: Some(hint) })
    }

    /// What keeps the target from taking writes, once it is the writer; empty when all is well.
    ///
    /// # Errors
    /// A status will not become better by itself.
    pub fn faults(&self, target: &str) -> Result<Vec<String>, StepError> {
        alive(&format!("cluster {target}"), &self.cluster.status)?;
        let mut faults = Vec::new();
        if self.cluster.status != "available" {
            faults.push(format!("cluster {target} is {}", self.cluster.status));
        }
        let writers: Vec<&str> =
            self.cluster.members.iter().filter(|member| member.writer).map(|member| member.id.as_str()).collect();
        match writers.as_slice() {
            [writer] => match self.instances.iter().find(|instance| instance.id == *writer) {
                Some(instance) if instance.status == "available" => {}
                Some(instance) => faults.push(format!("instance {writer} is {}", instance.status)),
                None => faults.push(format!("instance {writer} is missing")),
            },
            _ => faults.push(format!("cluster {target} has {} writers", writers.len())),
        }
        if self.cluster.endpoint.is_none() {
            faults.push(format!("cluster {target} has no endpoint"));
        }
        Ok(faults)
    }

    /// What people should know of it before a failover.
    pub fn doubts(&self, cluster: &Cluster, region: &str) -> Vec<String> {
        let (global, target) = (&self.global, &cluster.target);
        let mut doubts = Vec::new();
        let member = self.target(cluster, region);
        if let Some(status) =
            member.and_then(|it| it.synchronization.as_deref()).filter(|status| *status != "connected")
        {
            doubts.push(format!(
                "cluster {target} is {status} in global database {}: it may hold less than it should",
                global.id
            ));
        }
        let (of_global, of_target) = (&global.engine_version, &self.cluster.engine_version);
        if !of_global.is_empty() && of_global != of_target {
            doubts.push(format!(
                "global database {} is of version {of_global}, cluster {target} of {of_target}: AWS fails over only between \
                 versions that fit",
                global.id
            ));
        }
        let waiting = self.instances.iter().filter(|instance| instance.status != "available");
        doubts.extend(waiting.map(|instance| format!("instance {} is {}", instance.id, instance.status)));
        doubts
    }

    /// Whether the target hands writes on to the primary, where that is told.
    pub fn write_forwarding(&self, cluster: &Cluster, region: &str) -> Option<&str> {
        self.target(cluster, region)?.write_forwarding.as_deref()
    }
}

fn is(member: &GlobalMember, region: &str, id: &str) -> bool {
    let place = member.place();
    place.0 == region && place.1.eq_ignore_ascii_case(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::rds::{Member as Instance, Moving};
    use crate::manifest::ClusterSource;

    const REGION: &str = "us-east-1";
    const PRIMARY: &str = "eu-west-2";

    fn cluster() -> Cluster {
        Cluster {
            name: "logs".into(),
            source: "logs-prod".into(),
            target: "logs-dr".into(),
            from: ClusterSource::Global("logs".into()),
            instances: 1,
            adopt: None,
            subnet_group: None,
            security_groups: Vec::new(),
            rows: None,
        }
    }

    fn arn(region: &str, id: &str) -> String {
        format!("arn:aws:rds:{region}:123456789012:cluster:{id}")
    }

    fn member(region: &str, id: &str, writer: bool) -> GlobalMember {
        GlobalMember { arn: arn(region, id), writer, ..GlobalMember::default() }
    }

    fn healthy() -> Member {
        let global = GlobalCluster {
            id: "logs".into(),
            engine: "aurora-mysql".into(),
            engine_version: "8.0.mysql_aurora.3.08.2".into(),
            members: vec![member(PRIMARY, "logs-prod", true), member(REGION, "logs-dr", false)],
            ..GlobalCluster::default()
        };
        let instance = Instance { id: "logs-dr-1".into(), writer: false, parameter_group_status: None };
        let cluster = ClusterState {
            id: "logs-dr".into(),
            status: "available".into(),
            engine: "aurora-mysql".into(),
            engine_version: "8.0.mysql_aurora.3.08.2".into(),
            endpoint: Some("logs-dr.cluster".into()),
            members: vec![instance],
            ..ClusterState::default()
        };
        let instance = InstanceState { id: "logs-dr-1".into(), status: "available".into(), ..InstanceState::default() };
        Member { global, cluster, instances: vec![instance] }
    }

    fn refused(member: &Member) -> String {
        member.role(&cluster(), REGION, PRIMARY).expect_err("it is refused").cause
    }

    #[test]
    fn the_writer_is_told_from_a_secondary_and_from_one_that_is_being_promoted() {
        let mut seen = healthy();
        let role = |seen: &Member| seen.role(&cluster(), REGION, PRIMARY);
        assert_eq!(role(&seen), Ok(Role::Secondary { writer: arn(PRIMARY, "logs-prod") }));
        seen.global.moving =
            Some(Moving { status: "failing-over".into(), to: arn(REGION, "logs-dr"), data_loss: true });
        assert_eq!(role(&seen), Ok(Role::Moving("failing-over to logs-dr".into())));
        // Its role may be told before the rest has ended.
        seen.global.members = vec![member(REGION, "logs-dr", true)];
        assert!(matches!(role(&seen), Ok(Role::Moving(_))));
        // The old primary may be gone from it while its region is.
        seen.global.moving = None;
        assert_eq!(role(&seen), Ok(Role::Writer));
    }

    #[test]
    fn what_is_not_the_manifests_global_database_is_refused_by_name() {
        let mut seen = healthy();
        seen.global.members[1].arn = arn("ap-south-1", "logs-dr");
        assert!(refused(&seen).contains("is no member of global database logs: its members are arn:aws:rds:eu-west-2"));
        let mut seen = healthy();
        seen.global.members[0].arn = arn("ap-south-1", "logs-prod");
        assert!(refused(&seen).contains("not logs-prod in eu-west-2"), "{}", refused(&seen));
        let mut seen = healthy();
        seen.global.members[0].writer = false;
        assert!(refused(&seen).contains("is said to write"));
        let mut seen = healthy();
        seen.global.engine = "neptune".into();
        assert!(refused(&seen).contains("is neptune"));
        let mut seen = healthy();
        seen.global.moving =
            Some(Moving { status: "switching-over".into(), to: arn("ap-south-1", "x"), data_loss: false });
        assert!(refused(&seen).contains("is switching-over already, to arn:aws:rds:ap-south-1"), "{}", refused(&seen));
    }

    #[test]
    fn a_secondary_without_an_available_instance_cannot_be_promoted() {
        let mut seen = healthy();
        assert_eq!(seen.can_be_promoted("logs-dr", REGION), Ok(()));
        seen.instances[0].status = "creating".into();
        let blocked = seen.can_be_promoted("logs-dr", REGION).expect_err("nobody is there");
        assert!(blocked.cause.ends_with("logs-dr-1 is creating"), "{}", blocked.cause);
        seen.instances.clear();
        let blocked = seen.can_be_promoted("logs-dr", REGION).expect_err("nobody is there");
        assert!(blocked.cause.contains("has no instance"), "{}", blocked.cause);
        assert!(blocked.hint.is_some_and(|hint| hint.contains("create-db-instance --region us-east-1")));
    }

    #[test]
    fn it_takes_writes_when_its_one_writer_is_available_and_there_is_an_endpoint() {
        let mut seen = healthy();
        assert_eq!(seen.faults("logs-dr"), Ok(vec!["cluster logs-dr has 0 writers".to_owned()]));
        seen.cluster.members[0].writer = true;
        assert_eq!(seen.faults("logs-dr"), Ok(Vec::new()));
        seen.instances[0].status = "rebooting".into();
        seen.cluster.endpoint = None;
        assert_eq!(
            seen.faults("logs-dr"),
            Ok(vec!["instance logs-dr-1 is rebooting".to_owned(), "cluster logs-dr has no endpoint".to_owned()])
        );
        seen.cluster.status = "inaccessible-encryption-credentials".into();
        assert!(seen.faults("logs-dr").is_err());
    }

    #[test]
    fn other_versions_and_a_secondary_that_is_behind_are_told() {
        let mut seen = healthy();
        assert_eq!(seen.doubts(&cluster(), REGION), Vec::<String>::new());
        seen.global.members[1].synchronization = Some("pending-resync".into());
        seen.global.engine_version = "8.0.mysql_aurora.3.09.0".into();
        let doubts = seen.doubts(&cluster(), REGION).join("\n");
        assert!(
            doubts.contains("is pending-resync") && doubts.contains("of version 8.0.mysql_aurora.3.09.0"),
            "{doubts}"
        );
    }
}
