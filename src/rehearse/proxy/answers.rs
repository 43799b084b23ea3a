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

/// "Your credentials have expired", as each protocol says it ("Common error types" of each API).
pub fn expired(call: &Call, json: bool) -> Canned {
    let xml = |status: u16, body: &'static str| Canned {
        status,
        content_type: "text/xml",
        body: Bytes::from_static(body.as_bytes()),
    };
    match call.service.as_str() {
        _ if json => Canned {
            status: 400,
            content_type: "application/x-amz-json-1.1",
            body: Bytes::from_static(
                br#"{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}"#,
            ),
        },
        "s3" => xml(400, "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"),
        "ec2" => xml(
            400,
            "<Response><Errors><Error><Code>RequestExpired</Code><Message>Request has expired.</Message></Error>\
             </Errors><RequestID>rehearsal</RequestID></Response>",
        ),
        _ => xml(
            403,
            "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>The security token included \
             in the request is expired</Message></Error><RequestId>rehearsal</RequestId></ErrorResponse>",
        ),
    }
}

/// A second cluster of a name, which AWS refuses and the emulator would put in the place of the first (Amazon RDS API:
/// "RestoreDBClusterFromSnapshot", errors).
pub fn cluster_exists() -> Canned {
    Canned {
        status: 400,
        content_type: "text/xml",
        body: Bytes::from_static(
            b"<ErrorResponse><Error><Type>Sender</Type><Code>DBClusterAlreadyExistsFault</Code><Message>DB Cluster \
              already exists</Message></Error><RequestId>rehearsal</RequestId></ErrorResponse>",
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
