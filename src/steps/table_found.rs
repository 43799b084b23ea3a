//! Looks for what a table can be restored from: backups of DynamoDB in the recovery region and, where a role is named, recovery
//! points of AWS Backup there. Asks no other region, and changes nothing.

use serde_json::Value;

use super::Blocked;
use super::encryption::check_key;
use super::table_source::{ChosenBackup, Found, choose, facts, misplaced};
use super::vault_point::{self, source_arn};
use crate::aws::backup::{self, PointDetail, RecoveryPoint, is_recovery_point};
use crate::aws::{AwsError, Session, dynamodb};
use crate::manifest::{AwsBackup, Manifest, Table, TableSource};

/// What a table would be restored from.
///
/// # Errors
/// Nothing can be restored, or DynamoDB could not be asked.
pub(super) async fn find(session: &Session, table: &Table, manifest: &Manifest) -> Result<ChosenBackup, Blocked> {
    let (region, primary) = (&manifest.recovery.name, &manifest.primary.name);
    let mut found = Found::default();
    match (&table.from, &table.aws_backup) {
        (TableSource::LatestBackup, access) => {
            found.backups = dynamodb::backups(session, &table.source).await?;
            if let Some(access) = access {
                match points(session, table, access, manifest).await {
                    Ok(points) => found.points = points,
                    // Without credentials nothing else can be asked either.
                    Err(error) if error.credentials_expired() => return Err(error.into()),
                    Err(error) => found.unasked = Some(error.to_string()),
                }
            }
        }
        (TableSource::Backup(arn), access) => {
            if let Some(blocked) = misplaced(arn, region) {
                return Err(blocked);
            }
            match access.as_ref().filter(|_| is_recovery_point(arn)) {
                Some(access) => found.points = named(session, table, access, manifest, arn).await?,
                None => found.backups = dynamodb::backup(session, arn).await?.into_iter().map(|it| it.backup).collect(),
            }
        }
        (TableSource::Replica | TableSource::PointInTime(_) | TableSource::CleanBefore(_), _) => {}
    }
    choose(table, &found, region, primary)
}

pub(super) async fn points(
    session: &Session,
    table: &Table,
    access: &AwsBackup,
    manifest: &Manifest,
) -> Result<Vec<RecoveryPoint>, AwsError> {
    let source = source_arn(table, &access.role, &manifest.primary.name, &manifest.account);
    let mut points = backup::recovery_points(session, &source).await?;
    points.retain(|point| access.vault.as_ref().is_none_or(|vault| *vault == point.vault));
    Ok(points)
}

/// The recovery point that the manifest names. One of another table is found by its vault alone.
async fn named(
    session: &Session,
    table: &Table,
    access: &AwsBackup,
    manifest: &Manifest,
    arn: &str,
) -> Result<Vec<RecoveryPoint>, AwsError> {
    match &access.vault {
        Some(vault) => {
            Ok(backup::recovery_point(session, vault, arn).await?.map(|detail| detail.point).into_iter().collect())
        }
        None => {
            let mut points = points(session, table, access, manifest).await?;
            points.retain(|point| point.arn == arn);
            Ok(points)
        }
    }
}

/// The facts of what was chosen. Its key is judged only where something is to be restored.
///
/// # Errors
/// It cannot be described, or its key cannot be used.
pub(super) async fn settle(
    session: &Session,
    table: &Table,
    manifest: &Manifest,
    mut chosen: ChosenBackup,
    stands: bool,
) -> Result<Value, Blocked> {
    if let (Some(point), Some(access)) = (chosen.vaulted.take(), &table.aws_backup) {
        let source = source_arn(table, &access.role, &manifest.primary.name, &manifest.account);
        return settle_point(session, table, &source, &point, chosen.warnings, stands).await;
    }
    let detail = dynamodb::backup(session, &chosen.arn).await?.ok_or_else(|| gone("backup", &chosen.arn))?;
    if !stands {
        let what = format!("backup {}", chosen.arn);
        chosen.warnings.extend(check_key(session, detail.kms_key.as_deref(), &what).await?);
    }
    Ok(facts(&chosen, &detail))
}

async fn settle_point(
    session: &Session,
    table: &Table,
    source: &str,
    point: &RecoveryPoint,
    mut warnings: Vec<String>,
    stands: bool,
) -> Result<Value, Blocked> {
    let RecoveryPoint { arn, vault, .. } = point;
    let detail: Option<PointDetail> = match backup::recovery_point(session, vault, arn).await {
        Ok(Some(detail)) => Some(detail),
        Ok(None) => return Err(gone("recovery point", arn)),
        Err(error) if error.credentials_expired() => return Err(error.into()),
        Err(error) => {
            warnings.push(format!(
                "whether recovery point {arn} is in cold storage, and of which table, cannot be told: {error}"
            ));
            None
        }
    };
    if let Some(detail) = &detail {
        warnings.extend(vault_point::doubts(table, source, detail)?);
    }
    if !stands {
        let what = format!("recovery point {arn}");
        warnings.extend(check_key(session, point.kms_key.as_deref(), &what).await?);
    }
    Ok(vault_point::facts(point, detail.as_ref(), &warnings))
}

fn gone(kind: &str, arn: &str) -> Blocked {
    Blocked {
        cause: format!("{kind} {arn} is listed, but cannot be described"),
        hint: Some("check again; it may have been deleted this moment".to_owned()),
    }
}
