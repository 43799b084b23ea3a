//! The rehearsal of a breach: a stack that stands in its primary region, somebody who breaks into it, and the question whether
//! they are out, the data is clean, and the stack is as it was.

mod stand;

pub use stand::{Site, stand};
