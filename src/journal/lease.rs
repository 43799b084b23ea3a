//! The lease: one object in the recovery region's state bucket that says who drives an environment. Here are its content
//! and the pure decision who may take it; `object` reads and writes it, `keeper` holds it.
//!
//! Every write is conditional on the object that the writer has seen ("Conditional requests", Amazon S3 User Guide), and
//! every taking makes the fencing number grow by one. Its age is S3's `Date` less `Last-Modified` of one answer: both
//! are S3's clock, so that no machine's wall clock decides who may take over.

mod keeper;
mod object;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::aws::s3::Condition;

pub use keeper::{Keeping, Lease, Taking};
pub use object::{Found, LeaseObject};

/// The shape of [`Body`]; one that is newer is neither taken nor judged.
pub const SCHEMA_VERSION: u32 = 1;
/// How long a lease is valid after its last renewal, unless it says otherwise.
pub const TTL: Duration = Duration::from_secs(60);
/// Shorter ones would be lost to a slow answer.
pub const SHORTEST_TTL: Duration = Duration::from_secs(5);
/// Longer ones are not believed: somebody else wrote them.
const LONGEST_TTL: Duration = Duration::from_secs(3600);
/// `Date` and `Last-Modified` are whole seconds, each up to one too low, and may come from two of S3's machines.
const SLACK: Duration = Duration::from_secs(2);

/// What the object holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    pub schema_version: u32,
    pub service: String,
    pub environment: String,
    /// The run that it is held for.
    pub run: String,
    /// Grows by one with every taking.
    pub fence: u64,
    /// Grows by one with every renewal under one fence, so that no two contents of the object are the same.
    pub beat: u64,
    pub ttl_seconds: u64,
    /// When it was taken, by the holder's clock: for people.
    pub since: Timestamp,
    pub holder: Holder,
    /// Let go in order.
    pub released: bool,
    /// Whether the run has come to its end.
    pub finished: bool,
}

/// Who holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub host: String,
    pub pid: u32,
    /// ARN, as STS says.
    pub caller: String,
    /// Random; the same for all processes of one run in one `$LIFEBOAT_HOME`.
    pub token: String,
}

impl Body {
    /// Whether it was written by the same taking.
    pub fn is_of(&self, other: &Self) -> bool {
        self.holder.token == other.holder.token && self.fence == other.fence
    }

    fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl_seconds).clamp(SHORTEST_TTL, LONGEST_TTL)
    }

    /// How old it must be to be expired.
    pub fn expires_at_age(&self) -> Duration {
        self.ttl() + SLACK
    }
}

/// `lifeboat/SERVICE/ENVIRONMENT/`: what lifeboat keeps of an environment in its state bucket begins with this.
pub fn prefix(service: &str, environment: &str) -> String {
    format!("lifeboat/{service}/{environment}/")
}

/// Who wants the lease.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    pub run: &'a str,
    /// The token of a process that is known to be dead: it was of this `$LIFEBOAT_HOME`, and nobody holds its locks.
    pub of_the_dead: Option<&'a str>,
    /// The host that the operator says is dead.
    pub take_over: Option<&'a str>,
    /// Whether the run that the lease names, which is another, is known to have ended or to have never begun.
    pub other_is_over: bool,
}

/// How the lease is to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    pub condition: Condition,
    pub fence: u64,
}

/// Why the lease is not to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its holder is alive, or was so recently that nobody can tell.
    Live { body: Box<Body>, remaining: Duration },
    /// It is expired; taking it over must be asked for by the holder's name.
    Expired { body: Box<Body>, age: Duration },
    /// Asked for by another name than the holder's.
    HeldByOther { body: Box<Body>, named: String },
    /// S3 has not said how old it is.
    AgeUnknown { body: Box<Body> },
    /// Let go, but its run, another one, has no end.
    Unfinished { body: Box<Body> },
}

impl Refused {
    pub fn body(&self) -> &Body {
        match self {
            Self::Live { body, .. }
            | Self::Expired { body, .. }
            | Self::HeldByOther { body, .. }
            | Self::AgeUnknown { body }
            | Self::Unfinished { body } => body,
        }
    }
}

/// Decides whether a claim may take the lease as it was found.
///
/// # Errors
/// Why it may not.
pub fn judge(found: Option<&Found>, claim: &Claim<'_>) -> Result<Permit, Refused> {
    let Some(found) = found else { return Ok(Permit { condition: Condition::Absent, fence: 1 }) };
    let body = &found.body;
    let of_the_dead = claim.of_the_dead == Some(body.holder.token.as_str());
    if !body.released && !of_the_dead {
        expired(found, claim.take_over)?;
    }
    if body.run != claim.run && !body.finished && !claim.other_is_over {
        return Err(Refused::Unfinished { body: body.clone() });
    }
    Ok(Permit { condition: Condition::Unchanged(found.etag.clone()), fence: body.fence + 1 })
}

/// Passes for a lease that is expired and whose holder was named.
fn expired(found: &Found, take_over: Option<&str>) -> Result<(), Refused> {
    let body = found.body.clone();
    let Some(age) = found.age else { return Err(Refused::AgeUnknown { body }) };
    let remaining = body.expires_at_age().saturating_sub(age);
    if !remaining.is_zero() {
        return Err(Refused::Live { body, remaining });
    }
    match take_over {
        None => Err(Refused::Expired { body, age }),
        Some(named) if named != body.holder.host => Err(Refused::HeldByOther { body, named: named.to_owned() }),
        Some(_) => Ok(()),
    }
}

