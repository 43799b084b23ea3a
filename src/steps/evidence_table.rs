//! Keeps a table as it is: an on-demand backup of it, which stands after the table is gone, and how it was set.
//!
//! DynamoDB takes a name for a backup twice, so that a backup is looked for by its name before one is made.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::evidence::Found;
use super::evidence_keep::{About, Keeper, output, pretty};
use super::wait::{Ready, deadline, wait_until};
use super::{Cx, Output, StepError};
use crate::aws::AwsError;
use crate::aws::dynamodb::{self, Backup};
use crate::evidence::{Collected, EvidencePlace, Snapshot, backup_name, folder};
use crate::manifest::Component;

/// The name under which the backup is noted before it is made.
const BACKUP: &str = "backup";

/// How long what was made may be missing in lists.
pub(super) const LAGS: SignedDuration = SignedDuration::from_secs(20);

pub(super) async fn check(cx: &Cx, table: &str) -> Result<Found, StepError> {
    Ok(match dynamodb::has_table(&cx.world.aws, table).await? {
        true => Found::to_make(format!("backup {} of table {table}", backup_name(&cx.world.run))),
        false => Found::missing(format!("there is no table {table}: nothing of it is kept")),
    })
}

pub(super) async fn collect(cx: &Cx, place: &EvidencePlace, table: &str) -> Result<Output, StepError> {
    let keeper = Keeper::of(cx, place).await?;
    let session = &cx.world.aws;
    let name = backup_name(&cx.world.run);
    let mut made = ours(cx, table, &name).await?;
    if made.is_none() && begun_lately(cx, BACKUP) {
        made = appears(cx, table, &name).await?;
    }
    if made.is_none() {
        if !dynamodb::has_table(session, table).await? {
            return Ok(output(&Collected::nothing(format!("table {table}"), "there is no such table")));
        }
        cx.note_if_journalled(BACKUP, json!({ "name": name, "at": Timestamp::now() })).await?;
        dynamodb::create_backup(session, table, &name).await.map_err(in_a_moment)?;
    }
    let limit = deadline(cx, Component::Table);
    let made = wait_until(cx, &format!("backup {name} of {table}"), limit, || available(cx, table, &name)).await?;
    let mut answers = json!({ "backup": dynamodb::backup_answer(session, &made.arn).await? });
    if dynamodb::has_table(session, table).await? {
        answers["table"] = dynamodb::table_answer(session, table).await?;
    }
    let about = About { what: &format!("table {table} and its backup"), request: "dynamodb:DescribeTable" };
    let item = keeper.put(&format!("tables/{}.json", folder(table)), pretty(&answers)?, about).await?;
    let snapshot = Snapshot {
        arn: made.arn,
        what: format!("table {table}"),
        created_at: made.created_at.unwrap_or_else(Timestamp::now),
    };
    Ok(output(&Collected { items: vec![item], snapshots: vec![snapshot], ..Collected::default() }))
}

/// Another backup of the table is under way, maybe this one (DynamoDB API: "CreateBackup", `BackupInUseException`).
fn in_a_moment(error: AwsError) -> StepError {
    let transient = error.transient || error.is("BackupInUseException");
    StepError { transient, ..error.into() }
}

/// Whether something was begun so lately that a list may not have it yet.
pub(super) fn begun_lately(cx: &Cx, name: &str) -> bool {
    let at = cx.noted(name).and_then(|note| note["at"].as_str()?.parse::<Timestamp>().ok());
    at.is_some_and(|at| Timestamp::now().duration_since(at) < LAGS)
}

/// The backup of that name; the first one where there are several.
async fn ours(cx: &Cx, table: &str, name: &str) -> Result<Option<Backup>, StepError> {
    let all = dynamodb::backups(&cx.world.aws, table).await?;
    let named = all.into_iter().filter(|it| it.name == name && it.table == table && it.status != "DELETED");
    Ok(named.min_by_key(|it| it.created_at))
}

/// Waits for a backup that was begun and whose answer was lost; `None` where none comes.
async fn appears(cx: &Cx, table: &str, name: &str) -> Result<Option<Backup>, StepError> {
    while begun_lately(cx, BACKUP) {
        if let Some(found) = ours(cx, table, name).await? {
            return Ok(Some(found));
        }
        cx.status(format!("looking for backup {name} of {table}, which may have been begun"));
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
            () = cx.stopped() => return Err(StepError::interrupted("stopped while looking for a backup")),
        }
    }
    ours(cx, table, name).await
}

async fn available(cx: &Cx, table: &str, name: &str) -> Result<Ready<Backup>, StepError> {
    Ok(match ours(cx, table, name).await? {
        Some(backup) if backup.status == "AVAILABLE" => Ready::Yes(backup),
        Some(backup) => Ready::NotYet(backup.status),
        None => Ready::NotYet("not to be seen yet".into()),
    })
}
