//! An object that is written as it is made, in parts, without ever being held whole (Amazon S3 User Guide: "Uploading and copying
//! objects using multipart upload").

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};

use crate::aws::{AwsError, Session, explain};

const PART_BYTES: usize = 8 << 20;
const OPERATION: &str = "s3:PutObject";

/// What is written so far.
pub struct Upload {
    session: Session,
    bucket: String,
    key: String,
    part: Vec<u8>,
    /// Once there is more than one part.
    id: Option<String>,
    parts: Vec<CompletedPart>,
}

impl Upload {
    pub fn to(session: &Session, bucket: &str, key: &str) -> Self {
        let (session, bucket, key) = (session.clone(), bucket.to_owned(), key.to_owned());
        Self { session, bucket, key, part: Vec::new(), id: None, parts: Vec::new() }
    }

    /// # Errors
    /// S3 refused; nothing of it is there then.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), AwsError> {
        self.part.extend_from_slice(bytes);
        if self.part.len() < PART_BYTES {
            return Ok(());
        }
        let sent = self.send_part().await;
        self.or_undone(sent).await
    }

    /// Gives the object's ETag, without quotes.
    ///
    /// # Errors
    /// S3 refused; nothing of it is there then.
    pub async fn finish(mut self) -> Result<String, AwsError> {
        if self.id.is_none() {
            let put = self.session.s3().put_object().bucket(&self.bucket).key(&self.key);
            let put = put.body(std::mem::take(&mut self.part).into()).send().await.map_err(explain(OPERATION))?;
            return Ok(plain(put.e_tag()));
        }
        let completed = self.complete().await;
        self.or_undone(completed).await
    }

    async fn complete(&mut self) -> Result<String, AwsError> {
        if !self.part.is_empty() {
            self.send_part().await?;
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.parts))).build();
        let complete = self.session.s3().complete_multipart_upload().bucket(&self.bucket).key(&self.key);
        let complete = complete.set_upload_id(self.id.clone()).multipart_upload(parts).send().await;
        Ok(plain(complete.map_err(explain(OPERATION))?.e_tag()))
    }

    async fn send_part(&mut self) -> Result<(), AwsError> {
        let s3 = self.session.s3();
        if self.id.is_none() {
            let begun = s3.create_multipart_upload().bucket(&self.bucket).key(&self.key).send().await;
            self.id = begun.map_err(explain(OPERATION))?.upload_id;
        }
        let number = i32::try_from(self.parts.len() + 1).unwrap_or(i32::MAX);
        let sent = s3.upload_part().bucket(&self.bucket).key(&self.key).set_upload_id(self.id.clone());
        let sent = sent.part_number(number).body(std::mem::take(&mut self.part).into()).send().await;
        let part = CompletedPart::builder().part_number(number).set_e_tag(sent.map_err(explain(OPERATION))?.e_tag);
        self.parts.push(part.build());
        Ok(())
    }

    /// Nothing of it is there afterwards: what was uploaded of an object that is not finished costs money until it is given up.
    pub async fn give_up(&mut self) {
        if let Some(id) = self.id.take() {
            let abort = self.session.s3().abort_multipart_upload().bucket(&self.bucket).key(&self.key);
            abort.upload_id(id).send().await.ok();
        }
    }

    async fn or_undone<T>(&mut self, done: Result<T, AwsError>) -> Result<T, AwsError> {
        if done.is_err() {
            self.give_up().await;
        }
        done
    }
}

fn plain(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}
