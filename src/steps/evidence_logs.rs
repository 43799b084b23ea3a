//! Has CloudWatch Logs export a log group into the evidence bucket, and reads what it has written there.
//!
//! An account exports one log group at a time, and the name of a task may be taken twice: a task is looked for by its name
//! before one is begun.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use serde_json::json;

use super::evidence::Found;
use super::evidence_keep::{About, Keeper, output};
use super::evidence_table::begun_lately;
use super::wait::{Ready, wait_until};
use super::{Cx, Output, StepError};
use crate::aws::logs::{self, ExportRequest, ExportTask};
use crate::aws::s3;
use crate::evidence::{Collected, EvidencePlace, export_name, folder};

/// The name under which the export is noted before it is begun.
const EXPORT: &str = "export";

/// CloudWatch Logs gives an export up after a day (Amazon CloudWatch Logs User Guide: "Export log data to Amazon S3"); others may
/// be before it.
const LONGEST: Duration = Duration::from_secs(48 * 60 * 60);

/// How many objects are read at a time.
const AT_ONCE: usize = 4;

/// Where an export stands.
#[derive(Debug, PartialEq, Eq)]
enum Stage<'a> {
    Done,
    /// Ours, in CloudWatch Logs' own word.
    UnderWay(&'a str),
    /// Ours has ended without success.
    Failed(&'a ExportTask),
    /// Another of the account.
    Occupied(&'a ExportTask),
    Free,
}

pub(super) async fn check(cx: &Cx, log_group: &str) -> Result<Found, StepError> {
    Ok(match logs::has_log_group(&cx.world.aws, log_group).await? {
        true => Found::to_make(format!("export of log group {log_group} into the evidence bucket")),
        false => Found::missing(format!("there is no log group {log_group}: nothing of it is kept")),
    })
}

pub(super) async fn collect(
    cx: &Cx,
    place: &EvidencePlace,
    log_group: &str,
    from: Timestamp,
) -> Result<Output, StepError> {
    let (keeper, to) = (Keeper::of(cx, place).await?, Keeper::opened_at(cx)?);
    if !logs::has_log_group(&cx.world.aws, log_group).await? {
        return Ok(output(&Collected::nothing(format!("log group {log_group}"), "there is no such log group")));
    }
    let below = format!("logs/{}", folder(log_group));
    let request = ExportRequest {
        name: export_name(&cx.world.run, log_group),
        log_group: log_group.to_owned(),
        from,
        to,
        bucket: place.bucket.clone(),
        prefix: format!("{}{below}", keeper.under()),
    };
    // Those that failed before the operator had it tried again.
    let tasks = logs::export_tasks(&cx.world.aws).await?;
    let old: BTreeSet<String> =
        tasks.into_iter().filter(|it| it.name == request.name).filter(failed).map(|it| it.id).collect();
    wait_until(cx, &format!("the export of {log_group}"), LONGEST, || export(cx, &request, &old)).await?;
    let what = format!("log group {log_group} from {from} to {to}");
    let about = About { what: &what, request: "logs:CreateExportTask" };
    let written = s3::list_under(keeper.session(), keeper.bucket(), &format!("{}/", request.prefix)).await?;
    let keys = written.into_iter().filter_map(|it| it.key.strip_prefix(keeper.under()).map(str::to_owned));
    let keys: Vec<String> = keys.collect();
    let read: Vec<_> = keys.iter().map(|key| keeper.found(key, about)).collect();
    let items: Vec<_> = futures::stream::iter(read).buffered(AT_ONCE).try_collect().await?;
    let mut collected = Collected { items, ..Collected::default() };
    if collected.items.is_empty() {
        collected = Collected::nothing(what, "CloudWatch Logs has exported nothing: there was nothing");
    }
    Ok(output(&collected))
}

fn failed(task: &ExportTask) -> bool {
    ["FAILED", "CANCELLED"].contains(&task.status.as_str())
}

fn stage<'a>(tasks: &'a [ExportTask], request: &ExportRequest, old: &BTreeSet<String>) -> Stage<'a> {
    let ours = |it: &&ExportTask| it.name == request.name && it.log_group == request.log_group;
    if tasks.iter().filter(ours).any(|it| it.status == "COMPLETED") {
        return Stage::Done;
    }
    if let Some(task) = tasks.iter().filter(ours).find(|it| !failed(it)) {
        return Stage::UnderWay(&task.status);
    }
    if let Some(task) = tasks.iter().filter(ours).find(|it| !old.contains(&it.id)) {
        return Stage::Failed(task);
    }
    let active = |it: &&ExportTask| ["PENDING", "RUNNING", "PENDING_CANCEL"].contains(&it.status.as_str());
    tasks.iter().find(active).map_or(Stage::Free, Stage::Occupied)
}

/// Looks, and begins the export where there is none.
async fn export(cx: &Cx, request: &ExportRequest, old: &BTreeSet<String>) -> Result<Ready<()>, StepError> {
    let session = &cx.world.aws;
    let tasks = logs::export_tasks(session).await?;
    Ok(match stage(&tasks, request, old) {
        Stage::Done => Ready::Yes(()),
        Stage::UnderWay(status) => Ready::NotYet(status.to_ascii_lowercase()),
        Stage::Failed(task) => {
            let why = task.message.as_deref().unwrap_or("it does not say why");
            let told = format!("the export of {} has ended as {}: {why}", request.log_group, task.status);
            return Err(StepError::failed(told).hint(
                "the bucket's policy has to let CloudWatch Logs write there; then retry the step, or leave it out",
            ));
        }
        Stage::Occupied(task) => Ready::NotYet(format!("waiting for another export of the account ({})", task.id)),
        Stage::Free if begun_lately(cx, EXPORT) => Ready::NotYet("looked for: it may have been begun".into()),
        Stage::Free => {
            cx.note_if_journalled(EXPORT, json!({ "name": request.name, "at": Timestamp::now() })).await?;
            match logs::create_export_task(session, request).await {
                Ok(_) => Ready::NotYet("begun".into()),
                // Another was quicker.
                Err(error) if error.is("LimitExceededException") => Ready::NotYet("waiting for its turn".into()),
                Err(error) => return Err(error.into()),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str, name: &str, status: &str) -> ExportTask {
        ExportTask { id: id.into(), name: name.into(), log_group: "g".into(), status: status.into(), message: None }
    }

    #[test]
    fn an_export_is_begun_where_there_is_none_and_nobody_else_is_exporting() {
        let request = ExportRequest {
            name: "ours".into(),
            log_group: "g".into(),
            from: Timestamp::UNIX_EPOCH,
            to: Timestamp::UNIX_EPOCH,
            bucket: "b".into(),
            prefix: "p".into(),
        };
        let old = BTreeSet::from(["1".to_owned()]);
        let at = |tasks: &[ExportTask]| format!("{:?}", stage(tasks, &request, &old));
        assert_eq!(at(&[]), "Free");
        assert_eq!(at(&[task("9", "theirs", "COMPLETED")]), "Free");
        assert!(at(&[task("9", "theirs", "RUNNING")]).starts_with("Occupied"));
        assert_eq!(at(&[task("9", "theirs", "RUNNING"), task("2", "ours", "PENDING")]), "UnderWay(\"PENDING\")");
        assert!(at(&[task("2", "ours", "FAILED")]).starts_with("Failed"));
        assert_eq!(at(&[task("1", "ours", "FAILED")]), "Free", "the operator has it tried again");
        assert_eq!(at(&[task("1", "ours", "FAILED"), task("2", "ours", "COMPLETED")]), "Done");
    }
}
