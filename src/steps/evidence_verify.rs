//! Reads evidence back from where it is kept, and compares every byte with its manifest: the gate before anything is taken down.
//!
//! An object has to be the version that was sealed, also where that version still stands behind another: who copies the folder
//! gets the newest.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};
use serde::Serialize;

use super::evidence_keep::session;
use super::{Cx, StepError};
use crate::aws::{Session, dynamodb, rds, s3};
use crate::evidence::{self, Item, Manifest, SEAL, Sealed, Snapshot};

/// Larger than any manifest.
const MANIFEST_BYTES: u64 = 256 << 20;
/// How many objects are read at a time.
const AT_ONCE: usize = 4;
/// The most that an error lists.
const LISTED: usize = 20;

/// Evidence that is what was sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// `s3://…/evidence.json`
    pub manifest: String,
    /// The manifest's own hash.
    pub sha256: String,
    pub items: usize,
    pub bytes: u64,
    pub snapshots: usize,
}

/// Proves that the evidence that this run has sealed is what was sealed, all of it, in the bucket and in AWS. Whatever destroys
/// something asks this before it begins; read-only.
///
/// # Errors
/// Nothing is sealed; something is missing, another than it was, or was added, each named; or AWS could not be asked.
pub async fn evidence_verifies(cx: &Cx) -> Result<Proof, StepError> {
    sealed_evidence_verifies(cx, &sealed(cx)?).await
}

/// The same of evidence that another run has sealed.
///
/// # Errors
/// As [`evidence_verifies`].
pub async fn sealed_evidence_verifies(cx: &Cx, sealed: &Sealed) -> Result<Proof, StepError> {
    let (proof, faults) = compare(cx, sealed).await?;
    if faults.is_empty() {
        return Ok(proof);
    }
    let mut lines: Vec<String> = faults.iter().take(LISTED).map(|fault| format!("- {fault}")).collect();
    if faults.len() > LISTED {
        lines.push(format!("and {} more", faults.len() - LISTED));
    }
    let told = format!("the evidence is not what was sealed:\n{}", lines.join("\n"));
    Err(StepError::check_failed(told).hint(
        "nothing may be taken down on it: find out who has touched the bucket, shut them out, then collect again with \
         lifeboat evidence collect",
    ))
}

fn sealed(cx: &Cx) -> Result<Sealed, StepError> {
    let sealed = cx.output(SEAL).and_then(|output| serde_json::from_value::<Sealed>(output).ok());
    sealed.ok_or_else(|| {
        StepError::failed("no evidence is sealed in this run")
            .hint("nothing is taken down without evidence: collect it first")
    })
}

/// What this run has sealed, as it stands in the bucket.
///
/// # Errors
/// Nothing is sealed, or it is another now.
pub(super) async fn sealed_manifest(cx: &Cx) -> Result<(Sealed, Manifest), StepError> {
    let sealed = sealed(cx)?;
    let manifest = manifest(&session(cx, &sealed.place).await, &sealed).await?;
    Ok((sealed, manifest.map_err(StepError::check_failed)?))
}

/// Reads everything back, and says what is not as it was.
async fn compare(cx: &Cx, sealed: &Sealed) -> Result<(Proof, Vec<String>), StepError> {
    let session = &session(cx, &sealed.place).await;
    let (bucket, key) = (sealed.place.bucket.as_str(), sealed.key.as_str());
    let uri = format!("s3://{bucket}/{key}");
    let mut proof = Proof { manifest: uri, sha256: sealed.sha256.clone(), items: 0, bytes: 0, snapshots: 0 };
    let manifest = match manifest(session, sealed).await? {
        Ok(manifest) => manifest,
        Err(fault) => return Ok((proof, vec![fault])),
    };
    let draft = &manifest.draft;
    let total = draft.items.len() as u64;
    let comparisons: Vec<_> = draft.items.iter().map(|item| fault_of(session, bucket, &draft.prefix, item)).collect();
    let compared = futures::stream::iter(comparisons).buffered(AT_ONCE);
    let progress = |done: u64| super::Progress::Count { done, total: Some(total), unit: "objects".into() };
    let mut faults = Vec::new();
    futures::pin_mut!(compared);
    while let Some(fault) = compared.try_next().await? {
        faults.extend(fault);
        proof.items += 1;
        cx.progress(progress(proof.items as u64));
        if cx.stopping() {
            return Err(StepError::interrupted("stopped while reading the evidence back"));
        }
    }
    proof.bytes = draft.items.iter().map(|item| item.size_bytes).sum();
    faults.extend(added(session, bucket, &manifest).await?);
    for snapshot in &draft.snapshots {
        faults.extend(gone(&cx.world.aws, snapshot).await?);
        proof.snapshots += 1;
    }
    Ok((proof, faults))
}

