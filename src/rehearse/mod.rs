//! A rehearsal: the whole failover on this machine, against an emulator, through a proxy that records each request.
//!
//! Nothing here prints or touches a real account. Emulator and proxy listen on the loopback interface only.

mod emulator;
mod error;
pub mod proxy;
pub mod world;

pub use emulator::{Emulator, EmulatorOptions};
pub use error::RehearseError;
