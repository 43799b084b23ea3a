//! Approvals and the bundles of runs in the recovery region's state bucket. What is there counts: a file beside a bundle is
//! for people. An approval is made once, and claimed by one run, by conditional writes.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use super::approval::{APPROVAL_VERSION, Approval};
use super::read::{ReadError, unpack};
use super::seal::Bundle;
use super::write::pack;
use crate::aws::s3::{Condition, Put, put_if, read, read_stamped};
use crate::aws::{AwsError, Session};
use crate::journal::lease::prefix;

const APPROVAL_BYTES: u64 = 64 * 1024;
const BUNDLE_BYTES: u64 = 512 * 1024 * 1024;
/// How often S3's answer that another write is under way is met with another try.
const CONFLICTS: u32 = 10;
const CONFLICT_PAUSE: Duration = Duration::from_millis(100);

/// Why the bucket does not help.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("{place} is no approval that this lifeboat understands: {why}")]
    Strange { place: String, why: String },
    #[error("{0}: other writes do not end")]
    Busy(String),
    #[error("{place} is not there")]
    Gone { place: String },
    #[error("{place}: {source}")]
    Bundle { place: String, source: ReadError },
}

/// Where the approval of one bundle is.
pub struct Approvals {
    session: Session,
    bucket: String,
    key: String,
}

/// An approval as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenApproval {
    pub approval: Approval,
    etag: String,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Done,
    /// Something else is there, or nothing.
    Other(Option<Box<GivenApproval>>),
}

impl Approvals {
    pub fn new(session: Session, bucket: &str, service: &str, environment: &str, sha256: &str) -> Self {
        let key = format!("{}approvals/{sha256}.json", prefix(service, environment));
        Self { session, bucket: bucket.to_owned(), key }
    }

    /// Names it for people.
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }

    /// Reads the approval; `None` where there is none.
    ///
    /// # Errors
    /// S3 refused, or what is there is no approval.
    pub async fn read(&self) -> Result<Option<GivenApproval>, StoreError> {
        let Some(stamped) = read_stamped(&self.session, &self.bucket, &self.key, APPROVAL_BYTES).await? else {
            return Ok(None);
        };
        let approval: Approval = serde_json::from_slice(&stamped.bytes)
            .map_err(|error| StoreError::Strange { place: self.uri(), why: error.to_string() })?;
        if approval.schema_version > APPROVAL_VERSION {
            let why = format!("it has schema version {}", approval.schema_version);
            return Err(StoreError::Strange { place: self.uri(), why });
        }
        Ok(Some(GivenApproval { approval, etag: stamped.etag }))
    }

    /// Writes an approval where there is none, or in place of `over`, which is as it was read.
    ///
    /// # Errors
    /// S3 refused or did not answer.
    pub async fn write(&self, approval: &Approval, over: Option<&GivenApproval>) -> Result<Outcome, StoreError> {
        let condition = over.map_or(Condition::Absent, |found| Condition::Unchanged(found.etag.clone()));
        let bytes = serde_json::to_vec_pretty(approval);
        let bytes = bytes.map_err(|error| StoreError::Strange { place: self.uri(), why: error.to_string() })?;
        let bytes = Bytes::from(bytes);
        for _ in 0..CONFLICTS {
            match put_if(&self.session, &self.bucket, &self.key, bytes.clone(), &condition).await? {
                Put::Done(_) => return Ok(Outcome::Done),
                Put::Conflict => tokio::time::sleep(CONFLICT_PAUSE).await,
                // The reply to an earlier try may have been lost: then it is our own work.
                Put::Unmet => {
                    return Ok(match self.read().await? {
                        Some(found) if found.approval == *approval => Outcome::Done,
                        found => Outcome::Other(found.map(Box::new)),
                    });
                }
            }
        }
        Err(StoreError::Busy(self.uri()))
    }

    /// Claims an approval for a run, as it was read.
    ///
    /// # Errors
    /// S3 refused or did not answer.
    pub async fn claim(&self, found: &GivenApproval, run: &str) -> Result<Outcome, StoreError> {
        let used = Approval { used_by: Some(run.to_owned()), ..found.approval.clone() };
        self.write(&used, Some(found)).await
    }
}

fn run_key(service: &str, environment: &str, run: &str) -> String {
    format!("{}runs/{run}/bundle.tar.zst", prefix(service, environment))
}

/// Keeps the bundle that a run goes by, for whoever takes it up on another machine.
///
/// # Errors
/// S3 refused or did not answer.
pub async fn keep_bundle_of_run(session: &Session, bucket: &str, bundle: &Bundle, run: &str) -> Result<(), StoreError> {
    let key = run_key(&bundle.index.subject.service, &bundle.index.subject.environment, run);
    let place = format!("s3://{bucket}/{key}");
    let packed = pack(&bundle.contents);
    let packed = packed.map_err(|error| StoreError::Strange { place: place.clone(), why: error.to_string() })?;
    // A run's name is its own, so that whatever is there is this bundle.
    match put_if(session, bucket, &key, packed.into(), &Condition::Absent).await? {
        Put::Done(_) | Put::Unmet => Ok(()),
        Put::Conflict => Err(StoreError::Busy(place)),
    }
}

/// The bundle that a run goes by.
///
/// # Errors
/// It is not there, or not whole.
pub async fn bundle_of_run(
    session: &Session,
    bucket: &str,
    service: &str,
    environment: &str,
    run: &str,
) -> Result<Bundle, StoreError> {
    let key = run_key(service, environment, run);
    let place = format!("s3://{bucket}/{key}");
    let content = read(session, bucket, &key, BUNDLE_BYTES).await?;
    let content = content.ok_or_else(|| StoreError::Gone { place: place.clone() })?;
    unpack(content.bytes.as_slice(), Path::new(&place)).map_err(|source| StoreError::Bundle { place, source })
}
