//! The recording proxy between everything that a rehearsal runs and the emulator.
//!
//! It listens on the loopback interface, forwards HTTP/1.1, writes one line for each request, and can be told to
//! misbehave as AWS does on a bad day. It holds no body as a whole and never asks anything on its own.

mod answers;
mod body;
mod call;
mod control;
mod entry;
mod forward;
mod globals;
mod lanes;
mod record;
mod replicas;
mod rest;
mod rules;
mod server;
mod settle;
mod trail;
mod trap;
mod urlencoded;
mod vaults;

pub use call::Call;
pub use control::{Control, RuleId};
pub use globals::Global;
pub use record::{Counts, RequestOutcome, RequestRecord, Summary, read_records};
pub use rules::{Effect, GLOBAL_SERVICES, Pattern};
pub use server::{Proxy, ProxyOptions};
pub use trap::{Catch, Caught, Matches, Release, Trap};
pub use vaults::VaultPoint;
