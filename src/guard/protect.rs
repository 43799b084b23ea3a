//! `protect` and `protect_types`: what is neither destroyed nor replaced nor forgotten.

use super::{PROTECT, PROTECT_TYPES, Violation};
use crate::document::glob::matches;
use crate::manifest::Guards;
use crate::runbook::NotChecked;
use crate::terraform::graph::configured;
use crate::terraform::outside_quotes;
use crate::terraform::plan::{Action, Plan, ResourceChange};

pub fn judge(plan: &Plan, rules: &Guards) -> Vec<Violation> {
    let lost = |it: &&ResourceChange| it.does(Action::Delete) || it.does(Action::Forget) || it.does(Action::Unknown);
    let mut violations = Vec::new();
    for change in plan.changes().filter(lost) {
        let because = match change.replace_paths.as_slice() {
            [] => String::new(),
            paths => format!(" because of {}", paths.join(", ")),
        };
        let violate = |guard, pattern: &String| {
            Violation::of(guard, change, format!("is protected ({pattern}) and would be {}{because}", change.verb()))
        };
        if let Some(pattern) = rules.protect.iter().find(|pattern| protects(pattern, change)) {
            violations.push(violate(PROTECT, pattern));
        }
        if let Some(pattern) = rules.protect_types.iter().find(|pattern| matches(pattern, &change.kind)) {
            violations.push(violate(PROTECT_TYPES, pattern));
        }
    }
    violations
}

/// Patterns of addresses that nothing of the plan goes by: probably they are misspelt, and protect nothing. Types may well
/// be named before there is a resource of them.
pub fn not_told(plan: &Plan, rules: &Guards) -> Vec<NotChecked> {
    let idle = rules.protect.iter().filter(|pattern| !plan.resources.iter().any(|it| protects(pattern, it)));
    let open = idle.map(|pattern| NotChecked {
        what: format!("guard {PROTECT}: {pattern}"),
        why: "nothing in the plan has such an address".into(),
    });
    open.collect()
}

/// A pattern stands for a resource with and without its instance keys, for the modules round it, and for the address that
/// it had before it was moved.
fn protects(pattern: &str, change: &ResourceChange) -> bool {
    let is = |address: &str| stands_for(pattern, address);
    change.managed && (is(&change.address) || change.previous_address.as_deref().is_some_and(is))
}

/// Whether a pattern stands for an address, with or without its instance keys, or for a module round it.
pub fn stands_for(pattern: &str, address: &str) -> bool {
    let fits = |address: &str| matches(pattern, address) || modules(address).any(|module| matches(pattern, module));
    fits(address) || fits(&configured(address))
}

/// `module.a["x"]`, `module.a["x"].module.b` of `module.a["x"].module.b.aws_vpc.main`.
fn modules(address: &str) -> impl Iterator<Item = &str> {
    let mut found = Vec::new();
    let mut from = 0;
    while address[from..].starts_with("module.") {
        let name = from + "module.".len();
        let Some(end) = outside_quotes(&address[name..], '.').map(|at| name + at) else { break };
        found.push(&address[..end]);
        from = end + 1;
    }
    found.into_iter()
}
