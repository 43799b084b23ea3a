//! What every key of a bucket needs, as a stream in the order of the keys.

use aws_sdk_s3::Client;
use futures::Stream;
use jiff::Timestamp;

use super::history::{Decision, History};
use crate::aws::AwsError;
use crate::aws::s3::{Marker, Version, list_versions};
use crate::transfer::entries::{Entries, stream};
use crate::transfer::pages::{Listing, Page, Pages};

struct Reader {
    versions: Pages<Version>,
    /// The key whose versions are being told.
    history: Option<History>,
    to: Timestamp,
    bucket: String,
}

/// The listing of a bucket's versions under a prefix.
#[derive(Clone)]
struct Versions {
    client: Client,
    bucket: String,
    prefix: String,
}

impl Listing for Versions {
    type Entry = Version;
    type From = Marker;

    async fn page(&self, from: Option<Marker>) -> Result<Page<Version, Marker>, AwsError> {
        let page = list_versions(&self.client, &self.bucket, &self.prefix, from).await?;
        Ok((page.versions, page.next))
    }

    fn after(key: &str) -> Marker {
        Marker::after(key)
    }

    fn key(version: &Version) -> &str {
        &version.key
    }
}

/// Decides about every key under `prefix`. A key is decided when all its versions were told, so that what is done to it does
/// not disturb the listing.
///
/// # Errors
/// An item is an error where AWS refused, or listed keys out of order; it is the last item then.
pub fn changes(
    client: Client,
    bucket: &str,
    prefix: &str,
    to: Timestamp,
) -> impl Stream<Item = Result<Decision, AwsError>> + Send + use<> {
    let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
    let versions = Pages::of(Versions { client, bucket: bucket.clone(), prefix });
    stream(Reader { versions, history: None, to, bucket })
}

impl Entries for Reader {
    type Entry = Decision;

    async fn next(&mut self) -> Result<Option<Decision>, AwsError> {
        loop {
            let Some(version) = self.versions.next().await? else {
                return Ok(self.history.take().map(History::decide));
            };
            match &mut self.history {
                Some(history) if history.key() == version.key => history.older(version),
                Some(history) if history.key().as_bytes() > version.key.as_bytes() => {
                    return Err(self.out_of_order(&version.key));
                }
                history => {
                    let done = history.replace(History::new(version, self.to));
                    if let Some(done) = done {
                        return Ok(Some(done.decide()));
                    }
                }
            }
        }
    }
}

impl Reader {
    fn out_of_order(&self, key: &str) -> AwsError {
        AwsError {
            operation: "s3:ListBucketVersions",
            code: None,
            message: format!(
                "{} does not list its versions in the order of their keys: {key:?} came late",
                self.bucket
            ),
            transient: false,
        }
    }
}
