//! Gets the lease of an environment for a command: looks at it, decides, takes it, and lets it go; or goes without it,
//! where the operator said so and why.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use tokio::sync::watch;

use super::environment::Environment;
use super::error::CliError;
use super::lease_words as words;
use super::wiring::Connected;
use super::{home, wiring};
use crate::aws::{Caller, Session};
use crate::journal::lease::judge;
use crate::journal::lease::{Body, Claim, Found, Holder, Lease, LeaseObject, Permit, Refused, SCHEMA_VERSION, Taking};
use crate::journal::replica::{Replica, ReplicaPlace};
use crate::journal::{self, BootClock, Clock, Held, Tenure};
use crate::manifest::Manifest;
use crate::report;

/// How long a lease that nobody counts on is looked for.
const A_LOOK: Duration = Duration::from_secs(10);

#[derive(Args, Clone, Debug, Default)]
pub struct LeaseArgs {
    /// Take the lease over from the host that it names, once it has expired: that machine is lost
    #[arg(long, value_name = "HOLDER")]
    pub take_over: Option<String>,
    /// Work without a lease, and without a copy of the journal, where the state bucket cannot be reached
    #[arg(long, requires = "because", conflicts_with = "take_over")]
    pub without_lease: bool,
}

/// Where a command gets its lease.
pub struct Desk<'a> {
    pub session: &'a Session,
    pub manifest: &'a Manifest,
    pub home: &'a Path,
    pub ttl: Duration,
    pub take_over: Option<&'a str>,
}

/// Whether the lease could be looked at.
pub enum Reading {
    Done,
    Failed,
}

/// What the journal in the bucket has, and what is still to be added to it.
#[derive(Clone, Debug, Default)]
pub struct Copied {
    /// Number of the first line that it does not have.
    pub next: u64,
    /// The lines of the local journal from there on.
    pub rest: Vec<u8>,
}

impl<'a> Desk<'a> {
    pub fn of(
        environment: &'a Environment,
        connected: &'a Connected,
        manifest: &'a Manifest,
        lease: Option<&'a LeaseArgs>,
    ) -> Self {
        let take_over = lease.and_then(|lease| lease.take_over.as_deref());
        Self { session: &connected.aws, manifest, home: &environment.home, ttl: environment.lease_ttl, take_over }
    }
}

