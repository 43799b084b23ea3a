//! Bodies on their way through: a part that was looked at and the rest, counted as it passes. Nothing is gathered.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// What was read of a body so far, and what is still to come.
pub struct Passing {
    head: Option<Bytes>,
    rest: Option<Incoming>,
    counted: Arc<AtomicU64>,
    /// Runs when the last byte has passed, or when nobody wants the rest.
    done: Option<Box<dyn FnOnce(u64) + Send + Sync>>,
}

impl Passing {
    pub fn new(head: Option<Bytes>, rest: Option<Incoming>) -> Self {
        Self { head: head.filter(|head| !head.is_empty()), rest, counted: Arc::default(), done: None }
    }

    /// How many bytes have passed, also after the body was given away.
    pub fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.counted)
    }

    #[must_use]
    pub fn when_done(mut self, done: impl FnOnce(u64) + Send + Sync + 'static) -> Self {
        self.done = Some(Box::new(done));
        if self.is_end_stream() {
            self.finish();
        }
        self
    }

    fn finish(&mut self) {
        if let Some(done) = self.done.take() {
            done(self.counted.load(Ordering::Relaxed));
        }
    }

    fn count(&mut self, frame: Option<&Frame<Bytes>>) {
        if let Some(data) = frame.and_then(Frame::data_ref) {
            self.counted.fetch_add(u64::try_from(data.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        // Told before the last frame is handed on, so that whoever has read it finds the record written.
        if frame.is_none() || self.is_end_stream() {
            self.finish();
        }
    }
}

impl Body for Passing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(head) = self.head.take() {
            let frame = Frame::data(head);
            self.count(Some(&frame));
            return Poll::Ready(Some(Ok(frame)));
        }
        let Some(rest) = self.rest.as_mut() else {
            self.count(None);
            return Poll::Ready(None);
        };
        let polled = std::task::ready!(Pin::new(rest).poll_frame(cx));
        match &polled {
            Some(Ok(frame)) => self.count(Some(frame)),
            Some(Err(_)) | None => self.count(None),
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.head.is_none() && self.rest.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let head = self.head.as_ref().map_or(0, Bytes::len) as u64;
        let rest = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint);
        let mut hint = SizeHint::new();
        hint.set_lower(head + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(head + upper);
        }
        hint
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Reads a body until it ends or `limit` bytes are there. The rest, if there is any, is given back unread.
///
/// # Errors
/// The sender gave up.
pub async fn peek(mut body: Incoming, limit: usize) -> Result<(Bytes, Option<Incoming>), hyper::Error> {
    let mut head = Vec::new();
    while head.len() < limit {
        match body.frame().await {
            Some(frame) => {
                if let Ok(data) = frame?.into_data() {
                    head.extend_from_slice(&data);
                }
            }
            None => return Ok((head.into(), None)),
        }
    }
    Ok((head.into(), Some(body)))
}
