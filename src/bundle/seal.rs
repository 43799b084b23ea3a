//! Sealing a bundle, and opening one: whole, or not at all. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::index::{FILE, FileEntry, Index, SCHEMA_VERSION};
use super::parts::{Checks, CutoverMoves, Found, Point, Steps};
use crate::runbook::{Action, StepId};
use crate::terraform::Teardown;
use crate::terraform::plan::Plan;
use crate::terraform::stage::hex;

const PLAN: &str = "plan.json";
/// The plan of a teardown that goes before, without its secrets, and what it comes to.
pub const TEARDOWN_PLAN: &str = "teardown-plan.json";
pub const TEARDOWN: &str = "teardown.json";
const RUNBOOK: &str = "runbook.json";
const POINTS: &str = "recovery-points.json";
const RECORDS: &str = "records.json";
const CHECKS: &str = "checks.json";
const FOUND: &str = "found.json";

/// The files of a bundle by name, with the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub index: Vec<u8>,
    pub files: BTreeMap<String, Vec<u8>>,
}

/// What lifeboat puts into a bundle besides the files of others.
pub struct Parts<'a> {
    pub steps: &'a Steps,
    pub points: &'a [Point],
    pub records: &'a [CutoverMoves],
    pub checks: &'a Checks,
    /// Instead of a plan.
    pub found: Option<&'a Found>,
}

/// A bundle that is whole.
#[derive(Clone, Debug)]
pub struct Bundle {
    pub index: Index,
    /// Of the index, in hexadecimal: the bundle's name.
    pub sha256: String,
    pub steps: Steps,
    pub points: Vec<Point>,
    pub records: Vec<CutoverMoves>,
    pub checks: Checks,
    /// Terraform's, without what is sensitive; `None` of a scenario that is done without it.
    pub plan: Option<Plan>,
    /// What a teardown destroys first, where one goes before.
    pub teardown: Option<TornDown>,
    /// Empty of a bundle with a plan.
    pub found: Found,
    pub contents: Contents,
}

/// A teardown as it is sealed.
#[derive(Clone, Debug)]
pub struct TornDown {
    pub plan: Plan,
    pub what: Teardown,
}

/// Why something is not a bundle that can be used.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error("it is no bundle: there is no {FILE}")]
    NoIndex,
    #[error("{name} is not what a bundle holds: {why}")]
    Strange { name: String, why: String },
    #[error("it has schema version {0}; this lifeboat reads {SCHEMA_VERSION}")]
    Version(u64),
    #[error("{0} is missing")]
    Missing(String),
    #[error("{0} does not belong to it")]
    Extra(String),
    #[error("{0} has been changed since the bundle was made: its SHA-256 is another")]
    Changed(String),
}

/// Seals files: `index` is completed with what they are.
///
/// # Errors
/// The files are no bundle.
pub fn seal(mut index: Index, mut files: BTreeMap<String, Vec<u8>>, parts: &Parts<'_>) -> Result<Bundle, Broken> {
    files.insert(RUNBOOK.to_owned(), json(RUNBOOK, parts.steps)?);
    files.insert(POINTS.to_owned(), json(POINTS, &parts.points)?);
    files.insert(RECORDS.to_owned(), json(RECORDS, &parts.records)?);
    files.insert(CHECKS.to_owned(), json(CHECKS, parts.checks)?);
    if let Some(found) = parts.found {
        files.insert(FOUND.to_owned(), json(FOUND, found)?);
    }
    let entry = |(name, content): (&String, &Vec<u8>)| FileEntry {
        name: name.clone(),
        bytes: content.len() as u64,
        sha256: sha256(content),
    };
    index.files = files.iter().map(entry).collect();
    let index = json(FILE, &index)?;
    open(Contents { index, files })
}

