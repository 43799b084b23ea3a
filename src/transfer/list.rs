//! A bucket's objects as a stream in key order, a few pages ahead of its reader.

use std::collections::VecDeque;

use aws_sdk_s3::Client;
use futures::Stream;
use futures::stream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::aws::AwsError;
use crate::aws::s3::{Object, list_page};

/// Pages that are read ahead: enough to hide a request's time, few enough to bound the memory.
const PAGES_AHEAD: usize = 4;

struct Reader {
    pages: mpsc::Receiver<Result<Vec<Object>, AwsError>>,
    page: VecDeque<Object>,
    /// The key before, to prove the order that the merge rests on.
    last: Option<String>,
    bucket: String,
    /// Dropped with the reader, which ends the listing.
    _lister: JoinSet<()>,
}

/// Lists a bucket. A listing that repeats itself ends in an error, because its keys are out of order then.
///
/// # Errors
/// An item is an error where AWS refused, or listed keys out of order; it is the last item then.
pub fn list(client: Client, bucket: &str) -> impl Stream<Item = Result<Object, AwsError>> + Send + use<> {
    let (send, pages) = mpsc::channel(PAGES_AHEAD);
    let mut lister = JoinSet::new();
    lister.spawn(read_pages(client, bucket.to_owned(), send));
    let reader = Reader { pages, page: VecDeque::new(), last: None, bucket: bucket.to_owned(), _lister: lister };
    stream::unfold(Some(reader), async |reader| {
        let mut reader = reader?;
        match reader.next().await {
            Ok(Some(object)) => Some((Ok(object), Some(reader))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
}

async fn read_pages(client: Client, bucket: String, send: mpsc::Sender<Result<Vec<Object>, AwsError>>) {
    let mut token = None;
    loop {
        let page = list_page(&client, &bucket, token.take()).await;
        let (item, next) = match page {
            Ok(page) => (Ok(page.objects), page.next),
            Err(error) => (Err(error), None),
        };
        if send.send(item).await.is_err() || next.is_none() {
            return;
        }
        token = next;
    }
}

impl Reader {
    async fn next(&mut self) -> Result<Option<Object>, AwsError> {
        while self.page.is_empty() {
            match self.pages.recv().await {
                Some(page) => self.page = page?.into(),
                None => return Ok(None),
            }
        }
        let Some(object) = self.page.pop_front() else { return Ok(None) };
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
