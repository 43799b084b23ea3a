//! S3: buckets, listings, small objects, conditional writes, and the Terraform state that an S3 backend keeps.
//!
//! Every request goes to the recovery region's endpoint.

mod bucket;
mod closed;
mod conditional;
mod copy_request;
mod delete;
mod kept;
mod list;
mod lock_file;
mod object;
mod settings;
mod state;
mod upload;
mod versions;

use aws_sdk_s3::primitives::DateTime;
use jiff::Timestamp;

pub use bucket::{BucketPlace, Versioning, etags_are_md5, find_bucket, versioning, versions_expire_after};
pub use closed::{bucket_policy, public_access, set_bucket_policy, set_public_access};
pub use conditional::{Condition, Put, Stamped, put_if, read_stamped};
pub use copy_request::{CopyRequest, CopyRequests};
pub use delete::{DELETED_AT_ONCE, Undeleted, delete_versions, is_empty};
pub use kept::{Hashed, Lock, Written, has_object_lock, hashed, keep, lock, lock_of};
pub use list::{Object, Page, PageStart, list_folders, list_page, list_under};
pub use lock_file::LockFile;
pub use object::{Content, read, read_version};
pub use settings::{Setting, settings};
pub use state::{StateObject, StateOutput, TerraformState, recovery_resources, recovery_state, state_key};
pub use upload::Upload;
pub use versions::{Marker, Version, VersionPage, list_versions};

use super::AwsError;

fn broken(operation: &'static str, message: String) -> AwsError {
    AwsError { operation, code: None, message, transient: false }
}

/// A refusal, with the bucket that was asked for: of two it does not say by itself which one is meant.
fn in_bucket(bucket: &str) -> impl FnOnce(AwsError) -> AwsError {
    move |error| AwsError { message: format!("{} (bucket {bucket})", error.message), ..error }
}

/// `bucket/key` as the header `x-amz-copy-source` wants it: percent-encoded but for `/` and the unreserved characters.
pub fn copy_source(bucket: &str, key: &str) -> String {
    format!("{bucket}/{}", encoded(key))
}

/// A key as it stands in a path.
pub(super) fn encoded(key: &str) -> String {
    let mut path = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => path.push(byte.into()),
            byte => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

/// The same of one version.
pub fn copy_source_version(bucket: &str, key: &str, version_id: &str) -> String {
    format!("{}?versionId={version_id}", copy_source(bucket, key))
}

/// Splits `s3://bucket/key`.
pub fn parse_uri(uri: &str) -> Option<(&str, &str)> {
    let (bucket, key) = uri.strip_prefix("s3://")?.split_once('/')?;
    (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
}

/// An SDK time as ours.
pub(crate) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_source_keeps_only_slashes_and_unreserved_characters() {
        assert_eq!(copy_source("b", "a b+c/ü?%&#~"), "b/a%20b%2Bc/%C3%BC%3F%25%26%23~");
        assert_eq!(copy_source("b", "/lead//double"), "b//lead//double");
    }
}
