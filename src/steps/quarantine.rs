//! The security group that lets nothing in and nothing out: one for each VPC, made when it is first needed and deleted once
//! nothing has it any more. Its tag says whose it is; one of that name without it is somebody else's.

use std::convert::Infallible;
use std::time::Duration;

use super::StepError;
use crate::aws::Session;
use crate::aws::ec2::{self, Group};

pub(super) const QUARANTINE: &str = "lifeboat-quarantine";
pub(super) const TAG: (&str, &str) = ("lifeboat", "quarantine");
pub(super) const DESCRIPTION: &str = "lets nothing in and nothing out: made by lifeboat contain";

/// How often a group that was made is looked for, and how long after: EC2 is eventually consistent.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);
/// How often it is looked whether what had it has let it go.
const LAST_LOOKS: u32 = 4;
/// How often it is looked for while its VPC is being destroyed.
const BETWEEN: Duration = Duration::from_secs(10);

/// The quarantine group of a VPC, where there is one.
///
/// # Errors
/// A group of that name is somebody else's, or AWS refused.
pub(super) async fn find(session: &Session, vpc: &str) -> Result<Option<Group>, StepError> {
    let found = ec2::find_group(session, vpc, QUARANTINE).await?;
    let ours = |group: &Group| group.tags.iter().any(|(key, value)| (key.as_str(), value.as_str()) == TAG);
    match found {
        Some(group) if !ours(&group) => {
            Err(StepError::conflict(format!("security group {QUARANTINE} of {vpc} ({}) is not lifeboat's", group.id))
                .hint(format!("it has no tag {} = {}, and is not used: rename it", TAG.0, TAG.1)))
        }
        found => Ok(found),
    }
}

/// The quarantine group of a VPC, without any rule; made where there is none.
///
/// # Errors
/// A group of that name is somebody else's, or AWS refused.
pub(super) async fn make(session: &Session, vpc: &str) -> Result<Group, StepError> {
    if find(session, vpc).await?.is_none() {
        ec2::create_group(session, vpc, QUARANTINE, DESCRIPTION, TAG).await?;
    }
    for _ in 0..LOOKS {
        match find(session, vpc).await? {
            Some(group) if !group.has_rules => return Ok(group),
            // AWS makes it with a rule that lets everything out; others are nobody's business.
            Some(group) => ec2::revoke_rules(session, &group.id).await?,
            None => tokio::time::sleep(PAUSE).await,
        }
    }
    Err(StepError::failed(format!("security group {QUARANTINE} of {vpc} does not come to be without rules"))
        .hint("somebody may be adding rules to it: shut them out first, then retry the step"))
}

/// The quarantine group of a VPC, where nothing has it any more.
///
/// # Errors
/// A group of that name is somebody else's, or AWS refused.
pub(super) async fn unused(session: &Session, vpc: &str) -> Result<Option<Group>, StepError> {
    let Some(group) = find(session, vpc).await? else { return Ok(None) };
    let users = ec2::interfaces_with(session, &group.id).await?;
    Ok((users == 0).then_some(group))
}

/// Deletes it, where nothing has it any more; `false` where something has, a moment later as well.
///
/// # Errors
/// A group of that name is somebody else's, or AWS refused.
pub(super) async fn discard(session: &Session, vpc: &str) -> Result<bool, StepError> {
    for _ in 0..LAST_LOOKS {
        if let Some(group) = unused(session, vpc).await? {
            return Ok(ec2::delete_group(session, &group.id).await?);
        }
        if find(session, vpc).await?.is_none() {
            return Ok(true);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(false)
}

/// Deletes the quarantine groups of VPCs that are being destroyed, each once nothing has it any more: AWS destroys no VPC that
/// has a security group which Terraform knows nothing of. Goes on until it is dropped.
pub async fn clear_quarantines(session: &Session, vpcs: &[String]) -> Infallible {
    let mut left: Vec<&String> = vpcs.iter().collect();
    loop {
        let mut quarantined = Vec::new();
        for vpc in left {
            match clear_one(session, vpc).await {
                Ok(true) => {}
                Ok(false) => quarantined.push(vpc),
                // Terraform tells what stands in its way.
                Err(error) => tracing::warn!(%error, %vpc, "its quarantine group is not deleted"),
            }
        }
        left = quarantined;
        if left.is_empty() {
            return std::future::pending().await;
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Whether a VPC has no quarantine group, or none any more.
async fn clear_one(session: &Session, vpc: &str) -> Result<bool, StepError> {
    let Some(group) = find(session, vpc).await? else { return Ok(true) };
    Ok(ec2::interfaces_with(session, &group.id).await? == 0 && ec2::delete_group(session, &group.id).await?)
}
