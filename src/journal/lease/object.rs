//! The lease object as it is read and written.

use std::time::Duration;

use bytes::Bytes;

use super::{Body, SCHEMA_VERSION, prefix};
use crate::aws::s3::{Condition, Put, Stamped, put_if, read_stamped};
use crate::aws::{AwsError, Session};

/// A lease is a few hundred bytes.
const LIMIT_BYTES: u64 = 64 * 1024;
/// How often S3's answer that another write is under way is met with another try.
const CONFLICTS: u32 = 10;
const CONFLICT_PAUSE: Duration = Duration::from_millis(100);

/// Where an environment's lease is.
#[derive(Clone)]
pub struct LeaseObject {
    session: Session,
    bucket: String,
    key: String,
}

/// The lease as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub body: Box<Body>,
    /// With its quotes.
    pub etag: String,
    /// By S3's clock, to the second; `None` where the answer did not say.
    pub age: Option<Duration>,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It is there, with this ETag.
    Done(String),
    /// Something else is there, or nothing.
    Taken(Option<Found>),
}

impl LeaseObject {
    pub fn new(session: Session, bucket: &str, service: &str, environment: &str) -> Self {
        let key = format!("{}lease.json", prefix(service, environment));
        Self { session, bucket: bucket.to_owned(), key }
    }

    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Reads the lease; `None` where there never was one.
    ///
    /// # Errors
    /// S3 refused or did not answer, or what is there is no lease that this version understands.
    pub async fn read(&self) -> Result<Option<Found>, AwsError> {
        let Some(stamped) = read_stamped(&self.session, &self.bucket, &self.key, LIMIT_BYTES).await? else {
            return Ok(None);
        };
        let body: Body = serde_json::from_slice(&stamped.bytes).map_err(|error| self.strange(error.to_string()))?;
        if body.schema_version > SCHEMA_VERSION {
            return Err(self.strange(format!("it has schema version {}", body.schema_version)));
        }
        Ok(Some(Found { age: age(&stamped), body: Box::new(body), etag: stamped.etag }))
    }

    fn strange(&self, why: String) -> AwsError {
        let message = format!("s3://{}/{} is no lease that this lifeboat understands: {why}", self.bucket, self.key);
        AwsError { operation: "s3:GetObject", code: None, message, transient: false }
    }

    /// Writes the lease where `condition` holds. A write whose reply was lost is recognised by what it wrote.
    pub(super) async fn write(&self, body: &Body, condition: &Condition) -> Result<Written, AwsError> {
        let bytes = serde_json::to_vec_pretty(body).map_err(|error| self.strange(error.to_string()))?;
        let bytes = Bytes::from(bytes);
        for _ in 0..CONFLICTS {
            match put_if(&self.session, &self.bucket, &self.key, bytes.clone(), condition).await? {
                Put::Done(etag) => return Ok(Written::Done(etag)),
                Put::Conflict => tokio::time::sleep(CONFLICT_PAUSE).await,
                Put::Unmet => {
                    return Ok(match self.read().await? {
                        Some(found) if *found.body == *body => Written::Done(found.etag),
                        found => Written::Taken(found),
                    });
                }
            }
        }
        let message = format!("s3://{}/{}: other writes do not end", self.bucket, self.key);
        Err(AwsError { operation: "s3:PutObject", code: None, message, transient: true })
    }
}

fn age(stamped: &Stamped) -> Option<Duration> {
    let age = stamped.date?.duration_since(stamped.modified_at?);
    // An answer from a machine of S3 whose clock is behind: not old at all.
    Some(Duration::try_from(age).unwrap_or_default())
}
