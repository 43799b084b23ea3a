//! What IAM tells of the account as a whole: its credential report, and who may do what.

use serde_json::{Map, Value};

use super::decoded;
use crate::aws::{Answer, AwsError, Session, explain, timestamp};
use jiff::Timestamp;

/// Keys whose values are policy documents, which IAM encodes.
const DOCUMENTS: [&str; 3] = ["PolicyDocument", "AssumeRolePolicyDocument", "Document"];

/// The credential report (IAM User Guide: "Generate credential reports for your AWS account").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialReport {
    /// CSV.
    pub content: Vec<u8>,
    /// IAM makes a new one every four hours at most.
    pub generated_at: Option<Timestamp>,
}

/// Has a credential report made, unless there is one (IAM API: "GenerateCredentialReport"). Whether it is ready.
///
/// # Errors
/// AWS refused.
pub async fn generate_credential_report(session: &Session) -> Result<bool, AwsError> {
    let asked = session.iam().generate_credential_report().send().await;
    let answer = asked.map_err(explain("iam:GenerateCredentialReport"))?;
    Ok(answer.state().is_some_and(|state| state.as_str() == "COMPLETE"))
}

/// The credential report; `None` where it is not ready (IAM API: "GetCredentialReport").
///
/// # Errors
/// AWS refused.
pub async fn credential_report(session: &Session) -> Result<Option<CredentialReport>, AwsError> {
    const NOT_READY: [&str; 6] = [
        "ReportInProgress",
        "ReportNotPresent",
        "ReportExpired",
        "CredentialReportNotReadyException",
        "CredentialReportNotPresentException",
        "CredentialReportExpiredException",
    ];
    match session.iam().get_credential_report().send().await.map_err(explain("iam:GetCredentialReport")) {
        Ok(answer) => {
            let generated_at = answer.generated_time().and_then(timestamp);
            let content = answer.content.map(|content| content.into_inner()).unwrap_or_default();
            Ok(Some(CredentialReport { content, generated_at }))
        }
        Err(error) if error.is_any(&NOT_READY) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A page of users, groups, roles and policies, and where the next begins (IAM API: "GetAccountAuthorizationDetails"). Each
/// item says what it is under `kind`; policy documents are decoded.
///
/// # Errors
/// AWS refused, or the answer is cut short.
pub async fn authorization_details(
    session: &Session,
    marker: Option<String>,
) -> Result<(Vec<Value>, Option<String>), AwsError> {
    let operation = "iam:GetAccountAuthorizationDetails";
    let answer = Answer::default();
    let asked = session.iam().get_account_authorization_details().set_marker(marker);
    let told = asked.customize().interceptor(answer.clone()).send().await.map_err(explain(operation))?;
    let answer = answer.json(operation)?;
    let result = &answer["GetAccountAuthorizationDetailsResult"];
    let kinds =
        [("user", "UserDetailList"), ("group", "GroupDetailList"), ("role", "RoleDetailList"), ("policy", "Policies")];
    let items = kinds.into_iter().flat_map(|(kind, list)| {
        let found = result[list].as_array().cloned().unwrap_or_default();
        found.into_iter().map(move |item| {
            let mut named = Map::from_iter([("kind".to_owned(), Value::from(kind))]);
            named.extend(readable(item).as_object().cloned().unwrap_or_default());
            Value::Object(named)
        })
    });
    let next = told.marker().filter(|_| told.is_truncated()).map(str::to_owned);
    if told.is_truncated() && next.is_none() {
        let message = "the answer is cut short without a marker of what comes next".to_owned();
        return Err(AwsError { operation, code: None, message, transient: false });
    }
    Ok((items.collect(), next))
}

/// The same with readable policy documents.
fn readable(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(readable).collect(),
        Value::Object(fields) => {
            let read = |(name, value): (String, Value)| match value {
                Value::String(text) if DOCUMENTS.contains(&name.as_str()) => (name, Value::String(decoded(&text))),
                value => (name, readable(value)),
            };
            Value::Object(fields.into_iter().map(read).collect())
        }
        value => value,
    }
}
