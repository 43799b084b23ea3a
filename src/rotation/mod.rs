//! Rotation after a breach: what may have been read is replaced. How each thing is replaced, and what a secret's text becomes.
//! Pure: nothing here asks AWS.
//!
//! Texts of secrets pass through here and are returned, never shown: no error has a part of one.

mod document;
mod spec;
mod way;

pub use document::{Unfit, is_login_of, key_id, with_access_key, with_password};
pub(crate) use document::{password, username};
pub use spec::{KeyRotation, MasterRotation, Rotation};
pub use way::{Way, own_rotation, way};
