//! CloudWatch Logs: whether a log group stands.

use super::{AwsError, Session, explain};

/// Whether there is a log group of exactly that name. It is looked for in a list: a denied list is an error.
///
/// # Errors
/// AWS refused.
pub async fn has_log_group(session: &Session, name: &str) -> Result<bool, AwsError> {
    let mut groups = session.logs().describe_log_groups().log_group_name_prefix(name).into_paginator().items().send();
    while let Some(group) = groups.next().await {
        let group = group.map_err(explain("logs:DescribeLogGroups"))?;
        if group.log_group_name() == Some(name) {
            return Ok(true);
        }
    }
    Ok(false)
}
