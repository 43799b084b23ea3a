//! One object from bucket to bucket, on the server where one identity may do both, so that the copy can be proven equal afterwards.
//!
//! Metadata, content headers, tags, storage class and checksum algorithm are the source's; encryption is the target
//! bucket's default. Not copied: access control lists, object lock settings, older versions. An object that the target
//! has already is never overwritten (`If-None-Match: *`), and a source that changes under the copy is noticed
//! (`x-amz-copy-source-if-match`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::StalledStreamProtectionConfig;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::ChecksumMode;

use super::compare::{Comparer, Side, Verdict, has_part_independent_checksum};
use super::multipart;
use super::parts::{allowed_part_bytes, cut_evenly, parts_of_etag};
use super::through::Through;
use crate::aws::archive::is_archived;
use crate::aws::s3::{CopyRequest, CopyRequests, Object, copy_source, copy_source_version, timestamp};
use crate::aws::{AwsError, Session};
use crate::aws::{Limiter, MOST_ATTEMPTS, refusal};

/// The largest object that one CopyObject takes (S3 API: "CopyObject").
const LARGEST_SIMPLE_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// How often a source that changes under the copy is followed.
const MOST_CHANGES: u32 = 4;
/// One server-side copy of 5 GiB takes minutes.
const LONGEST_REQUEST: Duration = Duration::from_secs(900);

/// What bounds a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests under way at once.
    pub concurrency: usize,
    /// Objects above this are copied in parallel parts, where their copy can still be proven equal.
    pub parallel_above_bytes: u64,
    /// The size of those parts.
    pub part_bytes: u64,
    /// How often one request is made at most, where its answers are throttling or passing trouble.
    pub attempts: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { concurrency: 64, parallel_above_bytes: 64 << 20, part_bytes: 64 << 20, attempts: MOST_ATTEMPTS }
    }
}

/// How an object came to be in the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copied {
    Made,
    /// It was there, with equal content: an earlier attempt whose answer was lost.
    Found,
    /// The source lost it after it was listed.
    Vanished,
}

/// Why an object could not be copied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("the target holds it with other content: {0}")]
    Occupied(String),
    #[error("the source changed {MOST_CHANGES} times while it was copied")]
    Unsettled,
    #[error("stopped on request")]
    Stopped,
}

/// Copies objects from one bucket to another.
pub struct Copier {
    pub(super) client: Client,
    copies: CopyRequests,
    /// Where another identity reads the source: S3 then copies nothing by itself.
    pub(super) through: Option<Through>,
    pub(super) source: String,
    pub(super) target: String,
    pub(super) limits: Limits,
    pub(super) limiter: Arc<Limiter>,
    /// Whether what the target has under a key may get a newer version.
    pub(super) replaces: bool,
    pub(super) stopping: Box<dyn Fn() -> bool + Send + Sync>,
    /// Bytes of finished requests, for progress only.
    pub(super) moved_bytes: AtomicU64,
}

impl Copier {
    /// `stopping` is asked between requests.
    pub fn new(
        session: &Session,
        source: &str,
        target: &str,
        limits: Limits,
        stopping: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        let client = patient_client(session);
        Self {
            copies: CopyRequests::new(session, client.clone(), target, LONGEST_REQUEST),
            client,
            through: None,
            source: source.to_owned(),
            target: target.to_owned(),
            limits,
            limiter: Arc::new(Limiter::new(limits.concurrency).attempts(limits.attempts)),
            replaces: false,
            stopping: Box::new(stopping),
            moved_bytes: AtomicU64::new(0),
        }
    }

    /// The source is read by another identity, and everything goes through this machine.
    #[must_use]
    pub fn read_by(self, source: &Session) -> Self {
        Self { through: Some(Through::new(patient_client(source))), ..self }
    }

    /// Whoever reads the source.
    pub(super) fn reading(&self) -> &Client {
        self.through.as_ref().map_or(&self.client, |through| &through.client)
    }

    /// Copies older versions of a bucket's objects over its current ones. The bucket must keep versions: nothing is lost then.
    pub fn over_current(
        session: &Session,
        bucket: &str,
        limits: Limits,
        stopping: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { replaces: true, ..Self::new(session, bucket, bucket, limits, stopping) }
    }

