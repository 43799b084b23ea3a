//! Lots that are drawn the same way whenever the seed is the same. Pure.

use sha2::{Digest, Sha256};

/// A stream of lots.
#[derive(Clone, Debug)]
pub struct Draw {
    seed: u64,
    drawn: u64,
}

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// A lot from 0 up to, and without, 1.
    pub fn share(&mut self) -> f64 {
        let digest =
            Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(self.drawn.to_le_bytes()).finalize();
        self.drawn += 1;
        let lot = digest.iter().take(4).fold(0_u32, |lot, byte| lot << 8 | u32::from(*byte));
        f64::from(lot) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_lots_again_and_another_others() {
        let lots = |seed| {
            let mut draw = Draw::new(seed);
            std::iter::repeat_with(|| draw.share()).take(100).collect::<Vec<_>>()
        };
        assert_eq!(lots(1), lots(1));
        assert_ne!(lots(1), lots(2));
        assert!(lots(1).iter().all(|lot| (0.0..1.0).contains(lot)));
        let mean = lots(1).iter().sum::<f64>() / 100.0;
        assert!((0.4..0.6).contains(&mean), "{mean}");
    }
}
