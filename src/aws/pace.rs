//! How many requests may be under way: more while S3 answers, fewer by the share that it refuses.
//!
//! At the first refusal the answers to all that is under way are counted. What was refused of them was too much, and that
//! much less goes on: a limit of the rate is found at once, where halving would go far below it again and again. After
//! going slower the refusals are counted once more: what is refused even so is no matter of the pace, and is not answered by
//! going slower.

/// Never fewer, so that something tells when S3 recovers.
const FEWEST: usize = 4;
/// How much of what S3 has let through is asked for again.
const OF_ADMITTED: f64 = 0.97;
/// Shares of refusals below this are no reason to go slower.
const BEARABLE: f64 = 0.01;
/// A share of fewer answers tells nothing.
const FEWEST_COUNTED: usize = 128;
/// More than twice that share is never taken for chance.
const MOST_NOISE: f64 = 0.1;
/// What is left of the noise at each rise.
const FADES: f64 = 0.98;
/// Rounds without a refusal for one request more at once, after S3 has refused some.
const ROUNDS_AFTERWARDS: usize = 4;
/// Into how many parts the way up to the most is divided at first.
const PARTS_AT_FIRST: usize = 24;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pace {
    most: usize,
    allowed: usize,
    phase: Phase,
    /// Answers since the pace last changed that refuse nothing.
    successes: usize,
    /// The share that is refused whatever the pace.
    noise: f64,
    /// S3 has refused something.
    known: bool,
    /// The last count led to going slower.
    slowed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Rising,
    /// Counts as many answers as were under way at the first refusal.
    Counting {
        from: usize,
        answers: usize,
        refused: usize,
    },
    /// Answers that are left of the time before the pace changed tell nothing.
    Settling {
        left: usize,
    },
}

impl Pace {
    /// Begins with most of what may be: a limit that lies below is then met with fewer refusals.
    pub fn new(most: usize) -> Self {
        let most = most.max(1);
        let allowed = (most * 5 / 8).max(FEWEST).min(most);
        Self { most, allowed, phase: Phase::Rising, successes: 0, noise: 0.0, known: false, slowed: false }
    }

    pub fn allowed(&self) -> usize {
        self.allowed
    }

    /// Takes notice of an answer.
    pub fn answered(&mut self, refused: bool) {
        self.successes += usize::from(!refused);
        match &mut self.phase {
            Phase::Rising if refused => {
                self.phase = Phase::Counting { from: self.allowed, answers: 0, refused: 0 };
                if self.noise < BEARABLE / 2.0 {
                    self.set(if self.known { self.allowed * 3 / 4 } else { self.allowed / 2 });
                }
                self.known = true;
            }
            Phase::Rising => self.rise(),
            Phase::Counting { from, answers, refused: count } => {
                *answers += 1;
                *count += usize::from(refused);
                if *answers >= (*from).max(FEWEST_COUNTED) {
                    let (from, share) = (*from, *count as f64 / *answers as f64);
                    self.counted(from, share);
                }
            }
            Phase::Settling { left } => {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    // Does going slower help?
                    self.phase = Phase::Counting { from: self.allowed, answers: 0, refused: 0 };
                }
            }
        }
    }

    fn rise(&mut self) {
        let limited = self.known && self.noise < BEARABLE;
        let (rounds, more) = if limited { (ROUNDS_AFTERWARDS, 1) } else { (1, (self.most / PARTS_AT_FIRST).max(1)) };
        if self.successes >= self.allowed * rounds {
            self.successes = 0;
            self.noise *= FADES;
            self.set(self.allowed + more);
        }
    }

    fn counted(&mut self, from: usize, share: f64) {
        // What is still refused after going slower is no matter of the pace.
        if self.slowed || share < self.noise / 3.0 {
            self.noise = (self.noise + (share - self.noise) / 2.0).min(MOST_NOISE);
        }
        self.slowed = share > 2.0 * self.noise + BEARABLE;
        if self.slowed {
            self.successes = 0;
            self.set((from as f64 * (1.0 - share + self.noise) * OF_ADMITTED) as usize);
            self.phase = Phase::Settling { left: from };
        } else {
            self.set(from);
            self.phase = Phase::Rising;
            self.rise();
        }
    }

    fn set(&mut self, allowed: usize) {
        self.allowed = allowed.clamp(FEWEST.min(self.most), self.most);
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    use super::*;

    const ROUND_TRIP_US: u64 = 30_000;

    /// S3 as far as it refuses: so many a second with a tenth of a second's burst, and some by chance.
    struct Server {
        rate: f64,
        tokens: f64,
        at_us: u64,
        chance: u64,
        seed: u64,
    }

    impl Server {
        fn new(rate: f64, chance: u64) -> Self {
            Self { rate, tokens: rate / 10.0, at_us: 0, chance, seed: 7 }
        }

        fn refuses(&mut self, at_us: u64) -> bool {
            let refilled = self.tokens + self.rate * (at_us - self.at_us) as f64 / 1e6;
            (self.tokens, self.at_us) = (refilled.min(self.rate / 10.0), at_us);
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if (self.seed >> 33) % 100 < self.chance {
                return true;
            }
            let refused = self.tokens < 1.0;
            if !refused {
                self.tokens -= 1.0;
            }
            refused
        }
    }

    /// So many requests, each until it is answered. Seconds and refusals.
    fn carry_out(requests: usize, most: usize, mut server: Server) -> (f64, usize) {
        let mut pace = Pace::new(most);
        let (mut now, mut left, mut refusals) = (0_u64, requests, 0);
        let mut answers: BinaryHeap<Reverse<(u64, bool)>> = BinaryHeap::new();
        while left > 0 || !answers.is_empty() {
            while left > 0 && answers.len() < pace.allowed() {
                left -= 1;
                // A client's own work spreads the requests.
                now += 20;
                answers.push(Reverse((now + ROUND_TRIP_US, server.refuses(now))));
            }
            let Some(Reverse((at, refused))) = answers.pop() else { break };
            now = now.max(at);
            pace.answered(refused);
            if refused {
                refusals += 1;
                left += 1;
            }
        }
        (now as f64 / 1e6, refusals)
    }

    #[test]
    fn a_limit_of_the_rate_is_found_with_few_refusals() {
        let (seconds, refusals) = carry_out(10_000, 256, Server::new(3500.0, 0));
        assert!(seconds <= 3.06 * 1.08, "{seconds} s");
        assert!(refusals <= 100, "{refusals} refusals");
    }

    #[test]
    fn refusals_by_chance_do_not_slow_it_down() {
        let (undisturbed, none) = carry_out(50_000, 256, Server::new(1e9, 0));
        let (seconds, refusals) = carry_out(50_000, 256, Server::new(1e9, 5));
        assert!(none == 0 && refusals > 2000);
        assert!(undisturbed / seconds >= 0.8, "{undisturbed} s and {seconds} s");
    }

    #[test]
    fn all_may_be_under_way_soon_where_nothing_is_refused() {
        let (seconds, _) = carry_out(10_000, 256, Server::new(1e9, 0));
        assert!(seconds <= 1.08 * 10_000.0 / 256.0 * 0.03, "{seconds} s");
    }

    #[test]
    fn a_server_that_refuses_everything_is_still_asked() {
        let mut pace = Pace::new(64);
        (0..10_000).for_each(|_| pace.answered(true));
        assert!((FEWEST..=64).contains(&pace.allowed()));
        let mut alone = Pace::new(1);
        (0..100).for_each(|n| alone.answered(n % 2 == 0));
        assert_eq!(alone.allowed(), 1);
    }
}
