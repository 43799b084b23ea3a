//! Adds to a run's copy as the run goes: in order, one batch after the other, each only where nothing is yet.
//!
//! A batch that fails is tried again as long as the lease holds. Nothing is sent once the lease is lost.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::{ReplicaPlace, lines};
use crate::aws::AwsError;
use crate::aws::s3::{Condition, Put, put_if, read};
use crate::journal::guard::Refusal;
use crate::journal::lease::Keeping;

/// A batch is closed once it has this many bytes.
const BATCH_BYTES: usize = 1024 * 1024;
const LIMIT_BYTES: u64 = 256 * 1024 * 1024;
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often whoever waits for the copy looks whether the lease still holds.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A run's copy that this process adds to.
pub struct Replica {
    shared: Arc<Shared>,
    writing: JoinHandle<()>,
}

struct Shared {
    place: ReplicaPlace,
    lease: Arc<Keeping>,
    queue: Mutex<Queue>,
    /// Something was queued.
    queued: Notify,
    /// Number of the first line that is not in the bucket yet.
    there: watch::Sender<u64>,
}

struct Queue {
    lines: VecDeque<Vec<u8>>,
    /// Why the last try failed.
    failing: Option<Failing>,
    conflict: Option<String>,
}

#[derive(Clone)]
struct Failing {
    why: String,
    /// Not gone by itself in a moment: the credentials have expired, or may not write there.
    lasting: bool,
}

/// What became of one batch.
enum Sent {
    /// So many of its lines are in the bucket.
    Lines(u64),
    /// Another write of the key is under way. The next try finds out whose.
    Again,
    Conflict(String),
}

impl Replica {
    /// Goes on with a copy that holds the lines before number `next`. `rest` is what the local journal has after them.
    pub fn start(place: ReplicaPlace, lease: Arc<Keeping>, next: u64, rest: &[u8]) -> Self {
        let queue = Queue { lines: lines(rest).map(<[u8]>::to_vec).collect(), failing: None, conflict: None };
        let (there, _) = watch::channel(next);
        let shared = Shared { place, lease, queue: Mutex::new(queue), queued: Notify::new(), there };
        let shared = Arc::new(shared);
        let writing = tokio::spawn(shared.clone().write());
        shared.queued.notify_one();
        Self { shared, writing }
    }

    /// Queues a line, with its newline.
    pub fn push(&self, line: Vec<u8>) {
        self.shared.queue().lines.push_back(line);
        self.shared.queued.notify_one();
    }

    /// Whether the copy in the bucket is still this journal's.
    ///
    /// # Errors
    /// Another's lines are there.
    pub fn check(&self) -> Result<(), Refusal> {
        self.shared.queue().conflict.clone().map_or(Ok(()), |why| Err(Refusal::Conflicting(why)))
    }

    /// Waits until the lines before number `next` are in the bucket: at most as long as a lease holds, and not at all
    /// where waiting does not help.
    ///
    /// # Errors
    /// They are not, and why; or the lease was lost meanwhile.
    pub async fn settled(&self, next: u64) -> Result<(), Refusal> {
        let mut there = self.shared.there.subscribe();
        let patience = self.shared.lease.ttl();
        let arrived = async {
            loop {
                self.check()?;
                self.shared.lease.check()?;
                if *there.borrow_and_update() >= next {
                    return Ok(());
                }
                if let Some(Failing { why, lasting: true }) = self.shared.queue().failing.clone() {
                    return Err(Refusal::NotReplicated(why));
                }
                // Woken by each batch; looks by itself as well, for a lease that runs out without one.
                tokio::time::timeout(LOOK_EVERY, there.changed()).await.ok();
            }
        };
        tokio::time::timeout(patience, arrived).await.unwrap_or_else(|_| {
            let why = self.shared.queue().failing.clone().map(|failing| failing.why);
            let why = why.unwrap_or_else(|| format!("no answer within {} s", patience.as_secs()));
            Err(Refusal::NotReplicated(why))
        })
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.writing.abort();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(self: Arc<Self>) {
        let mut pause = SHORTEST_PAUSE;
        loop {
            let batch = self.batch();
            if batch.is_empty() {
                self.queued.notified().await;
                continue;
            }
            // Whoever was fenced off adds nothing to what is another's by now.
            if self.lease.check().is_err() {
                return;
            }
            let sent = tokio::time::timeout(self.lease.ttl() / 4, self.send(&batch)).await;
            match sent {
                Ok(Ok(Sent::Lines(count))) => {
                    self.sent(count);
                    pause = SHORTEST_PAUSE;
                    continue;
                }
                Ok(Ok(Sent::Conflict(why))) => {
                    self.queue().conflict = Some(why);
                    self.lease.stop_the_run();
                    self.there.send_modify(|_| ());
                    return;
                }
                Ok(Ok(Sent::Again)) => self.failed("another write of the same object is under way".into(), false),
                Ok(Err(error)) => self.failed(error.to_string(), !error.transient),
                Err(_) => self.failed("S3 does not answer".into(), false),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The lines of the next object.
    fn batch(&self) -> Vec<u8> {
        let mut batch = Vec::new();
        for line in &self.queue().lines {
            batch.extend_from_slice(line);
            if batch.len() >= BATCH_BYTES {
                break;
            }
        }
        batch
    }

    fn sent(&self, count: u64) {
        let mut queue = self.queue();
        let known = queue.lines.len();
        queue.lines.drain(..usize::try_from(count).unwrap_or(known).min(known));
        queue.failing = None;
        drop(queue);
        self.there.send_modify(|there| *there += count);
    }

    fn failed(&self, why: String, lasting: bool) {
        tracing::warn!(why, "the journal could not be copied to the state bucket; trying again");
        self.queue().failing = Some(Failing { why, lasting });
    }

    async fn send(&self, batch: &[u8]) -> Result<Sent, AwsError> {
        let first = *self.there.borrow();
        let ReplicaPlace { session, bucket, .. } = &self.place;
        let key = self.place.key(first);
        match put_if(session, bucket, &key, Bytes::copy_from_slice(batch), &Condition::Absent).await? {
            Put::Done(_) => Ok(Sent::Lines(lines(batch).count() as u64)),
            Put::Conflict => Ok(Sent::Again),
            Put::Unmet => {
                let there = read(session, bucket, &key, LIMIT_BYTES).await?;
                Ok(match there.and_then(|there| held(batch, &there.bytes)) {
                    Some(count) => Sent::Lines(count),
                    None => Sent::Conflict(format!("s3://{bucket}/{key} holds other lines than this journal")),
                })
            }
        }
    }
}

/// How many lines of a batch an object holds that was there before it: an earlier try whose reply was lost, or the last
/// batch of a process of this run that died. `None` where it holds anything else.
fn held(batch: &[u8], there: &[u8]) -> Option<u64> {
    let whole = there.last() == Some(&b'\n') && batch.starts_with(there);
    whole.then(|| lines(there).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_of_ours_is_known_again_and_anything_else_is_not() {
        assert_eq!(held(b"a\nb\n", b"a\nb\n"), Some(2));
        assert_eq!(held(b"a\nb\n", b"a\n"), Some(1), "the rest goes into the next object");
        for other in [&b"a"[..], b"", b"x\n", b"a\nc\n", b"a\nb\nc\n"] {
            assert_eq!(held(b"a\nb\n", other), None, "{other:?}");
        }
    }
}