/// Opens a bundle.
///
/// # Errors
/// It is not whole, or of another version.
pub fn open(contents: Contents) -> Result<Bundle, Broken> {
    let Contents { index: bytes, files } = &contents;
    let shape: Value = parsed(FILE, bytes)?;
    match shape["schema_version"].as_u64() {
        Some(version) if version == u64::from(SCHEMA_VERSION) => {}
        Some(version) => return Err(Broken::Version(version)),
        None => return Err(Broken::Strange { name: FILE.into(), why: "it has no schema_version".into() }),
    }
    let index: Index = parsed(FILE, bytes)?;
    let listed: BTreeSet<&str> = index.files.iter().map(|entry| entry.name.as_str()).collect();
    if let Some(extra) = files.keys().find(|name| !listed.contains(name.as_str())) {
        return Err(Broken::Extra(extra.clone()));
    }
    for entry in &index.files {
        let content = files.get(&entry.name).ok_or_else(|| Broken::Missing(entry.name.clone()))?;
        if sha256(content) != entry.sha256 || content.len() as u64 != entry.bytes {
            return Err(Broken::Changed(entry.name.clone()));
        }
    }
    let (plan, found) = match &index.versions.terraform {
        Some(_) => {
            let plan = Plan::parse(file(files, PLAN)?);
            let plan = plan.map_err(|error| Broken::Strange { name: PLAN.into(), why: error.to_string() })?;
            (Some(plan), Found::default())
        }
        None => (None, parsed(FOUND, file(files, FOUND)?)?),
    };
    let teardown = match files.get(TEARDOWN_PLAN) {
        Some(bytes) => Some(TornDown {
            plan: Plan::parse(bytes)
                .map_err(|error| Broken::Strange { name: TEARDOWN_PLAN.into(), why: error.to_string() })?,
            what: parsed(TEARDOWN, file(files, TEARDOWN)?)?,
        }),
        None => None,
    };
    Ok(Bundle {
        sha256: sha256(bytes),
        steps: parsed(RUNBOOK, file(files, RUNBOOK)?)?,
        points: parsed(POINTS, file(files, POINTS)?)?,
        records: parsed(RECORDS, file(files, RECORDS)?)?,
        checks: parsed(CHECKS, file(files, CHECKS)?)?,
        plan,
        teardown,
        found,
        index,
        contents,
    })
}

impl Bundle {
    /// What the check of a step settled; null where the bundle does not say.
    pub fn facts(&self) -> impl Fn(&StepId) -> Value + '_ {
        |step| self.found.get(step).cloned().unwrap_or_default()
    }

    /// How many people answer for it, where the manifest asks for so many: what destroys a stack is never one person's to
    /// plan and approve.
    pub fn people(&self, asked: u8) -> u8 {
        let tears_down = self.steps.runbook.steps.iter().any(|step| step.action == Action::TeardownDestroy);
        if tears_down { asked.max(2) } else { asked }
    }

    /// Addresses that a restore fills, so that Terraform adopts them instead of creating them; and what is restored.
    pub fn adopted(&self) -> BTreeMap<String, String> {
        let adopted = |action: &Action| match action {
            Action::RestoreCluster { cluster } => Some((cluster.adopt.clone()?, cluster.target.clone())),
            Action::RestoreTable { table } => Some((table.adopt.clone()?, table.target.clone())),
            _ => None,
        };
        self.steps.runbook.steps.iter().filter_map(|step| adopted(&step.action)).collect()
    }
}

fn file<'a>(files: &'a BTreeMap<String, Vec<u8>>, name: &str) -> Result<&'a [u8], Broken> {
    files.get(name).map(Vec::as_slice).ok_or_else(|| Broken::Missing(name.to_owned()))
}

fn parsed<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, Broken> {
    serde_json::from_slice(bytes).map_err(|error| Broken::Strange { name: name.to_owned(), why: error.to_string() })
}

fn json(name: &str, value: &impl Serialize) -> Result<Vec<u8>, Broken> {
    let bytes = serde_json::to_vec_pretty(value);
    let mut bytes = bytes.map_err(|error| Broken::Strange { name: name.to_owned(), why: error.to_string() })?;
    bytes.push(b'\n');
    Ok(bytes)
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
