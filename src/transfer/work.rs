//! Much work on what a listing gives, many pieces at once, until the listing ends or it makes no sense to go on.

use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::task::{JoinError, JoinSet};

use crate::aws::AwsError;

/// A piece may take minutes; how far it is, is told meanwhile.
const TELL: Duration = Duration::from_millis(500);

/// Work on the entries of a listing.
pub(super) trait Work {
    type Entry;
    /// What a piece of it comes to.
    type Done: Send + 'static;

    fn may_go_on(&self) -> bool;
    /// Begins with an entry.
    fn begin(&mut self, entry: Self::Entry, pieces: &mut JoinSet<Self::Done>);
    /// Begins what was put off; nothing more is listed.
    fn begin_rest(&mut self, pieces: &mut JoinSet<Self::Done>);
    fn settle(&mut self, done: Result<Self::Done, JoinError>);
    /// Told after each step, and while nothing ends.
    fn tell(&self);
}

/// Does it, `at_once` pieces at a time. What is under way at the end is waited for, so that nothing is left unfinished.
///
/// # Errors
/// The listing broke off.
pub(super) async fn carry_out<W: Work>(
    work: &mut W,
    entries: impl Stream<Item = Result<W::Entry, AwsError>> + Send,
    at_once: usize,
) -> Result<(), AwsError> {
    let mut pieces = JoinSet::new();
    let mut entries = std::pin::pin!(entries);
    let mut listing = Ok(());
    while work.may_go_on() {
        if pieces.len() >= at_once {
            settle_one(work, &mut pieces).await;
            continue;
        }
        match entries.next().await {
            None => break,
            Some(Err(error)) => {
                listing = Err(error);
                break;
            }
            Some(Ok(entry)) => work.begin(entry, &mut pieces),
        }
        while let Some(done) = pieces.try_join_next() {
            work.settle(done);
        }
        work.tell();
    }
    if work.may_go_on() {
        work.begin_rest(&mut pieces);
    }
    while !pieces.is_empty() {
        settle_one(work, &mut pieces).await;
    }
    listing
}

/// Waits until a piece ends, or some time has passed.
async fn settle_one<W: Work>(work: &mut W, pieces: &mut JoinSet<W::Done>) {
    if let Ok(Some(done)) = tokio::time::timeout(TELL, pieces.join_next()).await {
        work.settle(done);
    }
    work.tell();
}
