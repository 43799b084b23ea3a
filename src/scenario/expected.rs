//! How long steps usually take, for the critical path and the expected RTO of a plan.
//!
//! They are rough on purpose: where AWS publishes a range, the middle of it. Aurora restores take from six minutes
//! (empty) to a few hours; a DynamoDB restore usually 20 minutes to an hour (DynamoDB Developer Guide: "Restoring a
//! table from a backup"); a Route 53 change under a minute (Route 53 Developer Guide: "How Route 53 propagates
//! changes").

use jiff::SignedDuration;

const fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_secs(minutes * 60)
}

pub(super) const TERRAFORM_PREPARE: SignedDuration = SignedDuration::from_secs(15);
pub(super) const TERRAFORM_PLAN: SignedDuration = SignedDuration::from_secs(30);
pub(super) const TERRAFORM_APPLY: SignedDuration = minutes(10);
/// Deleting instances of a database takes most of it.
pub(super) const TERRAFORM_DESTROY: SignedDuration = minutes(15);
pub(super) const EMPTY_BUCKET: SignedDuration = minutes(5);
pub(super) const NAMES: SignedDuration = SignedDuration::from_secs(30);
pub(super) const TERRAFORM_ADOPTION: SignedDuration = minutes(5);
pub(super) const RESTORE_CLUSTER: SignedDuration = minutes(45);
/// "Typically within a few minutes" (Amazon Aurora User Guide: "Performing managed failovers for Aurora global databases").
pub(super) const FAIL_OVER_CLUSTER: SignedDuration = minutes(5);
/// A copy within a region; of an automated snapshot only.
pub(super) const PRESERVE_POINT: SignedDuration = minutes(15);
pub(super) const RESTORE_TABLE: SignedDuration = minutes(40);
pub(super) const RESTORE_BUCKET: SignedDuration = minutes(20);
pub(super) const RESTORE_CATALOG: SignedDuration = minutes(2);
pub(super) const ROLL_BACK_BUCKET: SignedDuration = minutes(15);
pub(super) const VERIFY: SignedDuration = minutes(2);
pub(super) const CUTOVER: SignedDuration = minutes(1);
