//! Scenarios: a manifest in, a runbook out. Pure; nothing here asks or changes anything.

mod expected;
mod failover;

pub use failover::failover;
