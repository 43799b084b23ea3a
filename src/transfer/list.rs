//! A bucket's objects as a stream in key order.

use aws_sdk_s3::Client;
use futures::Stream;

use super::entries::{Entries, stream};
use super::pages::Pages;
use crate::aws::AwsError;
use crate::aws::s3::{Object, list_page};

struct Reader {
    objects: Pages<Object>,
    /// The key before, to prove the order that the merge rests on.
    last: Option<String>,
    bucket: String,
}

/// Lists a bucket. A listing that repeats itself ends in an error, because its keys are out of order then.
///
/// # Errors
/// An item is an error where AWS refused, or listed keys out of order; it is the last item then.
pub fn list(client: Client, bucket: &str) -> impl Stream<Item = Result<Object, AwsError>> + Send + use<> {
    let (asked, bucket) = (bucket.to_owned(), bucket.to_owned());
    let objects = Pages::listed(move |token| {
        let (client, bucket) = (client.clone(), asked.clone());
        async move { list_page(&client, &bucket, token).await.map(|page| (page.objects, page.next)) }
    });
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
