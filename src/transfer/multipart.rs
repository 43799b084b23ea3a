//! One object in parallel parts: created, each range copied on the server, completed; aborted where anything fails, so
//! that no unfinished upload is left behind to be paid for.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, CopyPartResult};
use futures::{StreamExt, TryStreamExt, stream};

use super::alike::{checksum_in_parts, expiring, tagging, upload_alike};
use super::copy::{Copier, CopyError, gone, quoted};
use super::parts::{Part, cut_at, cut_evenly, is_even, parts_of_etag};
use super::through;
use crate::aws::AwsError;
use crate::aws::refusal;
use crate::aws::s3::Object;

/// Parts of one object under way at once; the limiter bounds all objects together.
const PARTS_AT_ONCE: usize = 32;

/// Copies an object of an ETag `…-N` cut at the places where the source is cut, so that the ETag stays the same.
pub(super) async fn copy_alike(copier: &Copier, object: &Object) -> Result<(), CopyError> {
    let head = copier.head_source(object, None).await?.ok_or_else(|| gone(object, &copier.source))?;
    let mut parts = source_parts(copier, object).await?;
    if copier.through.is_some() && parts.iter().any(|part| part.bytes() > through::MOST_HELD_BYTES) {
        // Nothing so large is held in memory; the ETag becomes another, and what is compared is the content.
        parts = cut_evenly(object.size_bytes, copier.part_bytes_for(object));
    }
    copy(copier, object, &head, parts).await
}

/// Where the source is cut: told by the first and the last part where the parts are even, else by every part.
async fn source_parts(copier: &Copier, object: &Object) -> Result<Vec<Part>, CopyError> {
    let count = parts_of_etag(&object.etag).unwrap_or(1);
    let first = part_bytes(copier, object, 1).await?;
    let last = if count == 1 { first } else { part_bytes(copier, object, count).await? };
    if is_even(object.size_bytes, count, first, last) {
        return Ok(cut_evenly(object.size_bytes, first));
    }
    let sizes: Vec<u64> = stream::iter((1..=count).map(|number| part_bytes(copier, object, number)))
        .buffered(PARTS_AT_ONCE)
        .try_collect()
        .await?;
    if sizes.iter().sum::<u64>() == object.size_bytes {
        return Ok(cut_at(&sizes));
    }
    // The parts are not told: the content is still copied whole, and compared by content afterwards.
    Ok(cut_evenly(object.size_bytes, copier.limits.part_bytes))
}

async fn part_bytes(copier: &Copier, object: &Object, number: u64) -> Result<u64, CopyError> {
    let number = i32::try_from(number).unwrap_or(i32::MAX);
    let head = copier.head_source(object, Some(number)).await?;
    Ok(head.and_then(|head| head.content_length()).and_then(|size| u64::try_from(size).ok()).unwrap_or_default())
}

/// Copies an object in the given parts.
pub(super) async fn copy(
    copier: &Copier,
    object: &Object,
    head: &HeadObjectOutput,
    parts: Vec<Part>,
) -> Result<(), CopyError> {
    let tags = tagging(&tag_set(copier, object).await?);
    let checksum = checksum_in_parts(head).or_else(|| copier.through.as_ref().map(|_| through::CHECKSUM));
    let algorithm = checksum.as_ref().map(|(algorithm, _)| algorithm.clone());
    let upload = create(copier, (object, head), tags, checksum).await?;
    let copied = async {
        let done = copy_parts(copier, object, &upload, (parts, algorithm)).await?;
        complete(copier, object, &upload, done).await
    };
    let copied = copied.await;
    if copied.is_err() {
        abort(copier, object, &upload).await;
    }
    copied
}

/// The tags of the source's object.
pub(super) async fn tag_set(copier: &Copier, object: &Object) -> Result<BTreeMap<String, String>, AwsError> {
    let answer = copier
        .limiter
        .run(|| {
            let request = copier.reading().get_object_tagging().bucket(&copier.source).key(&object.key);
            let request = request.set_version_id(object.version_id.clone());
            async move { request.send().await.map_err(refusal("s3:GetObjectTagging")) }
        })
        .await?;
    Ok(answer.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect())
}

