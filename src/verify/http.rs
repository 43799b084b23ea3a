//! An HTTP check: asked again until it answers as it should, or its time is up.
//!
//! Redirects are not followed, because their status is an answer too. Certificates are checked against the machine's
//! own roots. A body is read only as far as it may matter.

use std::error::Error;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Uri, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// How much of a body is searched.
const BODY_BYTES: usize = 1 << 20;
/// One request takes no longer, so that a hanging one leaves time for another.
const LONGEST_REQUEST: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(2);

/// What an answer has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpExpectation<'a> {
    pub url: &'a str,
    pub status: u16,
    /// A text that the body has to contain.
    pub contains: Option<&'a str>,
}

/// An answer that was as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpAnswered {
    pub attempts: u32,
    pub elapsed: Duration,
}

/// Why no answer was as expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    #[error("{0:?} is not an http or https URL")]
    Url(String),
    #[error("the machine's root certificates cannot be read: {0}")]
    Roots(String),
    #[error("{last}, after {attempts} attempts")]
    Unanswered { last: String, attempts: u32 },
}

/// Whether a URL can be asked.
///
/// # Errors
/// It is not an absolute URL of http or https.
pub fn parse_url(url: &str) -> Result<Uri, HttpError> {
    let parsed: Option<Uri> = url.parse().ok();
    parsed
        .filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
        .ok_or_else(|| HttpError::Url(shown(url)))
}

/// A URL for people: without user, password and query, which may be secrets.
pub fn shown(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    match plain.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{path}")
        }
        None => plain.to_owned(),
    }
}

/// Asks until the answer is as expected, for at most `timeout`.
///
/// # Errors
/// The URL cannot be asked, or the time is up; then the last answer says why.
pub async fn expect(expectation: &HttpExpectation<'_>, timeout: Duration) -> Result<HttpAnswered, HttpError> {
    let uri = parse_url(expectation.url)?;
    let client = client()?;
    let began = Instant::now();
    let mut attempts = 0;
    loop {
        attempts += 1;
        let left = timeout.saturating_sub(began.elapsed()).min(LONGEST_REQUEST);
        let last = match tokio::time::timeout(left, ask(&client, &uri)).await {
            Ok(Ok(answer)) => match answer.complaint(expectation) {
                None => return Ok(HttpAnswered { attempts, elapsed: began.elapsed() }),
                Some(complaint) => complaint,
            },
            Ok(Err(error)) => error,
            Err(_) => format!("no answer in {} s", left.as_secs_f32().ceil()),
        };
        if began.elapsed() + PAUSE >= timeout {
            return Err(HttpError::Unanswered { last, attempts });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;

/// No connection is kept: each attempt resolves the name and connects anew, as a new user would.
fn client() -> Result<HttpClient, HttpError> {
    let https =
        HttpsConnectorBuilder::new().with_native_roots().map_err(|error| HttpError::Roots(error.to_string()))?;
    let https = https.https_or_http().enable_http1().build();
    Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(https))
}

struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    fn complaint(&self, expected: &HttpExpectation<'_>) -> Option<String> {
        if self.status != expected.status {
            return Some(format!("answered {} instead of {}", self.status, expected.status));
        }
        let text = expected.contains?;
        let found = text.is_empty() || self.body.windows(text.len()).any(|window| window == text.as_bytes());
        (!found).then(|| format!("answered {} without {text:?} in its body", self.status))
    }
}

async fn ask(client: &HttpClient, uri: &Uri) -> Result<Answer, String> {
    let request = Request::get(uri)
        .header(header::USER_AGENT, concat!("lifeboat/", env!("CARGO_PKG_VERSION")))
        .body(Empty::new())
        .map_err(|error| chain(&error))?;
    let answer = client.request(request).await.map_err(|error| chain(&error))?;
    let status = answer.status().as_u16();
    let mut incoming = answer.into_body();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| chain(&error))?;
        if let Some(data) = frame.data_ref() {
            body.extend_from_slice(&data[..data.len().min(BODY_BYTES - body.len())]);
        }
        if body.len() >= BODY_BYTES {
            break;
        }
    }
    Ok(Answer { status, body })
}

/// The innermost cause says most: "connection refused" rather than "client error".
fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        assert_eq!(shown("https://me:pw@api.example.com/health?token=x#y"), "https://api.example.com/health");
        assert_eq!(shown("https://api.example.com?token=x"), "https://api.example.com");
        assert!(parse_url("ftp://example.com").is_err());
        assert!(parse_url("/health").is_err());
        assert!(parse_url("https://example.com/health?x=1").is_ok());
    }
}
