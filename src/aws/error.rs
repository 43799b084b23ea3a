//! One error for all services: what was asked, and what AWS answered.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::steps::{Blocked, StepError};

/// A request that AWS refused, or that did not reach it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}")]
pub struct AwsError {
    /// `rds:DescribeDBClusters`, as IAM would name it.
    pub operation: &'static str,
    /// AWS's error code, where it answered: `DBClusterNotFoundFault`.
    pub code: Option<String>,
    pub message: String,
    /// Whether the same request may well succeed later: AWS was overloaded or broken, or did not answer.
    pub transient: bool,
}

impl AwsError {
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether any of the codes is the answer. Services and emulators differ in the suffix `Fault`.
    pub fn is_any(&self, codes: &[&str]) -> bool {
        codes.iter().any(|code| self.is(code))
    }

    fn hint(&self) -> Option<String> {
        let hint = match self.code.as_deref()? {
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
                format!("allow {} for the role that runs lifeboat", self.operation)
            }
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
                "the credentials have expired: log in again".to_owned()
            }
            "InvalidClientTokenId" | "SignatureDoesNotMatch" | "UnrecognizedClientException" => {
                "the credentials are not valid: check AWS_PROFILE or the AWS_* variables".to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }
}

/// Turns an SDK error into ours, for `map_err(explain("rds:DescribeDBClusters"))`.
pub fn explain<E>(operation: &'static str) -> impl FnOnce(SdkError<E>) -> AwsError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    move |error| {
        let code = error.code().map(str::to_owned);
        let message = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            (None, _) => match error.raw_response() {
                Some(answer) => format!("HTTP status {} without a reason", answer.status().as_u16()),
                None => chain(&error),
            },
        };
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let transient = is_transient(error.code(), status);
        AwsError { operation, code, message, transient }
    }
}

/// Codes of "Common errors" and of the services' own that say "later"; and no answer at all.
fn is_transient(code: Option<&str>, status: Option<u16>) -> bool {
    const LATER: [&str; 11] = [
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    ];
    code.is_some_and(|code| LATER.contains(&code)) || status.is_none_or(|status| status == 429 || status >= 500)
}

/// The whole chain of causes in one line: an SDK's own message is often only "dispatch failure".
fn chain(error: &dyn Error) -> String {
    let mut words = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let word = cause.to_string();
        if words.last() != Some(&word) {
            words.push(word);
        }
        source = cause.source();
    }
    words.join(": ")
}

impl From<AwsError> for StepError {
    fn from(error: AwsError) -> Self {
        let mut failed = Self::failed(error.to_string());
        failed.transient = error.transient;
        match error.hint() {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    }
}

impl From<AwsError> for Blocked {
    fn from(error: AwsError) -> Self {
        Self { cause: error.to_string(), hint: error.hint() }
    }
}
