//! What a restore of a table to a point in time takes from the table that stands: whether it can be done, and how the restored
//! one shall be.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::encryption::check_key;
use super::recovery_point::within;
use super::table_attached::{Attached, Read, unwatched};
use super::table_settings::TableSettings;
use super::{Blocked, Checked, Standing};
use crate::aws::Session;
use crate::aws::dynamodb::{self, TableState};
use crate::manifest::Table;

/// The fact that tells what is attached to the source of a restore to a point in time.
pub const ATTACHED: &str = "attached";

/// Whether the source can be restored to that time, beside itself.
///
/// # Errors
/// The source is gone or tells no such time, or the name is taken.
pub(super) async fn check(session: &Session, table: &Table, at: Timestamp) -> Result<Checked, Blocked> {
    let Table { source, target, .. } = table;
    let region = session.region();
    let Some(state) = dynamodb::table(session, source).await? else {
        return Err(Blocked {
            cause: format!("there is no table {source} in {region}"),
            hint: Some("a table that was deleted is restored from a backup".to_owned()),
        });
    };
    if dynamodb::has_table(session, target).await? {
        return Err(Blocked {
            cause: format!("table {target} stands in {region} already"),
            hint: Some("choose another name for the restored table".to_owned()),
        });
    }
    let Some(window) = dynamodb::recovery_window(session, source).await? else {
        return Err(Blocked {
            cause: format!("point-in-time recovery of table {source} is off"),
            hint: Some("only a backup can bring back what was: aws dynamodb list-backups --table-name".to_owned()),
        });
    };
    within(&format!("table {source}"), window, at)?;
    let Read { attached, doubts: mut warnings } = Attached::of(session, source, &state).await?;
    warnings.extend(unwatched(session, source, target).await);
    warnings.extend(check_key(session, state.kms_key.as_deref(), &format!("table {source}")).await?);
    if !state.replicas.is_empty() {
        let regions = state.replicas.join(", ");
        warnings.push(format!("table {source} has replicas ({regions}): the restored one has none"));
    }
    Ok(Checked { facts: facts(&state, &attached, at, &warnings), standing: Standing::Absent })
}

/// How the restored one shall be is how its source is now.
fn facts(source: &TableState, attached: &Attached, at: Timestamp, warnings: &[String]) -> Value {
    let mut settings = TableSettings::of_table(source);
    if !attached.scaled.is_empty() {
        // It is what it is scaled to at the moment.
        settings.capacity = None;
    }
    json!({
        "recovery_point": source.arn,
        "recovery_point_at": at.to_string(),
        "bytes": source.approximate_bytes,
        "settings": settings,
        (ATTACHED): attached,
        "warnings": warnings,
    })
}
