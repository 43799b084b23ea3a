//! What proves that restored data is right: expectations from the manifest, counts, settings parity,
//! and checks of the service itself.
//!
//! Nothing here changes anything.

mod counts;
mod expectation;
mod parity;
mod unmet;

pub mod athena;
pub mod command;
pub mod http;
pub mod lag;
pub mod sample;
pub mod sql;

pub use counts::{CountError, Width, count_items};
pub use parity::{Difference, Parity, in_words};
pub use unmet::unmet;
