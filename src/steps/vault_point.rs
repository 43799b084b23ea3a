//! Recovery points of tables in vaults of AWS Backup: which of them can be restored, what is known of the chosen one, and what
//! AWS Backup is asked for. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Blocked;
use super::recovery_point::{Candidate, CandidateState};
use super::table_settings::TableSettings;
use crate::aws::backup::{PointDetail, RecoveryPoint};
use crate::manifest::Table;

/// The fact that a recovery point stands in a vault, and in which: AWS Backup restores it then.
pub const VAULT: &str = "vault";
/// How AWS Backup is asked for the name of the new table.
pub const TARGET: &str = "targetTableName";
/// What stands for a key where none is named.
const NO_KEY: &str = "Not Applicable";

/// The ARN of the source, by which its recovery points are listed wherever they were copied to. Its partition is that of the role:
/// nothing is copied from one partition into another.
pub fn source_arn(table: &Table, role: &str, region: &str, account: &str) -> String {
    let partition = role.split(':').nth(1).unwrap_or("aws");
    format!("arn:{partition}:dynamodb:{region}:{account}:table/{}", table.source)
}

/// Whether it can be restored (AWS Backup API: "DescribeRecoveryPoint", `Status`).
pub fn candidate(point: &RecoveryPoint) -> Candidate {
    let said = |word: &str| match &point.status_message {
        Some(message) => format!("{word} in vault {}: {message}", point.vault),
        None => format!("{word} in vault {}", point.vault),
    };
    let state = match point.status.as_str() {
        // "The recovery point is now ready for use" is said of the second.
        "COMPLETED" | "AVAILABLE" => CandidateState::Usable,
        "CREATING" => CandidateState::Pending(said("creating")),
        status => CandidateState::Unusable(said(&status.to_lowercase())),
    };
    Candidate { arn: point.arn.clone(), at: point.created_at, state }
}

/// The time of its data: the earlier of what AWS tells. AWS does not say whether a copy's creation is that of its original, and
/// an age that is too great is better than a loss that is told too small.
fn data_at(point: &RecoveryPoint, detail: Option<&PointDetail>) -> Option<Timestamp> {
    let told = detail.and_then(|it| it.initiated_at);
    [point.created_at, told].into_iter().flatten().min()
}

/// What the operator should know of the chosen one.
///
/// # Errors
/// Its data is gone.
pub fn doubts(table: &Table, source: &str, detail: &PointDetail) -> Result<Vec<String>, Blocked> {
    let PointDetail { point, resource, storage_class, .. } = detail;
    let mut warnings = Vec::new();
    match storage_class.as_deref() {
        Some("DELETED") => {
            return Err(Blocked {
                cause: format!("the data of recovery point {} in vault {} is deleted", point.arn, point.vault),
                hint: Some("name another recovery point with `from` in the manifest".to_owned()),
            });
        }
        Some("COLD") => warnings.push(format!(
            "recovery point {} is in cold storage: its restore costs more, and may take longer",
            point.arn
        )),
        _ => {}
    }
    if let Some(other) = resource.as_deref().filter(|resource| *resource != source) {
        warnings.push(format!("recovery point {} was taken of {other}, not of table {}", point.arn, table.source));
    }
    Ok(warnings)
}

/// What the check of the step settles.
pub fn facts(point: &RecoveryPoint, detail: Option<&PointDetail>, warnings: &[String]) -> Value {
    json!({
        "recovery_point": point.arn,
        "recovery_point_at": data_at(point, detail),
        (VAULT): point.vault,
        "storage_class": detail.and_then(|it| it.storage_class.as_deref()),
        "bytes": point.size_bytes,
        "warnings": warnings,
    })
}