    /// Compares objects of the same two buckets, under the same limit.
    pub fn comparer(&self, content_bytes: u64) -> Comparer {
        let source = Side { client: self.reading().clone(), bucket: self.source.clone() };
        let target = Side { client: self.client.clone(), bucket: self.target.clone() };
        Comparer::new(source, target, Arc::clone(&self.limiter), content_bytes)
    }

    pub fn moved_bytes(&self) -> u64 {
        self.moved_bytes.load(Ordering::Relaxed)
    }

    pub fn throttled(&self) -> u64 {
        self.limiter.throttled()
    }

    /// Copies one version of an object over what is current.
    ///
    /// # Errors
    /// AWS refused.
    pub async fn bring_back(&self, version: &Object) -> Result<Copied, CopyError> {
        match self.copy_version(version).await {
            Ok(()) => Ok(Copied::Made),
            Err(CopyError::Aws(error)) if error.is_any(&["NoSuchVersion", "NoSuchKey", "NotFound"]) => {
                Ok(Copied::Vanished)
            }
            Err(error) => Err(error),
        }
    }

    /// Copies one object as it was listed, or as it is by then.
    ///
    /// # Errors
    /// AWS refused, the target holds something else under the key, or the source does not hold still.
    pub async fn copy(&self, listed: Object) -> Result<Copied, CopyError> {
        let mut object = listed;
        for _ in 0..MOST_CHANGES {
            match self.copy_version(&object).await {
                Ok(()) => return Ok(Copied::Made),
                Err(CopyError::Aws(error)) if is_race(&error) => {}
                Err(error) => return Err(error),
            }
            if let Some(found) = self.head_target(&object.key).await? {
                return self.found(&object, &found).await;
            }
            match self.head_source(&object, None).await? {
                None => return Ok(Copied::Vanished),
                Some(head) => object = object_of(&object.key, &head),
            }
        }
        Err(CopyError::Unsettled)
    }

    /// The target has the key: the copy of an answer that was lost, or another's object.
    async fn found(&self, object: &Object, found: &HeadObjectOutput) -> Result<Copied, CopyError> {
        let target = object_of(&object.key, found);
        match self.comparer(object.size_bytes).compare(object, &target).await? {
            Verdict::Equal => Ok(Copied::Found),
            Verdict::Different(why) | Verdict::NotCompared(why) => Err(CopyError::Occupied(why)),
        }
    }

    async fn copy_version(&self, object: &Object) -> Result<(), CopyError> {
        if (self.stopping)() {
            return Err(CopyError::Stopped);
        }
        if object.size_bytes > 0 && parts_of_etag(&object.etag).is_some() {
            return multipart::copy_alike(self, object).await;
        }
        if object.size_bytes > self.limits.parallel_above_bytes {
            let Some(head) = self.head_source(object, None).await? else {
                return self.copy_simply(object).await;
            };
            let too_large = self.through.is_some() || object.size_bytes > LARGEST_SIMPLE_BYTES;
            if too_large || has_part_independent_checksum(&head) {
                let parts = cut_evenly(object.size_bytes, self.part_bytes_for(object));
                return multipart::copy(self, object, &head, parts).await;
            }
        }
        let Some(through) = &self.through else { return self.copy_simply(object).await };
        match self.head_source(object, None).await? {
            Some(head) => through.object(self, object, &head).await,
            None => Err(gone(object, &self.source).into()),
        }
    }

    /// The size of even parts of an object.
    pub(super) fn part_bytes_for(&self, object: &Object) -> u64 {
        allowed_part_bytes(object.size_bytes, self.limits.part_bytes)
    }

    /// One request: S3 takes over metadata, headers, tags and checksum; an ETag that is an MD5 stays the same.
    async fn copy_simply(&self, object: &Object) -> Result<(), CopyError> {
        let source = self.source_of(object);
        let etag = quoted(&object.etag);
        let request = CopyRequest {
            key: &object.key,
            source: &source,
            source_etag: &etag,
            replaces: self.replaces,
            storage_class: object.storage_class.as_deref(),
        };
        self.limiter.run(|| self.copies.send(request)).await?;
        self.moved_bytes.fetch_add(object.size_bytes, Ordering::Relaxed);
        Ok(())
    }

