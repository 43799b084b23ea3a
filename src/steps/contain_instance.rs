//! Cuts an instance off: every network interface of it gets a security group without rules instead of its own. Its release gives
//! it its own back, and deletes that group once nothing has it.
//!
//! A connection that its security groups track already lives on (Amazon EC2 User Guide: "Security group connection tracking"):
//! an entry of a network ACL cuts it.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::contained::{BEFORE, GLASS, are_there, blocked, facts, gone, note, noted};
use super::quarantine::{self, DESCRIPTION, QUARANTINE, TAG};
use super::{Blocked, Checked, Compensation, Cx, Output, Seen, Standing, Step, StepError};
use crate::aws::ec2::{self, NetworkInterface};
use crate::containment::{InstanceBefore, InterfaceBefore, SpareInstance};

/// The step `contain.instance.ID`.
pub struct ContainInstance {
    pub instance: SpareInstance,
}

/// The step `release.instance.ID`.
pub struct ReleaseInstance {
    pub instance: SpareInstance,
    pub before: InstanceBefore,
}

/// An instance that is there, with its network interfaces and the id of its VPC's quarantine group.
struct Now {
    vpc: String,
    interfaces: Vec<NetworkInterface>,
    quarantine: Option<String>,
    /// Whether the quarantine group has rules, so that it is none.
    open: bool,
}

impl Now {
    fn before(&self) -> InstanceBefore {
        let of = |it: &NetworkInterface| InterfaceBefore { id: it.id.clone(), groups: it.groups.clone() };
        InstanceBefore { vpc: self.vpc.clone(), interfaces: self.interfaces.iter().map(of).collect() }
    }

    fn is_cut_off(&self, interface: &NetworkInterface) -> bool {
        self.quarantine.as_ref().is_some_and(|group| is_only(&interface.groups, group))
    }

    fn is_done(&self) -> bool {
        !self.open && self.interfaces.iter().all(|interface| self.is_cut_off(interface))
    }
}

fn is_only(groups: &[String], group: &str) -> bool {
    matches!(groups, [only] if only == group)
}

impl ContainInstance {
    /// `None` of an instance that is terminated.
    async fn look(&self, cx: &Cx) -> Result<Option<Now>, StepError> {
        let (session, id) = (&cx.world.aws, self.instance.id.as_str());
        let Some(instance) = ec2::instance(session, id).await? else {
            let region = session.region();
            return Err(StepError::conflict(format!("there is no instance {id} in {region}"))
                .hint(format!("look: aws ec2 describe-instances --region {region}")));
        };
        if instance.is_terminated() {
            return Ok(None);
        }
        let interfaces = ec2::interfaces_of(session, id).await?;
        if let Some(theirs) = interfaces.iter().find(|it| it.of_service) {
            return Err(StepError::conflict(format!(
                "network interface {} of {id} is managed by a service",
                theirs.id
            ))
            .hint("its security groups are the service's to change: shut the instance out there, or stop it"));
        }
        let group = quarantine::find(session, &instance.vpc).await?;
        let open = group.as_ref().is_none_or(|group| group.has_rules);
        Ok(Some(Now { vpc: instance.vpc, interfaces, quarantine: group.map(|group| group.id), open }))
    }

    fn terminated(&self) -> Output {
        json!({"instance": self.instance.id, "skipped": "it is terminated", "changed": false})
    }

    fn output(&self, cx: &Cx, now: &Now) -> Output {
        let cut: Vec<&String> = now.interfaces.iter().map(|it| &it.id).collect();
        json!({
            "instance": self.instance.id, "security_group": now.quarantine, "network_interfaces": cut,
            "changed": cx.noted(BEFORE).is_some(),
        })
    }

    /// As it would be asked for (EC2 API: "CreateSecurityGroup", "ModifyNetworkInterfaceAttribute").
    fn writes(now: &Now) -> Vec<Value> {
        let mut writes = Vec::new();
        if now.quarantine.is_none() {
            let tags = json!([{"ResourceType": "security-group", "Tags": [{"Key": TAG.0, "Value": TAG.1}]}]);
            let document = json!({"GroupName": QUARANTINE, "VpcId": now.vpc, "Description": DESCRIPTION, "TagSpecifications": tags});
            writes.push(json!({"create": format!("security group {QUARANTINE}"), "document": document}));
        }
        if now.open {
            writes.push(json!({"revoke": format!("every rule of security group {QUARANTINE}")}));
        }
        let group = now.quarantine.as_deref().unwrap_or(QUARANTINE);
        writes.extend(now.interfaces.iter().filter(|it| !now.is_cut_off(it)).map(|it| {
            let set = format!("security groups of {} (now {})", it.id, it.groups.join(", "));
            json!({"set": set, "document": {"NetworkInterfaceId": it.id, "Groups": [group]}})
        }));
        writes
    }
}

