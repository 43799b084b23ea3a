//! Which backup a table is restored from, and what to say when there is none. Pure.
//!
//! DynamoDB's own backups never leave their region, and RestoreTableFromBackup takes nothing else: a recovery point in
//! a vault of AWS Backup is restored by AWS Backup (AWS Backup Developer Guide: "Restore an Amazon DynamoDB table").

use serde_json::{Value, json};

use super::Blocked;
use super::recovery_point::{Candidate, CandidateState, NoneUsable, newest};
use crate::aws::dynamodb::{Backup, BackupDetail};
use crate::manifest::{Table, TableSource};

/// The chosen backup, and what the operator should know about others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenBackup {
    pub arn: String,
    pub warnings: Vec<String>,
}

/// Chooses among the backups that were found in the recovery region.
///
/// # Errors
/// None can be restored; the cause says what was looked for, the hint what to do.
pub fn choose(table: &Table, found: &[Backup], region: &str, primary: &str) -> Result<ChosenBackup, Blocked> {
    let candidates: Vec<Candidate> = found.iter().map(candidate).collect();
    let chosen = newest(&candidates).map_err(|none| blocked(table, none, region, primary))?;
    let backup = &found[chosen.index];
    let mut warnings = chosen.warnings;
    if !backup.table.is_empty() && backup.table != table.source {
        warnings.push(format!("{} was taken of table {}, not of {}", backup.name, backup.table, table.source));
    }
    Ok(ChosenBackup { arn: backup.arn.clone(), warnings })
}

/// What the check of the step settles.
pub fn facts(chosen: &ChosenBackup, detail: &BackupDetail) -> Value {
    json!({
        "recovery_point": chosen.arn,
        "recovery_point_at": detail.backup.created_at,
        // DynamoDB counts every six hours or so: near, not exact.
        "approximate_items": detail.approximate_items,
        "bytes": detail.backup.size_bytes,
        "billing_mode": detail.billing_mode,
        "ttl_attribute": detail.ttl_attribute,
        "stream_view": detail.stream.as_ref().map(|stream| &stream.view),
        "warnings": chosen.warnings,
    })
}

/// Why a backup that the manifest names by its ARN cannot be in the region, if the ARN says so.
pub fn misplaced(arn: &str, region: &str) -> Option<Blocked> {
    let mut parts = arn.split(':').skip(2);
    let (_, place) = (parts.next()?, parts.next()?);
    (place != region).then(|| Blocked {
        cause: format!("backup {arn} stands in {place}, not in {region}"),
        hint: Some("name one of the recovery region, or latest_backup".to_owned()),
    })
}

/// The way round a vault: a table that the recovery state holds needs no backup, and one under the source's name can be
/// backed up.
fn by_hand(table: &Table, region: &str) -> String {
    let Table { source, target, .. } = table;
    match &table.adopt {
        Some(address) => format!(
            "restore it as {target} with aws backup start-restore-job --region {region}, and import that in the \
             recovery workspace: terraform import '{address}' {target}; lifeboat then leaves it as it is"
        ),
        None => format!(
            "restore it as {source} with aws backup start-restore-job --region {region}, and back that up: aws dynamodb \
             create-backup --region {region} --table-name {source} --backup-name NAME"
        ),
    }
}

fn candidate(backup: &Backup) -> Candidate {
    let state = if backup.arn.split(':').nth(2) == Some("backup") {
        CandidateState::Unusable("it stands in a vault of AWS Backup, which alone can restore it".to_owned())
    } else {
        match backup.status.as_str() {
            // The API reference names both for the same state.
            "AVAILABLE" | "ACTIVE" => CandidateState::Usable,
            "CREATING" => CandidateState::Pending("creating".to_owned()),
            status => CandidateState::Unusable(status.to_lowercase()),
        }
    };
    Candidate { arn: backup.arn.clone(), at: backup.created_at, state }
}

