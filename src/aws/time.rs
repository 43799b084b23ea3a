//! AWS's times as ours.

use aws_smithy_types::DateTime;
use jiff::Timestamp;

/// `None` for a time that no calendar has.
pub(crate) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
