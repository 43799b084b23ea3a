//! Waiting for AWS: asks at a pace that suits what is waited for, shows its own status, and gives up at a deadline.

use std::time::{Duration, Instant};

use super::{Cx, StepError};
use crate::manifest::Component;

/// The shortest time between two questions about one resource.
const FASTEST: Duration = Duration::from_secs(2);
/// The longest one: the end of a wait is noticed within half of it on average.
const SLOWEST: Duration = Duration::from_secs(6);

/// How long AWS may take to show what it has accepted: reads may lag behind a moment.
pub const APPEARS: Duration = Duration::from_secs(5 * 60);
/// How long one change of a setting may take to be in force.
pub const SETTLES: Duration = Duration::from_secs(15 * 60);
/// How long a restore is waited for at least. An RTO is no deadline: a late restore is still wanted, and its lateness is
/// for the report.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long to wait for a restore: a day, or twice the component's RTO where that is longer.
pub fn deadline(cx: &Cx, component: Component) -> Duration {
    let rto = cx.world.manifest.objectives.get(&component).and_then(|objective| objective.rto);
    rto.and_then(|rto| Duration::try_from(rto).ok()).map_or(LONGEST, |rto| LONGEST.max(rto * 2))
}

/// What a question shows.
pub enum Ready<T> {
    Yes(T),
    /// Not yet, with AWS's own word for it: `creating`.
    NotYet(String),
}

/// How long to pause after this much waiting: what has taken long will take a little longer yet.
fn pause(waited: Duration) -> Duration {
    (waited / 20).clamp(FASTEST, SLOWEST)
}

/// Asks until the answer is yes. `what` names the resource for the status line.
///
/// # Errors
/// What `ask` returns; the deadline; or a request to stop, in which case what was begun goes on in AWS and a resumed
/// run attaches to it.
pub async fn wait_until<T, F, A>(cx: &Cx, what: &str, deadline: Duration, mut ask: F) -> Result<T, StepError>
where
    F: FnMut() -> A,
    A: Future<Output = Result<Ready<T>, StepError>>,
{
    let began = Instant::now();
    let mut status = "not asked yet".to_owned();
    loop {
        let left = deadline.saturating_sub(began.elapsed());
        let answer = tokio::select! {
            answer = ask() => answer,
            () = tokio::time::sleep(left) => return Err(late(what, &status, deadline)),
            () = cx.stopped() => return Err(stopped(what, &status)),
        };
        match answer {
            Ok(Ready::Yes(value)) => return Ok(value),
            Ok(Ready::NotYet(now)) => status = now,
            // What is waited for goes on meanwhile; only the deadline ends a wait over a passing disturbance.
            Err(error) if error.transient => cx.status(format!("{what}: {status}; {error}; asking again")),
            Err(error) => return Err(error),
        }
        if began.elapsed() >= deadline {
            return Err(late(what, &status, deadline));
        }
        cx.status(format!("{what}: {status}"));
        tokio::select! {
            () = tokio::time::sleep(pause(began.elapsed())) => {}
            () = cx.stopped() => return Err(stopped(what, &status)),
        }
    }
}

fn late(what: &str, status: &str, deadline: Duration) -> StepError {
    let (number, unit) = match deadline.as_secs() {
        seconds if seconds % 60 == 0 => (seconds / 60, "minutes"),
        seconds => (seconds, "seconds"),
    };
    StepError::failed(format!("{what} was still {status} after {number} {unit}"))
        .hint(
        "it may still become ready: retry the step to go on waiting for it; where nothing moves, its events in the console \
         and AWS Support tell why",
    )
}

fn stopped(what: &str, status: &str) -> StepError {
    StepError::interrupted(format!("stopped while {what} was {status}; it goes on in AWS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Questions and lateness of a wait for something that is ready at `ready`.
    fn wait(ready: Duration) -> (u32, Duration) {
        let (mut now, mut asked) = (Duration::ZERO, 1);
        while now < ready {
            now += pause(now);
            asked += 1;
        }
        (asked, now - ready)
    }

    #[test]
    fn the_end_of_a_wait_is_noticed_within_three_seconds_on_average() {
        for longest in [60, 600, 3_600, 14_400] {
            let late: Duration = (0..1_000).map(|n| wait(Duration::from_millis(longest * n)).1).sum();
            assert!(late / 1_000 <= Duration::from_secs(3), "{:?} of up to {longest} s", late / 1_000);
        }
    }

    #[test]
    fn nothing_is_asked_more_than_once_in_two_seconds() {
        for seconds in [1, 10, 100, 1_000, 10_000] {
            let (asked, late) = wait(Duration::from_secs(seconds));
            assert!(u64::from(asked - 1) * 2 <= (Duration::from_secs(seconds) + late).as_secs());
        }
    }
}
