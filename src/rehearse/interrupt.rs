//! Ctrl-C and SIGTERM while a rehearsal goes on.

use rustix::process::Signal as Sent;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::RehearseError;

/// The signals that ask to stop; none is lost while this lives.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    heard: bool,
}

impl Interrupts {
    /// # Errors
    /// The signals cannot be listened to.
    pub fn listen() -> Result<Self, RehearseError> {
        let listen = |kind| signal(kind).map_err(RehearseError::io("cannot listen for signals"));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            heard: false,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Sent {
        let sent = tokio::select! {
            _ = self.interrupt.recv() => Sent::INT,
            _ = self.terminate.recv() => Sent::TERM,
        };
        self.heard = true;
        sent
    }

    /// Whether one has come.
    pub fn were_heard(&self) -> bool {
        self.heard
    }

    /// Does the work unless an interrupt comes first.
    ///
    /// # Errors
    /// What the work returns, or the interrupt.
    pub async fn unless<T>(
        &mut self,
        work: impl Future<Output = Result<T, RehearseError>>,
    ) -> Result<T, RehearseError> {
        tokio::select! {
            done = work => done,
            _ = self.next() => Err(RehearseError::Interrupted),
        }
    }
}