fn blocked(table: &Table, none: NoneUsable, region: &str, primary: &str) -> Blocked {
    let source = &table.source;
    let back_up = format!(
        "backups of DynamoDB stay in their region: keep a replica of the table in {region} (global tables) and back \
         that up: aws dynamodb create-backup --region {region} --table-name {source} --backup-name NAME"
    );
    let (cause, hint) = match (none, &table.from) {
        (NoneUsable::Nothing, TableSource::LatestBackup | TableSource::Replica | TableSource::PointInTime(_)) => {
            (format!("no backup of table {source} stands in {region}: its only source is in {primary}"), back_up)
        }
        (NoneUsable::Nothing, TableSource::Backup(arn)) => (
            format!("backup {arn} does not stand in {region}"),
            format!("correct `from` of table \"{}\" in the manifest", table.name),
        ),
        (NoneUsable::Pending(pending), _) => (
            format!("the backups of table {source} in {region} are not ready: {}", pending.join(", ")),
            "wait until one is available and check again".to_owned(),
        ),
        (NoneUsable::Unusable(unusable), _) => {
            let vault = unusable.iter().any(|word| word.contains("AWS Backup"));
            let hint = if vault { by_hand(table, region) } else { back_up };
            (format!("no backup of table {source} in {region} can be used: {}", unusable.join(", ")), hint)
        }
    };
    Blocked { cause, hint: Some(hint) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(from: TableSource) -> Table {
        Table {
            name: "metadata".into(),
            source: "metadata-prod".into(),
            target: "metadata-dr".into(),
            from,
            adopt: None,
            verify: Vec::new(),
        }
    }

    fn backup(arn: &str, status: &str, at: &str) -> Backup {
        Backup {
            arn: arn.into(),
            name: "nightly".into(),
            table: "metadata-prod".into(),
            status: status.into(),
            created_at: at.parse().ok(),
            size_bytes: Some(1),
        }
    }

    fn chosen(found: &[Backup]) -> Result<ChosenBackup, Blocked> {
        choose(&table(TableSource::LatestBackup), found, "us-east-1", "eu-west-2")
    }

    #[test]
    fn the_newest_available_backup_is_chosen_and_one_being_made_is_warned_of() {
        let found = [
            backup("arn:aws:dynamodb:us-east-1:1:table/t/backup/1", "AVAILABLE", "2026-11-20T00:00:00Z"),
            backup("arn:aws:dynamodb:us-east-1:1:table/t/backup/3", "CREATING", "2026-11-22T00:00:00Z"),
            backup("arn:aws:dynamodb:us-east-1:1:table/t/backup/2", "AVAILABLE", "2026-11-21T00:00:00Z"),
        ];
        let chosen = chosen(&found).expect("one is available");
        assert_eq!(chosen.arn, found[2].arn);
        assert!(chosen.warnings[0].contains("is newer but not ready (creating)"), "{:?}", chosen.warnings);
    }

    #[test]
    fn nothing_in_the_region_says_where_the_source_is() {
        let blocked = chosen(&[]).expect_err("there is nothing");
        let said = "no backup of table metadata-prod stands in us-east-1: its only source is in eu-west-2";
        assert_eq!(blocked.cause, said);
    }

    #[test]
    fn a_backup_in_a_vault_is_refused_with_the_way_to_restore_it() {
        let vault = "arn:aws:backup:us-east-1:1:recovery-point:1";
        let blocked = chosen(&[backup(vault, "AVAILABLE", "2026-11-21T00:00:00Z")]).expect_err("it cannot be used");
        assert!(blocked.hint.is_some_and(|hint| hint.contains("start-restore-job")));
    }

    #[test]
    fn a_named_backup_of_another_region_is_refused_by_its_arn() {
        let arn = "arn:aws:dynamodb:eu-west-2:1:table/t/backup/1";
        let blocked = misplaced(arn, "us-east-1").expect("it is elsewhere");
        assert_eq!(blocked.cause, format!("backup {arn} stands in eu-west-2, not in us-east-1"));
        assert_eq!(misplaced(arn, "eu-west-2"), None);
    }
}
