//! What is read one by one and may break off, as a stream that ends with its first error: what comes after is unknown.

use futures::{Stream, stream};

use crate::aws::AwsError;

/// Something that is read one by one.
pub(super) trait Entries: Send {
    type Entry: Send;

    /// The next one; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Entry>, AwsError>> + Send;
}

/// The same as a stream.
pub(super) fn stream<E: Entries>(entries: E) -> impl Stream<Item = Result<E::Entry, AwsError>> + Send + use<E> {
    stream::unfold(Some(entries), async |entries| {
        let mut entries = entries?;
        match entries.next().await {
            Ok(Some(entry)) => Some((Ok(entry), Some(entries))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}
