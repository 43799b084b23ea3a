//! A rehearsal: the whole failover on this machine, against an emulator, through a proxy that records each request.
//!
//! Nothing here prints or touches a real account. Emulator and proxy listen on the loopback interface only.

pub mod breach;
pub mod campaign;
mod child;
mod emulator;
mod error;
pub mod example;
pub mod fault;
mod forks;
mod interrupt;
mod operator;
mod pair;
pub mod permissions;
mod played;
pub mod proxy;
mod run;
pub mod world;

pub use child::{ChildEnd, private_environment};
pub use emulator::{Emulator, EmulatorOptions};
pub use error::RehearseError;
pub use forks::{Fork, Forkable};
pub use operator::Done;
pub use run::{EmulatorLeft, Outage, Plan, Rehearsal, Stage, run};
