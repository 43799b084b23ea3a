//! How often a step is tried again by itself, and when.
//!
//! The one place for retries above a single request: the SDK repeats requests, a wait goes on over disturbances, and
//! what still comes through as a step's transient error is tried again here, within a budget of count and time. Whatever
//! was begun is observed before it is applied once more; other errors are never retried.

use std::time::{Duration, Instant, SystemTime};

use crate::steps::StepError;

/// Retries of one step in one process.
const MOST: u32 = 5;
/// No retry begins later than this after the first disturbance.
const LONGEST: Duration = Duration::from_secs(10 * 60);
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a step has left to be retried with.
#[derive(Debug, Default)]
pub struct Budget {
    used: u32,
    since: Option<Instant>,
}

/// A retry that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    pub after: Duration,
    /// From 1.
    pub nth: u32,
    pub most: u32,
}

impl Budget {
    /// The retry that an error gets, where it gets one.
    pub fn spend(&mut self, error: &StepError) -> Option<Retry> {
        self.spend_at(error, Instant::now(), chance())
    }

    /// `chance`: from 0 to 1.
    fn spend_at(&mut self, error: &StepError, now: Instant, chance: f64) -> Option<Retry> {
        if !error.transient || error.parks() || self.used >= MOST {
            return None;
        }
        let since = *self.since.get_or_insert(now);
        let after = pause(self.used, chance);
        if now.saturating_duration_since(since) + after > LONGEST {
            return None;
        }
        self.used += 1;
        Some(Retry { after, nth: self.used, most: MOST })
    }
}

/// Doubles up to its limit; half of it is chance, so that steps that were refused together do not come back together.
fn pause(used: u32, chance: f64) -> Duration {
    let full = FIRST_PAUSE.saturating_mul(1 << used.min(10)).min(LONGEST_PAUSE);
    full / 2 + (full / 2).mul_f64(chance.clamp(0.0, 1.0))
}

/// The clock's last digits serve: nothing here needs to be unguessable.
fn chance() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0.5, |now| f64::from(now.subsec_nanos() % 1000) / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled() -> StepError {
        StepError { transient: true, ..StepError::failed("Rate exceeded") }
    }

    #[test]
    fn a_disturbance_gets_five_retries_that_come_ever_later() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        let spent: Vec<Duration> =
            std::iter::from_fn(|| budget.spend_at(&throttled(), now, 1.0)).map(|retry| retry.after).collect();
        assert_eq!(spent, [2, 4, 8, 16, 32].map(Duration::from_secs));
        assert_eq!(pause(0, 0.0), Duration::from_secs(1));
    }

    #[test]
    fn nothing_is_retried_after_its_time_is_over() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        assert!(budget.spend_at(&throttled(), now, 0.5).is_some());
        assert_eq!(budget.spend_at(&throttled(), now + LONGEST, 0.5), None);
    }

    #[test]
    fn what_will_not_pass_by_itself_is_not_retried() {
        let mut budget = Budget::default();
        assert_eq!(budget.spend(&StepError::failed("denied")), None);
        let expired = StepError { transient: true, ..StepError::credentials("ExpiredToken") };
        assert_eq!(budget.spend(&expired), None);
    }
}
