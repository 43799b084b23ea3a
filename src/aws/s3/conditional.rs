//! Writes that S3 carries out only where an object is what the writer believes it to be ("Conditional requests", Amazon
//! S3 User Guide), and reads that tell how old an object is by S3's own clock.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use bytes::Bytes;
use jiff::Timestamp;

use super::object::whole;
use super::{broken, timestamp};
use crate::aws::{AwsError, Session, explain};

/// What must be so for a write to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// `If-None-Match: *`: there is no such object.
    Absent,
    /// `If-Match`: the object has this ETag, as S3 gave it, with its quotes.
    Unchanged(String),
}

/// What became of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// Carried out; the object's new ETag.
    Done(String),
    /// 412, or 404 for an object that should be there: the condition does not hold. Where the reply to an earlier try
    /// of the same write was lost, this is its own work.
    Unmet,
    /// 409 `ConditionalRequestConflict`: another write of the same key was under way. S3 says to try again.
    Conflict,
}

/// An object read whole, with what S3 says about when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    pub bytes: Vec<u8>,
    /// With its quotes.
    pub etag: String,
    pub modified_at: Option<Timestamp>,
    /// S3's clock when it answered: the header `Date`. To the second, as `Last-Modified` is.
    pub date: Option<Timestamp>,
}

/// Writes an object where `condition` holds (S3 API: "PutObject").
///
/// # Errors
/// AWS refused for another reason than the condition, or did not answer: then nobody knows whether it was written.
pub async fn put_if(
    session: &Session,
    bucket: &str,
    key: &str,
    body: Bytes,
    condition: &Condition,
) -> Result<Put, AwsError> {
    let operation = "s3:PutObject";
    let put = session.s3().put_object().bucket(bucket).key(key).content_type("application/json").body(body.into());
    let put = match condition {
        Condition::Absent => put.if_none_match("*"),
        Condition::Unchanged(etag) => put.if_match(etag),
    };
    match put.send().await {
        Ok(answer) => {
            let etag = answer.e_tag().map(str::to_owned);
            etag.map(Put::Done)
                .ok_or_else(|| broken(operation, format!("s3://{bucket}/{key} was written without an ETag")))
        }
        Err(error) => {
            let error = explain(operation)(error);
            match error.code.as_deref() {
                Some("PreconditionFailed" | "NoSuchKey") => Ok(Put::Unmet),
                Some("ConditionalRequestConflict") => Ok(Put::Conflict),
                _ => Err(error),
            }
        }
    }
}

/// Reads an object of at most `limit_bytes`, and S3's time (S3 API: "GetObject", "Common response headers"); `None` where
/// there is none.
///
/// # Errors
/// AWS refused, or the object is larger.
pub async fn read_stamped(
    session: &Session,
    bucket: &str,
    key: &str,
    limit_bytes: u64,
) -> Result<Option<Stamped>, AwsError> {
    let operation = "s3:GetObject";
    let date = DateHeader::default();
    let asked = session.s3().get_object().bucket(bucket).key(key).customize().interceptor(date.clone());
    let answer = match asked.send().await {
        Ok(answer) => answer,
        Err(error) => {
            let error = explain(operation)(error);
            return if error.is_any(&["NoSuchKey", "NotFound"]) { Ok(None) } else { Err(error) };
        }
    };
    let what = format!("s3://{bucket}/{key}");
    let etag = answer.e_tag().map(str::to_owned);
    let etag = etag.ok_or_else(|| broken(operation, format!("{what} was read without an ETag")))?;
    let modified_at = answer.last_modified().and_then(timestamp);
    let size = answer.content_length();
    let bytes = whole(answer.body, size, limit_bytes, &what).await?;
    Ok(Some(Stamped { bytes, etag, modified_at, date: date.time() }))
}

/// Keeps the answer's `Date`, which the SDK has no name for.
#[derive(Clone, Debug, Default)]
struct DateHeader(Arc<Mutex<Option<String>>>);

impl DateHeader {
    fn time(&self) -> Option<Timestamp> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        timestamp(&DateTime::from_str(kept.as_deref()?, DateTimeFormat::HttpDate).ok()?)
    }
}

impl Intercept for DateHeader {
    fn name(&self) -> &'static str {
        "DateHeader"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").map(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}
