//! What a scenario would do, sealed: everything that a reviewer saw, listed with its SHA-256, so that what was approved is
//! known by one hash.
//!
//! `index`, `seal`, `parts`, `compare` and `approval` are pure; `read`, `write` and `store` have the effects. No value that
//! Terraform marks as sensitive is in a bundle, and no saved plan of Terraform's, which holds them in clear.

mod approval;
mod compare;
mod hide;
mod index;
mod parts;
mod read;
mod seal;
mod store;
mod write;

pub use approval::{APPROVAL_VERSION, Approval, NotUsable, same_person};
pub use compare::{Comparison, Difference, compare};
pub use hide::hide;
pub use index::{FILE as INDEX, FileEntry, Index, SCHEMA_VERSION, Standing, Subject, Tool, Versions};
pub use parts::{Checks, CutoverMoves, Found, Move, Obstacle, Point, Steps, Warning, lasting};
pub use read::{ReadError, read, unpack};
pub use seal::{Broken, Bundle, Contents, Parts, TEARDOWN, TEARDOWN_PLAN, TornDown, open, seal};
pub use store::{Approvals, GivenApproval, Outcome, StoreError, bundle_of_run, keep_bundle_of_run};
pub use write::{WriteError, pack, write, write_beside};

#[cfg(test)]
mod tests;
