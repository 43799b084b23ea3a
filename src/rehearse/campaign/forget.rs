//! Makes a run forget that a step is done, so that it is done a second time over its own effect: the journal as it would
//! be had lifeboat died after the effect and before it was written down.
//!
//! What other steps have written stays, whatever the order: their intent was on disk before their effects, and a journal
//! without it could not have come about. The chain of hashes is made anew. The copy in the state bucket is taken away,
//! as it would be further than the run.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::aws::Session;
use crate::aws::explain;
use crate::manifest::Manifest;
use crate::rehearse::RehearseError;
use crate::runbook::{Runbook, StepId};

/// Requests of a killed process are answered or lost within this time, also by an emulator with much to do.
const QUIET: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Rewrites the journal in a run's folder, and removes its copy.
///
/// # Errors
/// The journal cannot be read or written, or the bucket does not answer.
pub(super) async fn forget(
    run_dir: &Path,
    step: &StepId,
    runbook: &Runbook,
    manifest: &Manifest,
    endpoint: &str,
) -> Result<(), RehearseError> {
    let path = run_dir.join("journal.jsonl");
    let failed = || RehearseError::io(format!("{} cannot be rewritten", path.display()));
    let text = std::fs::read_to_string(&path).map_err(failed())?;
    let kept = without(&text, step, &dependents(step, runbook)).map_err(|error| failed()(error.into()))?;
    std::fs::write(&path, kept).map_err(failed())?;
    let run = run_dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    remove_copy(manifest, endpoint, &run).await
}

/// The steps that wait for a step, directly or not.
pub(super) fn dependents(step: &StepId, runbook: &Runbook) -> BTreeSet<String> {
    let mut found = BTreeSet::from([step.to_string()]);
    // Steps stand after what they wait for, in an order that need not be known: as often as there are steps is enough.
    for _ in &runbook.steps {
        for spec in &runbook.steps {
            if spec.after.iter().any(|id| found.contains(id.as_str())) {
                found.insert(spec.id.to_string());
            }
        }
    }
    found.remove(step.as_str());
    found
}

/// The journal without the end of a step, and without anything of those that wait for it. Pure.
fn without(text: &str, step: &StepId, dependents: &BTreeSet<String>) -> serde_json::Result<String> {
    let mut kept = String::new();
    let (mut seq, mut prev) = (0_u64, digest(b""));
    for line in text.lines() {
        // A torn last line is what a killed process leaves.
        let Ok(mut record) = serde_json::from_str::<Value>(line) else { break };
        let (event, about) = (record["event"].as_str().unwrap_or_default(), record["step"].as_str());
        let ends = ["step_applied", "step_reconciled", "step_verified", "step_failed"].contains(&event);
        let of_others = about.is_some_and(|name| dependents.contains(name)) && event != "step_checked";
        // Of a last step the end of the run may have been written before the kill.
        let over = event == "run_finished";
        if over || of_others || (ends && about == Some(step.as_str())) {
            continue;
        }
        record["seq"] = json!(seq);
        record["prev"] = json!(prev);
        let line = serde_json::to_string(&record)?;
        prev = digest(line.as_bytes());
        seq += 1;
        kept.push_str(&line);
        kept.push('\n');
    }
    Ok(kept)
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Removes the copy, until nothing of it has come any more for a while: what the killed process had sent may still be
/// under way.
async fn remove_copy(manifest: &Manifest, endpoint: &str, run: &str) -> Result<(), RehearseError> {
    let region = &manifest.recovery;
    let s3 = Session::emulated(&region.name, endpoint).s3();
    let prefix = format!("lifeboat/{}/{}/runs/{run}/", manifest.service, manifest.environment);
    let bucket = &region.backend.bucket;
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed() < QUIET {
        let mut pages = s3.list_objects_v2().bucket(bucket).prefix(&prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page.map_err(explain("s3:ListObjectsV2"))?.contents() {
                let deleted = s3.delete_object().bucket(bucket).set_key(object.key().map(str::to_owned)).send().await;
                deleted.map_err(explain("s3:DeleteObject"))?;
                quiet_since = Instant::now();
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forgotten_step_has_begun_and_nothing_that_waits_for_it_has() {
        let lines = [
            r#"{"seq":0,"prev":"","event":"run_started"}"#,
            r#"{"seq":1,"prev":"","event":"step_checked","step":"b"}"#,
            r#"{"seq":2,"prev":"","event":"step_started","step":"a"}"#,
            r#"{"seq":3,"prev":"","event":"step_noted","step":"a"}"#,
            r#"{"seq":4,"prev":"","event":"step_applied","step":"other"}"#,
            r#"{"seq":5,"prev":"","event":"step_applied","step":"a"}"#,
            r#"{"seq":6,"prev":"","event":"step_verified","step":"a"}"#,
            r#"{"seq":7,"prev":"","event":"step_taken","step":"b"}"#,
            r#"{"seq":8,"prev":"","event":"run_finished"}"#,
            r#"{"seq":9,"prev":"#,
        ];
        let kept = without(&lines.join("\n"), &StepId::new("a"), &BTreeSet::from(["b".to_owned()])).expect("a journal");
        let records: Vec<Value> = kept.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
        let events: Vec<&str> = records.iter().filter_map(|record| record["event"].as_str()).collect();
        assert_eq!(events, ["run_started", "step_checked", "step_started", "step_noted", "step_applied"]);
        let mut prev = digest(b"");
        for (line, record) in kept.lines().zip(&records) {
            assert_eq!(record["prev"], prev.as_str());
            prev = digest(line.as_bytes());
        }
        assert_eq!(records[4]["seq"], 4);
    }
}
