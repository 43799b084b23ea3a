//! A manifest seen from one of its two regions.

use super::{Manifest, Region};

impl Manifest {
    /// The region of that name with its workspace: the primary one, or the recovery region.
    pub fn region(&self, name: &str) -> &Region {
        if name == self.primary.name { &self.primary } else { &self.recovery }
    }
}
