//! How many requests of one service are at the emulator at the same time. AWS's services do not wait for one another; the
//! emulator is one process, at which a bucket's copies would keep a table's settings waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::header::{HeaderMap, IF_MATCH, IF_NONE_MATCH};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The emulator answers as many requests a second with this many at a time as with any more.
const AT_ONCE: usize = 4;

/// One lane a service, and one for all conditional writes.
#[derive(Default)]
pub struct Lanes {
    services: Mutex<HashMap<String, Arc<Semaphore>>>,
    conditional: tokio::sync::Mutex<()>,
}

impl Lanes {
    /// Waits until a request of the service may go on; its place is free again when the permit is dropped.
    pub async fn enter(&self, service: &str) -> Option<OwnedSemaphorePermit> {
        let lane = {
            let mut lanes = self.services.lock().unwrap_or_else(PoisonError::into_inner);
            lanes.entry(service.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone()
        };
        // A lane is never closed.
        lane.acquire_owned().await.ok()
    }

    /// Waits for the turn of a conditional write. S3 lets one of two win (S3 User Guide: "Conditional requests"); the emulator
    /// looks and writes in two steps, between which another may do the same.
    pub async fn alone(&self, headers: &HeaderMap) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let conditional = headers.contains_key(IF_MATCH) || headers.contains_key(IF_NONE_MATCH);
        if conditional { Some(self.conditional.lock().await) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_full_lane_keeps_its_own_requests_waiting_and_no_others() {
        let lanes = Lanes::default();
        let mut inside = Vec::new();
        for _ in 0..AT_ONCE {
            inside.push(lanes.enter("s3").await);
        }
        let soon = Duration::from_millis(50);
        assert!(tokio::time::timeout(soon, lanes.enter("s3")).await.is_err(), "there is no place left");
        assert!(tokio::time::timeout(soon, lanes.enter("dynamodb")).await.is_ok_and(|permit| permit.is_some()));
        inside.pop();
        assert!(tokio::time::timeout(soon, lanes.enter("s3")).await.is_ok_and(|permit| permit.is_some()));
    }
}
