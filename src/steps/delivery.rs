//! A marked record goes into a Firehose stream, and must come to rest in its bucket: the whole way of the data, as the service
//! uses it.

use std::collections::BTreeSet;
use std::io::Read;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::sync::Mutex;

use super::{Cx, Output, Ready, StepError, wait_until};
use crate::aws::firehose::{self, Delivery};
use crate::aws::s3::{Object, list_under};
use crate::aws::{AwsError, Session, explain};
use crate::manifest::MARK;

/// Larger objects are not read: Firehose makes none that are larger (Firehose API: "BufferingHints", 128 MiB).
const READ_BYTES: u64 = 128 << 20;
const UNPACKED_AT_ONCE: u64 = 1 << 20;
/// An object is named after the time of its first record, which the stream may have kept for fifteen minutes before ours
/// (Firehose API: "BufferingHints").
const OLDEST: SignedDuration = SignedDuration::from_mins(20);
/// How far this machine's clock may be ahead of S3's.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Puts the record and waits until it is there. Gives back `stream`, `bucket`, `key`, `elapsed_ms`.
///
/// # Errors
/// The stream does not deliver into a bucket as text, the record does not come in time, or the operator asked to stop.
pub(super) async fn arrives(
    cx: &Cx,
    name: &str,
    stream: &str,
    record: Option<&str>,
    timeout: Duration,
) -> Result<Output, StepError> {
    let session = &cx.world.aws;
    let delivery = legible(name, stream, firehose::delivery(session, stream).await)?;
    let put_at = Timestamp::now();
    let mark = format!("lifeboat-{}-{}", cx.world.run, put_at.as_millisecond());
    let record =
        record.map_or_else(|| json!({ "lifeboat_check": MARK }).to_string(), str::to_owned).replace(MARK, &mark);
    firehose::put(session, stream, &format!("{record}\n")).await?;
    let (began, bucket) = (Instant::now(), &delivery.bucket);
    let seen = Mutex::new(BTreeSet::new());
    let what = format!("the marked record in {bucket}");
    let arrived = wait_until(cx, &what, timeout, async || {
        let mut seen = seen.lock().await;
        match look(session, &delivery, put_at, &mark, &mut seen).await {
            Ok(Some(key)) => Ok(Ready::Yes(Ok(key))),
            Ok(None) => Ok(Ready::NotYet(format!("not there; {} new objects looked at", seen.len()))),
            // The record is on its way: only the time ends the wait over a passing disturbance.
            Err(error) if error.transient => Err(error.into()),
            Err(error) => Ok(Ready::Yes(Err(error))),
        }
    });
    let arrived = arrived.await;
    let objects = seen.into_inner().len();
    let arrived = arrived.map_err(|error| match error.parks() {
        true => error,
        false => late(name, stream, bucket, timeout, objects),
    })?;
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(json!({ "stream": stream, "bucket": bucket, "key": arrived?, "elapsed_ms": elapsed_ms }))
}

fn late(name: &str, stream: &str, bucket: &str, timeout: Duration, seen: usize) -> StepError {
    let seconds = timeout.as_secs();
    let text = format!(
        "check {name}: the record that was put into stream {stream} is not in {bucket} after {seconds} s; objects that came \
         meanwhile: {seen}, none with it"
    );
    StepError::check_failed(text).hint(
        "look at the stream's errors and its buffering interval, which `timeout` must exceed; a retry of the step puts another \
         record; stream, record and timeout are settled when a run begins: else look by hand, and --skip the step",
    )
}

/// The key of the object that holds the mark, among those that were not looked at before.
async fn look(
    session: &Session,
    delivery: &Delivery,
    put_at: Timestamp,
    mark: &str,
    seen: &mut BTreeSet<String>,
) -> Result<Option<String>, AwsError> {
    for object in new_objects(session, delivery, put_at, seen).await? {
        if holds(session, delivery, &object, mark).await? {
            return Ok(Some(object.key));
        }
        seen.insert(object.key);
    }
    Ok(None)
}

/// Only what comes to rest as text can be searched for a mark.
fn legible(name: &str, stream: &str, delivery: Result<Option<Delivery>, AwsError>) -> Result<Delivery, StepError> {
    let by_program = "ask it by a program: check \"NAME\" { command = [\"./check.sh\"] }";
    let stream_that = |why: &str| format!("stream {stream} {why}");
    let (why, hint) = match delivery {
        Err(error) if error.is("ResourceNotFoundException") => {
            let hint = "correct `stream` in the manifest, or declare it in the Terraform root";
            (format!("there is no stream {stream}: {error}"), hint)
        }
        Err(error) => return Err(error.into()),
        Ok(None) => (stream_that("delivers into no bucket"), by_program),
        Ok(Some(delivery)) if !delivery.takes_records => {
            (stream_that("takes no records itself: it reads another stream"), by_program)
        }
        Ok(Some(delivery)) if delivery.converts => {
            (stream_that("converts its records, and only text is searched"), by_program)
        }
        Ok(Some(delivery)) if !["UNCOMPRESSED", "GZIP"].contains(&delivery.compression.as_str()) => {
            (stream_that(&format!("compresses by {}, which is not read", delivery.compression)), by_program)
        }
        Ok(Some(delivery)) if delivery.status != "ACTIVE" => {
            (stream_that(&format!("is {}", delivery.status)), "wait until it is ACTIVE, then retry the step")
        }
        Ok(Some(delivery)) => return Ok(delivery),
    };
    Err(StepError::check_failed(format!("check {name}: {why}")).hint(hint))
}

