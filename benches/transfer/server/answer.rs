//! What S3 answers: XML, headers without a body, errors.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use hyper::http::response::Builder;
use hyper::{Response, StatusCode};

use super::text::escaped;

pub type Answer = Response<Full<Bytes>>;

/// An error of S3 (S3 API: "Error responses").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
}

impl Refusal {
    pub const INVALID: Self = Self { status: 400, code: "InvalidRequest" };
    pub const METHOD_NOT_ALLOWED: Self = Self { status: 405, code: "MethodNotAllowed" };
    pub const NO_SUCH_BUCKET: Self = Self { status: 404, code: "NoSuchBucket" };
    pub const NO_SUCH_KEY: Self = Self { status: 404, code: "NoSuchKey" };
    pub const NO_SUCH_UPLOAD: Self = Self { status: 404, code: "NoSuchUpload" };
    pub const NO_SUCH_VERSION: Self = Self { status: 404, code: "NoSuchVersion" };
    pub const NOT_IMPLEMENTED: Self = Self { status: 501, code: "NotImplemented" };
    pub const PRECONDITION_FAILED: Self = Self { status: 412, code: "PreconditionFailed" };
    pub const SLOW_DOWN: Self = Self { status: 503, code: "SlowDown" };

    pub fn answer(self) -> Answer {
        let code = escaped(self.code);
        let body = format!("<Error><Code>{code}</Code><Message>{code}</Message><RequestId>0</RequestId></Error>");
        with(self.status, "application/xml", body)
    }
}

/// An answer of status 200 for its headers.
pub fn bare() -> Builder {
    Response::builder().header("x-amz-request-id", "0")
}

pub fn empty(headers: Builder) -> Answer {
    headers.body(Full::default()).expect("sound headers")
}

pub fn no_content() -> Answer {
    empty(bare().status(StatusCode::NO_CONTENT))
}

pub fn xml(body: impl Into<Bytes>) -> Answer {
    with(200, "application/xml", body)
}

pub fn json(value: &serde_json::Value) -> Answer {
    with(200, "application/json", value.to_string())
}

fn with(status: u16, kind: &str, body: impl Into<Bytes>) -> Answer {
    let headers = bare().status(status).header(CONTENT_TYPE, kind);
    headers.body(Full::new(body.into())).expect("sound headers")
}
