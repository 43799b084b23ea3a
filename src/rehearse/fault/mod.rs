//! Faults of a rehearsal: what is to go wrong, as people write it, and what becomes of it.
//!
//! All of them come from outside: the proxy loses, delays or refuses what is asked, or the process is killed or limited.
//! The program that is rehearsed knows nothing of them.

mod draw;
mod effect;
mod list;
mod moment;
mod parse;
mod trouble;

pub use draw::Draw;
pub use effect::{Effects, changes, effect_of};
pub use list::{KINDS, KindOfFault, faults_json, faults_table};
pub use moment::{Mark, check_steps, reached, run_of};
pub use parse::{FaultError, parse};
pub use trouble::Fired;
pub(crate) use trouble::{Deed, Setting, Strike, Trouble};

use std::time::Duration;

use super::proxy::{Catch, Pattern};

/// Something that goes wrong in one rehearsal.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Requests are treated badly until the operator resumes for the first time.
    Weather { pattern: Pattern, kind: Weather },
    /// The answer to the nth such request, from 1, is lost after it was carried out.
    LoseReply { place: Place, nth: u64 },
    /// lifeboat is killed when the nth such request is about to be carried out, or just was.
    Kill { when: Catch, place: Place, nth: u64 },
    /// Two operators start the same failover at once, each on a machine of their own.
    TwoOperators,
    /// From here on the credentials are expired, until the operator resumes.
    Expire { place: Option<Place> },
    /// From here on nothing more can be written by lifeboat, until the operator resumes.
    DiskFull { place: Option<Place> },
}

/// How requests are treated badly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weather {
    Refuse,
    Hang,
    Slow(Duration),
    /// A share of them, 0 to 1, is told to slow down.
    Throttle(f64),
    /// Connections of this share of requests (0 to 1) break off.
    Reset(f64),
}

/// A moment in a rehearsal.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// The first effect of a step, by its name in the runbook; its start where it has no effect.
    Step(String),
    /// The start of a step, or its result, as the journal says: for a step that found nothing to change.
    Journal(String),
    Request(Pattern),
}

/// Many rehearsals in a row, each with a fault of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Campaign {
    /// Every step in every way, or one step, or one step in one way.
    Matrix { step: Option<String>, way: Option<Way> },
    /// So many kills at moments drawn by the seed.
    Kills(u32),
    /// So many pairs of operators that start at once.
    Race(u32),
}

/// How a step is disturbed in the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Killed when its effect is asked for and not yet carried out.
    Before,
    /// Killed when its effect is carried out and not yet answered.
    After,
    /// The answer to its effect is lost; lifeboat lives.
    ReplyLost,
    /// Done, forgotten, and done again.
    Twice,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::Before, Self::After, Self::ReplyLost, Self::Twice];

    /// As it is written in `matrix:STEP,WAY`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::ReplyLost => "reply-lost",
            Self::Twice => "twice",
        }
    }
}

/// A fault with the words that asked for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub text: String,
    pub fault: Fault,
}

/// What `--fault` asks for, all of its uses together.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    Faults(Vec<Asked>),
    Campaign(Campaign),
}
