//! Terraform's messages as a step's progress, and what the Terraform steps have in common.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use serde_json::Value;

use super::{Cx, Progress, StepError};
use crate::manifest::Manifest;
use crate::terraform::events::Event;
use crate::terraform::{Custody, Observer, Resources};

/// Follows Terraform for a step.
pub struct Watch<'a> {
    cx: &'a Cx,
    done: AtomicU64,
    /// How many operations there will be, while a plan is applied.
    total: Option<u64>,
}

impl<'a> Watch<'a> {
    pub fn new(cx: &'a Cx) -> Self {
        Self { cx, done: AtomicU64::new(0), total: None }
    }

    pub fn applying(cx: &'a Cx, total: u64) -> Self {
        Self { total: Some(total), ..Self::new(cx) }
    }

    fn count(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        self.cx.progress(Progress::Count { done, total: self.total, unit: "resources".into() });
    }
}

#[async_trait]
impl Observer for Watch<'_> {
    fn event(&self, event: &Event) {
        match event {
            Event::Refreshing { address } => self.cx.status(format!("{address}: refreshing")),
            Event::Refreshed { .. } if self.total.is_none() => self.count(),
            Event::Started { address, action } => self.cx.status(format!("{address}: {}", doing(action))),
            Event::Progressed { address, action, elapsed_seconds } => {
                self.cx.status(format!("{address}: {} {}", doing(action), spelled(*elapsed_seconds)));
            }
            Event::Completed { .. } if self.total.is_some() => self.count(),
            Event::WaitingForLock => self.cx.status("waiting for the state lock, which another Terraform holds"),
            Event::Errored { address, action } => self.cx.status(format!("{address}: {} failed", doing(action))),
            _ => {}
        }
    }

    fn status(&self, text: &str) {
        self.cx.status(text);
    }

    fn custody(&self, custody: &Custody) {
        self.cx.custody(custody);
    }

    async fn stopped(&self) {
        self.cx.stopped().await;
    }
}

/// The lineage that the state must have, as the run's first look at it or its first apply has recorded it. `None`
/// before there was any state.
pub fn recorded_lineage(cx: &Cx) -> Option<String> {
    let of = |step: &str| cx.output(step)?.get("lineage")?.as_str().map(str::to_owned);
    ["infrastructure.prepare", "infrastructure.apply"].iter().filter_map(|step| of(step)).find(|it| !it.is_empty())
}

fn doing(action: &str) -> &str {
    match action {
        "create" => "creating",
        "update" => "changing",
        "delete" => "destroying",
        "read" => "reading",
        other => other,
    }
}

/// `70` as `1m10s`.
fn spelled(seconds: u64) -> String {
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) }
}

/// The addresses that the manifest has adopted.
pub fn adopted(manifest: &Manifest) -> BTreeSet<String> {
    let clusters = manifest.clusters.iter().filter_map(|it| it.adopt.clone());
    clusters.chain(manifest.tables.iter().filter_map(|it| it.adopt.clone())).collect()
}

/// What the restores have made for Terraform to adopt: address to id.
///
/// # Errors
/// A restore that has not returned, that returned something else, or two that claim one address.
pub fn restored(cx: &Cx) -> Result<Resources, StepError> {
    let manifest = &cx.world.manifest;
    let clusters = manifest.clusters.iter().filter(|it| it.adopt.is_some());
    let clusters = clusters.map(|it| format!("restore.aurora.{}", it.name));
    let tables = manifest.tables.iter().filter(|it| it.adopt.is_some());
    let tables = tables.map(|it| format!("restore.table.{}", it.name));
    let mut restored = Resources::new();
    for step in clusters.chain(tables) {
        let output = cx.output(&step).ok_or_else(|| StepError::failed(format!("{step} has not returned anything")))?;
        let list = output.get("adopt").and_then(Value::as_array);
        for entry in list.ok_or_else(|| StepError::failed(format!("{step} returned no list of what to adopt")))? {
            let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
            let (Some(address), Some(id)) = (text("address"), text("id")) else {
                return Err(StepError::failed(format!("{step} returned something to adopt without address and id")));
            };
            if let Some(other) = restored.insert(address.clone(), id.clone()).filter(|other| *other != id) {
                return Err(StepError::conflict(format!("both {other} and {id} are to be adopted as {address}"))
                    .hint("give each restored resource an `adopt` address of its own"));
            }
        }
    }
    Ok(restored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_reads_as_terraform_spells_it() {
        assert_eq!([spelled(9), spelled(70), spelled(3600)], ["9s", "1m10s", "60m0s"]);
    }
}
