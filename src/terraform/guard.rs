//! What a plan must not do before it may be applied. Pure: a plan in, violations out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::graph::configured;
use super::plan::{Action, Plan, ResourceChange};
use super::stateful;

/// Something in a plan that lifeboat refuses to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub address: String,
    pub why: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.address, self.why)
    }
}

/// The base plan must not destroy or replace what holds data, and must not touch a resource that is to be adopted.
pub fn base(plan: &Plan, adopted: &BTreeSet<String>) -> Vec<Violation> {
    let adopted: BTreeSet<String> = adopted.iter().map(|it| configured(it)).collect();
    let touched = plan.changes().filter(|it| adopted.contains(&configured(&it.address)));
    let touched = touched.map(|it| Violation {
        address: it.address.clone(),
        why: format!("would be {}{}, but is to be restored and adopted", it.verb(), because(it)),
    });
    let mut violations: Vec<Violation> = touched.collect();
    violations.extend(losses(plan).filter(|it| !adopted.contains(&configured(&it.address))).map(loss));
    violations
}

/// The adoption plan must import each resource of `imports` (address to id) by that id, or find it in the state already
/// where it is in `held`; it must neither create, replace nor destroy one, nor destroy anything else that holds data.
pub fn adoption(plan: &Plan, imports: &BTreeMap<String, String>, held: &BTreeSet<String>) -> Vec<Violation> {
    let mut violations: Vec<Violation> = Vec::new();
    let mut violate = |address: &str, why: String| violations.push(Violation { address: address.to_owned(), why });
    for (address, id) in imports {
        match plan.resources.iter().find(|it| it.managed && !it.deposed && it.address == *address) {
            None => violate(address, "is not in the plan: the root does not declare it".into()),
            Some(change) => match &change.importing {
                Some(by) if !by.is_empty() && by != id => {
                    violate(address, format!("would be imported as {by}, not as {id}"))
                }
                _ if !harmless(change) => violate(address, format!("would be {}{}", change.verb(), because(change))),
                Some(_) => {}
                None => violate(address, format!("would be {}, not imported as {id}", change.verb())),
            },
        }
    }
    for change in plan.changes().filter(|it| held.contains(&it.address) && !harmless(it)) {
        violate(&change.address, format!("would be {}{}", change.verb(), because(change)));
    }
    let others = losses(plan).filter(|it| !imports.contains_key(&it.address) && !held.contains(&it.address));
    violations.extend(others.map(loss));
    violations
}

/// Resources of which the plan would have another region than it shall have, by provider configuration.
///
/// The default configuration must be in the recovery region. Others may be elsewhere (certificates for CloudFront are
/// in us-east-1), but not in the region that is lost. A region that is computed cannot be judged.
pub fn regions(plan: &Plan, recovery: &str, primary: &str) -> Vec<Violation> {
    let wrong = plan.providers.iter().filter_map(|it| {
        let region = it.region.as_deref()?;
        let bad = if it.default { region != recovery } else { region == primary && primary != recovery };
        bad.then(|| Violation {
            address: format!("provider {}", it.key),
            why: format!("is configured for {region}; the recovery region is {recovery}"),
        })
    });
    wrong.collect()
}

/// Nothing that takes a resource away: kept as it is, or changed in place.
fn harmless(change: &ResourceChange) -> bool {
    change.actions.iter().all(|it| matches!(it, Action::NoOp | Action::Update))
}

fn losses(plan: &Plan) -> impl Iterator<Item = &ResourceChange> {
    let lost = |it: &&ResourceChange| it.does(Action::Delete) || it.does(Action::Forget) || it.does(Action::Unknown);
    plan.changes().filter(lost).filter(|it| stateful::holds_data(&it.kind))
}

fn loss(change: &ResourceChange) -> Violation {
    Violation {
        address: change.address.clone(),
        why: format!("holds data and would be {}{}", change.verb(), because(change)),
    }
}

fn because(change: &ResourceChange) -> String {
    if change.replace_paths.is_empty() {
        return String::new();
    }
    format!(" because of {}", change.replace_paths.join(", "))
}
