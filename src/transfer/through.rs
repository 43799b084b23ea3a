//! A copy through this machine: S3 copies by itself only for who may read the source and write the target. What one identity
//! reads, another writes; held in memory piece by piece, and never more than a bound of them together.

use std::sync::atomic::Ordering;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::operation::upload_part::UploadPartOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedPart};
use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::alike::{expiring, put_alike, tagging};
use super::copy::{Copier, CopyError, quoted};
use super::multipart::tag_set;
use super::parts::Part;
use crate::aws::s3::Object;
use crate::aws::{AwsError, Outcome, Refusal, refusal};

/// What is held in memory at a time, all objects together, but for one piece that is larger.
pub(super) const MOST_HELD_BYTES: u64 = 256 << 20;
const UNIT_BYTES: u64 = 4 << 10;

/// What parts on their way are guarded by where the source has no checksum of its own.
pub(super) const CHECKSUM: (ChecksumAlgorithm, Option<ChecksumType>) =
    (ChecksumAlgorithm::Crc64Nvme, Some(ChecksumType::FullObject));

/// Who reads the source.
pub(super) struct Through {
    pub client: Client,
    room: Semaphore,
}

impl Through {
    pub fn new(client: Client) -> Self {
        Self { client, room: Semaphore::new(units(MOST_HELD_BYTES) as usize) }
    }

    /// Copies an object in one piece. Its ETag stays the same where it is an MD5.
    pub async fn object(&self, copier: &Copier, object: &Object, head: &HeadObjectOutput) -> Result<(), CopyError> {
        let _room = self.room(object.size_bytes).await;
        let content = self.read(copier, object, None).await?;
        let tags = match head.tag_count() {
            Some(0) | None => None,
            Some(_) => tagging(&tag_set(copier, object).await?),
        };
        copier
            .limiter
            .run(|| {
                let request = copier.client.put_object().bucket(&copier.target).key(&object.key);
                let request = put_alike(request, object, head)
                    .set_tagging(tags.clone())
                    .set_if_none_match(copier.if_none_match())
                    .body(ByteStream::from(content.clone()))
                    .customize();
                let request = request.mutate_request(expiring(head));
                async move { request.send().await.map_err(refusal("s3:PutObject")) }
            })
            .await?;
        copier.moved_bytes.fetch_add(object.size_bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Copies a part of an upload.
    pub async fn part(
        &self,
        copier: &Copier,
        object: &Object,
        (upload, algorithm): (&str, Option<ChecksumAlgorithm>),
        part: Part,
    ) -> Result<CompletedPart, AwsError> {
        let _room = self.room(part.bytes()).await;
        let content = self.read(copier, object, Some(part.range())).await?;
        let answer = copier
            .limiter
            .run(|| {
                let request = copier.client.upload_part().bucket(&copier.target).key(&object.key).upload_id(upload);
                let request = request.part_number(part.number).set_checksum_algorithm(algorithm.clone());
                let request = request.body(ByteStream::from(content.clone()));
                async move { request.send().await.map_err(refusal("s3:PutObject")) }
            })
            .await?;
        copier.moved_bytes.fetch_add(part.bytes(), Ordering::Relaxed);
        Ok(completed(part.number, &answer))
    }

    /// Content of the source's object as it was listed. What breaks off on its way is read again.
    async fn read(&self, copier: &Copier, object: &Object, range: Option<String>) -> Result<Bytes, AwsError> {
        copier
            .limiter
            .run(|| {
                let request = self.client.get_object().bucket(&copier.source).key(&object.key);
                let request = request.if_match(quoted(&object.etag)).set_range(range.clone());
                let request = request.set_version_id(object.version_id.clone()).checksum_mode(ChecksumMode::Enabled);
                async move {
                    let answer = request.send().await.map_err(refusal("s3:GetObject"))?;
                    let content = answer.body.collect().await.map_err(|error| broken_off(&error))?;
                    Ok(content.into_bytes())
                }
            })
            .await
    }

    /// Waits until so much may be held.
    async fn room(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.room.acquire_many(units(bytes.min(MOST_HELD_BYTES))).await.ok()
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

fn broken_off(error: &impl std::fmt::Display) -> Refusal {
    let message = format!("the content broke off: {error}");
    Refusal {
        error: AwsError { operation: "s3:GetObject", code: None, message, transient: true },
        outcome: Outcome::Transient,
    }
}

fn completed(number: i32, answer: &UploadPartOutput) -> CompletedPart {
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(answer.e_tag().map(str::to_owned))
        .set_checksum_crc32(answer.checksum_crc32().map(str::to_owned))
        .set_checksum_crc32_c(answer.checksum_crc32_c().map(str::to_owned))
        .set_checksum_crc64_nvme(answer.checksum_crc64_nvme().map(str::to_owned))
        .set_checksum_sha1(answer.checksum_sha1().map(str::to_owned))
        .set_checksum_sha256(answer.checksum_sha256().map(str::to_owned))
        .build()
}
