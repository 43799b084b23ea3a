//! Why a rehearsal could not be held. What the rehearsed failover itself did is no error of this kind.

use std::io;
use std::path::PathBuf;

use crate::aws::AwsError;

/// What kept a rehearsal from being held.
#[derive(Debug, thiserror::Error)]
pub enum RehearseError {
    #[error("the emulator {} was not found", .program.display())]
    EmulatorMissing { program: PathBuf },
    #[error("port {port} is taken by another program")]
    PortTaken { port: u16 },
    #[error("the emulator stopped while it was starting:\n{log_tail}")]
    EmulatorStopped { log_tail: String },
    #[error("the emulator did not answer within {seconds} s:\n{log_tail}")]
    EmulatorSilent { seconds: u64, log_tail: String },
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    #[error("the world before the outage could not be built: {0}")]
    World(#[from] AwsError),
    #[error("the manifest asks for a world that the rehearsal cannot build: {0}")]
    Unsupported(String),
    #[error("the undisturbed rehearsal, which all others are compared with, ended with {how}: see {}", .said.display())]
    Undisturbed { how: String, said: PathBuf },
    #[error("`lifeboat {command}`, which comes before all that is disturbed, ended with {how}: see {}", .said.display())]
    NotAgreed { command: String, how: String, said: PathBuf },
    #[error("interrupted")]
    Interrupted,
}

impl RehearseError {
    /// For `map_err`: an input or output error with what was tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// What can be done about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::EmulatorMissing { .. } => Some("run `make setup`, or name moto_server with LIFEBOAT_MOTO"),
            Self::PortTaken { .. } => Some("choose another port, or leave the choice to lifeboat"),
            Self::EmulatorStopped { .. } | Self::EmulatorSilent { .. } => {
                Some("start moto_server by hand to see what it lacks, or run `make setup` again")
            }
            Self::Undisturbed { .. } | Self::NotAgreed { .. } => {
                Some("rehearse it without a fault first: lifeboat rehearse")
            }
            Self::Io { .. } | Self::World(_) | Self::Unsupported(_) | Self::Interrupted => None,
        }
    }
}
