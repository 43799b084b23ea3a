//! S3 in memory, on 127.0.0.1: path style, any credentials, contents that are only numbers. A process of its own, so that it
//! counts to nobody's time but the machine's.
//!
//! It answers as S3 does where the measured clients can tell, can be made as slow and as strict as S3 (`faults`), and counts
//! what it was asked (`stats`). `/_admin/` fills it and tells what it holds.

mod admin;
mod answer;
mod delete;
mod faults;
mod listing;
mod objects;
mod request;
mod route;
mod seed;
mod serve;
mod stats;
mod store;
mod text;
mod uploads;
mod versions;

pub use serve::serve;
pub use store::mixed;
pub use text::encoded;
