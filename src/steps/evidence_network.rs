//! Keeps who could reach what: the region's security groups and network ACLs.

use super::evidence_keep::{About, Keeper, output};
use super::{Cx, Output, StepError};
use crate::aws::ec2;
use crate::evidence::{Collected, EvidencePlace};

pub(super) async fn collect(cx: &Cx, place: &EvidencePlace) -> Result<Output, StepError> {
    let keeper = Keeper::of(cx, place).await?;
    let session = &cx.world.aws;
    let about = About { what: "security groups and their rules", request: "ec2:DescribeSecurityGroups" };
    let (mut lines, mut next) = (keeper.lines("network/security-groups", about), None);
    loop {
        let page = ec2::security_groups(session, next).await?;
        for item in &page.items {
            lines.push(&item.to_string()).await?;
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    let mut items = lines.finish().await?;
    let about = About { what: "network ACLs and their entries", request: "ec2:DescribeNetworkAcls" };
    let (mut lines, mut next) = (keeper.lines("network/network-acls", about), None);
    loop {
        let page = ec2::network_acls(session, next).await?;
        for item in &page.items {
            lines.push(&item.to_string()).await?;
        }
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    items.extend(lines.finish().await?);
    Ok(output(&Collected { items, ..Collected::default() }))
}
