//! Counting a table's items exactly, in segments side by side, without reading one.
//!
//! What DescribeTable says is hours old. A scan that only counts takes as many read units as one that reads; it is
//! strongly consistent, so that nothing just restored is missed. No more pages are asked for at once than the table's capacity gives
//! in about a second, and fewer where DynamoDB refuses some.

use std::sync::atomic::{AtomicU64, Ordering};

use futures::{StreamExt, TryStreamExt};

use crate::aws::dynamodb::{PageCounter, ScanKey};
use crate::aws::{AwsError, Limiter, Session};

/// Pages that are asked for at a time.
const MOST_AT_A_TIME: usize = 96;
/// About how much of a table one segment holds: some pages, so that no segment is much longer than the others.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;
const FEWEST_SEGMENTS: u64 = 4;
const MOST_SEGMENTS: u64 = 1024;
/// What a whole page takes (Amazon DynamoDB Developer Guide: "Read consumption": 4 KB a unit, of 1 MB).
const UNITS_A_PAGE: i64 = 256;

/// Why a count has no result.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("stopped while counting")]
    Stopped,
}

/// How wide a table is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width {
    pub segments: u32,
    /// Pages that are asked for at a time, at most.
    pub at_a_time: usize,
}

impl Width {
    /// `read_capacity`: the table's units a second; none, or 0, of a table that is paid by request.
    pub fn of(approximate_bytes: u64, read_capacity: Option<i64>) -> Self {
        let segments = approximate_bytes.div_ceil(SEGMENT_BYTES).clamp(FEWEST_SEGMENTS, MOST_SEGMENTS);
        let pages_a_second = read_capacity.filter(|units| *units > 0).map(|units| units / UNITS_A_PAGE);
        let pages_a_second = pages_a_second.and_then(|pages| usize::try_from(pages).ok());
        Self {
            segments: u32::try_from(segments).unwrap_or(1),
            at_a_time: pages_a_second.unwrap_or(MOST_AT_A_TIME).clamp(1, MOST_AT_A_TIME),
        }
    }
}

/// Counts all items. `counted` is told the sum after every page; `stopping` is asked before every one.
///
/// # Errors
/// A page could not be counted, or the work was stopped: never a part of the sum.
pub async fn count_items(
    session: &Session,
    table: &str,
    width: Width,
    counted: &(dyn Fn(u64) + Send + Sync),
    stopping: &(dyn Fn() -> bool + Send + Sync),
) -> Result<u64, CountError> {
    let count = Count {
        pages: PageCounter::new(session, table, width.segments),
        limiter: Limiter::new(width.at_a_time),
        sum: AtomicU64::new(0),
        counted,
        stopping,
    };
    let mut work = Vec::new();
    for segment in 0..width.segments {
        work.push(count.segment(segment));
    }
    futures::stream::iter(work).buffer_unordered(width.at_a_time).try_collect::<Vec<()>>().await?;
    Ok(count.sum.into_inner())
}

struct Count<'a> {
    pages: PageCounter,
    limiter: Limiter,
    sum: AtomicU64,
    counted: &'a (dyn Fn(u64) + Send + Sync),
    stopping: &'a (dyn Fn() -> bool + Send + Sync),
}

impl Count<'_> {
    async fn segment(&self, segment: u32) -> Result<(), CountError> {
        let mut start: Option<ScanKey> = None;
        loop {
            if (self.stopping)() {
                return Err(CountError::Stopped);
            }
            let page = self.limiter.run(|| self.pages.page(segment, start.clone())).await?;
            (self.counted)(self.sum.fetch_add(page.items, Ordering::Relaxed) + page.items);
            start = page.next;
            if start.is_none() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_tables_take_few_segments_and_huge_ones_not_too_many() {
        let segments = |bytes| Width::of(bytes, None).segments;
        assert_eq!(segments(0), 4);
        assert_eq!(segments(8 * 1024 * 1024 * 10 + 1), 11);
        assert_eq!(segments(u64::MAX), 1024);
    }

    #[test]
    fn no_more_pages_are_asked_for_than_the_capacity_gives_in_a_second() {
        let at_a_time = |capacity| Width::of(0, capacity).at_a_time;
        assert_eq!(at_a_time(None), 96);
        assert_eq!(at_a_time(Some(0)), 96, "a table that is paid by request tells none");
        assert_eq!(at_a_time(Some(5)), 1);
        assert_eq!(at_a_time(Some(2560)), 10);
        assert_eq!(at_a_time(Some(i64::MAX)), 96);
    }
}
