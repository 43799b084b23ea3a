//! What distinguishes two buckets: a merge of two listings in key order, never both in memory.

use std::cmp::Ordering;
use std::pin::Pin;

use futures::{Stream, StreamExt};
use jiff::Timestamp;

use super::entries::{self, Entries};
use crate::aws::AwsError;
use crate::aws::s3::Object;

/// One key's state in both buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Size and ETag are equal.
    Same(Object),
    /// In the source only.
    Missing(Object),
    /// In both, and the listing alone does not show them to be equal.
    Unlike { source: Object, target: Object },
    /// In the target only.
    Extra(Object),
}

/// Whether an object that the target alone has was written there while the run goes on. What the new stack delivers to
/// its own bucket, such as the control message of a CloudWatch Logs subscription, is so; an older object is somebody
/// else's. Without a `since` everything is.
pub(super) fn written_since(object: &Object, since: Option<Timestamp>) -> bool {
    matches!((object.modified_at, since), (Some(at), Some(since)) if at >= since)
}

type Listed = Pin<Box<dyn Stream<Item = Result<Object, AwsError>> + Send>>;

struct Merge {
    source: Listed,
    target: Listed,
    /// The next object of each side, where it was read and not yet used.
    next_source: Option<Object>,
    next_target: Option<Object>,
}

/// Merges two listings, each in the order of their keys' UTF-8 bytes.
///
/// # Errors
/// The first error of either listing is the last item: what comes after is unknown, never "missing".
pub fn diff<S, T>(source: S, target: T) -> impl Stream<Item = Result<Difference, AwsError>> + Send
where
    S: Stream<Item = Result<Object, AwsError>> + Send + 'static,
    T: Stream<Item = Result<Object, AwsError>> + Send + 'static,
{
    let source: Listed = Box::pin(source.fuse());
    let target: Listed = Box::pin(target.fuse());
    entries::stream(Merge { source, target, next_source: None, next_target: None })
}

impl Entries for Merge {
    type Entry = Difference;

    async fn next(&mut self) -> Result<Option<Difference>, AwsError> {
        if self.next_source.is_none() {
            self.next_source = self.source.next().await.transpose()?;
        }
        if self.next_target.is_none() {
            self.next_target = self.target.next().await.transpose()?;
        }
        Ok(match (self.next_source.take(), self.next_target.take()) {
            (None, None) => None,
            (Some(source), None) => Some(Difference::Missing(source)),
            (None, Some(target)) => Some(Difference::Extra(target)),
            (Some(source), Some(target)) => Some(match source.key.as_bytes().cmp(target.key.as_bytes()) {
                Ordering::Equal => compare(source, target),
                Ordering::Less => {
                    self.next_target = Some(target);
                    Difference::Missing(source)
                }
                Ordering::Greater => {
                    self.next_source = Some(source);
                    Difference::Extra(target)
                }
            }),
        })
    }
}

/// Two empty objects are equal, whatever way they were uploaded.
fn compare(source: Object, target: Object) -> Difference {
    let equal = source.size_bytes == target.size_bytes && (source.size_bytes == 0 || source.etag == target.etag);
    if equal { Difference::Same(source) } else { Difference::Unlike { source, target } }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures::{TryStreamExt, stream};
    use proptest::prelude::*;

    use super::*;

    fn object(key: &str, etag: &str) -> Object {
        let size_bytes = etag.len() as u64;
        Object {
            key: key.into(),
            version_id: None,
            size_bytes,
            etag: etag.into(),
            storage_class: None,
            archived: false,
            modified_at: None,
        }
    }

    fn listing(objects: &BTreeMap<String, String>) -> impl Stream<Item = Result<Object, AwsError>> + Send + use<> {
        let mut objects: Vec<_> = objects.iter().map(|(key, etag)| object(key, etag)).collect();
        objects.sort_by(|a, b| a.key.as_bytes().cmp(b.key.as_bytes()));
        stream::iter(objects.into_iter().map(Ok))
    }

    /// What two maps say, without any merging.
    fn naive(source: &BTreeMap<String, String>, target: &BTreeMap<String, String>) -> BTreeMap<String, Difference> {
        let keys = source.keys().chain(target.keys());
        keys.map(|key| {
            let difference = match (source.get(key), target.get(key)) {
                (Some(a), Some(b)) if a == b => Difference::Same(object(key, a)),
                (Some(a), Some(b)) => Difference::Unlike { source: object(key, a), target: object(key, b) },
                (Some(a), None) => Difference::Missing(object(key, a)),
                (_, b) => Difference::Extra(object(key, b.map_or("", |b| b))),
            };
            (key.clone(), difference)
        })
        .collect()
    }

    fn key_of(difference: &Difference) -> &str {
        match difference {
            Difference::Same(o) | Difference::Missing(o) | Difference::Extra(o) => &o.key,
            Difference::Unlike { source, .. } => &source.key,
        }
    }

    fn bucket() -> impl Strategy<Value = BTreeMap<String, String>> {
        prop::collection::btree_map("[a-c/\u{e9}\u{ffff}\u{1f600}]{1,3}", "[xy]{0,2}", 0..40)
    }

    proptest! {
        #[test]
        fn the_merge_says_what_comparing_two_sets_would_say(source in bucket(), target in bucket()) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let found: Vec<Difference> =
                runtime.block_on(diff(listing(&source), listing(&target)).try_collect()).expect("no error");
            let keys: Vec<_> = found.iter().map(|d| key_of(d).as_bytes().to_vec()).collect();
            prop_assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
            let found: BTreeMap<_, _> = found.into_iter().map(|d| (key_of(&d).to_owned(), d)).collect();
            prop_assert_eq!(found, naive(&source, &target));
        }
    }

    #[tokio::test]
    async fn a_listing_that_breaks_off_is_an_error_and_not_missing_objects() {
        let error = AwsError { operation: "s3:ListBucket", code: None, message: "reset".into(), transient: false };
        let source = stream::iter([Ok(object("a", "x")), Ok(object("b", "x"))]);
        let target = stream::iter([Ok(object("a", "x")), Err(error.clone())]);
        let found: Vec<_> = diff(source, target).collect().await;
        assert_eq!(found, [Ok(Difference::Same(object("a", "x"))), Err(error)]);
    }
}
