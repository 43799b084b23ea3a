//! Which backup a table is restored from, and what to say when there is none. Pure.
//!
//! DynamoDB's own backups never leave their region, and RestoreTableFromBackup takes nothing else: a recovery point in
//! a vault of AWS Backup is restored by AWS Backup (AWS Backup Developer Guide: "Restore an Amazon DynamoDB table"). Where a role
//! for it is named, both kinds count alike.

use serde_json::{Value, json};

use super::Blocked;
use super::recovery_point::{Candidate, CandidateState, NoneUsable, newest};
use super::vault_point;
use crate::aws::backup::{RecoveryPoint, is_recovery_point};
use crate::aws::dynamodb::{Backup, BackupDetail};
use crate::manifest::{Table, TableSource};

/// The chosen backup, and what the operator should know about others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenBackup {
    pub arn: String,
    /// Where it stands in a vault of AWS Backup.
    pub vaulted: Option<RecoveryPoint>,
    pub warnings: Vec<String>,
}

/// What was found in the recovery region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// As DynamoDB lists them.
    pub backups: Vec<Backup>,
    /// As AWS Backup lists them, where a role is named.
    pub points: Vec<RecoveryPoint>,
    /// Why AWS Backup could not be asked.
    pub unasked: Option<String>,
}

/// Chooses among what was found in the recovery region.
///
/// # Errors
/// None can be restored; the cause says what was looked for, the hint what to do.
pub fn choose(table: &Table, found: &Found, region: &str, primary: &str) -> Result<ChosenBackup, Blocked> {
    let (points, backups) = apart(found);
    let candidates = points.iter().map(|point| vault_point::candidate(point));
    let candidates: Vec<Candidate> = candidates.chain(backups.iter().map(|backup| candidate(table, backup))).collect();
    let of = &table.source;
    let unasked = found.unasked.as_ref();
    let unasked = unasked.map(|why| format!("AWS Backup could not be asked for recovery points of table {of}: {why}"));
    let chosen = match newest(&candidates) {
        Ok(chosen) => chosen,
        Err(none) => {
            let blocked = blocked(table, none, region, primary);
            let Some(unasked) = unasked else { return Err(blocked) };
            let hint = "allow backup:ListRecoveryPointsByResource for the role that runs lifeboat, and check again";
            return Err(Blocked { cause: format!("{}; {unasked}", blocked.cause), hint: Some(hint.to_owned()) });
        }
    };
    let mut warnings = chosen.warnings;
    warnings.extend(unasked.map(|unasked| format!("{unasked}; a newer one may stand in a vault")));
    if let Some(point) = points.get(chosen.index) {
        return Ok(ChosenBackup { arn: point.arn.clone(), vaulted: Some((*point).clone()), warnings });
    }
    let backup = backups[chosen.index - points.len()];
    if !backup.table.is_empty() && backup.table != table.source {
        warnings.push(format!("{} was taken of table {}, not of {}", backup.name, backup.table, table.source));
    }
    Ok(ChosenBackup { arn: backup.arn.clone(), vaulted: None, warnings })
}

