//! What proves that restored data is right: expectations from the manifest, counts, and settings parity.
//!
//! Nothing here changes anything.

mod counts;
pub mod command;
pub mod http;

mod expectation;
mod parity;
mod unmet;

pub use counts::{CountError, count_items, segments};
pub use parity::{Difference, Parity, in_words};
pub use unmet::unmet;
