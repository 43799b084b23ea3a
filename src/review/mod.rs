//! What a Terraform plan means to whoever has to answer for it: totals, what would be lost, and what changes where.
//!
//! Pure: a plan in, a review out. Nothing that Terraform marks as sensitive is in it; `report` shows it.

mod totals;

pub use totals::{Group, Totals};

use serde::Serialize;

use crate::terraform::difference::{Difference, Side};
use crate::terraform::outside_quotes;
use crate::terraform::plan::{Action, Plan, ResourceChange};
use crate::terraform::stateful;

/// The version of the JSON form.
const SCHEMA_VERSION: u32 = 1;

/// A plan, reviewed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Review {
    pub schema_version: u32,
    pub totals: Totals,
    /// Most changes first.
    pub by_type: Vec<Group>,
    /// Most changes first; the root module has the empty name.
    pub by_module: Vec<Group>,
    /// Losses first, then by how much is at stake, then by address.
    pub changes: Vec<Change>,
    pub outputs: Vec<Output>,
    /// What was changed outside Terraform since its last apply.
    pub drift: Vec<Change>,
}

/// What a plan does to one resource instance.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    pub address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub effect: Effect,
    /// Whether its type holds data, keys or names that an apply cannot bring back.
    pub stateful: bool,
    /// Whether it is what a replacement that broke off has left over.
    pub deposed: bool,
    /// The id that it is imported by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import_id: Option<String>,
    /// Terraform's word for why it is replaced or destroyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// What happens to a resource, in the order of what is at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Something that a newer Terraform has a word for, and this lifeboat has not.
    Unknown,
    Replace,
    Destroy,
    /// Terraform lets go of it, and it stays.
    Forget,
    Update,
    Import,
    Move,
    Create,
    Read,
}

/// What a plan does to an output of the root module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Output {
    pub name: String,
    pub effect: Effect,
    pub before: Side,
    pub after: Side,
}

impl Review {
    pub fn of(plan: &Plan) -> Self {
        let mut changes: Vec<Change> = plan.resources.iter().filter_map(Change::of).collect();
        changes.sort_by(|a, b| a.rank().cmp(&b.rank()).then_with(|| a.address.cmp(&b.address)));
        let outputs = plan.outputs.iter().map(|(name, it)| Output {
            name: name.clone(),
            effect: effect(&it.actions),
            before: it.before.clone(),
            after: it.after.clone(),
        });
        Self {
            schema_version: SCHEMA_VERSION,
            totals: Totals::of(&changes),
            by_type: totals::groups(&changes, |change| change.kind.clone()),
            by_module: totals::groups(&changes, |change| module(&change.address)),
            changes,
            outputs: outputs.collect(),
            drift: plan.drift.iter().filter_map(Change::of).filter(Change::is_visible).collect(),
        }
    }

    /// What would be lost, or might be.
    pub fn losses(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.is_loss())
    }

    /// Whether applying the plan would change nothing, not even an output.
    pub fn is_empty(&self) -> bool {
        self.outputs.is_empty() && self.changes.iter().all(|change| change.effect == Effect::Read)
    }
}

impl Change {
    /// `None` where nothing happens to it.
    fn of(change: &ResourceChange) -> Option<Self> {
        let effect = match effect(&change.actions) {
            Effect::Move if change.importing.is_some() => Effect::Import,
            Effect::Move if change.previous_address.is_none() => return None,
            effect => effect,
        };
        Some(Self {
            address: change.address.clone(),
            moved_from: change.previous_address.clone(),
            kind: change.kind.clone(),
            effect,
            stateful: change.managed && stateful::holds_data(&change.kind),
            deposed: change.deposed,
            import_id: change.importing.clone(),
            reason: change.reason.clone(),
            differences: change.differences.clone(),
        })
    }

    /// Whether something goes with it that no apply brings back.
    pub fn is_loss(&self) -> bool {
        match self.effect {
            Effect::Unknown => true,
            Effect::Replace | Effect::Destroy => self.stateful,
            _ => false,
        }
    }

    /// An update of which nothing can be seen is a provider's other way to write the same.
    fn is_visible(&self) -> bool {
        self.effect != Effect::Update || !self.differences.is_empty()
    }

    fn rank(&self) -> (bool, Effect) {
        (!self.is_loss(), self.effect)
    }
}

/// What Terraform's words come to. One that leaves the resource as it is comes to a move, if anything.
fn effect(actions: &[Action]) -> Effect {
    match actions {
        [] | [Action::NoOp] => Effect::Move,
        [Action::Create] => Effect::Create,
        [Action::Read] => Effect::Read,
        [Action::Update] => Effect::Update,
        [Action::Delete] => Effect::Destroy,
        [Action::Forget] => Effect::Forget,
        [Action::Create, Action::Delete] | [Action::Delete, Action::Create] => Effect::Replace,
        _ => Effect::Unknown,
    }
}

/// The module of an address: all that stands before the resource's own type. Instance keys may hold dots and quotes.
fn module(address: &str) -> String {
    let mut rest = address;
    let mut end = 0;
    while let Some(inside) = rest.strip_prefix("module.") {
        let Some(at) = outside_quotes(inside, '.') else { break };
        end += "module.".len() + at + 1;
        rest = &inside[at + 1..];
    }
    address[..end.saturating_sub(1)].to_owned()
}

#[cfg(test)]
mod tests;
