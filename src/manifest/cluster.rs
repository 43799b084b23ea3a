//! What there is to ask of an `aurora` block.

use super::{Cluster, ClusterSource};

impl Cluster {
    /// The global database that it is a member of, where nothing is restored.
    pub fn global(&self) -> Option<&str> {
        match &self.from {
            ClusterSource::Global(id) => Some(id),
            ClusterSource::LatestSnapshot
            | ClusterSource::Snapshot(_)
            | ClusterSource::PointInTime(_)
            | ClusterSource::CleanBefore(_) => None,
        }
    }
}
