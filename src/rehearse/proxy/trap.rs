//! Traps: one chosen request is caught on its way, and whoever set the trap decides what becomes of it.
//!
//! A trap catches once. The request waits where it was caught, for a bounded time, until it is let go; a client that
//! goes away meanwhile takes it along.

use std::fmt;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Call;

/// A caught request that nobody lets go goes on after this long.
const HELD_FOR: Duration = Duration::from_secs(60);

/// Where on its way a request is caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catch {
    /// It has arrived, and the emulator knows nothing of it.
    Before,
    /// The emulator has carried it out, and the client has no answer yet.
    After,
    /// As `After`, and the client never gets the answer. Nobody has to let it go.
    LoseReply,
}

/// Whether a call, and who asks, are what is waited for.
pub type Matches = Box<dyn Fn(&Call, &str) -> bool + Send + Sync>;

/// Which request is caught: the nth (from 1) of those that `matches` says yes to, by the call and who asks.
pub struct Trap {
    pub matches: Matches,
    pub nth: u64,
    pub catch: Catch,
}

/// What becomes of a caught request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// It goes on as if nothing had been.
    Go,
    /// The client gets no answer. One that was caught before is never carried out.
    Withhold,
}

/// A request in a trap.
#[derive(Debug)]
pub struct Caught {
    pub call: Call,
    /// Who asked: `terraform`, `lifeboat`.
    pub agent: &'static str,
    release: oneshot::Sender<Release>,
}

impl Caught {
    /// Lets it go. A client that is gone has taken it along.
    pub fn release(self, release: Release) {
        self.release.send(release).ok();
    }
}

/// A trap in its place.
pub(super) struct Armed {
    trap: Trap,
    seen: u64,
    tell: oneshot::Sender<Caught>,
}

impl fmt::Debug for Armed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Armed").field("nth", &self.trap.nth).field("catch", &self.trap.catch).finish_non_exhaustive()
    }
}

/// A trap that has closed on a request.
pub(super) struct Sprung {
    pub catch: Catch,
    tell: oneshot::Sender<Caught>,
}

impl Armed {
    pub fn new(trap: Trap) -> (Self, oneshot::Receiver<Caught>) {
        let (tell, told) = oneshot::channel();
        (Self { trap, seen: 0, tell }, told)
    }

    /// Whether this is the request that it waits for.
    fn catches(&mut self, call: &Call, agent: &str) -> bool {
        let about = (self.trap.matches)(call, agent);
        self.seen += u64::from(about);
        about && self.seen == self.trap.nth
    }
}

/// The first trap that closes on a request, taken out of the others; each of them counts it.
pub(super) fn spring(traps: &mut Vec<Armed>, call: &Call, agent: &str) -> Option<Sprung> {
    let closing: Vec<bool> = traps.iter_mut().map(|armed| armed.catches(call, agent)).collect();
    let index = closing.iter().position(|closes| *closes)?;
    let Armed { trap, tell, .. } = traps.remove(index);
    Some(Sprung { catch: trap.catch, tell })
}

impl Sprung {
    /// Tells whoever set the trap, and waits for their word.
    pub async fn hold(self, call: &Call, agent: &'static str) -> Release {
        let (release, released) = oneshot::channel();
        let catch = self.catch;
        let caught = Caught { call: call.clone(), agent, release };
        if self.tell.send(caught).is_err() || catch == Catch::LoseReply {
            return if catch == Catch::LoseReply { Release::Withhold } else { Release::Go };
        }
        match tokio::time::timeout(HELD_FOR, released).await {
            Ok(Ok(release)) => release,
            Ok(Err(_)) | Err(_) => Release::Go,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str) -> Call {
        Call { service: "rds".into(), operation: operation.into(), region: "us-east-1".into(), resource: None }
    }

    fn trap(operation: &'static str, nth: u64) -> Trap {
        Trap { matches: Box::new(move |call, _| call.operation == operation), nth, catch: Catch::Before }
    }

    #[tokio::test]
    async fn the_nth_request_is_caught_once_and_waits_for_its_release() {
        let (armed, told) = Armed::new(trap("Create", 2));
        let mut traps = vec![armed];
        assert!(spring(&mut traps, &call("Create"), "lifeboat").is_none());
        assert!(spring(&mut traps, &call("Describe"), "lifeboat").is_none());
        let sprung = spring(&mut traps, &call("Create"), "lifeboat").expect("the second");
        assert!(traps.is_empty() && spring(&mut traps, &call("Create"), "lifeboat").is_none());
        let release = async {
            let caught = told.await.expect("a request");
            assert_eq!((caught.call.operation.as_str(), caught.agent), ("Create", "lifeboat"));
            caught.release(Release::Withhold);
        };
        let call = call("Create");
        let (released, ()) = tokio::join!(sprung.hold(&call, "lifeboat"), release);
        assert_eq!(released, Release::Withhold);
    }

    #[tokio::test]
    async fn a_request_that_nobody_waits_for_goes_on() {
        let (armed, told) = Armed::new(trap("Create", 1));
        drop(told);
        let sprung = spring(&mut vec![armed], &call("Create"), "lifeboat").expect("a request");
        assert_eq!(sprung.hold(&call("Create"), "lifeboat").await, Release::Go);
    }
}
