//! The rehearsal of a breach: the stack stands in its primary region, somebody breaks in and poisons its data, and the real
//! `lifeboat` takes it down and rebuilds it, planned by one person and approved by another. What became of the intruder, of
//! the data and of the evidence is looked up afterwards.

mod attack;
mod broken;
mod course;
mod ground;
mod stand;
mod verdict;

pub use broken::foreseen;
pub(super) use broken::{At, Broken, runbook_of};
pub use course::{BreachPlan, BreachRehearsal, BreachStage, run};
pub use stand::{Site, stand};
pub use verdict::{Finding, Verdict};
