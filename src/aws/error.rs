//! One error for all services: what was asked, and what AWS answered.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::steps::{Blocked, StepError};

/// What AWS answers once credentials are too old (IAM: "Common errors"; S3: "List of error codes").
const EXPIRED: [&str; 4] = ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"];
/// Our code for credentials that could not be had or renewed, so that AWS was not even asked.
const NO_CREDENTIALS: &str = "NoUsableCredentials";
/// Said with every failure for want of valid credentials.
pub const LOG_IN: &str = "log in again, then resume the run";

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

    /// Whether only newer credentials can help.
    pub fn credentials_expired(&self) -> bool {
        self.is(NO_CREDENTIALS) || self.is_any(&EXPIRED)
    }

    fn hint(&self) -> Option<String> {
        let hint = match self.code.as_deref()? {
            "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" => {
                format!("allow {} for the role that runs lifeboat", self.operation)
            }
            _ if self.credentials_expired() => LOG_IN.to_owned(),
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
        let credentials = without_credentials(&error);
        let code = error.code().or(credentials.then_some(NO_CREDENTIALS)).map(str::to_owned);
        let message = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            (None, _) => match error.raw_response() {
                Some(answer) => format!("HTTP status {} without a reason", answer.status().as_u16()),
                None => chain(&error),
            },
        };
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let transient = !credentials && is_transient(error.code(), status);
        AwsError { operation, code, message, transient }
    }
}

/// Codes of "Common errors" and of the services' own that say "later"; and no answer at all.
pub(super) fn is_transient(code: Option<&str>, status: Option<u16>) -> bool {
    const LATER: [&str; 13] = [
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    ];
    code.is_some_and(|code| LATER.contains(&code)) || status.is_none_or(|status| status == 429 || status >= 500)
}

/// Whether the request was never sent, because its credentials could not be loaded or renewed. A provider that was too
/// slow may be faster the next time.
fn without_credentials<E: Error + 'static>(error: &SdkError<E>) -> bool {
    if error.raw_response().is_some() {
        return false;
    }
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<CredentialsError>() {
            return !matches!(error, CredentialsError::ProviderTimedOut(_));
        }
        source = cause.source();
    }
    false
}

/// The whole chain of causes in one line: an SDK's own message is often only "dispatch failure".
pub(super) fn chain(error: &dyn Error) -> String {
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
        let mut failed = match error.credentials_expired() {
            true => Self::credentials(error.to_string()),
            false => Self::failed(error.to_string()),
        };
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
