//! What a recovery would come to, in words, from what its check has found: for whoever is asked, and for whoever approves it.

use jiff::Timestamp;
use serde_json::Value;

use super::error::{CliError, Exit};
use super::prospect_catalog;
use crate::manifest::{CatalogSource, ClusterSource, TableSource};
use crate::report::{escape, span};
use crate::runbook::{Action, BucketRollback, Runbook, StepId};
use crate::steps::{Weighed, unexpected};
use crate::transfer::Amount;

/// What the checks of a recovery come to, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prospect {
    ToDo(String),
    InPlace(String),
    /// There is nothing to do either, but an expectation does not hold, in words.
    Unexpected {
        words: String,
        unmet: String,
    },
}

/// Everything is as it was, or would be, and yet an expectation does not hold.
pub fn not_as_expected(words: String, unmet: String) -> CliError {
    CliError::new(Exit::CheckFailed, format!("{words}; nothing was changed")).cause(unmet).hint(
        "another time may be meant, or what is missing was removed for good: look with another --to and --dry-run",
    )
}

/// `None` of a runbook that recovers nothing.
pub fn prospect(runbook: &Runbook, facts: impl Fn(&StepId) -> Value) -> Option<Prospect> {
    // One of many steps of which there is nothing to do is no reason to do nothing.
    if runbook.tears_down() {
        return None;
    }
    runbook.steps.iter().find_map(|step| match &step.action {
        Action::RollBackBucket { rollback } => Some(of_rollback(&facts(&step.id), rollback)),
        Action::RestoreCluster { cluster } => match &cluster.from {
            ClusterSource::PointInTime(to) => Some(beside("cluster", &cluster.source, &cluster.target, &as_at(to))),
            ClusterSource::CleanBefore(_) => {
                Some(beside("cluster", &cluster.source, &cluster.target, &from_clean(&facts(&step.id))))
            }
            _ => None,
        },
        Action::RestoreCatalog { catalog } => match &catalog.from {
            CatalogSource::Version(version) => {
                Some(Prospect::ToDo(prospect_catalog::words(catalog, version, &facts(&step.id))))
            }
            _ => None,
        },
        Action::RestoreTable { table } => match &table.from {
            TableSource::PointInTime(to) => Some(beside("table", &table.source, &table.target, &as_at(to))),
            TableSource::CleanBefore(_) => {
                Some(beside("table", &table.source, &table.target, &from_clean(&facts(&step.id))))
            }
            _ => None,
        },
        _ => None,
    })
}

/// What whoever starts a recovery is asked about.
pub fn question(runbook: &Runbook) -> String {
    if runbook.tears_down() {
        let Runbook { service, environment, to_region, account, .. } = runbook;
        return format!("taking {service} {environment} down in {to_region} and rebuilding it, in account {account}");
    }
    let what = runbook.steps.iter().find_map(|step| match &step.action {
        Action::RollBackBucket { rollback: BucketRollback { bucket, prefix, to, .. } } if prefix.is_empty() => {
            Some(format!("taking {bucket} back to {to}"))
        }
        Action::RollBackBucket { rollback: BucketRollback { bucket, prefix, to, .. } } => {
            Some(format!("taking {bucket}, keys under {prefix}, back to {to}"))
        }
        Action::RestoreCluster { cluster } => {
            Some(format!("restoring cluster {} as {}", cluster.source, cluster.target))
        }
        Action::RestoreCatalog { catalog } => {
            Some(format!("recreating database {} as {}", catalog.source, catalog.target))
        }
        Action::RestoreTable { table } => Some(format!("restoring table {} as {}", table.source, table.target)),
        Action::Evidence { .. } => Some(format!("collecting evidence: {} steps", runbook.steps.len())),
        Action::Contain { .. } => Some(format!("shutting out: {} steps", runbook.steps.len())),
        Action::Release { .. } => Some(format!("letting in again: {} steps", runbook.steps.len())),
        Action::Rotate { .. } => Some(format!("rotating: {} steps", runbook.steps.len())),
        _ => None,
    });
    format!("{} in account {}", what.as_deref().unwrap_or(&runbook.scenario), runbook.account)
}

