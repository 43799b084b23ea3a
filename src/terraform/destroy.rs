//! What a teardown takes down and what it leaves standing. Pure: a state and the manifest in, targets out; a plan in,
//! violations out.
//!
//! Terraform destroys with a target all that depends on it. What `rebuild.keep` names stays with all that it was made with.
//! What the guards protect stays too, but widens nothing by itself: where it was made with something that goes, the plan
//! would take it along, and is refused. So nothing that an intruder may have changed stays without somebody having said so.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Address;
use super::args::{SELECTION_BYTES, Selection};
use super::graph::configured;
use super::guard::Violation;
use super::plan::{Action, Plan, ResourceChange};
use super::state::State;
use super::stateful;
use super::targets::SplitError;
use crate::document::glob;
use crate::guard::stands_for;
use crate::manifest::{Guards, Manifest, Rebuild};

/// What a destroy plan does, and what it leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Teardown {
    /// By address.
    pub destroys: BTreeMap<String, Doomed>,
    /// Why each of the kept addresses stays.
    pub stays: BTreeMap<String, String>,
}

/// A resource that is destroyed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doomed {
    #[serde(rename = "type")]
    pub kind: String,
    /// As the state has it; empty where the provider gives none.
    pub id: String,
    /// The name that the root gave it, where it is not made up by the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The snapshot that it leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_snapshot: Option<String>,
    /// Whether it holds what no apply brings back.
    pub stateful: bool,
    /// Whether AWS protects it from deletion, so that this has to be switched off first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
    /// What protects it on an ordinary day, and is passed over because `rebuild.replace` names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<String>,
}

/// A state divided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Division {
    /// Instances to be destroyed.
    pub targets: Vec<String>,
    /// Why each of the others is kept.
    pub stays: BTreeMap<String, String>,
    /// What protects a target on an ordinary day, where `rebuild.replace` releases it.
    pub released: BTreeMap<String, String>,
    /// Patterns of `keep` that nothing goes by.
    pub idle: Vec<String>,
}

/// Divides a state into what `rebuild.keep` names with all that it was made with, what the guards protect and
/// `rebuild.replace` does not release, and the rest.
pub fn divide(state: &State, rules: &Rebuild, guards: &Guards) -> Division {
    let named = |patterns: &[String], address: &str| patterns.iter().find(|it| stands_for(it, address)).cloned();
    let kept = |it: &String| Some((it.clone(), format!("rebuild.keep names it ({})", named(&rules.keep, it)?)));
    let mut stays: BTreeMap<String, String> = state.resources.keys().filter_map(kept).collect();
    let mut instances: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for address in state.resources.keys() {
        instances.entry(configured(address)).or_default().push(address);
    }
    let mut open: Vec<String> = stays.keys().cloned().collect();
    while let Some(address) = open.pop() {
        for needed in state.dependencies.get(&address).into_iter().flatten() {
            for instance in instances.get(&configured(needed)).into_iter().flatten() {
                if !stays.contains_key(*instance) {
                    stays.insert((*instance).clone(), format!("{address} was made with it"));
                    open.push((*instance).clone());
                }
            }
        }
    }
    let mut released = BTreeMap::new();
    for address in state.resources.keys().filter(|it| !stays.contains_key(*it)).cloned().collect::<Vec<_>>() {
        let Some(why) = protected(&address, guards) else { continue };
        match named(&rules.replace, &address) {
            Some(_) => released.insert(address, why),
            None => stays.insert(address, why),
        };
    }
    let idle = rules.keep.iter().filter(|pattern| !state.resources.keys().any(|it| stands_for(pattern, it)));
    Division {
        targets: state.resources.keys().filter(|it| !stays.contains_key(*it)).cloned().collect(),
        idle: idle.cloned().collect(),
        released,
        stays,
    }
}

/// Which guard protects an address, in words.
fn protected(address: &str, guards: &Guards) -> Option<String> {
    if let Some(pattern) = guards.protect.iter().find(|pattern| stands_for(pattern, address)) {
        return Some(format!("guard.protect names it ({pattern})"));
    }
    let kind = Address::parse(address)?.kind;
    let pattern = guards.protect_types.iter().find(|pattern| glob::matches(pattern, &kind))?;
    Some(format!("guard.protect_types names its type ({pattern})"))
}