/// The prefixes where objects of these times may be (Amazon Data Firehose Developer Guide: "Custom prefixes for Amazon S3
/// objects"): days where the prefix says nothing of times, else all that it begins with.
fn places(delivery: &Delivery, from: Timestamp, to: Timestamp) -> Vec<String> {
    if let Some((literal, _)) = delivery.prefix.split_once("!{") {
        return vec![literal.to_owned()];
    }
    if delivery.zone.is_some() {
        return vec![delivery.prefix.clone()];
    }
    let day = |at: Timestamp| format!("{}{}", delivery.prefix, at.strftime("%Y/%m/%d/"));
    let mut days = vec![day(from), day(to)];
    days.dedup();
    days
}

async fn new_objects(
    session: &Session,
    delivery: &Delivery,
    put_at: Timestamp,
    seen: &BTreeSet<String>,
) -> Result<Vec<Object>, AwsError> {
    let from = put_at.checked_sub(CLOCK_SKEW).unwrap_or(put_at);
    let mut found = Vec::new();
    for place in places(delivery, put_at.checked_sub(OLDEST).unwrap_or(put_at), Timestamp::now()) {
        let new = |object: &Object| object.modified_at.is_none_or(|at| at >= from) && object.size_bytes <= READ_BYTES;
        let objects = list_under(session, &delivery.bucket, &place).await?.into_iter();
        found.extend(objects.filter(|object| new(object) && !seen.contains(&object.key)));
    }
    Ok(found)
}

async fn holds(session: &Session, delivery: &Delivery, object: &Object, mark: &str) -> Result<bool, AwsError> {
    let operation = "s3:GetObject";
    let answer = session.s3().get_object().bucket(&delivery.bucket).key(&object.key).send().await;
    let answer = match answer.map_err(explain(operation)) {
        Ok(answer) => answer,
        // Moved on meanwhile, by whoever reads the bucket.
        Err(error) if error.is("NoSuchKey") => return Ok(false),
        Err(error) => return Err(error),
    };
    let broken = |message: String| AwsError { operation, code: None, message, transient: true };
    let bytes = answer.body.collect().await.map_err(|error| broken(error.to_string()))?.into_bytes();
    let (mark, gzip) = (mark.to_owned(), delivery.compression == "GZIP");
    let searched = tokio::task::spawn_blocking(move || contains(&bytes, &mark, gzip));
    searched.await.map_err(|error| broken(error.to_string()))
}

fn contains(bytes: &[u8], mark: &str, gzip: bool) -> bool {
    if !gzip {
        return memchr::memmem::find(bytes, mark.as_bytes()).is_some();
    }
    let (mut unpacked, mut text) = (MultiGzDecoder::new(bytes), Vec::new());
    loop {
        // What was read before stays as far as the mark may begin there.
        text.drain(..text.len().saturating_sub(mark.len()));
        match unpacked.by_ref().take(UNPACKED_AT_ONCE).read_to_end(&mut text) {
            // What is no gzip is nothing that the stream wrote.
            Ok(0) | Err(_) => return false,
            Ok(_) if memchr::memmem::find(&text, mark.as_bytes()).is_some() => return true,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn a_mark_is_found_in_text_and_in_the_second_member_of_a_gzip_file_and_nowhere_else() {
        let packed = |text: &str| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(text.as_bytes()).expect("it packs");
            encoder.finish().expect("it packs")
        };
        let both = [packed("first\n"), packed("a lifeboat-1 b\n")].concat();
        assert!(contains(&both, "lifeboat-1", true) && !contains(&both, "lifeboat-2", true));
        assert!(contains(b"a lifeboat-1 b", "lifeboat-1", false) && !contains(b"lifeboat", "lifeboat-1", false));
        assert!(!contains(b"lifeboat-1", "lifeboat-1", true), "no gzip");
        let across = format!("{}lifeboat-1{}", "x".repeat((1 << 20) - 5), "y".repeat(3 << 20));
        assert!(contains(&packed(&across), "lifeboat-1", true) && !contains(&packed(&across), "lifeboat-12", true));
    }

    #[test]
    fn objects_are_looked_for_where_the_stream_writes_them() {
        let time = |text: &str| text.parse::<Timestamp>().expect("a time");
        let places = |prefix: &str, zone: Option<&str>, from: &str, to: &str| {
            let (bucket, compression, status) = ("b".to_owned(), "GZIP".to_owned(), "ACTIVE".to_owned());
            let zone = zone.map(str::to_owned);
            let delivery = Delivery {
                bucket,
                prefix: prefix.to_owned(),
                compression,
                takes_records: true,
                converts: false,
                zone,
                status,
            };
            super::places(&delivery, time(from), time(to))
        };
        let (evening, noon) = ("2026-11-22T23:58:00Z", "2026-11-22T12:00:00Z");
        assert_eq!(places("raw/", None, noon, evening), ["raw/2026/11/22/"]);
        assert_eq!(places("", None, evening, "2026-11-23T00:03:00Z"), ["2026/11/22/", "2026/11/23/"]);
        assert_eq!(places("raw/!{timestamp:yyyy}/x/", None, noon, evening), ["raw/"]);
        assert_eq!(places("raw/", Some("Asia/Tokyo"), noon, evening), ["raw/"]);
    }
}
