//! Bucket to bucket inside a region: list both in key order, merge, copy on the server what is missing; and a bucket back to
//! how it was (`rollback`).
//!
//! Memory does not grow with the number of objects, nothing is ever lost by overwriting or deleting, and two objects are
//! called equal only where size and content were compared.

mod alike;
mod compare;
mod copy;
mod diff;
mod entries;
mod failures;
mod list;
mod multipart;
mod pages;
mod parts;
mod rollback;
mod ruler;
mod run;
mod survey;
mod through;
mod work;

pub use compare::{Comparer, Verdict};
pub use copy::{Copied, Copier, CopyError, Limits, fits_a_job};
pub use diff::{Difference, diff};
pub use list::list;
pub use rollback::{
    Amount, Bounded, Change, Decision, Known, Proof, RollbackSurvey, RolledBack, changes, roll_back, survey_rollback,
};
pub use run::{Summary, TransferError, copy_missing};
pub use survey::{Bounds, Names, Survey, survey};