/// What a restore beside the source comes to: `kind` is `table`, `then` says of which time.
fn beside(kind: &str, source: &str, target: &str, then: &str) -> Prospect {
    let (source, target) = (escape(source), escape(target));
    if source == target {
        return Prospect::ToDo(format!("{kind} {source} {then} is restored under its own name\n"));
    }
    Prospect::ToDo(format!("{kind} {source} {then} becomes {kind} {target}; {source} is left as it is\n"))
}

fn as_at(to: &Timestamp) -> String {
    format!("as it was at {to}")
}

fn from_clean(facts: &Value) -> String {
    let text = |name: &str| escape(facts[name].as_str().unwrap_or("?"));
    format!("as of {}, from the clean recovery point {},", text("recovery_point_at"), text("recovery_point"))
}

/// All recovery points among which a clean one was chosen, each with the reason why it was taken or was not: for whoever signs the
/// choice off.
pub fn candidates(runbook: &Runbook, facts: impl Fn(&StepId) -> Value) -> String {
    let each = runbook.steps.iter().flat_map(|step| Weighed::of_facts(&facts(&step.id)));
    let now = Timestamp::now();
    let line = |it: Weighed| {
        let mark = if it.taken { "taken" } else { "not taken" };
        let age = it.at.map(|at| format!("{} old, ", span(now.duration_since(at)))).unwrap_or_default();
        format!("  {mark}: {} {age}{}\n", escape(&it.recovery_point), escape(&it.words()))
    };
    let lines: String = each.map(line).collect();
    if lines.is_empty() { lines } else { format!("candidates for the clean recovery point:\n{lines}") }
}

fn of_rollback(facts: &Value, rollback: &BucketRollback) -> Prospect {
    let keys = |count: u64| if count == 1 { "1 key".to_owned() } else { format!("{count} keys") };
    let number = |of: &Value| of.as_u64().unwrap_or_default();
    let amount = |of: &str| serde_json::from_value::<Amount>(facts[of].clone()).unwrap_or_default();
    if number(&facts["to_do"]) == 0 {
        let all = keys(number(&facts["keys"]));
        let bucket = escape(&rollback.bucket);
        let unknown = match number(&facts["unknown"]["count"]) {
            0 => String::new(),
            unknown => format!(" Nobody knows whether {} stood there then.", keys(unknown)),
        };
        if let Some(unmet) = unexpected(rollback, amount("current")) {
            let words = format!("{bucket} is as it was at {} already, but not as expected", rollback.to);
            return Prospect::Unexpected { words, unmet };
        }
        return Prospect::InPlace(format!(
            "{bucket} is as it was at {} already, as far as that can be told: all of {all}.{unknown}",
            rollback.to
        ));
    }
    let list = |of: &str| {
        let names: Vec<&str> =
            facts[of]["first"].as_array().into_iter().flatten().filter_map(|it| it.as_str()).collect();
        let more = if number(&facts[of]["count"]) > names.len() as u64 { "    …\n" } else { "" };
        names.iter().map(|name| format!("    {}\n", escape(name))).collect::<String>() + more
    };
    let (restore, hide) = (number(&facts["restore"]["count"]), number(&facts["hide"]["count"]));
    let mut words = String::new();
    if restore > 0 {
        let (these, bytes) = (keys(restore), &facts["restore_bytes"]);
        words += &format!("{these} of {} back to the version of then ({bytes} bytes):\n", facts["keys"]);
        words += &list("restore");
    }
    if hide > 0 {
        words += &format!("{} not there then, hidden by a delete marker:\n{}", keys(hide), list("hide"));
    }
    let kept = keys(number(&facts["kept"]) + number(&facts["unknown"]["count"]));
    words += &format!("{kept} left alone; nothing is permanently deleted\n");
    Prospect::ToDo(words + &expected(rollback, amount("afterwards")))
}

/// What would hold where so much is current afterwards.
pub fn expected(rollback: &BucketRollback, afterwards: Amount) -> String {
    if rollback.expect.is_empty() {
        return String::new();
    }
    let Amount { objects, bytes } = afterwards;
    let noun = if objects == 1 { "object" } else { "objects" };
    let found = format!("{objects} {noun} of {bytes} bytes would be current afterwards");
    match unexpected(rollback, afterwards) {
        None => format!("{found}, as expected\n"),
        Some(unmet) => format!("{found}, which is not as expected: {}\n", escape(&unmet)),
    }
}