/// What AWS Backup restores, and what DynamoDB does. Either service may list what is the other's; DynamoDB's own it restores
/// without a role.
pub(super) fn apart(found: &Found) -> (Vec<&RecoveryPoint>, Vec<&Backup>) {
    let own = |arn: &str| found.backups.iter().any(|backup| backup.arn == arn) && !is_recovery_point(arn);
    let points: Vec<&RecoveryPoint> = found.points.iter().filter(|point| !own(&point.arn)).collect();
    let vaulted = |arn: &str| points.iter().any(|point| point.arn == arn);
    let backups = found.backups.iter().filter(|backup| !vaulted(&backup.arn)).collect();
    (points, backups)
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

pub(super) fn candidate(table: &Table, backup: &Backup) -> Candidate {
    let state = if is_recovery_point(&backup.arn) {
        CandidateState::Unusable(match &table.aws_backup {
            None => "it stands in a vault of AWS Backup, which alone can restore it".to_owned(),
            Some(_) => "AWS Backup, which alone can restore it, does not tell of it".to_owned(),
        })
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

/// How AWS Backup is let to restore it.
fn of_role() -> String {
    "name a role that AWS Backup may restore it with, in the table's block of the manifest: backup_role = \
     \"arn:aws:iam::ACCOUNT:role/NAME\""
        .to_owned()
}

fn blocked(table: &Table, none: NoneUsable, region: &str, primary: &str) -> Blocked {
    let source = &table.source;
    let copy = match &table.aws_backup {
        None => "copy them there with AWS Backup, and name a role for it: backup_role",
        Some(_) => "copy them there with AWS Backup",
    };
    let back_up = format!(
        "backups of DynamoDB stay in their region: {copy}; or keep a replica of the table in {region} (global tables)"
    );
    let (cause, hint) = match (none, &table.from) {
        (
            NoneUsable::Nothing,
            TableSource::LatestBackup
            | TableSource::Replica
            | TableSource::PointInTime(_)
            | TableSource::CleanBefore(_),
        ) => {
            let place = match table.aws_backup.as_ref().and_then(|it| it.vault.as_ref()) {
                Some(vault) => format!("{region}, none of AWS Backup in vault {vault}"),
                None => region.to_owned(),
            };
            (format!("no backup of table {source} stands in {place}: its only source is in {primary}"), back_up)
        }
        (NoneUsable::Nothing, TableSource::Backup(arn)) => (
            format!("backup {arn} does not stand in {region}"),
            match is_recovery_point(arn) {
                false => format!("correct `from` of table \"{}\" in the manifest", table.name),
                true => format!(
                    "correct `from` of table \"{}\" in the manifest; if it was taken of another table than {source}, name \
                     its vault: backup_vault",
                    table.name
                ),
            },
        ),
        (NoneUsable::Pending(pending), _) => (
            format!("the backups of table {source} in {region} are not ready: {}", pending.join(", ")),
            "wait until one is available and check again".to_owned(),
        ),
        (NoneUsable::Unusable(unusable), _) => {
            let vault = table.aws_backup.is_none() && unusable.iter().any(|word| word.contains("AWS Backup"));
            let hint = if vault { of_role() } else { back_up };
            (format!("no backup of table {source} in {region} can be used: {}", unusable.join(", ")), hint)
        }
    };
    Blocked { cause, hint: Some(hint) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::AwsBackup;

    const VAULTED: &str = "arn:aws:backup:us-east-1:1:recovery-point:1";

    fn table(from: TableSource) -> Table {
        Table {
            name: "metadata".into(),
            source: "metadata-prod".into(),
            target: "metadata-dr".into(),
            from,
            aws_backup: None,
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
        let found = Found { backups: found.to_vec(), ..Found::default() };
        choose(&table(TableSource::LatestBackup), &found, "us-east-1", "eu-west-2")
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
    fn a_backup_in_a_vault_is_refused_without_a_role_with_the_way_to_restore_it() {
        let blocked = chosen(&[backup(VAULTED, "AVAILABLE", "2026-11-21T00:00:00Z")]).expect_err("it cannot be used");
        assert!(blocked.hint.is_some_and(|hint| hint.contains("backup_role")));
    }

    fn with_role(vault: Option<&str>) -> Table {
        let role = "arn:aws:iam::1:role/restore".to_owned();
        let aws_backup = Some(AwsBackup { role, vault: vault.map(str::to_owned) });
        Table { aws_backup, ..table(TableSource::LatestBackup) }
    }

    fn point(status: &str, at: &str) -> RecoveryPoint {
        RecoveryPoint {
            arn: VAULTED.into(),
            vault: "dr".into(),
            status: status.into(),
            created_at: at.parse().ok(),
            ..RecoveryPoint::default()
        }
    }

    #[test]
    fn the_newest_of_both_kinds_is_chosen() {
        let own = backup("arn:aws:dynamodb:us-east-1:1:table/t/backup/1", "AVAILABLE", "2026-11-21T00:00:00Z");
        // DynamoDB may list what stands in a vault as well.
        let doubled = backup(VAULTED, "AVAILABLE", "2026-11-22T00:00:00Z");
        let chosen = |at: &str, status: &str| {
            let backups = vec![own.clone(), doubled.clone()];
            let found = Found { backups, points: vec![point(status, at)], unasked: None };
            choose(&with_role(None), &found, "us-east-1", "eu-west-2").expect("one can be restored")
        };
        let vaulted = chosen("2026-11-22T00:00:00Z", "COMPLETED");
        assert_eq!((vaulted.arn.as_str(), vaulted.warnings.as_slice()), (VAULTED, &[][..]));
        assert_eq!(vaulted.vaulted.map(|it| it.vault).as_deref(), Some("dr"));
        let older = chosen("2026-11-20T00:00:00Z", "COMPLETED");
        assert_eq!((older.arn, older.vaulted), (own.arn.clone(), None));
        let pending = chosen("2026-11-22T00:00:00Z", "CREATING");
        assert_eq!(pending.arn, own.arn);
        assert!(
            pending.warnings[0].contains("is newer but not ready (creating in vault dr)"),
            "{:?}",
            pending.warnings
        );
    }

    #[test]
    fn where_aws_backup_cannot_be_asked_an_own_backup_serves_with_a_warning() {
        let unasked = Some("AccessDeniedException: no".to_owned());
        let own = backup("arn:aws:dynamodb:us-east-1:1:table/t/backup/1", "AVAILABLE", "2026-11-21T00:00:00Z");
        let found = Found { backups: vec![own.clone()], points: Vec::new(), unasked };
        let chosen = choose(&with_role(None), &found, "us-east-1", "eu-west-2").expect("one serves");
        assert_eq!(chosen.arn, own.arn);
        assert!(
            chosen.warnings[0].ends_with("AccessDeniedException: no; a newer one may stand in a vault"),
            "{:?}",
            chosen.warnings
        );

        let nothing = Found { backups: Vec::new(), ..found };
        let blocked = choose(&with_role(None), &nothing, "us-east-1", "eu-west-2").expect_err("nothing serves");
        assert!(blocked.cause.contains("no backup of table metadata-prod stands in us-east-1"), "{}", blocked.cause);
        assert!(blocked.cause.ends_with("AccessDeniedException: no"), "{}", blocked.cause);
    }

    #[test]
    fn nothing_in_the_named_vault_says_which_vault_that_is() {
        let none = choose(&with_role(Some("dr")), &Found::default(), "us-east-1", "eu-west-2").expect_err("nothing");
        assert!(none.cause.contains("none of AWS Backup in vault dr"), "{}", none.cause);
    }

    #[test]
    fn a_named_backup_of_another_region_is_refused_by_its_arn() {
        let arn = "arn:aws:dynamodb:eu-west-2:1:table/t/backup/1";
        let blocked = misplaced(arn, "us-east-1").expect("it is elsewhere");
        assert_eq!(blocked.cause, format!("backup {arn} stands in eu-west-2, not in us-east-1"));
        assert_eq!(misplaced(arn, "eu-west-2"), None);
    }
}
