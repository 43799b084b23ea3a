//! CloudWatch Logs: whether a log group stands, and its export to a bucket.

use aws_sdk_cloudwatchlogs::config::Builder;
use aws_smithy_types::retry::RetryConfig;
use jiff::Timestamp;

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

/// What is exported, and where to (CloudWatch Logs API: "CreateExportTask").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRequest {
    /// Not unique: CloudWatch Logs takes the same name twice.
    pub name: String,
    pub log_group: String,
    pub from: Timestamp,
    pub to: Timestamp,
    /// Of the log group's region.
    pub bucket: String,
    /// Without a slash at its end.
    pub prefix: String,
}

/// An export as a list shows it (CloudWatch Logs API: "ExportTask").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportTask {
    pub id: String,
    pub name: String,
    pub log_group: String,
    /// `PENDING`, `RUNNING`, `PENDING_CANCEL`, `COMPLETED`, `FAILED` or `CANCELLED`.
    pub status: String,
    pub message: Option<String>,
}

/// All export tasks of the account in the region that CloudWatch Logs still tells of.
///
/// # Errors
/// A page could not be read: then nothing is returned, rather than a part.
pub async fn export_tasks(session: &Session) -> Result<Vec<ExportTask>, AwsError> {
    let (mut found, mut next) = (Vec::new(), None);
    loop {
        let page = session.logs().describe_export_tasks().set_next_token(next).send().await;
        let page = page.map_err(explain("logs:DescribeExportTasks"))?;
        found.extend(page.export_tasks().iter().map(|task| {
            let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
            let status = task.status();
            ExportTask {
                id: text(task.task_id()),
                name: text(task.task_name()),
                log_group: text(task.log_group_name()),
                status: text(status.and_then(|it| it.code()).map(|code| code.as_str())),
                message: status.and_then(|it| it.message()).map(str::to_owned),
            }
        }));
        next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if next.is_none() {
            return Ok(found);
        }
    }
}

/// Begins an export. It is sent once: sent again it would be a second one, so that after a lost answer it is to be looked for.
///
/// # Errors
/// CloudWatch Logs refuses: another export is under way in the account, the bucket's policy does not let it in, …
pub async fn create_export_task(session: &Session, request: &ExportRequest) -> Result<String, AwsError> {
    let created = session
        .logs()
        .create_export_task()
        .task_name(&request.name)
        .log_group_name(&request.log_group)
        .from(request.from.as_millisecond())
        .to(request.to.as_millisecond())
        .destination(&request.bucket)
        .destination_prefix(&request.prefix)
        .customize()
        .config_override(Builder::new().retry_config(RetryConfig::disabled()))
        .send()
        .await
        .map_err(explain("logs:CreateExportTask"))?;
    Ok(created.task_id().unwrap_or_default().to_owned())
}
