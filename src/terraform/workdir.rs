//! The staged copy of a root in a run's folder.

/// A run's staged copy of the Terraform root.
pub struct Workdir {}
