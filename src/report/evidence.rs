//! Evidence that a run has sealed: where it is, the hash that proves it, and what is not among it.

use serde::Serialize;

use super::text::{Look, escape, wrap};
use crate::evidence::{Collected, NotCollected, SEAL, Sealed};
use crate::journal::{RunState, StepPhase};

/// Sealed evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvidenceSummary {
    /// `s3://…/evidence.json`
    pub manifest: String,
    /// The manifest's own hash: for the case file.
    pub sha256: String,
    pub items: usize,
    pub snapshots: usize,
    pub not_collected: Vec<NotCollected>,
}

/// What a run has sealed; `None` where it has not, or not yet.
pub(super) fn of(state: &RunState) -> Option<EvidenceSummary> {
    let seal = state.steps.iter().find(|(id, _)| id.as_str() == SEAL).map(|(_, step)| step)?;
    let settled = matches!(seal.phase, StepPhase::Applied { .. } | StepPhase::Verified { .. });
    let sealed: Sealed = settled.then(|| serde_json::from_value(seal.output.clone()).ok())??;
    let runbook = &state.started.as_ref()?.runbook;
    let collected = runbook.steps.iter().filter(|spec| spec.id.as_str().starts_with("evidence."));
    let outputs = collected.filter_map(|spec| state.steps.get(&spec.id));
    let not_collected = outputs.filter_map(|step| Collected::of(&step.output).ok()).flat_map(|it| it.not_collected);
    Some(EvidenceSummary {
        manifest: format!("s3://{}/{}", sealed.place.bucket, sealed.key),
        sha256: sealed.sha256,
        items: sealed.items,
        snapshots: sealed.snapshots,
        not_collected: not_collected.collect(),
    })
}

impl EvidenceSummary {
    fn counts(&self) -> String {
        format!("{} objects, {} snapshots and backups", self.items, self.snapshots)
    }

    /// The lines of the closing table's section.
    pub(super) fn lines(&self, look: Look) -> Vec<String> {
        let mut lines = vec![format!("  {}", escape(&self.manifest))];
        lines.push(format!("  SHA-256 {}", escape(&self.sha256)));
        lines.extend(wrap("  ", &self.counts(), look.columns()));
        for NotCollected { what, why } in &self.not_collected {
            lines.extend(wrap("  ", &format!("not collected: {}: {}", escape(what), escape(why)), look.columns()));
        }
        lines
    }

    /// The same for a page, each escaped by `plain`.
    pub(super) fn items(&self, plain: impl Fn(&str) -> String) -> Vec<String> {
        let sealed = [plain(&self.manifest), format!("SHA-256 {}", plain(&self.sha256)), self.counts()];
        let missing = self.not_collected.iter();
        let missing = missing.map(|it| format!("not collected: {}: {}", plain(&it.what), plain(&it.why)));
        sealed.into_iter().chain(missing).collect()
    }
}
