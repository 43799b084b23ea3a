//! What lifeboat reads of its process environment, in one place.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use super::args::Args;
use crate::journal::lease;
use crate::report::{self, Look};

/// The settings of this invocation.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Where runs are kept.
    pub home: PathBuf,
    pub environments: PathBuf,
    pub tf_bin: Option<String>,
    /// All variables, for the processes that lifeboat starts.
    pub variables: Vec<(OsString, OsString)>,
    /// A folder whose templates replace the compiled-in ones.
    pub templates: Option<PathBuf>,
    /// The emulator's program.
    pub moto: Option<PathBuf>,
    /// How long a lease holds after its last renewal.
    pub lease_ttl: Duration,
    /// Whether somebody can be asked.
    pub interactive: bool,
    /// Whether standard error is a terminal that can be drawn on.
    pub draws: bool,
    /// Whether colours are wanted (no-color.org: `NO_COLOR`).
    pub color: bool,
}

impl Environment {
    pub fn read(args: &Args) -> Self {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let state = var("XDG_STATE_HOME").map(PathBuf::from);
        let state = state.or_else(|| var("HOME").map(|home| PathBuf::from(home).join(".local/state")));
        let home = args.home.clone().or_else(|| state.map(|state| state.join("lifeboat")));
        let dumb = var("TERM").is_none_or(|term| term == "dumb");
        Self {
            home: absolute(home.unwrap_or_else(|| PathBuf::from(".lifeboat"))),
            environments: args.environments.clone(),
            tf_bin: args.tf_bin.clone(),
            variables: std::env::vars_os().collect(),
            templates: args.templates.clone(),
            moto: var("LIFEBOAT_MOTO").map(PathBuf::from),
            lease_ttl: var("LIFEBOAT_LEASE_TTL").map_or(lease::TTL, |value| lease_ttl(&value)),
            interactive: std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
            draws: std::io::stderr().is_terminal() && !dumb,
            color: var("NO_COLOR").is_none() && !dumb,
        }
    }

    /// How text on standard output is laid out.
    pub fn stdout_look(&self) -> Look {
        let terminal = std::io::stdout().is_terminal();
        Look { width: self.width(), color: self.color && terminal }
    }

    /// How text on standard error is laid out.
    pub fn stderr_look(&self) -> Look {
        Look { width: self.width(), color: self.color && self.draws }
    }

    /// Columns of the terminal; 80 where there is none.
    pub fn width(&self) -> usize {
        report::terminal_width().unwrap_or(80)
    }
}

/// Seconds, for tests of what happens when a lease expires; not too few, and the usual where it is no number.
fn lease_ttl(value: &OsStr) -> Duration {
    let seconds = value.to_str().and_then(|value| value.parse().ok());
    seconds.map_or(lease::TTL, Duration::from_secs).clamp(lease::SHORTEST_TTL, lease::TTL)
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
