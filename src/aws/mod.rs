//! AWS, one file per service: thin calls that page, retry as the SDK does, and turn errors into one kind.
//!
//! Only the region that a run works in is ever asked, and Route 53 and IAM, which have one control plane.

mod answer;
pub mod archive;
mod error;
mod lifetime;
mod limiter;
mod pace;
mod session;
mod time;
mod traffic;

pub mod alarms;
pub mod athena;
pub mod autoscaling;
pub mod backup;
pub mod cloudtrail;
pub mod cloudtrail_makers;
pub mod dynamodb;
pub mod ec2;
pub mod firehose;
pub mod glue;
pub mod iam;
pub mod kms;
pub mod logs;
pub mod quotas;
pub mod rds;
pub mod route53;
pub mod s3;
pub mod s3_batch;
pub mod secrets;
mod standing;
pub mod wafv2;

pub use answer::Answer;
pub use error::{AwsError, LOG_IN, explain};
pub use lifetime::{Lifetime, Renewal};
pub use limiter::{Limiter, MOST_ATTEMPTS, Outcome, Refusal, refusal};
pub use session::{Caller, Session};
pub use standing::{count, standing, stands};
pub use time::RecoveryWindow;
pub(crate) use time::timestamp;
pub use traffic::Traffic;
