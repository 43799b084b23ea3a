//! The lock object that Terraform's S3 backend keeps beside a state (Terraform: "Backend Type: s3", `use_lockfile`).

use async_trait::async_trait;

use super::object::read;
use super::{broken, state_key};
use crate::aws::{AwsError, Session, explain};
use crate::manifest::Region;
use crate::terraform::lock::{LockInfo, LockStore};

/// A lock object is a few hundred bytes.
const LOCK_BYTES: u64 = 64 * 1024;

/// The lock of a region's state, where it is an object in the state bucket and nothing else.
pub struct LockFile {
    session: Session,
    bucket: String,
    key: String,
}

impl LockFile {
    /// `None` where a table holds the lock, alone or as well: only Terraform knows its ways then.
    pub fn of(session: &Session, region: &Region) -> Option<Self> {
        let backend = &region.backend;
        let alone = backend.use_lockfile && !backend.extra.contains_key("dynamodb_table");
        let key = format!("{}.tflock", state_key(region));
        alone.then(|| Self { session: session.clone(), bucket: backend.bucket.clone(), key })
    }
}

#[async_trait]
impl LockStore for LockFile {
    async fn held(&self) -> Result<Option<LockInfo>, AwsError> {
        let Some(object) = read(&self.session, &self.bucket, &self.key, LOCK_BYTES).await? else { return Ok(None) };
        let none = || broken("s3:GetObject", format!("s3://{}/{} is no lock of Terraform's", self.bucket, self.key));
        LockInfo::from_json(&object.bytes).map(Some).ok_or_else(none)
    }

    async fn remove(&self, id: &str) -> Result<bool, AwsError> {
        // As Terraform itself unlocks: read, compare, delete.
        if self.held().await?.is_none_or(|lock| lock.id != id) {
            return Ok(false);
        }
        let request = self.session.s3().delete_object().bucket(&self.bucket).key(&self.key);
        request.send().await.map(|_| true).map_err(explain("s3:DeleteObject"))
    }
}
