//! What a rebuild came to: asked of the emulator, of the evidence and with the intruder's own credentials.

use std::path::Path;

use futures::{StreamExt, TryStreamExt, stream};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::attack::Intruder;
use super::ground::{Ground, items, objects};
use crate::aws::{AwsError, Session, explain, s3};
use crate::evidence::{FILE, verify_folder};
use crate::journal::{self, StepPhase};
use crate::manifest::Manifest;
use crate::rehearse::RehearseError;
use crate::runbook::StepId;

const EVIDENCE_BYTES: u64 = 1 << 30;
const AT_ONCE: usize = 8;
/// The step that proves the final plan to be empty.
const SETTLED: &str = "verify.infrastructure";

/// One thing that had to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub what: String,
    pub holds: bool,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub findings: Vec<Finding>,
}

impl Verdict {
    pub fn holds(&self) -> bool {
        !self.findings.is_empty() && self.findings.iter().all(|it| it.holds)
    }

    fn add(&mut self, holds: bool, what: impl Into<String>) {
        self.findings.push(Finding { what: what.into(), holds });
    }
}

/// Where a run has kept its evidence and its journal.
#[derive(Clone, Copy, Debug)]
pub(super) struct EvidenceAt<'a> {
    pub bucket: &'a str,
    pub region: &'a str,
    /// What the keys of the run begin with.
    pub under: &'a str,
    /// Where its journal is.
    pub run_dir: &'a Path,
}

/// Judges. `dir` is an empty folder that the evidence is copied to.
pub(super) async fn judge(
    manifest: &Manifest,
    endpoint: &str,
    (ground, intruder): (&Ground, &Intruder),
    evidence: EvidenceAt<'_>,
    dir: &Path,
) -> Result<Verdict, RehearseError> {
    let run_dir = evidence.run_dir;
    let own = Session::emulated(&manifest.primary.name, endpoint);
    let mut verdict = Verdict::default();
    for (table, before) in &ground.tables {
        let now = items(&own, table).await?;
        let poisoned = now.iter().filter(|item| item.contains(intruder.poison)).count();
        let same = now == *before && poisoned == 0;
        verdict.add(same, format!("table {table}: {} items as before the breach, {poisoned} poisoned", now.len()));
    }
    for (bucket, before) in &ground.buckets {
        let now = objects(&own, bucket).await?;
        let other = now.iter().filter(|(key, etag)| before.get(*key) != Some(*etag)).count();
        let lost = before.keys().filter(|key| !now.contains_key(*key)).count();
        verdict.add(
            now == *before,
            format!("bucket {bucket}: {} objects, {other} others than before the breach, {lost} lost", now.len()),
        );
    }
    let settled = journal::load(run_dir).map_err(|error| RehearseError::Unsupported(error.to_string()))?;
    let settled = settled.state.steps.get(&StepId::from(SETTLED)).map(|step| &step.phase);
    let settled = matches!(settled, Some(StepPhase::Verified { .. }));
    verdict.add(settled, format!("{SETTLED}: Terraform has nothing left to change"));
    let kept = copied(&own.in_region(evidence.region), evidence, dir).await?;
    let verified = verify_folder(&dir.join(FILE), None)
        .map_err(|error| RehearseError::Unsupported(format!("the evidence cannot be verified: {error}")))?;
    verdict.add(
        verified.whole,
        format!("evidence: {kept} objects copied, {} of {} items unchanged", verified.unchanged, verified.items),
    );
    authenticates(endpoint, true).await?;
    let asked = denied(&own, intruder).await;
    authenticates(endpoint, false).await?;
    verdict.findings.extend(asked);
    Ok(verdict)
}

/// What the intruder is told, asked with what they hold.
async fn denied(own: &Session, intruder: &Intruder) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (whose, credentials) in &intruder.holds {
        let session = own.with_credentials(credentials.clone());
        let buckets = session.s3().list_buckets().send().await.map(drop).map_err(explain("s3:ListAllMyBuckets"));
        let users = session.iam().list_users().send().await.map(drop).map_err(explain("iam:ListUsers"));
        for (what, answer) in [("s3:ListAllMyBuckets", buckets), ("iam:ListUsers", users)] {
            let code = |error: AwsError| error.code.unwrap_or(error.message);
            let (holds, told) = match answer.map_err(code) {
                Ok(()) => (false, "allowed".to_owned()),
                // Not of every service does the emulator say why it answers 403.
                Err(code) => (code.starts_with("AccessDenied") || code.contains("HTTP status 403"), code),
            };
            findings.push(Finding { what: format!("the intruder, as {whose}, asks for {what}: {told}"), holds });
        }
    }
    findings
}

/// Copies the evidence of a run below a folder, as whoever verifies it without a cloud has it.
async fn copied(session: &Session, at: EvidenceAt<'_>, dir: &Path) -> Result<usize, RehearseError> {
    let listed = s3::list_under(session, at.bucket, at.under).await?;
    let copies = listed.iter().map(|object| async {
        let content = s3::read(session, at.bucket, &object.key, EVIDENCE_BYTES).await?;
        let key = object.key.strip_prefix(at.under).unwrap_or(&object.key);
        let path = dir.join(key);
        let unwritable = RehearseError::io(format!("{} cannot be written", path.display()));
        let write = || {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&path, content.map(|it| it.bytes).unwrap_or_default())
        };
        write().map_err(unwritable)
    });
    let copies: Vec<_> = copies.collect();
    stream::iter(copies).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(listed.len())
}

/// Switches the emulator's authentication on or off (moto: "IAM-like Access Control", `reset-auth`).
async fn authenticates(endpoint: &str, on: bool) -> Result<(), RehearseError> {
    let unsaid = |error: &dyn std::fmt::Display| RehearseError::Unsupported(format!("the emulator: {error}"));
    let request = hyper::Request::post(format!("{endpoint}/moto-api/reset-auth"));
    let request = request.body(Full::from(Bytes::from_static(if on { b"0" } else { b"inf" })));
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request.map_err(|error| unsaid(&error))?).await.map_err(|error| unsaid(&error))?;
    match answer.status().is_success() {
        true => Ok(()),
        false => Err(unsaid(&answer.status())),
    }
}
