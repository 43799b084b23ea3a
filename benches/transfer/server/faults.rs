//! How slow and how strict the server is.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::route::Operation;
use super::store::mixed;

/// The burst that S3 is taken to forgive, in seconds of the rate.
const BURST_SECONDS: f64 = 0.1;

/// Zero is: not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Config {
    /// The time of every request.
    pub lat_us: u64,
    /// The time of a listing, where it is another.
    pub list_lat_us: u64,
    /// Writes a second; what is above is refused.
    pub writes_per_second: f64,
    /// Bytes a second of one copy.
    pub copy_bps: f64,
    /// The share of requests that is refused by chance.
    pub slow_percent: u64,
}

#[derive(Default)]
pub struct Faults(Mutex<State>);

#[derive(Default)]
struct State {
    config: Config,
    /// Writes that may be made at once, and when that was so.
    tokens: f64,
    counted_at: Option<Instant>,
    dice: u64,
}

/// What becomes of a request.
pub struct Fate {
    pub refused: bool,
    pub takes: Duration,
    pub copy_bps: f64,
}

impl Faults {
    pub fn set(&self, config: Config) {
        let tokens = config.writes_per_second * BURST_SECONDS;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State { config, tokens, counted_at: None, dice: 0 };
    }

    pub fn fate(&self, operation: Operation) -> Fate {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let config = state.config;
        let micros = match config.list_lat_us {
            0 => config.lat_us,
            _ if !operation.lists() => config.lat_us,
            micros => micros,
        };
        let unlucky = config.slow_percent > 0 && state.draw() < config.slow_percent;
        let refused = unlucky || (config.writes_per_second > 0.0 && operation.writes() && !state.take());
        Fate { refused, takes: Duration::from_micros(micros), copy_bps: config.copy_bps }
    }
}

impl State {
    /// A number below 100.
    fn draw(&mut self) -> u64 {
        self.dice += 1;
        mixed(self.dice) % 100
    }

    fn take(&mut self) -> bool {
        let now = Instant::now();
        let rate = self.config.writes_per_second;
        let passed = self.counted_at.map_or(Duration::ZERO, |at| now - at);
        self.counted_at = Some(now);
        self.tokens = (self.tokens + passed.as_secs_f64() * rate).min(rate * BURST_SECONDS);
        let granted = self.tokens >= 1.0;
        if granted {
            self.tokens -= 1.0;
        }
        granted
    }
}
