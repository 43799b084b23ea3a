//! Whether two objects that a listing does not show to be equal are equal after all.
//!
//! An ETag is the content's MD5 only for objects of one piece that are not encrypted under SSE-KMS or SSE-C (S3 API:
//! "Object"). Where ETags prove nothing the objects' checksums are compared, and where they have none in common, their
//! bytes, up to a budget. What could not be compared is said to be so and never called equal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, ServerSideEncryption};
use bytes::{Buf, Bytes};

use super::copy::{Asked, head, quoted};
use crate::aws::AwsError;
use crate::aws::archive::is_archived;
use crate::aws::s3::Object;
use crate::aws::{Limiter, refusal};

/// What a comparison shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Equal,
    Different(String),
    NotCompared(String),
}

/// A bucket, and who reads it.
pub(super) struct Side {
    pub client: Client,
    pub bucket: String,
}

/// Compares objects of the same key in two buckets.
pub struct Comparer {
    source: Side,
    target: Side,
    limiter: Arc<Limiter>,
    /// Bytes that may still be read.
    budget: AtomicU64,
}

impl Comparer {
    /// `content_bytes` bounds what is read of the source, all comparisons together.
    pub(super) fn new(source: Side, target: Side, limiter: Arc<Limiter>, content_bytes: u64) -> Self {
        Self { source, target, limiter, budget: AtomicU64::new(content_bytes) }
    }

    /// Whether a source object whose listing does not tell lies in an archive; it does not where it is gone by now.
    ///
    /// # Errors
    /// AWS refused.
    pub async fn is_archived(&self, object: &Object) -> Result<bool, AwsError> {
        let found = self.head(&self.source, object).await?;
        Ok(found.is_some_and(|found| is_archived(&found)))
    }

    async fn head(&self, side: &Side, object: &Object) -> Result<Option<HeadObjectOutput>, AwsError> {
        let (bucket, version_id) = (side.bucket.as_str(), object.version_id.as_deref());
        head(&side.client, &self.limiter, Asked { bucket, key: &object.key, version_id, part: None }).await
    }

    /// Compares by size, ETag, checksum, content, in this order.
    ///
    /// # Errors
    /// AWS refused.
    pub async fn compare(&self, source: &Object, target: &Object) -> Result<Verdict, AwsError> {
        if source.size_bytes != target.size_bytes {
            let why = format!("{} bytes in the source, {} in the target", source.size_bytes, target.size_bytes);
            return Ok(Verdict::Different(why));
        }
        if source.size_bytes == 0 || source.etag == target.etag {
            return Ok(Verdict::Equal);
        }
        let there = self.head(&self.source, source).await?;
        let here = self.head(&self.target, target).await?;
        let (Some(there), Some(here)) = (there, here) else {
            return Ok(Verdict::Different("it vanished while it was compared".to_owned()));
        };
        match judge(&there, &here) {
            Some(verdict) => Ok(verdict),
            None => self.compare_content((source, &there), (target, &here)).await,
        }
    }

    async fn compare_content(
        &self,
        (source, there): (&Object, &HeadObjectOutput),
        (target, here): (&Object, &HeadObjectOutput),
    ) -> Result<Verdict, AwsError> {
        let bytes = source.size_bytes;
        let taken = self.budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        if taken.is_err() {
            let why = format!("neither ETag nor checksum can be compared, and {bytes} bytes are more than may be read");
            return Ok(Verdict::NotCompared(why));
        }
        let source = self.open(&self.source, source, there).await;
        let target = self.open(&self.target, target, here).await;
        let (source, target) = match (source, target) {
            (Ok(source), Ok(target)) => (source, target),
            (Err(error), _) | (_, Err(error)) if error.is("InvalidObjectState") => {
                return Ok(Verdict::NotCompared("it is archived and has no checksum".to_owned()));
            }
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        same_bytes(source, target).await
    }

    async fn open(&self, side: &Side, object: &Object, head: &HeadObjectOutput) -> Result<ByteStream, AwsError> {
        let etag = quoted(head.e_tag().unwrap_or_default().trim_matches('"'));
        let answer = self
            .limiter
            .run(|| {
                let request = side.client.get_object().bucket(&side.bucket).key(&object.key).if_match(&etag);
                let request = request.set_version_id(object.version_id.clone());
                async move { request.send().await.map_err(refusal("s3:GetObject")) }
            })
            .await?;
        Ok(answer.body)
    }
}

/// Reads two streams in step; never more than a chunk of each is in memory.
async fn same_bytes(mut a: ByteStream, mut b: ByteStream) -> Result<Verdict, AwsError> {
    let (mut from_a, mut from_b, mut offset) = (Bytes::new(), Bytes::new(), 0_u64);
    loop {
        if from_a.is_empty() {
            from_a = chunk(&mut a).await?;
        }
        if from_b.is_empty() {
            from_b = chunk(&mut b).await?;
        }
        let common = from_a.len().min(from_b.len());
        if common == 0 {
            let equal = from_a.is_empty() && from_b.is_empty();
            return Ok(if equal { Verdict::Equal } else { Verdict::Different(format!("one ends at byte {offset}")) });
        }
        if from_a[..common] != from_b[..common] {
            return Ok(Verdict::Different(format!("the content differs after byte {offset}")));
        }
        from_a.advance(common);
        from_b.advance(common);
        offset += common as u64;
    }
}

/// The next bytes; empty only at the end.
async fn chunk(stream: &mut ByteStream) -> Result<Bytes, AwsError> {
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| AwsError {
            operation: "s3:GetObject",
            code: None,
            message: format!("the content broke off: {error}"),
            transient: false,
        })?;
        if !chunk.is_empty() {
            return Ok(chunk);
        }
    }
    Ok(Bytes::new())
}

