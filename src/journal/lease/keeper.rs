//! Holds a lease: renews it while the run goes on, and says at any moment whether it still holds.
//!
//! The holder judges itself by a clock that never jumps, from the beginning of its last successful renewal, and stops
//! before anybody else could find the lease expired. Once lost it stays lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::object::Written;
use super::{Body, Found, LeaseObject, Permit, is_valid, margin};
use crate::aws::AwsError;
use crate::aws::s3::Condition;
use crate::journal::clock::Clock;
use crate::journal::guard::Refusal;

/// How often a renewal or a release that failed is tried again within the lease's time.
const TRIES_PER_TTL: u32 = 60;

/// What a lease is taken with.
pub struct Taking {
    pub object: LeaseObject,
    /// Its fence is the permit's.
    pub body: Body,
    pub permit: Permit,
    pub ttl: Duration,
    pub clock: Arc<dyn Clock>,
    /// Set to true once the lease is lost, so that the run stops as it does for Ctrl-C.
    pub stop: watch::Sender<bool>,
}

/// A lease that this process has taken.
pub struct Lease {
    keeping: Arc<Keeping>,
    beating: JoinHandle<()>,
}

/// What is known of the lease.
pub struct Keeping {
    object: LeaseObject,
    ttl: Duration,
    clock: Arc<dyn Clock>,
    stop: watch::Sender<bool>,
    known: Mutex<Known>,
}

struct Known {
    /// As it was last written, or is being written.
    body: Body,
    etag: String,
    /// When the last write that succeeded began.
    renewed: Duration,
    lost: Option<String>,
}

impl Lease {
    /// Takes the lease as permitted, and begins to renew it. `Err` inside is what stands there instead: somebody was
    /// quicker.
    ///
    /// # Errors
    /// S3 refused, or did not answer in the lease's own time.
    pub async fn take(taking: Taking) -> Result<Result<Self, Option<Found>>, AwsError> {
        let Taking { object, mut body, permit, ttl, clock, stop } = taking;
        body.fence = permit.fence;
        let renewed = clock.now();
        let writing = object.write(&body, &permit.condition);
        let etag = match within(ttl - margin(ttl), writing).await? {
            Written::Done(etag) => etag,
            Written::Taken(found) => return Ok(Err(found)),
        };
        let known = Mutex::new(Known { body, etag, renewed, lost: None });
        let keeping = Arc::new(Keeping { object, ttl, clock, stop, known });
        let beating = tokio::spawn(keeping.clone().keep());
        Ok(Ok(Self { keeping, beating }))
    }

    pub fn keeping(&self) -> Arc<Keeping> {
        self.keeping.clone()
    }

    pub fn fence(&self) -> u64 {
        self.keeping.known().body.fence
    }

    pub fn bucket(&self) -> &str {
        self.keeping.object.bucket()
    }

