//! AWS, one file per service: thin calls that page, retry as the SDK does, and turn errors into one kind.
//!
//! Only the recovery region is ever asked, and Route 53 and IAM, which have one control plane.

pub mod archive;
mod error;
mod session;
mod time;

pub mod dynamodb;
pub mod glue;
pub mod kms;
pub mod rds;
pub mod route53;
pub mod s3;

pub use error::{AwsError, explain};
pub use session::{Caller, Session};
pub(crate) use time::timestamp;
