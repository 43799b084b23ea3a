//! Which S3 objects lie in an archive, where nothing can read or copy them before they are restored (S3 User Guide:
//! "Working with archived objects"). Pure.
//!
//! Glacier Instant Retrieval is no archive in this sense. Whether an object of Intelligent-Tiering is archived no
//! listing tells, only HeadObject.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{Object, ObjectVersion, RestoreStatus};

const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// Whether a listed object cannot be read. It must have been listed with its restore status (S3 API: "ListObjectsV2",
/// `OptionalObjectAttributes`): the class of a restored object stays that of the archive.
pub fn is_listed_archived(object: &Object) -> bool {
    in_archive(object.storage_class().map(|class| class.as_str()), object.restore_status())
}

/// The same of a listed version; the SDK's type for its class knows `STANDARD` alone, so that the class is given as text.
pub fn is_version_archived(version: &ObjectVersion, class: Option<&str>) -> bool {
    in_archive(class, version.restore_status())
}

/// Whether objects of a storage class lie in an archive.
pub fn is_archive(class: &str) -> bool {
    ARCHIVES.contains(&class)
}

fn in_archive(class: Option<&str>, status: Option<&RestoreStatus>) -> bool {
    // There is a time of expiry exactly while a readable copy stands.
    let restored = status
        .is_some_and(|status| status.is_restore_in_progress() != Some(true) && status.restore_expiry_date().is_some());
    class.is_some_and(is_archive) && !restored
}

/// Whether an object cannot be read, as HeadObject shows it.
pub fn is_archived(head: &HeadObjectOutput) -> bool {
    let class = head.storage_class().is_some_and(|class| ARCHIVES.contains(&class.as_str()));
    // `ongoing-request="false", expiry-date="…"` once a readable copy stands. Objects of Intelligent-Tiering move back
    // to a tier that is read at once instead, and lose their archive status.
    let restored = head.restore().is_some_and(|restore| restore.contains("ongoing-request=\"false\""));
    (class && !restored) || head.archive_status().is_some()
}

/// Whether only HeadObject tells if an object of this storage class is archived.
pub fn may_be_archived(storage_class: Option<&str>) -> bool {
    storage_class == Some("INTELLIGENT_TIERING")
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::primitives::DateTime;
    use aws_sdk_s3::types::{ArchiveStatus, ObjectStorageClass, RestoreStatus, StorageClass};

    use super::*;

    fn listed(class: &str, restore: Option<RestoreStatus>) -> bool {
        is_listed_archived(&Object::builder().storage_class(class.into()).set_restore_status(restore).build())
    }

    #[test]
    fn only_a_finished_restore_makes_an_archived_object_readable() {
        let ongoing = RestoreStatus::builder().is_restore_in_progress(true).build();
        let expiry = DateTime::from_secs(1_800_000_000);
        let done = RestoreStatus::builder().is_restore_in_progress(false).restore_expiry_date(expiry).build();
        for class in ["GLACIER", "DEEP_ARCHIVE"] {
            assert!(listed(class, None) && listed(class, Some(ongoing.clone())), "{class}");
            assert!(!listed(class, Some(done.clone())), "{class}");
        }
        for class in [ObjectStorageClass::GlacierIr, ObjectStorageClass::Standard, ObjectStorageClass::StandardIa] {
            assert!(!listed(class.as_str(), None), "{class}");
        }
    }

    #[test]
    fn a_head_tells_of_the_tiers_that_no_listing_shows() {
        let head = HeadObjectOutput::builder().storage_class(StorageClass::IntelligentTiering);
        assert!(!is_archived(&head.clone().build()));
        assert!(is_archived(&head.archive_status(ArchiveStatus::DeepArchiveAccess).build()));
        let frozen = HeadObjectOutput::builder().storage_class(StorageClass::Glacier);
        assert!(is_archived(&frozen.clone().build()));
        assert!(is_archived(&frozen.clone().restore("ongoing-request=\"true\"").build()));
        let ready = "ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2029 00:00:00 GMT\"";
        assert!(!is_archived(&frozen.restore(ready).build()));
    }
}
