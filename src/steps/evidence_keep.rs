//! The evidence bucket as the steps that collect write it: each object with its SHA-256, its version and its lock.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::evidence_pack::Packer;
use super::{Cx, StepError};
use crate::aws::Session;
use crate::aws::s3::{self, Lock};
use crate::evidence::{Collected, EvidencePlace, Item, PLACE};

/// With this much compressed an object is written and the next begun: so much is held in memory at most.
const PART_BYTES: usize = 16 << 20;

/// Writes what is collected.
pub(super) struct Keeper {
    session: Session,
    bucket: String,
    /// What all keys begin with.
    under: String,
    object_lock: bool,
    /// What is asked for with each object; `None` leaves it to the bucket.
    lock: Option<Lock>,
}

/// What an item is, for people and for the manifest.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub what: &'a str,
    /// As IAM names it.
    pub request: &'a str,
}

/// Clients for the evidence bucket, of whoever may write there.
pub(super) async fn session(cx: &Cx, place: &EvidencePlace) -> Session {
    let session = cx.world.aws.in_region(&place.region);
    match &place.role {
        Some(role) => session.assuming(role).await,
        None => session,
    }
}

/// When the place was opened, in what the step returns that has opened it.
pub const OPENED_AT: &str = "opened_at";

impl Keeper {
    /// As the step that has opened the place says.
    ///
    /// # Errors
    /// It was not opened.
    pub async fn of(cx: &Cx, place: &EvidencePlace) -> Result<Self, StepError> {
        let opened = cx.output(PLACE).ok_or_else(|| StepError::failed("no place was opened for the evidence"))?;
        let object_lock = opened["object_lock"] == Value::Bool(true);
        let until = opened["locked_until"].as_str().and_then(|time| time.parse().ok());
        Ok(Self::opening(cx, place, object_lock, until).await)
    }

    /// When the place was opened: until then events are collected.
    ///
    /// # Errors
    /// It was not opened.
    pub fn opened_at(cx: &Cx) -> Result<Timestamp, StepError> {
        let opened = cx.output(PLACE).and_then(|opened| opened[OPENED_AT].as_str()?.parse().ok());
        opened.ok_or_else(|| StepError::failed("no place was opened for the evidence"))
    }

    /// For the step that opens it.
    pub async fn opening(cx: &Cx, place: &EvidencePlace, object_lock: bool, until: Option<Timestamp>) -> Self {
        let mode = place.retention.map(|it| it.mode.as_s3().to_owned());
        let lock = mode.zip(until).filter(|_| object_lock).map(|(mode, until)| Lock { mode, until });
        let (bucket, under) = (place.bucket.clone(), place.under(&cx.world.run));
        Self { session: session(cx, place).await, bucket, under, object_lock, lock }
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    pub fn under(&self) -> &str {
        &self.under
    }

    pub fn object_lock(&self) -> bool {
        self.object_lock
    }

    /// Writes an object; `key` is below the run's folder. The same again is another version of it.
    ///
    /// # Errors
    /// S3 refused, or has another hash.
    pub async fn put(&self, key: &str, body: impl Into<Bytes>, about: About<'_>) -> Result<Item, StepError> {
        let (body, whole, taken_at) = (body.into(), format!("{}{key}", self.under), Timestamp::now());
        let kind = match key.rsplit('.').next() {
            Some("json" | "tfstate") => "application/json",
            Some("jsonl") => "application/x-ndjson",
            Some("csv") => "text/csv",
            _ => "application/gzip",
        };
        let size_bytes = body.len() as u64;
        let written = s3::keep(&self.session, &self.bucket, &whole, body, kind, self.lock.as_ref()).await?;
        let lock = self.locked(&whole, written.version_id.as_deref()).await?;
        Ok(Item {
            key: key.to_owned(),
            version_id: written.version_id,
            lock,
            size_bytes,
            sha256: written.sha256,
            what: about.what.to_owned(),
            taken_at,
            request: about.request.to_owned(),
        })
    }

    /// An object that another has written there: read to its end, and locked where it is not.
    ///
    /// # Errors
    /// S3 refused, or it is gone.
    pub async fn found(&self, key: &str, about: About<'_>) -> Result<Item, StepError> {
        let whole = format!("{}{key}", self.under);
        let hashed = s3::hashed(&self.session, &self.bucket, &whole, None).await?;
        let hashed = hashed.ok_or_else(|| StepError::failed(format!("s3://{}/{whole} is gone", self.bucket)))?;
        let version = hashed.version_id.as_deref();
        let mut lock = self.locked(&whole, version).await?;
        if let (None, Some(wanted)) = (&lock, &self.lock) {
            s3::lock(&self.session, &self.bucket, &whole, version, wanted).await?;
            lock = Some(wanted.clone());
        }
        Ok(Item {
            key: key.to_owned(),
            version_id: hashed.version_id,
            lock,
            size_bytes: hashed.size_bytes,
            sha256: hashed.sha256,
            what: about.what.to_owned(),
            taken_at: Timestamp::now(),
            request: about.request.to_owned(),
        })
    }

    async fn locked(&self, key: &str, version: Option<&str>) -> Result<Option<Lock>, StepError> {
        match self.object_lock {
            true => Ok(s3::lock_of(&self.session, &self.bucket, key, version).await?),
            false => Ok(None),
        }
    }

    /// Lines that are written as they come; `stem` is their key without number and ending.
    pub fn lines<'a>(&'a self, stem: &str, about: About<'a>) -> Lines<'a> {
        Lines { keeper: self, stem: stem.to_owned(), about, packer: Packer::new(PART_BYTES), items: Vec::new() }
    }
}

/// JSON lines, compressed, in as many objects as it takes.
pub(super) struct Lines<'a> {
    keeper: &'a Keeper,
    stem: String,
    about: About<'a>,
    packer: Packer,
    items: Vec<Item>,
}

impl Lines<'_> {
    /// # Errors
    /// A part could not be written.
    pub async fn push(&mut self, line: &str) -> Result<(), StepError> {
        match self.packer.push(line).map_err(|error| StepError::failed(error.to_string()))? {
            Some(part) => self.put(part).await,
            None => Ok(()),
        }
    }

    /// How many lines there were.
    pub fn count(&self) -> u64 {
        self.packer.count
    }

    /// # Errors
    /// The last part could not be written.
    pub async fn finish(mut self) -> Result<Vec<Item>, StepError> {
        let last = self.packer.last().map_err(|error| StepError::failed(error.to_string()))?;
        // An empty one says that there was nothing.
        if let Some(part) = last {
            self.put(part).await?;
        }
        Ok(self.items)
    }

    async fn put(&mut self, part: Vec<u8>) -> Result<(), StepError> {
        let key = format!("{}-{:05}.jsonl.gz", self.stem, self.items.len() + 1);
        self.items.push(self.keeper.put(&key, part, self.about).await?);
        Ok(())
    }
}

/// What a step returns of what it has collected.
pub(super) fn output(collected: &Collected) -> Value {
    json!(collected)
}

/// A document for people to read.
pub(super) fn pretty(value: &Value) -> Result<Vec<u8>, StepError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| StepError::failed(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}
