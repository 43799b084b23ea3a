//! `max_destroys`: how much a plan may destroy. A replacement destroys as well; what is only forgotten does not.

use super::{MAX_DESTROYS, Violation};
use crate::manifest::Guards;
use crate::terraform::plan::{Action, Plan, ResourceChange};

/// The most addresses that are named.
const NAMED: usize = 5;

pub fn judge(plan: &Plan, rules: &Guards) -> Vec<Violation> {
    let Some(most) = rules.max_destroys else { return Vec::new() };
    let destroyed: Vec<&ResourceChange> = plan.changes().filter(|it| destroys(it)).collect();
    let count = destroyed.len() as u64;
    if count <= most {
        return Vec::new();
    }
    let named: Vec<&str> = destroyed.iter().take(NAMED).map(|it| it.address.as_str()).collect();
    let more = destroyed.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let noun = if count == 1 { "resource" } else { "resources" };
    let what = format!("{count} {noun} would be destroyed or replaced, {most} may be: {}{more}", named.join(", "));
    vec![Violation::new(MAX_DESTROYS, "", what)]
}

/// An action that this lifeboat does not know may be one.
fn destroys(change: &ResourceChange) -> bool {
    change.does(Action::Delete) || change.does(Action::Unknown)
}
