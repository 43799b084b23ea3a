//! How fast something goes on, and how long it will still take as far as the last half minute tells.

use std::collections::VecDeque;
use std::time::Duration;

/// What is older says nothing of how fast it goes now.
const WINDOW: Duration = Duration::from_secs(30);
/// Less than this says nothing at all.
const LEAST: Duration = Duration::from_secs(3);
/// Without a change for so long, it stands still.
const STILL: Duration = Duration::from_secs(15);

/// What was done when, of one thing.
#[derive(Debug, Default)]
pub(super) struct Speed {
    /// Each of a change, the oldest first.
    changes: VecDeque<(Duration, u64)>,
}

/// What can be said of the way on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outlook {
    /// Nothing yet.
    Unknown,
    /// `left` is `None` where nobody knows how much there is.
    Going {
        per_second: f64,
        left: Option<Duration>,
    },
    StandsStill(Duration),
}

impl Speed {
    pub fn add(&mut self, done: u64, now: Duration) {
        if self.changes.back().is_some_and(|(_, last)| *last == done) {
            return;
        }
        self.changes.push_back((now, done));
        // One from before the window is kept: the oldest in it is measured from there.
        while self.changes.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) > WINDOW) {
            self.changes.pop_front();
        }
    }

    pub fn outlook(&self, total: Option<u64>, now: Duration) -> Outlook {
        let (Some((first, from)), Some((last, done))) = (self.changes.front(), self.changes.back()) else {
            return Outlook::Unknown;
        };
        let still = now.saturating_sub(*last);
        if still >= STILL {
            return Outlook::StandsStill(still);
        }
        let passed = now.saturating_sub(*first);
        if passed < LEAST || done <= from {
            return Outlook::Unknown;
        }
        let per_second = (done - from) as f64 / passed.as_secs_f64();
        let left = total.map(|total| total.saturating_sub(*done) as f64 / per_second);
        let left = left.and_then(|seconds| Duration::try_from_secs_f64(seconds.ceil()).ok());
        Outlook::Going { per_second, left }
    }
}

/// The later of two ends, where both are known: what has few large pieces and many small ones ends with whichever is slower.
pub(super) fn later(one: Outlook, other: Outlook) -> Option<Duration> {
    let left = |outlook| if let Outlook::Going { left, .. } = outlook { left } else { None };
    Some(left(one)?.max(left(other)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_goes_evenly_ends_when_it_is_said_to() {
        let mut speed = Speed::default();
        for second in 0..=10 {
            speed.add(second * 100, after(second));
        }
        let Outlook::Going { per_second, left } = speed.outlook(Some(3_000), after(10)) else { panic!("it goes on") };
        assert!((per_second - 100.0).abs() < 1e-9);
        assert_eq!(left, Some(after(20)));
        assert!(matches!(speed.outlook(None, after(10)), Outlook::Going { left: None, .. }));
    }

    #[test]
    fn the_first_seconds_and_what_stands_still_give_no_estimate() {
        let mut speed = Speed::default();
        assert_eq!(speed.outlook(Some(9), after(5)), Outlook::Unknown);
        speed.add(1, after(5));
        speed.add(4, after(6));
        assert_eq!(speed.outlook(Some(9), after(6)), Outlook::Unknown);
        assert_eq!(speed.outlook(Some(9), after(40)), Outlook::StandsStill(after(34)));
    }

    #[test]
    fn what_became_slower_is_judged_by_its_last_half_minute() {
        let mut speed = Speed::default();
        speed.add(0, after(0));
        speed.add(1_000_000, after(1));
        for second in 2..=100 {
            speed.add(1_000_000 + second, after(second));
        }
        let Outlook::Going { per_second, .. } = speed.outlook(Some(2_000_000), after(100)) else {
            panic!("it goes on")
        };
        assert!((0.9..1.1).contains(&per_second), "{per_second}");
    }

    #[test]
    fn of_two_estimates_the_later_one_holds_and_one_alone_is_none() {
        let going = |left| Outlook::Going { per_second: 1.0, left };
        assert_eq!(later(going(Some(after(3))), going(Some(after(9)))), Some(after(9)));
        assert_eq!(later(going(Some(after(3))), Outlook::Unknown), None);
    }
}
