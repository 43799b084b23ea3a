//! The clock that a holder judges its own lease by: it never jumps, and it counts the time that a laptop sleeps.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Time since some moment in the past. Only differences mean anything.
pub trait Clock: Send + Sync {
    fn now(&self) -> Duration;
}

/// `CLOCK_BOOTTIME` (clock_gettime(2)): monotonic, and goes on during suspend. Where there is no such clock it is
/// `CLOCK_MONOTONIC`; there, a lease that expired during suspend is noticed at the next renewal instead of at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct BootClock;

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

impl Clock for BootClock {
    fn now(&self) -> Duration {
        let now = clock_gettime(CLOCK);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on() {
        let began = BootClock.now();
        std::thread::sleep(Duration::from_millis(5));
        assert!(BootClock.now() >= began + Duration::from_millis(5));
    }
}
