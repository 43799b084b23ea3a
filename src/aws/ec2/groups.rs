//! Security groups.

use aws_sdk_ec2::types::{self, ResourceType, Tag, TagSpecification};

use super::{filter, unless_missing};
use crate::aws::{AwsError, Session, explain};

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub id: String,
    pub vpc: String,
    pub tags: Vec<(String, String)>,
    pub has_rules: bool,
}

/// A security group by its name, which is unique in a VPC (EC2 API: "DescribeSecurityGroups").
///
/// # Errors
/// AWS refused.
pub async fn find_group(session: &Session, vpc: &str, name: &str) -> Result<Option<Group>, AwsError> {
    let asked = session.ec2().describe_security_groups().filters(filter("vpc-id", vpc));
    let answer = asked.filters(filter("group-name", name)).send().await;
    let answer = answer.map_err(explain("ec2:DescribeSecurityGroups"))?;
    Ok(answer.security_groups().first().map(read))
}

fn read(group: &types::SecurityGroup) -> Group {
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    Group {
        id: text(group.group_id()),
        vpc: text(group.vpc_id()),
        tags: group.tags().iter().map(|tag| (text(tag.key()), text(tag.value()))).collect(),
        has_rules: !group.ip_permissions().is_empty() || !group.ip_permissions_egress().is_empty(),
    }
}

/// Makes a security group with one tag, where there is none of that name in the VPC. AWS gives it a rule that lets everything
/// out (EC2 API: "CreateSecurityGroup").
///
/// # Errors
/// AWS refused.
pub async fn create_group(
    session: &Session,
    vpc: &str,
    name: &str,
    description: &str,
    (key, value): (&str, &str),
) -> Result<(), AwsError> {
    let tags = TagSpecification::builder()
        .resource_type(ResourceType::SecurityGroup)
        .tags(Tag::builder().key(key).value(value).build())
        .build();
    let create = session.ec2().create_security_group().vpc_id(vpc).group_name(name).description(description);
    let answer = create.tag_specifications(tags).send().await.map_err(explain("ec2:CreateSecurityGroup"));
    unless_missing(answer, &["InvalidGroup.Duplicate"]).map(drop)
}

/// Takes all rules of a security group away (EC2 API: "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress").
///
/// # Errors
/// AWS refused.
pub async fn revoke_rules(session: &Session, group: &str) -> Result<(), AwsError> {
    const GONE: [&str; 1] = ["InvalidPermission.NotFound"];
    let ec2 = session.ec2();
    let answer = ec2.describe_security_groups().group_ids(group).send().await;
    let answer = answer.map_err(explain("ec2:DescribeSecurityGroups"))?;
    let Some(group) = answer.security_groups().first() else { return Ok(()) };
    if !group.ip_permissions().is_empty() {
        let revoke = ec2.revoke_security_group_ingress().set_group_id(group.group_id.clone());
        let revoke = revoke.set_ip_permissions(group.ip_permissions.clone()).send().await;
        unless_missing(revoke.map_err(explain("ec2:RevokeSecurityGroupIngress")), &GONE)?;
    }
    if !group.ip_permissions_egress().is_empty() {
        let revoke = ec2.revoke_security_group_egress().set_group_id(group.group_id.clone());
        let revoke = revoke.set_ip_permissions(group.ip_permissions_egress.clone()).send().await;
        unless_missing(revoke.map_err(explain("ec2:RevokeSecurityGroupEgress")), &GONE)?;
    }
    Ok(())
}

/// How many network interfaces have a security group, of one page at most: whether any has.
///
/// # Errors
/// AWS refused.
pub async fn interfaces_with(session: &Session, group: &str) -> Result<usize, AwsError> {
    let answer = session.ec2().describe_network_interfaces().filters(filter("group-id", group)).send().await;
    Ok(answer.map_err(explain("ec2:DescribeNetworkInterfaces"))?.network_interfaces().len())
}

/// Deletes a security group, where it is there; `false` where something still uses it (EC2 API: "DeleteSecurityGroup").
///
/// # Errors
/// AWS refused.
pub async fn delete_group(session: &Session, group: &str) -> Result<bool, AwsError> {
    let answer = session.ec2().delete_security_group().group_id(group).send().await;
    match answer.map_err(explain("ec2:DeleteSecurityGroup")) {
        Ok(_) => Ok(true),
        Err(error) if error.is("InvalidGroup.NotFound") => Ok(true),
        Err(error) if error.is("DependencyViolation") => Ok(false),
        Err(error) => Err(error),
    }
}