impl Desk<'_> {
    /// Whether the lease can be had.
    ///
    /// # Errors
    /// Exit 3, with whether it could be read at all.
    pub async fn free(&self, run: &str) -> Result<(), (CliError, Reading)> {
        let found = self.look().await.map_err(|error| (error, Reading::Failed))?;
        self.permit(run, found.as_ref()).await.map(drop).map_err(|error| (error, Reading::Done))
    }

    /// Takes the lease for a run that has no journal yet.
    ///
    /// # Errors
    /// Exit 3: somebody else has it, or the state bucket cannot be used.
    pub async fn hold_new(&self, run: &str, caller: &Caller, stop: watch::Sender<bool>) -> Result<Arc<Held>, CliError> {
        let found = self.look().await?;
        let permit = self.permit(run, found.as_ref()).await?;
        // Nothing of a new run can be there; whether it may be listed at all is better known now than when it is needed.
        self.place(run).fetch().await.map_err(|error| words::no_copy(run, &error.to_string()))?;
        self.hold(run, caller, permit, &Copied::default(), stop).await
    }

    fn object(&self) -> LeaseObject {
        let manifest = self.manifest;
        let bucket = &manifest.recovery.backend.bucket;
        LeaseObject::new(self.session.clone(), bucket, &manifest.service, &manifest.environment)
    }

    /// Where a run's copy is.
    pub fn place(&self, run: &str) -> ReplicaPlace {
        let manifest = self.manifest;
        let bucket = &manifest.recovery.backend.bucket;
        ReplicaPlace::new(self.session.clone(), bucket, &manifest.service, &manifest.environment, run)
    }

    /// Reads the lease.
    ///
    /// # Errors
    /// Exit 3: the bucket cannot be used.
    pub async fn look(&self) -> Result<Option<Found>, CliError> {
        let read = self.object().read().await;
        read.map_err(|error| words::unreachable(&self.manifest.environment, self.bucket(), &error.to_string()))
    }

    /// For whoever goes without a lease: where it can be read all the same, it may say that another is at work.
    ///
    /// # Errors
    /// Exit 3: another is, or has begun what has no end.
    pub async fn nobody_known(&self, run: &str) -> Result<(), CliError> {
        match tokio::time::timeout(A_LOOK, self.look()).await {
            Ok(Ok(found)) => self.permit(run, found.as_ref()).await.map(drop),
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }

    fn bucket(&self) -> &str {
        &self.manifest.recovery.backend.bucket
    }

    /// Decides whether `run` may take the lease that was found.
    ///
    /// # Errors
    /// Exit 3: who holds it, and the way on.
    pub async fn permit(&self, run: &str, found: Option<&Found>) -> Result<Permit, CliError> {
        let known = found.and_then(|found| home::known_token(self.home, &found.body.run));
        let claim = Claim {
            run,
            of_the_dead: known.as_deref(),
            take_over: self.take_over,
            other_is_over: match found {
                Some(found) if found.body.run != run => self.is_over(&found.body, known.as_deref()).await?,
                _ => false,
            },
        };
        let refused = match judge(found, &claim) {
            Err(Refused::AgeUnknown { body }) if self.take_over.is_some() => {
                let watched = self.watched(&body).await?;
                return judge(Some(&watched), &claim)
                    .map_err(|refused| words::refused(&self.manifest.environment, &refused));
            }
            judged => judged,
        };
        refused.map_err(|refused| words::refused(&self.manifest.environment, &refused))
    }

    /// Whether the run that the lease names has ended, or never began. Only asked where it could make a difference.
    async fn is_over(&self, body: &Body, token: Option<&str>) -> Result<bool, CliError> {
        if body.finished {
            return Ok(true);
        }
        if token == Some(body.holder.token.as_str()) {
            // Of this home, whose lock we have: what its journal says here is the last word.
            let here = home::runs_dir(self.home).join(&body.run);
            let begun = here.join("journal.jsonl").is_file();
            return Ok(!begun || journal::load(&here).is_ok_and(|loaded| loaded.state.outcome.is_some()));
        }
        if !body.released && self.take_over.is_none() {
            return Ok(false);
        }
        let place = self.place(&body.run);
        let copy = place.fetch().await.map_err(|error| words::no_copy(&body.run, &error.to_string()))?;
        let loaded = journal::check(&copy, Path::new(&place.uri()));
        let loaded = loaded.map_err(|error| words::no_copy(&body.run, &error.to_string()))?;
        Ok(loaded.records.is_empty() || loaded.state.outcome.is_some())
    }

    /// Watches a lease whose age S3 does not tell, until it was renewed or would have had to be.
    async fn watched(&self, body: &Body) -> Result<Found, CliError> {
        let (clock, began) = (BootClock, BootClock.now());
        let wanted = body.expires_at_age();
        report::to_stderr(&format!(
            "S3 does not tell how old the lease is: watching for {} s whether it is renewed\n",
            wanted.as_secs()
        ));
        let gone = || CliError::blocked("the lease has changed hands meanwhile").hint("look again");
        let first = self.look().await?.ok_or_else(gone)?;
        loop {
            tokio::time::sleep(wanted / 20).await;
            let now = self.look().await?.ok_or_else(gone)?;
            let age = clock.now().saturating_sub(began);
            if now.etag != first.etag {
                return Ok(Found { age: Some(Duration::ZERO), ..now });
            }
            if age >= wanted {
                return Ok(Found { age: Some(age), ..now });
            }
        }
    }

    /// Takes the lease for a run and begins to copy its journal. `stop` is set once the lease is lost.
    ///
    /// # Errors
    /// Exit 3: somebody was quicker, or the bucket cannot be written.
    pub async fn hold(
        &self,
        run: &str,
        caller: &Caller,
        permit: Permit,
        copied: &Copied,
        stop: watch::Sender<bool>,
    ) -> Result<Arc<Held>, CliError> {
        let environment = &self.manifest.environment;
        let token = home::lease_token(&home::runs_dir(self.home).join(run))?;
        let holder = Holder { host: wiring::host(), pid: std::process::id(), caller: caller.arn.clone(), token };
        let body = Body {
            schema_version: SCHEMA_VERSION,
            service: self.manifest.service.clone(),
            environment: environment.clone(),
            run: run.to_owned(),
            fence: permit.fence,
            beat: 0,
            ttl_seconds: self.ttl.as_secs(),
            since: Timestamp::now(),
            holder,
            released: false,
            finished: false,
        };
        let taking = Taking { object: self.object(), body, permit, ttl: self.ttl, clock: Arc::new(BootClock), stop };
        let taken = Lease::take(taking).await;
        let taken = taken.map_err(|error| words::unreachable(environment, self.bucket(), &error.to_string()))?;
        let lease = match taken {
            Ok(lease) => lease,
            Err(Some(found)) => return Err(words::quicker(environment, &found.body)),
            Err(None) => return Err(CliError::blocked("the lease object is gone from the bucket meanwhile")),
        };
        let replica = Replica::start(self.place(run), lease.keeping(), copied.next, &copied.rest);
        Ok(Arc::new(Held { lease, replica }))
    }
}

/// What the journal says about the lease of this process.
pub fn tenure(held: Option<&Arc<Held>>, because: Option<&str>) -> Tenure {
    match held {
        Some(held) => Tenure::Held { bucket: held.lease.bucket().to_owned(), fence: held.lease.fence() },
        None => Tenure::Without { because: because.unwrap_or_default().to_owned() },
    }
}

/// Copies the rest of the journal and lets the lease go; says so where that did not work.
pub async fn let_go(held: &Held, next: u64, finished: bool) {
    let gone = held.let_go(next, finished).await;
    if let Some(why) = gone.not_replicated {
        let words = format!("warning: the end of the journal is not in the state bucket: {}\n", report::escape(&why));
        report::to_stderr(&words);
    }
    if let Some(why) = gone.not_released {
        report::to_stderr(&format!(
            "warning: the lease was not released and expires by itself: {}\n",
            report::escape(&why)
        ));
    }
}
