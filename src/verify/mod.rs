//! What proves that restored data is right: expectations from the manifest, counts, and settings parity.
//!
//! Nothing here changes anything.

mod expectation;
mod parity;
mod unmet;

pub use parity::{Difference, Parity, in_words};
pub use unmet::unmet;
