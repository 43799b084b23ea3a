//! Terraform, run as a subprocess on a staged copy of the user's root.

mod address;
pub mod generate;
mod module;
pub mod overlay;
mod root;
pub mod tfvars;
mod var_file;
mod workdir;

pub use address::Address;
pub use module::Variable;
pub use root::{Resource, Root, RootError, Unknown};
pub use workdir::Workdir;