/// How long before the lease expires its holder stops to have effects: for requests that are on their way.
pub fn margin(ttl: Duration) -> Duration {
    ttl / 6
}

/// Whether a holder whose last renewal began `since_renewal` ago may still begin an effect.
pub fn is_valid(since_renewal: Duration, ttl: Duration) -> bool {
    since_renewal < ttl.saturating_sub(margin(ttl))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINE: Claim<'_> = Claim { run: "r1", of_the_dead: Some("mine"), take_over: None, other_is_over: false };

    fn body() -> Body {
        Body {
            schema_version: SCHEMA_VERSION,
            service: "logs".into(),
            environment: "prod".into(),
            run: "r1".into(),
            fence: 7,
            beat: 3,
            ttl_seconds: 60,
            since: "2026-11-22T03:12:00Z".parse().expect("a time"),
            holder: Holder { host: "desk".into(), pid: 1, caller: "arn".into(), token: "theirs".into() },
            released: false,
            finished: false,
        }
    }

    fn found(age: Option<u64>, change: impl FnOnce(&mut Body)) -> Found {
        let mut body = body();
        change(&mut body);
        Found { body: Box::new(body), etag: "\"e\"".into(), age: age.map(Duration::from_secs) }
    }

    #[test]
    fn a_first_lease_must_not_be_there_and_later_ones_must_be_as_seen() {
        let first = judge(None, &MINE).expect("it is free");
        assert_eq!((first.condition, first.fence), (Condition::Absent, 1));
        let let_go = found(None, |body| body.released = true);
        let next = judge(Some(&let_go), &MINE).expect("it was let go");
        assert_eq!((next.condition, next.fence), (Condition::Unchanged("\"e\"".into()), 8));
    }

    #[test]
    fn a_lease_expires_by_the_age_that_s3_tells_and_not_a_second_earlier() {
        let claim = Claim { take_over: Some("desk"), ..MINE };
        let seconds = |remaining: Refused| match remaining {
            Refused::Live { remaining, .. } => remaining.as_secs(),
            other => panic!("{other:?}"),
        };
        assert_eq!(seconds(judge(Some(&found(Some(0), |_| ())), &claim).expect_err("alive")), 62);
        assert_eq!(seconds(judge(Some(&found(Some(61), |_| ())), &claim).expect_err("alive")), 1);
        assert_eq!(judge(Some(&found(Some(62), |_| ())), &claim).expect("expired").fence, 8);
        assert!(matches!(judge(Some(&found(None, |_| ())), &claim), Err(Refused::AgeUnknown { .. })));
        let short = |body: &mut Body| body.ttl_seconds = 0;
        assert_eq!(seconds(judge(Some(&found(Some(1), short)), &claim).expect_err("alive")), 6, "no lease is shorter");
        let endless = |body: &mut Body| body.ttl_seconds = u64::MAX;
        assert!(judge(Some(&found(Some(3602), endless)), &claim).is_ok(), "or holds for ever");
    }

    #[test]
    fn an_expired_lease_is_taken_over_only_from_the_holder_who_was_named() {
        let old = found(Some(100), |_| ());
        assert!(matches!(judge(Some(&old), &MINE), Err(Refused::Expired { .. })));
        let other = Claim { take_over: Some("laptop"), ..MINE };
        assert!(matches!(judge(Some(&old), &other), Err(Refused::HeldByOther { .. })));
    }

    #[test]
    fn the_dead_of_this_home_are_followed_at_once() {
        let of_ours = found(Some(0), |body| body.holder.token = "mine".into());
        assert_eq!(judge(Some(&of_ours), &MINE).expect("known dead").fence, 8);
    }

    #[test]
    fn a_run_without_an_end_blocks_every_other_run() {
        let claim = Claim { run: "r2", ..MINE };
        let held = found(None, |body| body.released = true);
        assert!(matches!(judge(Some(&held), &claim), Err(Refused::Unfinished { .. })));
        let over = Claim { other_is_over: true, ..claim };
        assert!(judge(Some(&held), &over).is_ok());
        let ended = found(None, |body| (body.released, body.finished) = (true, true));
        assert!(judge(Some(&ended), &claim).is_ok());
        let expired = found(Some(100), |_| ());
        let taking = Claim { take_over: Some("desk"), ..claim };
        assert!(matches!(judge(Some(&expired), &taking), Err(Refused::Unfinished { .. })));
    }

    #[test]
    fn a_holder_stops_before_anybody_may_take_over() {
        let ttl = Duration::from_secs(60);
        assert!(is_valid(Duration::from_secs(49), ttl));
        assert!(!is_valid(Duration::from_secs(50), ttl));
        for ttl in [SHORTEST_TTL, TTL, LONGEST_TTL] {
            let taken_at_the_earliest = Body { ttl_seconds: ttl.as_secs(), ..body() }.expires_at_age();
            assert!(!is_valid(taken_at_the_earliest - SLACK - margin(ttl), ttl));
        }
    }
}
