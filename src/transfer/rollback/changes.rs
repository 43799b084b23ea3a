//! What every key of a bucket needs, as a stream in the order of the keys, a few pages of versions ahead of its reader.

use std::collections::VecDeque;

use aws_sdk_s3::Client;
use futures::{Stream, stream};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::history::{Decision, History};
use crate::aws::AwsError;
use crate::aws::s3::{Version, list_versions};

/// Pages that are read ahead: enough to hide a request's time, few enough to bound the memory.
const PAGES_AHEAD: usize = 4;

struct Reader {
    pages: mpsc::Receiver<Result<Vec<Version>, AwsError>>,
    page: VecDeque<Version>,
    /// The key whose versions are being told.
    history: Option<History>,
    to: Timestamp,
    bucket: String,
    /// Dropped with the reader, which ends the listing.
    _lister: JoinSet<()>,
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
    let (send, pages) = mpsc::channel(PAGES_AHEAD);
    let mut lister = JoinSet::new();
    lister.spawn(read_pages(client, bucket.to_owned(), prefix.to_owned(), send));
    let (page, bucket) = (VecDeque::new(), bucket.to_owned());
    let reader = Reader { pages, page, history: None, to, bucket, _lister: lister };
    stream::unfold(Some(reader), async |reader| {
        let mut reader = reader?;
        match reader.next().await {
            Ok(Some(decision)) => Some((Ok(decision), Some(reader))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

async fn read_pages(
    client: Client,
    bucket: String,
    prefix: String,
    send: mpsc::Sender<Result<Vec<Version>, AwsError>>,
) {
    let mut from = None;
    loop {
        let page = list_versions(&client, &bucket, &prefix, from.take()).await;
        let (item, next) = match page {
            Ok(page) => (Ok(page.versions), page.next),
            Err(error) => (Err(error), None),
        };
        if send.send(item).await.is_err() || next.is_none() {
            return;
        }
        from = next;
    }
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Decision>, AwsError> {
        loop {
            while self.page.is_empty() {
                match self.pages.recv().await {
                    Some(page) => self.page = page?.into(),
                    None => return Ok(self.history.take().map(History::decide)),
                }
            }
            let Some(version) = self.page.pop_front() else { continue };
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
