//! Network ACLs, and the entries that deny addresses.

use aws_sdk_ec2::types::{self, RuleAction};

use super::{filter, unless_missing};
use crate::aws::{AwsError, Session, explain};
use crate::containment::{AclEntry, AclRule, Cidr};

/// The emulator has a code of another kind of thing for it.
const MISSING: [&str; 3] =
    ["InvalidNetworkAclID.NotFound", "InvalidNetworkAclID.Malformed", "InvalidRouteTableID.NotFound"];
/// All protocols (EC2 API: "CreateNetworkAclEntry").
const ALL_PROTOCOLS: &str = "-1";

/// A network ACL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkAcl {
    pub id: String,
    pub rules: Vec<AclRule>,
}

/// A network ACL by id (EC2 API: "DescribeNetworkAcls").
///
/// # Errors
/// AWS refused.
pub async fn network_acl(session: &Session, id: &str) -> Result<Option<NetworkAcl>, AwsError> {
    let answer = session.ec2().describe_network_acls().network_acl_ids(id).send().await;
    let answer = unless_missing(answer.map_err(explain("ec2:DescribeNetworkAcls")), &MISSING)?;
    Ok(answer.and_then(|it| it.network_acls().first().map(read)))
}

/// All network ACLs of a VPC: at least its default one, so that none means that there is no such VPC.
///
/// # Errors
/// AWS refused, or a page could not be read: a part is never taken for all.
pub async fn network_acls_of(session: &Session, vpc: &str) -> Result<Vec<NetworkAcl>, AwsError> {
    let asked = session.ec2().describe_network_acls().filters(filter("vpc-id", vpc));
    let mut pages = asked.into_paginator().send();
    let mut acls = Vec::new();
    while let Some(page) = pages.next().await {
        acls.extend(page.map_err(explain("ec2:DescribeNetworkAcls"))?.network_acls().iter().map(read));
    }
    Ok(acls)
}

fn read(acl: &types::NetworkAcl) -> NetworkAcl {
    let rules = acl.entries().iter().map(|entry| AclRule {
        egress: entry.egress().unwrap_or_default(),
        number: entry.rule_number().unwrap_or_default(),
        allow: entry.rule_action() != Some(&RuleAction::Deny),
        ipv6: entry.ipv6_cidr_block().is_some(),
        cidr: entry.cidr_block().or(entry.ipv6_cidr_block()).and_then(|text| Cidr::parse(text).ok()),
        all_protocols: entry.protocol() == Some(ALL_PROTOCOLS),
    });
    NetworkAcl { id: acl.network_acl_id().unwrap_or_default().to_owned(), rules: rules.collect() }
}

/// Writes a deny entry; `false` where its number is taken (EC2 API: "CreateNetworkAclEntry"). The request has no token: after a
/// lost reply the number is taken by the entry itself.
///
/// # Errors
/// AWS refused: `NetworkAclEntryLimitExceeded` where the ACL is full.
pub async fn create_entry(session: &Session, entry: &AclEntry) -> Result<bool, AwsError> {
    let cidr = entry.cidr.to_string();
    let create = session
        .ec2()
        .create_network_acl_entry()
        .network_acl_id(&entry.network_acl)
        .egress(entry.egress)
        .rule_number(entry.number)
        .rule_action(RuleAction::Deny)
        .protocol(ALL_PROTOCOLS);
    let create = if entry.cidr.is_ipv4() { create.cidr_block(cidr) } else { create.ipv6_cidr_block(cidr) };
    let answer = create.send().await.map_err(explain("ec2:CreateNetworkAclEntry"));
    Ok(unless_missing(answer, &["NetworkAclEntryAlreadyExists"])?.is_some())
}

/// Takes an entry away, where it is there (EC2 API: "DeleteNetworkAclEntry").
///
/// # Errors
/// AWS refused.
pub async fn delete_entry(session: &Session, entry: &AclEntry) -> Result<(), AwsError> {
    let delete = session.ec2().delete_network_acl_entry().network_acl_id(&entry.network_acl);
    let answer = delete.egress(entry.egress).rule_number(entry.number).send().await;
    let answer = answer.map_err(explain("ec2:DeleteNetworkAclEntry"));
    unless_missing(answer, &["InvalidNetworkAclEntry.NotFound", "InvalidNetworkAclID.NotFound"]).map(drop)
}