    /// An object of the source as a copy names it.
    pub(super) fn source_of(&self, object: &Object) -> String {
        match &object.version_id {
            Some(version_id) => copy_source_version(&self.source, &object.key, version_id),
            None => copy_source(&self.source, &object.key),
        }
    }

    /// The condition of what is written: that nothing is there, unless it may be covered.
    pub(super) fn if_none_match(&self) -> Option<String> {
        (!self.replaces).then(|| "*".to_owned())
    }

    /// HeadObject of the source's object, or of one of its parts; `None` where there is none.
    pub(super) async fn head_source(
        &self,
        object: &Object,
        part: Option<i32>,
    ) -> Result<Option<HeadObjectOutput>, AwsError> {
        let asked = Asked { bucket: &self.source, key: &object.key, version_id: object.version_id.as_deref(), part };
        head(self.reading(), &self.limiter, asked).await
    }

    async fn head_target(&self, key: &str) -> Result<Option<HeadObjectOutput>, AwsError> {
        head(&self.client, &self.limiter, Asked { bucket: &self.target, key, version_id: None, part: None }).await
    }
}

/// Whether a job of S3 Batch Operations copies an object as [`Copier`] would: in one piece, so that its ETag stays what it is, and
/// into the one storage class that a job has (Amazon S3 User Guide: "Copy objects").
pub fn fits_a_job(object: &Object) -> bool {
    let one_piece = object.size_bytes <= LARGEST_SIMPLE_BYTES && parts_of_etag(&object.etag).is_none();
    one_piece && object.storage_class.is_none() && !object.archived
}

/// What HeadObject is asked of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    pub version_id: Option<&'a str>,
    pub part: Option<i32>,
}

/// HeadObject with checksums, under the limit.
pub(super) async fn head(
    client: &Client,
    limiter: &Limiter,
    asked: Asked<'_>,
) -> Result<Option<HeadObjectOutput>, AwsError> {
    let Asked { bucket, key, version_id, part } = asked;
    let answer = limiter
        .run(|| {
            let request = client.head_object().bucket(bucket).key(key).set_part_number(part);
            let request = request.set_version_id(version_id.map(str::to_owned)).checksum_mode(ChecksumMode::Enabled);
            async move { request.send().await.map_err(refusal("s3:GetObject")) }
        })
        .await;
    match answer {
        Ok(head) => Ok(Some(head)),
        Err(error) if error.is_any(&["NotFound", "NoSuchKey"]) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The SDK's own retries are off (the limiter repeats), and a copy that is silent for long is not taken for a stall.
fn patient_client(session: &Session) -> Client {
    let config = session
        .s3()
        .config()
        .to_builder()
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .operation_attempt_timeout(LONGEST_REQUEST)
                .build(),
        )
        .build();
    Client::from_conf(config)
}

/// Answers that mean that source or target are not as they were listed.
fn is_race(error: &AwsError) -> bool {
    error.is_any(&["PreconditionFailed", "NoSuchKey", "NotFound", "NoSuchUpload", "ConditionalRequestConflict"])
}

/// What S3 answers of an object that is not there any more.
pub(super) fn gone(object: &Object, bucket: &str) -> AwsError {
    AwsError {
        operation: "s3:GetObject",
        code: Some("NoSuchKey".to_owned()),
        message: format!("{} is not in {bucket} any more", object.key),
        transient: false,
    }
}

pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// What a listing would show of the object.
fn object_of(key: &str, head: &HeadObjectOutput) -> Object {
    Object {
        key: key.to_owned(),
        version_id: None,
        size_bytes: head.content_length().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        etag: head.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
        storage_class: head.storage_class().map(|class| class.as_str().to_owned()).filter(|c| c != "STANDARD"),
        archived: is_archived(head),
        modified_at: head.last_modified().and_then(timestamp),
    }
}
