//! Bucket to bucket inside the recovery region: list both in key order, merge, copy on the server what is missing.
//!
//! Memory does not grow with the number of objects, nothing is ever overwritten or deleted, and two objects are called
//! equal only where size and content were compared.

mod compare;
mod copy;
mod diff;
mod limiter;
mod list;
mod multipart;
mod parts;
mod run;
mod survey;

pub use compare::{Comparer, Verdict};
pub use copy::{Copied, Copier, CopyError, Limits};
pub use diff::{Difference, diff};
pub use limiter::Limiter;
pub use list::list;
pub use run::{Summary, TransferError, copy_missing};
pub use survey::{Bounds, Names, Survey, survey};