/// The manifest as it was sealed, or what is wrong with it.
async fn manifest(session: &Session, sealed: &Sealed) -> Result<Result<Manifest, String>, StepError> {
    let (bucket, key) = (&sealed.place.bucket, &sealed.key);
    let read = s3::read(session, bucket, key, MANIFEST_BYTES).await?;
    let Some(content) = read else { return Ok(Err(format!("{key}: the manifest is missing"))) };
    Ok(match evidence::read(&content.bytes) {
        Err(error) => Err(format!("{key}: {error}")),
        Ok((manifest, own)) if own != sealed.sha256 || manifest.sha256 != own => {
            Err(format!("{key}: its SHA-256 is {own}, sealed was {}", sealed.sha256))
        }
        Ok((manifest, _)) => Ok(manifest),
    })
}

async fn fault_of(session: &Session, bucket: &str, prefix: &str, item: &Item) -> Result<Option<String>, StepError> {
    let (key, whole) = (&item.key, format!("{prefix}{}", item.key));
    let Some(found) = s3::hashed(session, bucket, &whole, None).await? else {
        return Ok(Some(format!("{key}: missing{}", standing(session, bucket, &whole, item).await?)));
    };
    if found.sha256 != item.sha256 {
        let still = standing(session, bucket, &whole, item).await?;
        return Ok(Some(format!("{key}: its SHA-256 is {}, sealed was {}{still}", found.sha256, item.sha256)));
    }
    Ok(match &item.version_id {
        Some(sealed) if found.version_id.as_ref() != Some(sealed) => {
            let now = found.version_id.as_deref().unwrap_or("none");
            Some(format!("{key}: it was written again: its version is {now}, sealed was {sealed}"))
        }
        _ => None,
    })
}

/// Whether the version that was sealed still stands behind what is there now.
async fn standing(session: &Session, bucket: &str, key: &str, item: &Item) -> Result<String, StepError> {
    let Some(version) = &item.version_id else { return Ok(String::new()) };
    let found = s3::hashed(session, bucket, key, Some(version)).await?;
    Ok(match found.is_some_and(|it| it.sha256 == item.sha256) {
        true => format!("; version {version} is still as it was sealed"),
        false => format!("; version {version} is gone as well"),
    })
}

/// What lies there and was not sealed.
async fn added(session: &Session, bucket: &str, manifest: &Manifest) -> Result<Vec<String>, StepError> {
    let draft = &manifest.draft;
    let known: BTreeSet<&str> = draft.items.iter().map(|item| item.key.as_str()).chain([evidence::FILE]).collect();
    let there = s3::list_under(session, bucket, &draft.prefix).await?;
    let keys = there.iter().filter_map(|object| object.key.strip_prefix(&draft.prefix));
    Ok(keys.filter(|key| !known.contains(key)).map(|key| format!("{key}: it was added later")).collect())
}

/// Whether a snapshot or backup is not there any more.
async fn gone(session: &Session, snapshot: &Snapshot) -> Result<Option<String>, StepError> {
    let Snapshot { arn, what, .. } = snapshot;
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, service, region, _, resource] = parts.as_slice() else {
        return Ok(Some(format!("{arn} ({what}): it is no ARN")));
    };
    let session = session.in_region(region);
    let status = match (*service, resource.strip_prefix("cluster-snapshot:")) {
        ("rds", Some(id)) => rds::cluster_snapshot(&session, id).await?.filter(|it| it.arn == *arn).map(|it| it.status),
        ("dynamodb", _) => dynamodb::backup(&session, arn).await?.map(|it| it.backup.status),
        _ => return Ok(Some(format!("{arn} ({what}): nobody knows how to look for it"))),
    };
    Ok(match status {
        Some(status) if status.eq_ignore_ascii_case("available") => None,
        Some(status) => Some(format!("{arn} ({what}): it is {status}")),
        None => Some(format!("{arn} ({what}): missing")),
    })
}
