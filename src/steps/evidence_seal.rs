//! Seals what was collected: a copy of the run's journal, and the manifest over all of it, in the bucket and in the run's folder.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::evidence_keep::{About, Keeper};
use super::{Cx, Output, StepError};
use crate::aws::s3;
use crate::evidence::{self, Collected, Draft, EvidencePlace, JournalEnd, NotCollected, PLACE, Sealed};
use crate::journal::{self, StepPhase};
use crate::runbook::StepId;
use crate::terraform::stage::hex;

const JOURNAL: &str = "journal.jsonl";

pub(super) async fn seal(cx: &Cx, place: &EvidencePlace, of: &[StepId]) -> Result<Output, StepError> {
    let keeper = Keeper::of(cx, place).await?;
    let mut collected = collected(cx, of)?;
    let (journal_item, journal) = keep_journal(cx, &keeper).await?;
    collected.items.push(journal_item);
    collected.items.extend(left_behind(&keeper, &collected).await?);
    let caller = cx.world.aws.caller().await?;
    let manifest = &cx.world.manifest;
    let (items, snapshots) = (collected.items.len(), collected.snapshots.len());
    let not_collected = collected.not_collected.len();
    let draft = Draft {
        run: cx.world.run.clone(),
        environment: manifest.environment.clone(),
        account: manifest.account.clone(),
        caller: caller.arn,
        region: place.region.clone(),
        bucket: place.bucket.clone(),
        prefix: keeper.under().to_owned(),
        object_lock: keeper.object_lock(),
        sealed_at: Timestamp::now(),
        journal,
        items: collected.items,
        snapshots: collected.snapshots,
        not_collected: collected.not_collected,
    };
    let bytes = evidence::seal(draft).map_err(|error| StepError::failed(format!("nothing can be sealed: {error}")))?;
    let (_, sha256) = evidence::read(&bytes).map_err(|error| StepError::failed(error.to_string()))?;
    let about = About { what: "the manifest", request: "lifeboat" };
    let item = keeper.put(evidence::FILE, bytes.clone(), about).await?;
    write(&cx.world.run_dir.join(evidence::FILE), &bytes)?;
    Ok(json!(Sealed {
        place: place.clone(),
        run: cx.world.run.clone(),
        key: format!("{}{}", keeper.under(), evidence::FILE),
        version_id: item.version_id,
        sha256,
        items,
        snapshots,
        not_collected,
    }))
}

/// What the steps have returned. One that was left out is named with the operator's reason.
fn collected(cx: &Cx, of: &[StepId]) -> Result<Collected, StepError> {
    let state = cx.journal.as_ref().map(|journal| journal.state()).unwrap_or_default();
    let mut all = Collected::default();
    for step in [StepId::new(PLACE)].iter().chain(of) {
        match (cx.output(step.as_str()), state.steps.get(step).map(|it| &it.phase)) {
            (_, Some(StepPhase::Skipped(skipped))) => all.not_collected.push(NotCollected {
                what: format!("step {step}"),
                why: format!("left out by {}: {}", skipped.by, skipped.because),
            }),
            (Some(output), _) => {
                let unread =
                    |error| StepError::failed(format!("what step {step} has returned is not understood: {error}"));
                let Collected { items, snapshots, not_collected } = Collected::of(&output).map_err(unread)?;
                all.items.extend(items);
                all.snapshots.extend(snapshots);
                all.not_collected.extend(not_collected);
            }
            (None, _) => return Err(StepError::failed(format!("step {step} has returned nothing"))),
        }
    }
    Ok(all)
}

/// The journal up to here, and where it ends.
async fn keep_journal(cx: &Cx, keeper: &Keeper) -> Result<(evidence::Item, JournalEnd), StepError> {
    let failed = |error: journal::JournalError| StepError::failed(error.to_string());
    let lines = journal::lines_of(&cx.world.run_dir).map_err(failed)?;
    let loaded = journal::check(&lines, &cx.world.run_dir.join(JOURNAL)).map_err(failed)?;
    let whole = lines.strip_suffix(b"\n").unwrap_or(&lines);
    let last = whole.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let (last_sha256, records) = (hex(&Sha256::digest(last)), loaded.records.len() as u64);
    let about = About { what: "the run's journal until the evidence was sealed", request: "lifeboat" };
    let item = keeper.put(JOURNAL, lines, about).await?;
    Ok((item, JournalEnd { key: JOURNAL.to_owned(), records, last_sha256 }))
}

/// What lies there and no step has claimed: written by one that was left out, or by CloudWatch Logs for a task that failed. It is
/// sealed as it is, so that later nothing can be added without being noticed.
async fn left_behind(keeper: &Keeper, collected: &Collected) -> Result<Vec<evidence::Item>, StepError> {
    let known: BTreeSet<&str> = collected.items.iter().map(|item| item.key.as_str()).chain([evidence::FILE]).collect();
    let mut found = Vec::new();
    for object in s3::list_under(keeper.session(), keeper.bucket(), keeper.under()).await? {
        let Some(key) = object.key.strip_prefix(keeper.under()).filter(|key| !known.contains(key)) else { continue };
        let about = About { what: "found there when the evidence was sealed", request: "s3:ListBucket" };
        found.push(keeper.found(key, about).await?);
    }
    Ok(found)
}

/// Writes the manifest into the run's folder, whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), StepError> {
    let unfinished = path.with_extension("unfinished");
    let options = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished);
    let written = options.and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    });
    written.map_err(|error| StepError::failed(format!("{} cannot be written: {error}", path.display())))
}
