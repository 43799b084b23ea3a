//! How much a plan does, as a whole and by group.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Change, Effect};

/// How many resources meet with what. A replacement is counted as that alone; Terraform counts it as one addition and
/// one destruction. What is imported or moved may be changed as well, and is counted for both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub create: u64,
    pub update: u64,
    pub replace: u64,
    pub destroy: u64,
    pub forget: u64,
    pub import: u64,
    pub moved: u64,
    pub read: u64,
    /// Done in a way that this lifeboat does not know.
    pub unknown: u64,
}

/// The totals of one type, or of one module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    pub name: String,
    #[serde(flatten)]
    pub totals: Totals,
}

impl Totals {
    pub(super) fn of<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Self {
        let mut totals = Self::default();
        for change in changes {
            totals.add(change);
        }
        totals
    }

    fn add(&mut self, change: &Change) {
        self.import += u64::from(change.import_id.is_some());
        self.moved += u64::from(change.moved_from.is_some());
        let count = match change.effect {
            Effect::Create => &mut self.create,
            Effect::Update => &mut self.update,
            Effect::Replace => &mut self.replace,
            Effect::Destroy => &mut self.destroy,
            Effect::Forget => &mut self.forget,
            Effect::Read => &mut self.read,
            Effect::Unknown => &mut self.unknown,
            Effect::Import | Effect::Move => return,
        };
        *count += 1;
    }

    /// As Terraform's own summary counts additions.
    pub fn added(&self) -> u64 {
        self.create + self.replace
    }

    /// As Terraform's own summary counts destructions.
    pub fn destroyed(&self) -> u64 {
        self.destroy + self.replace
    }

    fn all(&self) -> u64 {
        self.create + self.update + self.replace + self.destroy + self.forget + self.import + self.moved + self.unknown
    }
}

/// The totals by what `name` says, most first. Data sources belong to none.
pub(super) fn groups(changes: &[Change], name: impl Fn(&Change) -> String) -> Vec<Group> {
    let mut groups: BTreeMap<String, Totals> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.effect != Effect::Read) {
        groups.entry(name(change)).or_default().add(change);
    }
    let mut groups: Vec<Group> = groups.into_iter().map(|(name, totals)| Group { name, totals }).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.totals.all()));
    groups
}