async fn create(
    copier: &Copier,
    (object, head): (&Object, &HeadObjectOutput),
    tags: Option<String>,
    checksum: Option<(ChecksumAlgorithm, Option<ChecksumType>)>,
) -> Result<String, AwsError> {
    let operation = "s3:PutObject";
    let answer = copier
        .limiter
        .run(|| {
            let request = copier.client.create_multipart_upload().bucket(&copier.target).key(&object.key);
            let request = upload_alike(request, object, head, checksum.clone()).set_tagging(tags.clone()).customize();
            let request = request.mutate_request(expiring(head));
            async move { request.send().await.map_err(refusal(operation)) }
        })
        .await?;
    let missing =
        || AwsError { operation, code: None, message: "the answer has no upload id".to_owned(), transient: false };
    answer.upload_id().map(str::to_owned).ok_or_else(missing)
}

async fn copy_parts(
    copier: &Copier,
    object: &Object,
    upload: &str,
    (parts, algorithm): (Vec<Part>, Option<ChecksumAlgorithm>),
) -> Result<Vec<CompletedPart>, CopyError> {
    let copies = parts.into_iter().map(|part| copy_part(copier, object, (upload, algorithm.clone()), part));
    let mut done: Vec<CompletedPart> = stream::iter(copies).buffer_unordered(PARTS_AT_ONCE).try_collect().await?;
    done.sort_by_key(CompletedPart::part_number);
    Ok(done)
}

async fn copy_part(
    copier: &Copier,
    object: &Object,
    (upload, algorithm): (&str, Option<ChecksumAlgorithm>),
    part: Part,
) -> Result<CompletedPart, CopyError> {
    if (copier.stopping)() {
        return Err(CopyError::Stopped);
    }
    if let Some(through) = &copier.through {
        return Ok(through.part(copier, object, (upload, algorithm), part).await?);
    }
    let answer = copier
        .limiter
        .run(|| {
            let request = copier
                .client
                .upload_part_copy()
                .bucket(&copier.target)
                .key(&object.key)
                .upload_id(upload)
                .part_number(part.number)
                .copy_source(copier.source_of(object))
                // S3 refuses a range of a source of up to 5 MiB (S3 API: "UploadPartCopy"); a whole object needs none.
                .set_copy_source_range((part.bytes() < object.size_bytes).then(|| part.range()))
                .copy_source_if_match(quoted(&object.etag));
            async move { request.send().await.map_err(refusal("s3:PutObject")) }
        })
        .await?;
    copier.moved_bytes.fetch_add(part.bytes(), Ordering::Relaxed);
    Ok(completed(part.number, answer.copy_part_result()))
}

fn completed(number: i32, result: Option<&CopyPartResult>) -> CompletedPart {
    let part = CompletedPart::builder().part_number(number);
    let Some(result) = result else { return part.build() };
    part.set_e_tag(result.e_tag().map(str::to_owned))
        .set_checksum_crc32(result.checksum_crc32().map(str::to_owned))
        .set_checksum_crc32_c(result.checksum_crc32_c().map(str::to_owned))
        .set_checksum_crc64_nvme(result.checksum_crc64_nvme().map(str::to_owned))
        .set_checksum_sha1(result.checksum_sha1().map(str::to_owned))
        .set_checksum_sha256(result.checksum_sha256().map(str::to_owned))
        .build()
}

async fn complete(copier: &Copier, object: &Object, upload: &str, parts: Vec<CompletedPart>) -> Result<(), CopyError> {
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    copier
        .limiter
        .run(|| {
            let request = copier
                .client
                .complete_multipart_upload()
                .bucket(&copier.target)
                .key(&object.key)
                .upload_id(upload)
                .multipart_upload(parts.clone())
                .set_if_none_match(copier.if_none_match())
                .set_mpu_object_size(i64::try_from(object.size_bytes).ok());
            async move { request.send().await.map_err(refusal("s3:PutObject")) }
        })
        .await?;
    Ok(())
}

/// The failure that led here is what the operator is told; a second one only goes to the log.
async fn abort(copier: &Copier, object: &Object, upload: &str) {
    let aborted = copier
        .limiter
        .run(|| {
            let request = copier.client.abort_multipart_upload().bucket(&copier.target).key(&object.key);
            let request = request.upload_id(upload);
            async move { request.send().await.map_err(refusal("s3:AbortMultipartUpload")) }
        })
        .await;
    if let Err(error) = aborted
        && !error.is("NoSuchUpload")
    {
        tracing::warn!(bucket = copier.target, key = object.key, upload, %error, "an unfinished upload was left behind");
    }
}