/// What two heads of equal size and unequal ETag prove; `None` where only the content can tell.
fn judge(there: &HeadObjectOutput, here: &HeadObjectOutput) -> Option<Verdict> {
    if let (Some(a), Some(b)) = (checksum_of(there), checksum_of(here)) {
        let whole = is_full_object(there) && is_full_object(here);
        if a == b && (whole || there.checksum_type() == here.checksum_type()) {
            return Some(Verdict::Equal);
        }
        if whole && a.0 == b.0 {
            return Some(Verdict::Different(format!("the {} checksums differ", a.0.as_str())));
        }
    }
    (is_md5(there) && is_md5(here)).then(|| Verdict::Different("the MD5s differ".to_owned()))
}

/// Whether the object's checksum covers the whole object and can be computed from parts, however it is cut: of the
/// algorithms only the CRCs can (S3 User Guide: "Checking object integrity", full-object and composite checksums).
pub(super) fn has_part_independent_checksum(head: &HeadObjectOutput) -> bool {
    is_full_object(head) && checksum_of(head).is_some_and(|(algorithm, _)| is_crc(&algorithm))
}

pub(super) fn is_crc(algorithm: &ChecksumAlgorithm) -> bool {
    matches!(algorithm, ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32C | ChecksumAlgorithm::Crc64Nvme)
}

/// The object's checksum, of whichever algorithm it has.
pub(super) fn checksum_of(head: &HeadObjectOutput) -> Option<(ChecksumAlgorithm, String)> {
    let found = [
        (ChecksumAlgorithm::Crc64Nvme, head.checksum_crc64_nvme()),
        (ChecksumAlgorithm::Sha256, head.checksum_sha256()),
        (ChecksumAlgorithm::Sha1, head.checksum_sha1()),
        (ChecksumAlgorithm::Crc32C, head.checksum_crc32_c()),
        (ChecksumAlgorithm::Crc32, head.checksum_crc32()),
    ];
    found.into_iter().find_map(|(algorithm, value)| Some((algorithm, value?.to_owned())))
}

fn is_full_object(head: &HeadObjectOutput) -> bool {
    head.checksum_type() == Some(&ChecksumType::FullObject)
}

/// Whether the ETag is the MD5 of the content.
fn is_md5(head: &HeadObjectOutput) -> bool {
    let etag = head.e_tag().unwrap_or_default().trim_matches('"');
    let plain = matches!(head.server_side_encryption(), None | Some(ServerSideEncryption::Aes256));
    plain
        && head.sse_customer_algorithm().is_none()
        && etag.len() == 32
        && etag.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "\"9b2cf535f27731c974343645a3985328\"";
    const TWO: &str = "\"0cc175b9c0f1b6a831c399e269772661\"";

    #[test]
    fn md5s_prove_a_difference_only_without_kms() {
        let plain = |etag: &str| HeadObjectOutput::builder().e_tag(etag).build();
        let kms = HeadObjectOutput::builder().e_tag(TWO).server_side_encryption(ServerSideEncryption::AwsKms).build();
        assert!(matches!(judge(&plain(ONE), &plain(TWO)), Some(Verdict::Different(_))));
        assert_eq!(judge(&plain(ONE), &kms), None);
        assert_eq!(judge(&plain(ONE), &plain("\"0cc175b9c0f1b6a831c399e269772661-2\"")), None);
    }

    #[test]
    fn full_object_checksums_decide_whatever_the_parts() {
        let with = |etag: &str, sum: &str, kind: ChecksumType| {
            HeadObjectOutput::builder().e_tag(etag).checksum_crc64_nvme(sum).checksum_type(kind).build()
        };
        let source = with(ONE, "AAAA", ChecksumType::FullObject);
        assert_eq!(judge(&source, &with("\"x-7\"", "AAAA", ChecksumType::FullObject)), Some(Verdict::Equal));
        let other = judge(&source, &with("\"x-7\"", "BBBB", ChecksumType::FullObject));
        assert!(matches!(other, Some(Verdict::Different(_))));
        let composite = with("\"x-7\"", "BBBB-7", ChecksumType::Composite);
        assert_eq!(judge(&source, &composite), None);
    }

    #[tokio::test]
    async fn content_is_compared_whatever_the_chunks() {
        let stream = |bytes: &'static [u8]| ByteStream::from_static(bytes);
        assert_eq!(same_bytes(stream(b"abc"), stream(b"abc")).await, Ok(Verdict::Equal));
        assert!(matches!(same_bytes(stream(b"abc"), stream(b"abd")).await, Ok(Verdict::Different(_))));
        assert!(matches!(same_bytes(stream(b"abc"), stream(b"ab")).await, Ok(Verdict::Different(_))));
    }
}