    /// Lets the lease go, for others to take at once. It does not matter whether it is still valid, only whether it is
    /// still ours.
    ///
    /// # Errors
    /// It is another's by now, or S3 did not take it within a quarter of its time: it then expires by itself.
    pub async fn release(&self, finished: bool) -> Result<(), String> {
        self.beating.abort();
        let keeping = &self.keeping;
        {
            let mut known = keeping.known();
            (known.body.released, known.body.finished) = (true, finished);
        }
        let mut last = String::new();
        let released = tokio::time::timeout(keeping.ttl / 4, async {
            loop {
                match keeping.write(keeping.ttl / 4).await {
                    Ok(Wrote::Ours) => return Ok(()),
                    Ok(Wrote::Again) => {}
                    Ok(Wrote::Lost(why)) => return Err(why),
                    Err(error) if !error.transient => return Err(error.to_string()),
                    Err(error) => {
                        last = error.to_string();
                        tokio::time::sleep(keeping.pause()).await;
                    }
                }
            }
        });
        released.await.unwrap_or_else(|_| Err(last.clone()))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

/// What a write showed.
enum Wrote {
    Ours,
    /// An earlier write of ours came through late: the next one is conditional on that.
    Again,
    Lost(String),
}

impl Keeping {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// Whether this process may still begin effects. Asks nobody.
    ///
    /// # Errors
    /// Why it may not, from now on.
    pub fn check(&self) -> Result<(), Refusal> {
        let mut known = self.known();
        if known.lost.is_none() {
            let since = self.clock.now().saturating_sub(known.renewed);
            if is_valid(since, self.ttl) {
                return Ok(());
            }
            let seconds = since.as_secs();
            known.lost = Some(format!("it was last renewed {seconds} s ago, and holds for {} s", self.ttl.as_secs()));
            self.stop.send_replace(true);
        }
        Err(Refusal::LeaseLost(known.lost.clone().unwrap_or_default()))
    }

    /// Has the run stop as it does for Ctrl-C: nothing that it did from here on could be trusted by others.
    pub fn stop_the_run(&self) {
        self.stop.send_replace(true);
    }

    fn lose(&self, why: String) {
        self.known().lost.get_or_insert(why);
        self.stop.send_replace(true);
    }

    fn pause(&self) -> Duration {
        self.ttl / TRIES_PER_TTL
    }

    /// Renews four times in the lease's time, until it is lost.
    async fn keep(self: Arc<Self>) {
        let every = self.ttl / 4;
        let mut wait = every;
        loop {
            tokio::time::sleep(wait.min(self.remaining())).await;
            // What has run out is not renewed: whoever asked in between has been told that it is lost.
            if self.check().is_err() {
                return;
            }
            self.known().body.beat += 1;
            wait = match self.write(every.min(self.remaining())).await {
                Ok(Wrote::Ours) => every,
                Ok(Wrote::Again) => Duration::ZERO,
                Ok(Wrote::Lost(why)) => return self.lose(why),
                Err(error) => {
                    tracing::warn!(%error, "the lease could not be renewed; trying again");
                    self.pause()
                }
            };
        }
    }

    /// How long effects may still begin without another renewal; a little more, so that whoever waits for its end finds
    /// that it is over.
    fn remaining(&self) -> Duration {
        let since = self.clock.now().saturating_sub(self.known().renewed);
        (self.ttl - margin(self.ttl)).saturating_sub(since) + Duration::from_millis(1)
    }

    /// Writes the lease as it is known, or gives up after `time`.
    async fn write(&self, time: Duration) -> Result<Wrote, AwsError> {
        let began = self.clock.now();
        let (body, etag) = {
            let known = self.known();
            (known.body.clone(), known.etag.clone())
        };
        let condition = Condition::Unchanged(etag);
        let written = within(time, self.object.write(&body, &condition)).await?;
        Ok(match written {
            Written::Done(etag) => {
                let mut known = self.known();
                known.etag = etag;
                known.renewed = began;
                Wrote::Ours
            }
            Written::Taken(Some(found)) if found.body.is_of(&body) => {
                self.known().etag = found.etag;
                Wrote::Again
            }
            Written::Taken(found) => Wrote::Lost(whose(found.as_ref(), &body)),
        })
    }
}

/// Whose the lease is now, in words.
fn whose(found: Option<&Found>, ours: &Body) -> String {
    match found {
        None => "its object is gone from the bucket".to_owned(),
        Some(found) => {
            let (body, holder) = (&found.body, &found.body.holder);
            format!(
                "{} (process {}, {}) has taken it for run {} with fencing number {}; ours is {}",
                holder.host, holder.pid, holder.caller, body.run, body.fence, ours.fence
            )
        }
    }
}

/// Bounds a request. What comes of one that is cut off is found out by the next.
async fn within<T>(time: Duration, work: impl Future<Output = Result<T, AwsError>>) -> Result<T, AwsError> {
    tokio::time::timeout(time, work).await.unwrap_or_else(|_| {
        let message = format!("no answer within {:.1} s", time.as_secs_f64());
        Err(AwsError { operation: "s3:PutObject", code: None, message, transient: true })
    })
}
