//! A bucket's objects as a stream in key order.

use aws_sdk_s3::Client;
use futures::Stream;

use super::entries::{Entries, stream};
use super::pages::{Listing, Page, Pages};
use crate::aws::AwsError;
use crate::aws::s3::{Object, PageStart, list_page};

struct Reader {
    objects: Pages<Object>,
    /// The key before, to prove the order that the merge rests on.
    last: Option<String>,
    bucket: String,
}

/// A bucket's listing.
#[derive(Clone)]
struct Objects {
    client: Client,
    bucket: String,
}

impl Listing for Objects {
    type Entry = Object;
    type From = PageStart;

    async fn page(&self, from: Option<PageStart>) -> Result<Page<Object, PageStart>, AwsError> {
        let page = list_page(&self.client, &self.bucket, from).await?;
        Ok((page.objects, page.next.map(PageStart::Token)))
    }

    fn after(key: &str) -> PageStart {
        PageStart::After(key.to_owned())
    }

    fn key(object: &Object) -> &str {
        &object.key
    }
}

/// Lists a bucket. A listing that repeats itself ends in an error, because its keys are out of order then.
///
/// # Errors
/// An item is an error where AWS refused, or listed keys out of order; it is the last item then.
pub fn list(client: Client, bucket: &str) -> impl Stream<Item = Result<Object, AwsError>> + Send + use<> {
    let bucket = bucket.to_owned();
    let objects = Pages::of(Objects { client, bucket: bucket.clone() });
    stream(Reader { objects, last: None, bucket })
}

impl Entries for Reader {
    type Entry = Object;

    async fn next(&mut self) -> Result<Option<Object>, AwsError> {
        let Some(object) = self.objects.next().await? else { return Ok(None) };
        if self.last.as_ref().is_some_and(|last| *last >= object.key) {
            return Err(AwsError {
                operation: "s3:ListBucket",
                code: None,
                message: format!("{} does not list its keys in order: {:?} came late", self.bucket, object.key),
                transient: false,
            });
        }
        self.last = Some(object.key.clone());
        Ok(Some(object))
    }
}
