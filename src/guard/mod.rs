//! The guards of the manifest's `guard` block: what a plan must keep to, beyond what lifeboat refuses by itself
//! (`terraform::guard`, which nobody can override).
//!
//! One file per kind of guard, and one for what is contained, which nobody can override either. Each is pure: a plan and the rules in, violations out. `names` and `quotas` are judged
//! against what AWS was seen to have, `policies` against what conftest said; who asks them is elsewhere.

mod contained;
mod control_planes;
mod destroys;
pub mod names;
mod places;
mod policies;
mod protect;
pub mod quotas;
mod tags;

use std::collections::BTreeSet;
use std::fmt;

use crate::manifest::Guards;
use crate::runbook::NotChecked;
use crate::terraform::plan::{Plan, ResourceChange};

pub use contained::set_back;
pub use policies::{Said, not_asked, said};
pub use protect::stands_for;

pub const MAX_DESTROYS: &str = "max_destroys";
pub const PROTECT: &str = "protect";
pub const PROTECT_TYPES: &str = "protect_types";
pub const REGIONS: &str = "regions";
pub const ACCOUNTS: &str = "accounts";
pub const REQUIRED_TAGS: &str = "required_tags";
pub const STATIC: &str = "static";
pub const QUOTAS: &str = "quotas";
pub const NAMES: &str = "names";
pub const POLICIES: &str = "policies";

/// The guards by the keys that switch them on.
pub const ALL: [&str; 10] =
    [MAX_DESTROYS, PROTECT, PROTECT_TYPES, REGIONS, ACCOUNTS, REQUIRED_TAGS, STATIC, QUOTAS, NAMES, POLICIES];

/// The approval of a plan by people: no guard on the plan, but passed over in the same way.
pub const APPROVAL: &str = "approval";

/// Something in a plan that the manifest does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// One of [`ALL`].
    pub guard: &'static str,
    /// Empty where it is about the plan as a whole.
    pub address: String,
    pub what: String,
    pub hint: Option<String>,
}

impl Violation {
    fn new(guard: &'static str, address: &str, what: impl Into<String>) -> Self {
        Self { guard, address: address.to_owned(), what: what.into(), hint: None }
    }

    fn of(guard: &'static str, change: &ResourceChange, what: impl Into<String>) -> Self {
        Self::new(guard, &change.address, what)
    }

    #[must_use]
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// On one line, whatever stands in a name: what follows it could be taken for lifeboat's own words.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { guard, address, what, .. } = self;
        write!(f, "{guard}: {}", one_line(address))?;
        let gap = if address.is_empty() { "" } else { " " };
        write!(f, "{gap}{}", one_line(what))
    }
}

fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

/// Where a plan shall take place.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub region: &'a str,
    pub account: &'a str,
}

/// What of a plan the manifest does not allow, as far as the plan alone tells it. In the order of the guards.
pub fn judge(plan: &Plan, rules: &Guards, place: Place<'_>) -> Vec<Violation> {
    let mut violations = destroys::judge(plan, rules);
    violations.extend(protect::judge(plan, rules));
    violations.extend(places::judge(plan, rules, place));
    violations.extend(tags::judge(plan, rules));
    violations.extend(control_planes::judge(plan, rules));
    violations
}

/// The same of a plan that takes the stack down on purpose. How much it destroys is what it is for, so that `max_destroys`
/// has nothing to say, and neither has `static`, which is about what a recovery needs. What is protected is
/// `terraform::destroy`'s to judge: nobody can override that, but the manifest's `rebuild` block may release an address.
pub fn judge_teardown(plan: &Plan, rules: &Guards, place: Place<'_>) -> Vec<Violation> {
    places::judge(plan, rules, place)
}

/// What the guards cannot tell of a plan: they did not fail, and they prove nothing of it.
pub fn not_told(plan: &Plan, rules: &Guards) -> Vec<NotChecked> {
    let mut open = protect::not_told(plan, rules);
    open.extend(tags::not_told(plan, rules));
    open
}

/// Violations apart: those that stand in the way, and those of guards that the operator has overridden.
pub fn sort(violations: Vec<Violation>, overridden: &BTreeSet<String>) -> (Vec<Violation>, Vec<Violation>) {
    violations.into_iter().partition(|violation| !overridden.contains(violation.guard))
}

/// The guards that were violated, each once, in the order of the violations.
pub fn violated(violations: &[Violation]) -> Vec<&'static str> {
    let mut guards = Vec::new();
    for violation in violations {
        if !guards.contains(&violation.guard) {
            guards.push(violation.guard);
        }
    }
    guards
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
