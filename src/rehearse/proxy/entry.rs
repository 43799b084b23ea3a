//! A request's record while it is being made: written exactly once, also when the client goes away half-way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hyper::HeaderMap;
use hyper::header::USER_AGENT;
use jiff::Timestamp;

use super::Call;
use super::record::{RequestLog, RequestOutcome, RequestRecord};

/// Writes its record when it is finished or dropped.
pub struct Entry {
    record: RequestRecord,
    began: Instant,
    request_bytes: Arc<AtomicU64>,
    log: Arc<RequestLog>,
}

impl Entry {
    pub fn new(log: &Arc<RequestLog>, call: &Call, agent: &str, request_bytes: Arc<AtomicU64>) -> Self {
        let record = RequestRecord {
            time: Timestamp::now(),
            service: call.service.clone(),
            operation: call.operation.clone(),
            region: call.region.clone(),
            resource: call.resource.clone(),
            agent: agent.to_owned(),
            status: 0,
            outcome: RequestOutcome::Abandoned,
            lost_status: None,
            duration_ms: 0,
            request_bytes: 0,
            response_bytes: 0,
        };
        Self { record, began: Instant::now(), request_bytes, log: Arc::clone(log) }
    }

    /// What the record says unless something else becomes of the request.
    pub fn set(&mut self, status: u16, outcome: RequestOutcome) {
        self.record.status = status;
        self.record.outcome = outcome;
    }

    /// The emulator has answered, and the client does not know it yet.
    pub fn answered(&mut self, status: u16) {
        self.record.lost_status = Some(status);
    }

    /// The client is given the answer.
    pub fn passed_on(&mut self, status: u16) {
        self.record.lost_status = None;
        self.set(status, RequestOutcome::Forwarded);
    }

    pub fn outcome(&self) -> RequestOutcome {
        self.record.outcome
    }

    /// `response_bytes` were passed on, and that is all.
    pub fn finish(mut self, response_bytes: u64) {
        self.record.response_bytes = response_bytes;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.record.duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.record.request_bytes = self.request_bytes.load(Ordering::Relaxed);
        self.log.write(&self.record);
    }
}

/// Who asks, by the header `User-Agent`.
pub fn agent(headers: &HeaderMap) -> &'static str {
    let words = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = [("Terraform/", "terraform"), ("OpenTofu/", "terraform"), ("aws-cli/", "aws-cli")];
    let named = known.iter().find(|(word, _)| words.contains(word)).map(|(_, name)| *name);
    let ours = words.contains("aws-sdk-rust/") || words.starts_with("lifeboat/");
    named.unwrap_or(if ours { "lifeboat" } else { "other" })
}
