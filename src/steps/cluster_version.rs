//! Versions of Aurora: which one to restore with, and whether one is as declared. Pure.
//!
//! RDS restores no snapshot into an older version than its own, and without a version into the region's default (RDS
//! API: "RestoreDBClusterFromSnapshot", `EngineVersion`). Terraform may declare the beginning of a version: `16` for
//! 16.4 (Terraform: "aws_rds_cluster", `engine_version`).

use std::cmp::Ordering;

/// The version to ask for: the declared one where that is newer than the snapshot's, else the snapshot's own.
pub fn restore_version(declared: Option<&str>, snapshot: Option<&str>) -> Option<String> {
    let snapshot = snapshot.filter(|version| !version.is_empty());
    let version = match (declared, snapshot) {
        (Some(declared), Some(snapshot)) if reaches(declared, snapshot) => Some(snapshot),
        (declared, snapshot) => declared.or(snapshot),
    };
    version.map(str::to_owned)
}

/// Whether `actual` is the declared version or a newer one.
pub fn reaches(declared: &str, actual: &str) -> bool {
    matches!(against(declared, actual), Some(Ordering::Equal | Ordering::Greater))
}

/// Whether `actual` is newer than everything that the declared version stands for.
pub fn is_newer(declared: &str, actual: &str) -> bool {
    against(declared, actual) == Some(Ordering::Greater)
}

/// How `actual` stands to the declared version, which it equals where it begins with it. `None` where they are not of
/// one kind, such as Aurora MySQL and Aurora PostgreSQL.
fn against(declared: &str, actual: &str) -> Option<Ordering> {
    let mut actual = actual.split('.');
    for declared in declared.split('.') {
        let Some(actual) = actual.next() else { return Some(Ordering::Less) };
        match (declared.parse::<u64>(), actual.parse::<u64>()) {
            (Ok(declared), Ok(actual)) if declared != actual => return Some(actual.cmp(&declared)),
            (Ok(_), Ok(_)) => {}
            _ if declared == actual => {}
            _ => return None,
        }
    }
    Some(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_never_restored_into_an_older_version() {
        let cases = [
            // declared, snapshot's, sent
            (Some("16"), Some("16.4"), Some("16.4")),
            (Some("8.0"), Some("8.0.mysql_aurora.3.08.2"), Some("8.0.mysql_aurora.3.08.2")),
            (Some("8.0.mysql_aurora.3"), Some("8.0.mysql_aurora.3.08.2"), Some("8.0.mysql_aurora.3.08.2")),
            (Some("16.4"), Some("16.4"), Some("16.4")),
            (Some("16.4"), Some("16.6"), Some("16.6")),
            (Some("16.4"), Some("16.10"), Some("16.10")),
            (Some("8.0.mysql_aurora.3.04.0"), Some("8.0.mysql_aurora.3.08.2"), Some("8.0.mysql_aurora.3.08.2")),
            (Some("16.10"), Some("16.4"), Some("16.10")),
            (Some("17"), Some("16.6"), Some("17")),
            (Some("8.0.mysql_aurora.3.08.2"), Some("5.7.mysql_aurora.2.11.1"), Some("8.0.mysql_aurora.3.08.2")),
            (Some("16.4"), Some("16"), Some("16.4")),
            (Some("8.0.mysql_aurora.3"), Some("8.0.other"), Some("8.0.mysql_aurora.3")),
            (Some("16.4"), Some(""), Some("16.4")),
            (Some("16.4"), None, Some("16.4")),
            (None, Some("16.4"), Some("16.4")),
            (None, None, None),
        ];
        for (declared, snapshot, sent) in cases {
            assert_eq!(restore_version(declared, snapshot).as_deref(), sent, "{declared:?} of {snapshot:?}");
        }
    }

    #[test]
    fn the_beginning_of_a_version_is_that_version_and_a_newer_one_is_told_apart() {
        assert!(reaches("16", "16.4") && reaches("16.4", "16.4") && reaches("16.4", "16.40"));
        assert!(!reaches("16.4", "16") && !reaches("16.40", "16.4") && !reaches("16", "8.0.mysql_aurora.3.08.2"));
        assert!(is_newer("16.4", "16.40") && !is_newer("16", "16.4") && !is_newer("16.4", "16.3"));
    }
}
