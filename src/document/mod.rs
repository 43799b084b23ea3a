//! HCL files with positions: what reads them, what they may hold, and how a mistake in them is shown.
//!
//! The manifest, the Terraform root and the var files are all read through here, so that every one of them is bounded
//! in size, and a problem in any of them names its file, line and column. Nothing here knows what a file means.

pub mod glob;
mod near;
mod number;
mod problem;
mod source;
mod value;
mod write;

pub use near::nearest;
pub use problem::{Invalid, Problem};
pub use source::{Document, MAX_BYTES, quoted};
pub(crate) use value::kind;
pub use value::{NotLiteral, Value};
pub use write::{attribute, expression, quote};
