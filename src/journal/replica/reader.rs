//! Fetches a run's copy: all of its batches, in order, without a hole, or an error.

use futures::{StreamExt, TryStreamExt};

use super::{ReplicaPlace, lines, runs_prefix};
use crate::aws::s3::{list_folders, list_under, read};
use crate::aws::{AwsError, Session};

/// A journal is some hundred kilobytes; what is larger by far is not one.
const LIMIT_BYTES: u64 = 256 * 1024 * 1024;
/// Batches that are fetched at the same time.
const AT_ONCE: usize = 8;

/// Why there is no copy to go on from.
#[derive(Debug, thiserror::Error)]
pub enum ReplicaError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("{place} is no whole copy of a journal: {why}")]
    Broken { place: String, why: String },
}

/// The runs of an environment that have a copy, oldest first.
///
/// # Errors
/// The listing failed: that is never "none".
pub async fn runs(session: &Session, bucket: &str, service: &str, environment: &str) -> Result<Vec<String>, AwsError> {
    list_folders(session, bucket, &runs_prefix(service, environment)).await
}

impl ReplicaPlace {
    /// The whole copy; empty where there is none.
    ///
    /// # Errors
    /// S3 refused or did not answer, a batch is missing, or something else lies among them.
    pub async fn fetch(&self) -> Result<Vec<u8>, ReplicaError> {
        let listed = list_under(&self.session, &self.bucket, &self.prefix).await?;
        let size: u64 = listed.iter().map(|object| object.size_bytes).sum();
        if size > LIMIT_BYTES {
            return Err(self.broken(format!("it has {size} bytes")));
        }
        let mut keys = Vec::with_capacity(listed.len());
        for object in listed {
            let first = self.first(&object.key);
            let first = first.ok_or_else(|| self.broken(format!("{} is none of its batches", object.key)))?;
            keys.push((first, object.key));
        }
        keys.sort();
        let fetched = keys.into_iter().map(|(first, key)| async move {
            let batch = read(&self.session, &self.bucket, &key, LIMIT_BYTES).await?;
            let batch = batch.ok_or_else(|| self.broken(format!("{key} was listed and is gone")))?;
            Ok::<_, ReplicaError>((first, key, batch.bytes))
        });
        let mut fetched = futures::stream::iter(fetched).buffered(AT_ONCE);
        let (mut whole, mut next) = (Vec::new(), 0);
        while let Some((first, key, batch)) = fetched.try_next().await? {
            if first != next {
                return Err(self.broken(format!("line {next} is missing: after it comes {key}")));
            }
            if batch.last() != Some(&b'\n') {
                return Err(self.broken(format!("{key} does not end with a whole line")));
            }
            next += lines(&batch).count() as u64;
            whole.extend_from_slice(&batch);
        }
        Ok(whole)
    }

    fn broken(&self, why: String) -> ReplicaError {
        ReplicaError::Broken { place: self.uri(), why }
    }
}
