//! Takes a bucket back to how it was at a time: of each key the newest version of that time becomes current again, keys that
//! did not exist then get a delete marker, and what is right already is left alone. Nothing is ever permanently deleted, so
//! that going back to the time before undoes it.
//!
//! `history` decides from the versions of one key, `changes` decides about every key of a bucket, `survey` adds up what is
//! to be done or left to do, `apply` does it, and `compare` says whether two versions are the same object.

mod apply;
mod changes;
mod compare;
mod history;
mod survey;

pub use apply::{Bounded, RolledBack, roll_back};
pub use changes::changes;
pub use history::{Change, Decision};
pub use survey::{Amount, Known, Proof, RollbackSurvey, survey_rollback};
