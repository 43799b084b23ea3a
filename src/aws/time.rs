//! AWS's times as ours.

use aws_smithy_types::DateTime;
use jiff::Timestamp;

/// The times that something can be restored to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecoveryWindow {
    pub earliest: Timestamp,
    pub latest: Timestamp,
}

/// `None` for a time that no calendar has.
pub(crate) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
