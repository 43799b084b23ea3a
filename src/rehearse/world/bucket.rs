//! A source bucket in the recovery region, as replication would have left it.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures::{TryStreamExt, stream};

use super::objects::{MadeUp, PART_BYTES, content, object};
use super::{Regions, amount};
use crate::aws::{AwsError, Session, explain};
use crate::manifest::{Bucket, Quantity};
use crate::rehearse::RehearseError;

const MOST_OBJECTS: u64 = 20_000;
/// The emulator answers no faster to more.
const WRITERS: usize = 12;
/// Objects that get an older version with other content, and objects that were deleted again.
const REWRITTEN: std::ops::Range<u64> = 20..23;
const DELETED: [&str; 2] = ["app/deleted/part-00001.json", "access/deleted.log"];

/// What stands in a source bucket: current versions only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceBucket {
    pub name: String,
    pub objects: u64,
    pub bytes: u64,
}

/// Fills the bucket, which is there already.
///
/// # Errors
/// The emulator refused, or the manifest expects more than fits.
pub async fn build(bucket: &Bucket, regions: &Regions, usual: u64) -> Result<SourceBucket, RehearseError> {
    let what = format!("bucket {}", bucket.name);
    let count = amount(&what, Quantity::Objects, &bucket.verify, usual, MOST_OBJECTS)?;
    let bytes = (0..count).map(|number| object(number).size_bytes as u64).sum();
    amount(&what, Quantity::Bytes, &bucket.verify, bytes, bytes)?;
    let session = &regions.recovery;
    for number in REWRITTEN.take_while(|number| *number < count) {
        let before = MadeUp { size_bytes: 100, ..object(number) };
        put(session, &bucket.source, &before, content(number + MOST_OBJECTS, 100).into()).await?;
    }
    stream::iter((0..count).map(Ok))
        .try_for_each_concurrent(WRITERS, async |number| upload(session, &bucket.source, number).await)
        .await?;
    for key in DELETED {
        let gone = MadeUp { key: key.to_owned(), ..object(30) };
        put(session, &bucket.source, &gone, content(30, gone.size_bytes).into()).await?;
        let deleted = session.s3().delete_object().bucket(&bucket.source).key(key).send().await;
        deleted.map_err(explain("s3:DeleteObject"))?;
    }
    Ok(SourceBucket { name: bucket.name.clone(), objects: count, bytes })
}

async fn upload(session: &Session, bucket: &str, number: u64) -> Result<(), AwsError> {
    let object = object(number);
    let content = content(number, object.size_bytes);
    if object.size_bytes > PART_BYTES {
        return upload_parts(session, bucket, &object, &content).await;
    }
    put(session, bucket, &object, content.into()).await
}

async fn put(session: &Session, bucket: &str, object: &MadeUp, body: ByteStream) -> Result<(), AwsError> {
    let request = session.s3().put_object().bucket(bucket).key(&object.key).content_type(object.content_type);
    let request = request.set_tagging(object.tags.map(str::to_owned)).body(body);
    let request = match &object.metadata {
        Some((name, value)) => request.metadata(*name, value),
        None => request,
    };
    request.send().await.map_err(explain("s3:PutObject"))?;
    Ok(())
}

async fn upload_parts(
    session: &Session,
    bucket: &str,
    object: &MadeUp,
    content: &bytes::Bytes,
) -> Result<(), AwsError> {
    let s3 = session.s3();
    let begun = s3.create_multipart_upload().bucket(bucket).key(&object.key).content_type(object.content_type);
    let begun = begun.metadata("origin", "archive").send().await.map_err(explain("s3:CreateMultipartUpload"))?;
    let upload = begun.upload_id().unwrap_or_default();
    let mut parts = Vec::new();
    for (number, start) in (1..).zip((0..content.len()).step_by(PART_BYTES)) {
        let part = content.slice(start..content.len().min(start + PART_BYTES));
        let request = s3.upload_part().bucket(bucket).key(&object.key).upload_id(upload).part_number(number);
        let sent = request.body(part.into()).send().await.map_err(explain("s3:UploadPart"))?;
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build());
    }
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let request = s3.complete_multipart_upload().bucket(bucket).key(&object.key).upload_id(upload);
    request.multipart_upload(parts).send().await.map_err(explain("s3:CompleteMultipartUpload"))?;
    Ok(())
}
