//! Terraform, run as a subprocess on a staged copy of the user's root.

mod address;
mod module;
mod root;
mod workdir;

pub use address::Address;
pub use module::Variable;
pub use root::{Resource, Root, RootError, Unknown};
pub use workdir::Workdir;
