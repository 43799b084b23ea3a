//! The journal: an append-only chain of events, on disk before any effect, and the state that it adds up to.

mod event;
mod file;
mod inputs;
mod state;
#[cfg(test)]
mod tests;

pub use event::{
    Disturbed, Event, FORMAT_VERSION, Failure, FailureKind, KeptState, Outcome, Record, RunStarted, Skipped,
};
pub use file::{Journal, JournalError, Loaded, is_held, load};
pub use inputs::{Inputs, UsedTerraform};
pub use state::{IllegalTransition, RunState, StepPhase, StepState};