impl Division {
    /// How the plan is limited; `None` where nothing is to be destroyed, which Terraform would take for everything.
    ///
    /// # Errors
    /// More arguments than a process can be given.
    pub fn selection(&self) -> Result<Option<Selection>, SplitError> {
        if self.targets.is_empty() {
            return Ok(None);
        }
        if self.stays.is_empty() {
            return Ok(Some(Selection::All));
        }
        let selection = Selection::Target(self.targets.clone());
        let (bytes, resources) = (selection.bytes(), self.targets.len());
        if bytes > SELECTION_BYTES {
            return Err(SplitError::TooLong { bytes, resources });
        }
        Ok(Some(selection))
    }
}

/// What a plan takes down, and what stays beside it.
pub fn teardown(plan: &Plan, state: &State, division: &Division) -> Teardown {
    let gone = plan.changes().filter(|it| it.does(Action::Delete));
    let doomed = gone.map(|change| {
        let text = |name: &str| change.gone.get(name).and_then(|it| it.as_str()).filter(|it| !it.is_empty());
        let skipped = change.gone.get("skip_final_snapshot").and_then(|it| it.as_bool()) == Some(true);
        let doomed = Doomed {
            kind: change.kind.clone(),
            id: state.resources.get(&change.address).cloned().unwrap_or_default(),
            name: text("name").filter(|_| text("name_prefix").is_none()).map(str::to_owned),
            final_snapshot: text("final_snapshot_identifier").filter(|_| !skipped).map(str::to_owned),
            stateful: stateful::holds_data(&change.kind),
            protected: protection(change).is_some(),
            released: division.released.get(&change.address).cloned(),
        };
        (change.address.clone(), doomed)
    });
    Teardown { destroys: doomed.collect(), stays: division.stays.clone() }
}

/// What a destroy plan must not do. `foreseen` is what may be destroyed, by address, where that is settled already.
pub fn violations(
    plan: &Plan,
    state: &State,
    division: &Division,
    manifest: &Manifest,
    foreseen: Option<&BTreeMap<String, Doomed>>,
) -> Vec<Violation> {
    let violation = |address: &str, why: String| Violation { address: address.to_owned(), why };
    let idle = "is to be kept, and the state holds no such address: correct `keep` in the manifest's rebuild block";
    let mut violations: Vec<Violation> = division.idle.iter().map(|it| violation(it, idle.into())).collect();
    for change in plan.changes() {
        let (address, verb) = (&change.address, change.verb());
        let id = state.resources.get(address).map(String::as_str).unwrap_or_default();
        let mut violate = |why: String| violations.push(violation(address, why));
        if let Some(why) = division.stays.get(address) {
            let dragged = dragged_by(address, state, division);
            violate(format!("would be {verb}, and is to stay: {why}{dragged}"));
        } else if change.actions != [Action::Delete] {
            violate(format!("would be {verb}: a teardown destroys, and does nothing else"));
        } else if let Some(foreseen) = foreseen {
            match foreseen.get(address) {
                None => violate(format!("would be {verb}, which was not foreseen when the teardown was planned")),
                Some(then) if then.id != id => {
                    violate(format!("is {id} now, and the teardown was planned for {}", then.id));
                }
                Some(_) => {}
            }
        }
        if let Some(why) = never(change, id, manifest) {
            violate(format!("({id}) would be {verb}; {why}"));
        }
        if needed_later(&change.kind) && !named_to_go(address, manifest) {
            violate(format!(
                "would be {verb}, and recovery points or evidence may be lost with it: add it to `keep` in the manifest's \
                 rebuild block, or to `replace` where it may go"
            ));
        }
        if let Some(why) = refused_by_aws(change) {
            violate(why);
        }
    }
    violations
}

/// Which of what goes takes a kept address along.
fn dragged_by(address: &str, state: &State, division: &Division) -> String {
    let going: BTreeSet<String> = division.targets.iter().map(|it| configured(it)).collect();
    let needed = state.dependencies.get(address).into_iter().flatten();
    let needed: Vec<&str> = needed.map(String::as_str).filter(|it| going.contains(&configured(it))).collect();
    if needed.is_empty() {
        return String::new();
    }
    format!(
        "; it was made with {}, which goes: name {address} in `keep` of the manifest's rebuild block, so that this stays \
         too, or in `replace`, so that both go",
        needed.join(", ")
    )
}

