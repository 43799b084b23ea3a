//! The journal: an append-only chain of events, on disk before any effect, and the state that it adds up to; the lease
//! that lets one operator at a time drive an environment, and the journal's copy in the recovery region's state bucket.

mod chain;
mod clock;
mod event;
mod file;
mod guard;
mod held;
mod inputs;
pub mod lease;
pub mod replica;
mod state;
#[cfg(test)]
mod tests;

pub use chain::{Loaded, check};
pub use clock::{BootClock, Clock};
pub use event::{
    ApprovedBundle, Disturbed, Event, FORMAT_VERSION, Failure, FailureKind, KeptState, Outcome, Overridden, Record,
    RunStarted, Skipped, Tenure,
};
pub use file::{Journal, JournalError, is_held, lines_of, load, put};
pub use guard::{Guard, Refusal};
pub use held::{Held, LetGo};
pub use inputs::{Inputs, UsedTerraform};
pub use state::{IllegalTransition, RunState, StepPhase, StepState};
