//! A listing's entries one by one, a few pages ahead of their reader.

use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::aws::AwsError;

/// Pages that are read ahead: enough to hide a request's time, few enough to bound the memory.
const AHEAD: usize = 4;

/// What a page gives: its entries, and from where to go on, unless it is the last one.
pub(super) type Page<T, F> = (Vec<T>, Option<F>);

pub(super) struct Pages<T> {
    pages: mpsc::Receiver<Result<Vec<T>, AwsError>>,
    page: VecDeque<T>,
    /// Dropped with the reader, which ends the listing.
    _lister: JoinSet<()>,
}

impl<T: Send + 'static> Pages<T> {
    /// Begins to list: `fetch` is given where to go on, first nothing.
    pub fn listed<F, A>(mut fetch: impl FnMut(Option<F>) -> A + Send + 'static) -> Self
    where
        F: Send + 'static,
        A: Future<Output = Result<Page<T, F>, AwsError>> + Send,
    {
        let (send, pages) = mpsc::channel(AHEAD);
        let mut lister = JoinSet::new();
        lister.spawn(async move {
            let mut from = None;
            loop {
                let (item, next) = match fetch(from.take()).await {
                    Ok((entries, next)) => (Ok(entries), next),
                    Err(error) => (Err(error), None),
                };
                if send.send(item).await.is_err() || next.is_none() {
                    return;
                }
                from = next;
            }
        });
        Self { pages, page: VecDeque::new(), _lister: lister }
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// AWS refused; nothing comes after that.
    pub async fn next(&mut self) -> Result<Option<T>, AwsError> {
        loop {
            if let Some(entry) = self.page.pop_front() {
                return Ok(Some(entry));
            }
            match self.pages.recv().await {
                Some(page) => self.page = page?.into(),
                None => return Ok(None),
            }
        }
    }
}
