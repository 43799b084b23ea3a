//! Instances and their network interfaces.

use aws_sdk_ec2::types::{self, Filter, NetworkInterfaceType};

use super::{filter, unless_missing};
use crate::aws::{AwsError, Session, explain};

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub vpc: String,
    /// `running`, `terminated`.
    pub state: String,
}

impl Instance {
    /// Whether it is gone for good, or about to be.
    pub fn is_terminated(&self) -> bool {
        ["shutting-down", "terminated"].contains(&self.state.as_str())
    }
}

/// A network interface with its security groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkInterface {
    pub id: String,
    /// In the order of their ids.
    pub groups: Vec<String>,
    /// Whether a service manages it, so that nobody else may change it.
    pub of_service: bool,
}

/// An instance by id; `None` of one that AWS has forgotten as well (EC2 API: "DescribeInstances").
///
/// # Errors
/// AWS refused.
pub async fn instance(session: &Session, id: &str) -> Result<Option<Instance>, AwsError> {
    let answer = session.ec2().describe_instances().instance_ids(id).send().await;
    let answer = answer.map_err(explain("ec2:DescribeInstances"));
    let answer = unless_missing(answer, &["InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"])?;
    let instance = answer.and_then(|it| it.reservations.unwrap_or_default().into_iter().next());
    let instance = instance.and_then(|it| it.instances.unwrap_or_default().into_iter().next());
    Ok(instance.map(|it| Instance {
        vpc: it.vpc_id().unwrap_or_default().to_owned(),
        state: it.state().and_then(|state| state.name()).map(|name| name.as_str().to_owned()).unwrap_or_default(),
    }))
}

/// The network interfaces that an instance has (EC2 API: "DescribeNetworkInterfaces").
///
/// # Errors
/// AWS refused, or a page could not be read: a part is never taken for all.
pub async fn interfaces_of(session: &Session, instance: &str) -> Result<Vec<NetworkInterface>, AwsError> {
    interfaces_where(session, filter("attachment.instance-id", instance)).await
}

/// Those of some network interfaces that are there, attached or not.
///
/// # Errors
/// AWS refused, or a page could not be read: a part is never taken for all.
pub async fn interfaces(session: &Session, ids: Vec<String>) -> Result<Vec<NetworkInterface>, AwsError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let these = Filter::builder().name("network-interface-id").set_values(Some(ids)).build();
    interfaces_where(session, these).await
}

async fn interfaces_where(session: &Session, filter: Filter) -> Result<Vec<NetworkInterface>, AwsError> {
    let asked = session.ec2().describe_network_interfaces().filters(filter);
    let mut pages = asked.into_paginator().send();
    let mut interfaces = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(explain("ec2:DescribeNetworkInterfaces"))?;
        interfaces.extend(page.network_interfaces().iter().map(read));
    }
    interfaces.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(interfaces)
}

fn read(interface: &types::NetworkInterface) -> NetworkInterface {
    let mut groups: Vec<String> =
        interface.groups().iter().filter_map(|group| group.group_id().map(str::to_owned)).collect();
    groups.sort();
    let own = [NetworkInterfaceType::Interface, NetworkInterfaceType::Efa, NetworkInterfaceType::EfaOnly];
    let of_service = interface.requester_managed().unwrap_or_default()
        || interface.operator().and_then(|it| it.managed()).unwrap_or_default()
        || interface.interface_type().is_some_and(|kind| !own.contains(kind));
    NetworkInterface { id: interface.network_interface_id().unwrap_or_default().to_owned(), groups, of_service }
}

/// Gives a network interface other security groups (EC2 API: "ModifyNetworkInterfaceAttribute").
///
/// # Errors
/// AWS refused: `InvalidGroup.NotFound` where a group is gone.
pub async fn set_groups(session: &Session, interface: &str, groups: &[String]) -> Result<(), AwsError> {
    let set = session.ec2().modify_network_interface_attribute().network_interface_id(interface);
    let answer = set.set_groups(Some(groups.to_vec())).send().await;
    answer.map(drop).map_err(explain("ec2:ModifyNetworkInterfaceAttribute"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::OperatorResponse;

    use super::*;

    #[test]
    fn an_interface_that_a_service_manages_is_told_from_ones_own() {
        let of = |kind: NetworkInterfaceType, requester: bool, operator: bool| {
            let operator = OperatorResponse::builder().managed(operator).build();
            let interface = types::NetworkInterface::builder().interface_type(kind).requester_managed(requester);
            read(&interface.operator(operator).build()).of_service
        };
        assert!(!of(NetworkInterfaceType::Interface, false, false));
        assert!(!of(NetworkInterfaceType::Efa, false, false));
        assert!(of(NetworkInterfaceType::Interface, true, false));
        assert!(of(NetworkInterfaceType::Interface, false, true));
        assert!(of(NetworkInterfaceType::Trunk, false, false));
    }
}
