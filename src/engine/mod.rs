//! The engine carries out a runbook: it asks every step whether it may start, then runs what is ready, side by side,
//! with intent in the journal before each effect.
//!
//! It knows steps by their trait alone, and tells what happens only through the journal and the notices.

mod ahead;
mod execute;
mod foresee;
mod preflight;
mod retry;

pub use ahead::{Foreknown, ahead};
pub use execute::{Ended, EngineError, execute};
pub use foresee::{Found, foresee};
pub use preflight::{Preflight, preflight};

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::runbook::Runbook;
use crate::steps::{MakeStep, Notice, World};

/// What the engine works with for one run. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub runbook: Arc<Runbook>,
    pub world: Arc<World>,
    pub make: Arc<MakeStep>,
    pub notices: mpsc::UnboundedSender<Notice>,
    /// Turns true when the operator asks to stop.
    pub stop: watch::Receiver<bool>,
}