#[async_trait]
impl Step for ContainInstance {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        are_there(cx, &self.instance.break_glass, GLASS).await.map_err(blocked)?;
        let Some(now) = self.look(cx).await.map_err(blocked)? else {
            let words = format!("instance {} is terminated: there is nothing to shut out", self.instance.id);
            return Ok(Checked { facts: facts(Vec::new(), vec![words]), standing: Standing::InPlace });
        };
        let (writes, standing) = match now.is_done() {
            true => (Vec::new(), Standing::InPlace),
            false => (Self::writes(&now), Standing::Unknown),
        };
        Ok(Checked { facts: facts(writes, Vec::new()), standing })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let Some(now) = self.look(cx).await? else { return Ok(Seen::Done(self.terminated())) };
        Ok(if now.is_done() { Seen::Done(self.output(cx, &now)) } else { Seen::Absent })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        are_there(cx, &self.instance.break_glass, GLASS).await?;
        let Some(now) = self.look(cx).await? else { return Ok(self.terminated()) };
        let found = now.before();
        let before = noted::<InstanceBefore>(cx).map_or_else(|| found.clone(), |noted| noted.with(&found));
        note(cx, &before).await?;
        let session = &cx.world.aws;
        let group = quarantine::make(session, &now.vpc).await?.id;
        for interface in now.interfaces.iter().filter(|it| !is_only(&it.groups, &group)) {
            ec2::set_groups(session, &interface.id, std::slice::from_ref(&group)).await?;
        }
        Ok(self.output(cx, &Now { quarantine: Some(group), ..now }))
    }

    async fn verify(&self, cx: &Cx, _: &Output) -> Result<(), StepError> {
        match self.look(cx).await? {
            Some(now) if !now.is_done() => {
                Err(StepError::check_failed(format!("instance {} is not cut off", self.instance.id)))
            }
            _ => Ok(()),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("lifeboat contain ENV --undo RUN".into())
    }
}

/// What is left to do for a release.
struct Left {
    /// Network interfaces that get their own groups back.
    interfaces: Vec<InterfaceBefore>,
    /// Whether nothing else has the quarantine group.
    group: bool,
    /// What is not touched, and why.
    kept: Vec<String>,
}

impl Left {
    fn is_done(&self) -> bool {
        self.interfaces.is_empty() && !self.group
    }
}

impl ReleaseInstance {
    async fn left(&self, cx: &Cx) -> Result<Left, StepError> {
        let session = &cx.world.aws;
        let mut left = Left { interfaces: Vec::new(), group: false, kept: Vec::new() };
        let Some(group) = quarantine::find(session, &self.before.vpc).await? else { return Ok(left) };
        let ids = self.before.interfaces.iter().map(|it| it.id.clone()).collect();
        let now = ec2::interfaces(session, ids).await?;
        for before in &self.before.interfaces {
            match now.iter().find(|it| it.id == before.id) {
                None => left.kept.push(gone(&format!("network interface {}", before.id))),
                Some(it) if it.groups == before.groups => {}
                Some(it) if is_only(&it.groups, &group.id) => left.interfaces.push(before.clone()),
                Some(it) => {
                    left.kept.push(format!("network interface {} has other groups since: left as it is", it.id))
                }
            }
        }
        left.group = left.interfaces.is_empty() && quarantine::unused(session, &self.before.vpc).await?.is_some();
        Ok(left)
    }

    fn output(&self, kept: &[String]) -> Output {
        json!({"instance": self.instance.id, "left_alone": kept, "changed": true})
    }
}

#[async_trait]
impl Step for ReleaseInstance {
    async fn check(&self, cx: &Cx) -> Result<Checked, Blocked> {
        let left = self.left(cx).await.map_err(blocked)?;
        let mut writes: Vec<Value> = Vec::new();
        writes.extend(left.interfaces.iter().map(|it| {
            let document = json!({"NetworkInterfaceId": it.id, "Groups": it.groups});
            json!({"set": format!("security groups of {}", it.id), "document": document})
        }));
        if !left.is_done() {
            writes.push(json!({"delete": format!("security group {QUARANTINE} of {}, unless something has it", self.before.vpc)}));
        }
        let standing = if left.is_done() { Standing::InPlace } else { Standing::Unknown };
        Ok(Checked { facts: facts(writes, left.kept), standing })
    }

    async fn observe(&self, cx: &Cx) -> Result<Seen, StepError> {
        let left = self.left(cx).await?;
        Ok(if left.is_done() { Seen::Done(self.output(&left.kept)) } else { Seen::Absent })
    }

    async fn apply(&self, cx: &Cx) -> Result<Output, StepError> {
        let session = &cx.world.aws;
        let left = self.left(cx).await?;
        for interface in &left.interfaces {
            let set = ec2::set_groups(session, &interface.id, &interface.groups).await;
            set.map_err(|error| match error.is("InvalidGroup.NotFound") {
                true => StepError::from(error).hint(format!(
                    "a security group that {} had is gone: give it others by hand, then go on with --retry",
                    interface.id
                )),
                false => error.into(),
            })?;
        }
        let mut kept = left.kept;
        if !quarantine::discard(session, &self.before.vpc).await? {
            kept.push(format!("security group {QUARANTINE} of {} is in use, and stays", self.before.vpc));
        }
        Ok(self.output(&kept))
    }

    async fn verify(&self, cx: &Cx, _: &Output) -> Result<(), StepError> {
        // A group that others refer to may stay.
        match self.left(cx).await?.interfaces.is_empty() {
            true => Ok(()),
            false => Err(StepError::check_failed(format!("instance {} is not as it was before", self.instance.id))),
        }
    }

    fn compensation(&self) -> Compensation {
        Compensation::Manual("lifeboat contain ENV cuts it off again".into())
    }
}