/// What AWS Backup is asked for (AWS Backup Developer Guide: "Restore an Amazon DynamoDB table"): the name and the encryption.
/// Everything else is set afterwards.
pub fn metadata(target: &str, wanted: &TableSettings) -> BTreeMap<String, String> {
    let (kind, key) = match &wanted.kms_key {
        Some(key) => ("KMS", key.as_str()),
        None if wanted.aws_managed_key => ("KMS", NO_KEY),
        None => ("Default", NO_KEY),
    };
    let pairs = [(TARGET, target), ("encryptionType", kind), ("kmsMasterKeyArn", key)];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::TableSource;

    const ARN: &str = "arn:aws:backup:us-east-1:123456789012:recovery-point:1";

    fn point(status: &str) -> RecoveryPoint {
        RecoveryPoint {
            arn: ARN.into(),
            vault: "dr".into(),
            status: status.into(),
            created_at: "2026-11-22T03:00:00Z".parse().ok(),
            ..RecoveryPoint::default()
        }
    }

    fn table() -> Table {
        Table {
            name: "metadata".into(),
            source: "metadata-prod".into(),
            target: "metadata-dr".into(),
            from: TableSource::LatestBackup,
            aws_backup: None,
            adopt: None,
            verify: Vec::new(),
        }
    }

    #[test]
    fn only_what_is_complete_can_be_restored_and_what_is_being_made_may_be_later() {
        let state = |status| candidate(&point(status)).state;
        for status in ["COMPLETED", "AVAILABLE"] {
            assert_eq!(state(status), CandidateState::Usable);
        }
        assert_eq!(state("CREATING"), CandidateState::Pending("creating in vault dr".into()));
        for status in ["PARTIAL", "EXPIRED", "DELETING", "STOPPED", "NEW_WORD"] {
            assert!(matches!(state(status), CandidateState::Unusable(why) if why.ends_with("in vault dr")), "{status}");
        }
        let told = RecoveryPoint { status_message: Some("no permission".into()), ..point("EXPIRED") };
        assert_eq!(candidate(&told).state, CandidateState::Unusable("expired in vault dr: no permission".into()));
    }

    #[test]
    fn the_age_is_that_of_the_earliest_time_that_is_told() {
        let detail = |initiated: &str| PointDetail { initiated_at: initiated.parse().ok(), ..PointDetail::default() };
        let at = |detail: Option<&PointDetail>| facts(&point("COMPLETED"), detail, &[])["recovery_point_at"].clone();
        assert_eq!(at(None), "2026-11-22T03:00:00Z");
        assert_eq!(at(Some(&detail("2026-11-22T01:00:00Z"))), "2026-11-22T01:00:00Z");
        assert_eq!(at(Some(&detail("2026-11-22T09:00:00Z"))), "2026-11-22T03:00:00Z");
    }

    #[test]
    fn cold_storage_and_another_table_are_warned_of_and_deleted_data_is_refused() {
        let source = "arn:aws:dynamodb:eu-west-2:123456789012:table/metadata-prod";
        let detail = |class: &str, resource: &str| PointDetail {
            point: point("COMPLETED"),
            resource: Some(resource.into()),
            storage_class: Some(class.into()),
            initiated_at: None,
        };
        assert_eq!(doubts(&table(), source, &detail("WARM", source)), Ok(vec![]));
        let cold = doubts(&table(), source, &detail("COLD", source)).expect("it can be restored");
        assert!(cold[0].contains("cold storage"), "{cold:?}");
        let other = "arn:aws:dynamodb:eu-west-2:123456789012:table/orders-prod";
        let said = doubts(&table(), source, &detail("WARM", other)).expect("it can be restored");
        assert_eq!(said, [format!("recovery point {ARN} was taken of {other}, not of table metadata-prod")]);
        assert!(doubts(&table(), source, &detail("DELETED", source)).is_err());
    }

    #[test]
    fn the_encryption_is_the_declared_one() {
        let asked = |settings: &TableSettings| {
            let metadata = metadata("metadata-dr", settings);
            assert_eq!(metadata[TARGET], "metadata-dr");
            (metadata["encryptionType"].clone(), metadata["kmsMasterKeyArn"].clone())
        };
        let settings = TableSettings::default();
        assert_eq!(asked(&settings), ("Default".into(), "Not Applicable".into()));
        let managed = TableSettings { aws_managed_key: true, ..settings.clone() };
        assert_eq!(asked(&managed), ("KMS".into(), "Not Applicable".into()));
        let key = "arn:aws:kms:us-east-1:123456789012:key/1";
        let own = TableSettings { kms_key: Some(key.into()), ..settings };
        assert_eq!(asked(&own), ("KMS".into(), key.into()));
    }

    #[test]
    fn a_tables_arn_is_in_the_partition_of_the_role() {
        let arn = |role: &str| source_arn(&table(), role, "cn-north-1", "1");
        assert_eq!(arn("arn:aws-cn:iam::1:role/r"), "arn:aws-cn:dynamodb:cn-north-1:1:table/metadata-prod");
    }
}
