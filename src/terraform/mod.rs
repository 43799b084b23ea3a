//! Terraform, run as a subprocess on a staged copy of the user's root.
//!
//! `args` builds argument lists, `process` alone starts anything, `workdir` is the staged copy in which it happens,
//! `prepare` makes that ready, and `scope` makes the two plans of a recovery, each past its `guard` and the manifest's guards;
//! `look` is what all of the root would do, before any of that.

mod address;
pub mod approved;
pub mod args;
mod attributes;
mod calls;
pub mod declared;
pub mod destroy;
mod destroy_plan;
pub mod diagnostics;
pub mod difference;
pub mod environment;
mod error;
pub mod errored;
pub mod events;
pub mod generate;
pub mod graph;
pub mod guard;
pub mod half_made;
mod json_copy;
mod left_lock;
pub mod lock;
mod lock_file;
mod look;
mod look_after;
mod marks;
mod module;
pub mod offline;
pub mod overlay;
pub mod plan;
mod policies;
mod prepare;
mod prior;
pub mod process;
mod regions;
mod root;
mod scope;
mod source;
pub mod stage;
pub mod state;
pub mod stateful;
pub mod targets;
pub mod tfvars;
mod unlock;
mod var_file;
pub mod version;
mod workdir;
mod workspace;

pub use address::{Address, outside_quotes};
pub use attributes::Attributes;
pub use destroy::{Doomed, Teardown};
pub use destroy_plan::{DESTROY, TeardownLook};
pub use error::{TerraformError, list};
pub use errored::Custody;
pub use generate::GeneratedFile;
pub use look::{Detail, Look};
pub use module::Variable;
pub use prepare::Ready;
pub use root::{Resource, Root, RootError, Unknown};
pub use scope::{Leftover, Resources, Saved};
pub use source::{Commit, Signature, Source};
pub use version::{Binary, Product, Version};
pub use workdir::{Done, Observer, Planned, Unobserved, Wanted, Workdir, WorkdirOptions};
