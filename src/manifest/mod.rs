//! The manifest, `lifeboat.hcl`: what a service consists of, where it recovers to, and what proves that it did.
//!
//! `parse` reads the file with positions, `validate` finds everything that is wrong with it at once, and `model` is
//! what the rest of lifeboat works with.

mod model;

pub use model::*;
