//! Counting a table's items exactly, in segments side by side, without reading one.
//!
//! What DescribeTable says is hours old. A scan that only counts takes as many read units as one that reads; it is
//! strongly consistent, so that nothing just restored is missed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};

use crate::aws::dynamodb::{ScanKey, count_page};
use crate::aws::{AwsError, Session};

/// Segments that are counted at a time.
const WORKERS: usize = 8;
/// About how much of a table one segment holds.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
const FEWEST: u64 = 4;
const MOST: u64 = 1024;
/// How often a page that was throttled, after the SDK's own retries, is asked for again.
const RETRIES: u32 = 8;
/// The first wait before that; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

/// Why a count has no result.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("stopped while counting")]
    Stopped,
}

/// How many segments a table of about that size is counted in.
pub fn segments(approximate_bytes: u64) -> u32 {
    let segments = approximate_bytes.div_ceil(SEGMENT_BYTES).clamp(FEWEST, MOST);
    u32::try_from(segments).unwrap_or(1)
}

/// Counts all items. `counted` is told the sum after every page; `stopping` is asked before every one.
///
/// # Errors
/// A page could not be counted, or the work was stopped: never a part of the sum.
pub async fn count_items(
    session: &Session,
    table: &str,
    segments: u32,
    counted: &(dyn Fn(u64) + Send + Sync),
    stopping: &(dyn Fn() -> bool + Send + Sync),
) -> Result<u64, CountError> {
    let sum = AtomicU64::new(0);
    let mut work = Vec::new();
    for segment in 0..segments {
        work.push(count_segment(session, table, (segment, segments), &sum, counted, stopping));
    }
    futures::stream::iter(work).buffer_unordered(WORKERS).try_collect::<Vec<()>>().await?;
    Ok(sum.into_inner())
}

async fn count_segment(
    session: &Session,
    table: &str,
    (segment, segments): (u32, u32),
    sum: &AtomicU64,
    counted: &(dyn Fn(u64) + Send + Sync),
    stopping: &(dyn Fn() -> bool + Send + Sync),
) -> Result<(), CountError> {
    let mut start: Option<ScanKey> = None;
    loop {
        if stopping() {
            return Err(CountError::Stopped);
        }
        let page = patient(PAUSE, || count_page(session, table, segment, segments, start.clone())).await?;
        counted(sum.fetch_add(page.items, Ordering::Relaxed) + page.items);
        start = page.next;
        if start.is_none() {
            return Ok(());
        }
    }
}

/// Waits out a table whose capacity is used up.
async fn patient<T, A>(pause: Duration, ask: impl Fn() -> A) -> Result<T, AwsError>
where
    A: Future<Output = Result<T, AwsError>>,
{
    let throttled = ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"];
    let mut retry = 0;
    loop {
        match ask().await {
            Err(error) if error.is_any(&throttled) && retry < RETRIES => {
                tokio::time::sleep(pause * (1 << retry)).await;
                retry += 1;
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn small_tables_take_few_segments_and_huge_ones_not_too_many() {
        assert_eq!(segments(0), 4);
        assert_eq!(segments(64 * 1024 * 1024 * 10 + 1), 11);
        assert_eq!(segments(u64::MAX), 1024);
    }

    #[tokio::test]
    async fn a_throttled_page_is_asked_for_again_and_not_for_ever() {
        let error = || AwsError {
            operation: "dynamodb:Scan",
            code: Some("ProvisionedThroughputExceededException".into()),
            message: "slow down".into(),
            transient: false,
        };
        let asked = Cell::new(0);
        let twice = patient(Duration::ZERO, || async {
            asked.set(asked.get() + 1);
            if asked.get() < 3 { Err(error()) } else { Ok(7) }
        });
        assert_eq!(twice.await, Ok(7));
        asked.set(0);
        let never = patient(Duration::ZERO, || async {
            asked.set(asked.get() + 1);
            Err::<u64, _>(error())
        });
        assert_eq!((never.await, asked.get()), (Err(error()), RETRIES + 1));
    }
}
