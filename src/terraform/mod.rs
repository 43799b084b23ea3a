//! Terraform, run as a subprocess on a staged copy of the user's root.

mod workdir;

pub use workdir::Workdir;
