//! Counts what requests meet on their way: throttling, errors of AWS's own, silence.
//!
//! Every try of a request is looked at, also those that the SDK repeats without telling anybody. Nothing is changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;

use crate::journal::Disturbed;

/// How much of a refusal is searched for its code.
const CODE_BYTES: usize = 4096;

/// Counts by service since they were last taken. Cheap to clone; clones count together.
#[derive(Clone, Debug, Default)]
pub struct Traffic(Arc<Mutex<BTreeMap<&'static str, Disturbed>>>);

impl Traffic {
    /// What has been counted, by service; counting begins anew.
    pub fn take(&self) -> BTreeMap<String, Disturbed> {
        let taken = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        taken.into_iter().map(|(service, counts)| (service.to_owned(), counts)).collect()
    }

    /// The counter for a service's client.
    pub(super) fn of(&self, service: &'static str) -> Counter {
        Counter { traffic: self.clone(), service }
    }

    /// Counts a try that was refused for a while, or met silence.
    pub(super) fn met(&self, service: &'static str, throttled: bool) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = counts.entry(service).or_default();
        counts.retried += 1;
        counts.throttled += u64::from(throttled);
    }
}

/// Looks at the tries of one service's requests.
#[derive(Debug)]
pub(super) struct Counter {
    traffic: Traffic,
    service: &'static str,
}

impl Intercept for Counter {
    fn name(&self) -> &'static str {
        "LifeboatTraffic"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let verdict = match context.response() {
            Some(answer) => judge(answer.status().as_u16(), answer.body().bytes()),
            // Where there is not even a request, nothing went out: credentials that could not be had, for example.
            None => context.request().map(|_| false),
        };
        if let Some(throttled) = verdict {
            self.traffic.met(self.service, throttled);
        }
        Ok(())
    }
}

/// Whether an answer says "later", and if so, whether that is throttling. Most services throttle with status 400 and a
/// code in the body ("Error retries and exponential backoff in AWS").
fn judge(status: u16, body: Option<&[u8]>) -> Option<bool> {
    const THROTTLED: [&str; 9] = [
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "TooManyRequestsException",
    ];
    if status < 400 {
        return None;
    }
    let body = body.unwrap_or_default();
    let text = String::from_utf8_lossy(&body[..body.len().min(CODE_BYTES)]);
    if status == 429 || THROTTLED.iter().any(|code| text.contains(code)) {
        return Some(true);
    }
    // S3 answers a HEAD without a body.
    (status >= 500).then_some(status == 503 && body.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_is_told_from_other_trouble_and_from_plain_refusals() {
        assert_eq!(judge(400, Some(br#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#)), Some(true));
        assert_eq!(judge(400, Some(b"<Error><Code>Throttling</Code></Error>")), Some(true));
        assert_eq!(judge(503, Some(b"<Error><Code>SlowDown</Code></Error>")), Some(true));
        assert_eq!(judge(503, None), Some(true));
        assert_eq!(judge(500, Some(b"<Error><Code>InternalError</Code></Error>")), Some(false));
        assert_eq!(judge(404, Some(b"<Error><Code>NoSuchKey</Code></Error>")), None);
        assert_eq!(judge(200, None), None);
    }

    #[test]
    fn what_was_taken_is_not_told_twice() {
        let traffic = Traffic::default();
        traffic.met("s3", true);
        traffic.clone().met("s3", false);
        assert_eq!(traffic.take()["s3"], Disturbed { retried: 2, throttled: 1 });
        assert!(traffic.take().is_empty());
    }
}