fn named_to_go(address: &str, manifest: &Manifest) -> bool {
    manifest.rebuild.replace.iter().any(|it| stands_for(it, address))
}

/// Whether a bucket is one of the manifest's: its objects are recovered, never thrown away.
pub fn is_data(manifest: &Manifest, bucket: &str) -> bool {
    let blocks = manifest.buckets.iter().any(|it| it.source == bucket || it.target == bucket);
    !bucket.is_empty() && (blocks || manifest.rebuild.data.iter().any(|it| it == bucket))
}

/// Whether a bucket holds Terraform's state, with the journals, leases and approvals of runs.
pub fn is_state(manifest: &Manifest, bucket: &str) -> bool {
    [&manifest.primary, &manifest.recovery].iter().any(|it| it.backend.bucket == bucket)
}

/// What is never destroyed, whatever the manifest says of it.
fn never(change: &ResourceChange, id: &str, manifest: &Manifest) -> Option<&'static str> {
    if change.kind != "aws_s3_bucket" {
        return None;
    }
    if is_state(manifest, id) {
        return Some("it holds Terraform's state and the journals of runs");
    }
    is_data(manifest, id).then_some(
        "it holds the data of a bucket block, which a rebuild takes back in place: add it to `keep` in the manifest's \
         rebuild block",
    )
}

/// What a recovery point is encrypted with or kept in, and what records who did what. A key of KMS that is scheduled for
/// deletion makes everything unreadable that it has encrypted (AWS KMS Developer Guide: "Deleting AWS KMS keys").
fn needed_later(kind: &str) -> bool {
    const NEEDED: [&str; 13] = [
        "aws_backup_logically_air_gapped_vault",
        "aws_backup_vault",
        "aws_cloudtrail",
        "aws_cloudtrail_event_data_store",
        "aws_db_cluster_snapshot",
        "aws_db_snapshot",
        "aws_db_snapshot_copy",
        "aws_kms_custom_key_store",
        "aws_kms_external_key",
        "aws_kms_key",
        "aws_kms_replica_external_key",
        "aws_kms_replica_key",
        "aws_rds_cluster_snapshot_copy",
    ];
    NEEDED.contains(&kind)
}

/// The attribute by which AWS protects a resource from deletion.
fn protection(change: &ResourceChange) -> Option<&'static str> {
    let is = |name: &&&str| change.gone.get(name).is_some_and(|it| it.as_bool() == Some(true) || it == "ACTIVE");
    ["deletion_protection", "deletion_protection_enabled", "enable_deletion_protection"].iter().find(is).copied()
}

/// What AWS or its provider would refuse half-way, told by the plan before anything is torn down.
fn refused_by_aws(change: &ResourceChange) -> Option<String> {
    if !change.does(Action::Delete) {
        return None;
    }
    if let Some(attribute) = protection(change).filter(|_| !SWITCHED_OFF.contains(&change.kind.as_str())) {
        return Some(format!(
            "is protected from deletion ({attribute}), and AWS would refuse it half-way: switch that off and apply it \
             first, or keep it"
        ));
    }
    let is = |name: &str| change.gone.get(name).and_then(|it| it.as_bool()) == Some(true);
    let leaves = ["aws_rds_cluster", "aws_db_instance", "aws_docdb_cluster", "aws_neptune_cluster"];
    let named =
        change.gone.get("final_snapshot_identifier").and_then(|it| it.as_str()).is_some_and(|it| !it.is_empty());
    let unnamed = leaves.contains(&change.kind.as_str()) && !is("skip_final_snapshot") && !named;
    unnamed.then(|| {
        "would leave a final snapshot without a name, which the provider refuses: apply final_snapshot_identifier, or \
         skip_final_snapshot = true, first"
            .into()
    })
}

/// Types whose protection from deletion a teardown switches off itself.
pub const SWITCHED_OFF: [&str; 3] = ["aws_db_instance", "aws_dynamodb_table", "aws_rds_cluster"];

#[cfg(test)]
#[path = "destroy_tests.rs"]
mod tests;
