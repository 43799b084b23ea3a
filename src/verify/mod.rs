//! What proves that restored data is right: expectations from the manifest, and the counts that they are held against.
//!
//! Nothing here changes anything.

mod expectation;
