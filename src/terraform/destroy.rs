//! What a teardown takes down and what it leaves standing. Pure: a state and the manifest in, targets out; a plan in,
//! violations out.
//!
//! Terraform destroys with a target all that depends on it. So whatever a kept resource was made with is kept too, and the
//! plan is held against that: a kept address in it is refused, whatever brought it there.

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
use crate::manifest::{Guards, Manifest};

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
}

/// A state divided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Division {
    /// Instances to be destroyed.
    pub targets: Vec<String>,
    /// Why each of the others is kept.
    pub stays: BTreeMap<String, String>,
    /// Patterns of `keep` that nothing goes by.
    pub idle: Vec<String>,
}

/// Divides a state into what `rebuild.keep` and the guards name with all that it was made with, and the rest.
pub fn divide(state: &State, keep: &[String], guards: &Guards) -> Division {
    let mut stays: BTreeMap<String, String> =
        state.resources.keys().filter_map(|it| Some((it.clone(), named(it, keep, guards)?))).collect();
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
    let idle = keep.iter().filter(|pattern| !state.resources.keys().any(|it| stands_for(pattern, it)));
    Division {
        targets: state.resources.keys().filter(|it| !stays.contains_key(*it)).cloned().collect(),
        idle: idle.cloned().collect(),
        stays,
    }
}

fn named(address: &str, keep: &[String], guards: &Guards) -> Option<String> {
    if let Some(pattern) = keep.iter().find(|pattern| stands_for(pattern, address)) {
        return Some(format!("rebuild.keep names it ({pattern})"));
    }
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
        };
        (change.address.clone(), doomed)
    });
    Teardown { destroys: doomed.collect(), stays: division.stays.clone() }
}

/// What a destroy plan must not do. `foreseen` are the addresses that may be destroyed, where that is settled already.
pub fn violations(
    plan: &Plan,
    state: &State,
    division: &Division,
    manifest: &Manifest,
    foreseen: Option<&BTreeSet<String>>,
) -> Vec<Violation> {
    let violation = |address: &str, why: String| Violation { address: address.to_owned(), why };
    let idle = "is to be kept, and the state holds no such address: correct `keep` in the manifest's rebuild block";
    let mut violations: Vec<Violation> = division.idle.iter().map(|it| violation(it, idle.into())).collect();
    for change in plan.changes() {
        let (address, verb) = (&change.address, change.verb());
        let mut violate = |why: String| violations.push(violation(address, why));
        if let Some(why) = division.stays.get(address) {
            violate(format!("would be {verb}, and is to be kept: {why}"));
        } else if change.actions != [Action::Delete] {
            violate(format!("would be {verb}: a teardown destroys, and does nothing else"));
        } else if foreseen.is_some_and(|foreseen| !foreseen.contains(address)) {
            violate(format!("would be {verb}, which was not foreseen when the teardown was planned"));
        }
        let name = state.resources.get(address).map(String::as_str).unwrap_or_default();
        if change.kind == "aws_s3_bucket" && is_data(manifest, name) {
            let why = "holds the data of a bucket block, and a rebuild takes it back in place: add it to `keep` in the \
                       manifest's rebuild block";
            violate(format!("({name}) would be {verb}; it {why}"));
        }
        if let Some(why) = refused_by_aws(change) {
            violate(why);
        }
    }
    violations
}

/// Whether a bucket is one of the manifest's: its objects are recovered, never thrown away.
pub fn is_data(manifest: &Manifest, bucket: &str) -> bool {
    !bucket.is_empty() && manifest.buckets.iter().any(|it| it.source == bucket || it.target == bucket)
}

/// What AWS or its provider would refuse half-way, told by the plan before anything is torn down.
fn refused_by_aws(change: &ResourceChange) -> Option<String> {
    if !change.does(Action::Delete) {
        return None;
    }
    let is = |name: &str| change.gone.get(name).and_then(|it| it.as_bool()) == Some(true);
    let protection = ["deletion_protection", "deletion_protection_enabled", "enable_deletion_protection"];
    if let Some(attribute) = protection.iter().find(|name| is(name)) {
        return Some(format!(
            "is protected from deletion ({attribute} = true), and AWS would refuse it half-way: apply {attribute} = false \
             first, or keep it"
        ));
    }
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

#[cfg(test)]
#[path = "destroy_tests.rs"]
mod tests;
