//! Answers that the proxy gives itself, in the words of the service that was asked. Pure.

use bytes::Bytes;

use super::Call;

/// An answer with its content type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canned {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Bytes,
}

/// "Slow down", as each protocol says it, so that every SDK knows to try again later ("Error retries and exponential
/// backoff in AWS").
pub fn throttled(call: &Call, json: bool) -> Canned {
    let xml = |status: u16, body: &'static str| Canned {
        status,
        content_type: "text/xml",
        body: Bytes::from_static(body.as_bytes()),
    };
    match call.service.as_str() {
        _ if json => Canned {
            status: 400,
            content_type: "application/x-amz-json-1.1",
            body: Bytes::from_static(br#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#),
        },
        "s3" => xml(503, "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"),
        "ec2" => xml(
            503,
            "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>Request limit exceeded.</Message>\
             </Error></Errors><RequestID>rehearsal</RequestID></Response>",
        ),
        _ => xml(
            400,
            "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error>\
             <RequestId>rehearsal</RequestId></ErrorResponse>",
        ),
    }
}

/// The emulator could not be asked.
pub fn no_upstream(error: &str) -> Canned {
    Canned {
        status: 502,
        content_type: "text/plain",
        body: format!("the rehearsal's emulator could not be asked: {error}").into(),
    }
}
