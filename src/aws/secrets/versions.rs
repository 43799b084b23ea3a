//! The versions of a secret, and what makes a new one: its own rotation, or a value that is put.

use std::collections::BTreeMap;
use std::fmt;

use super::SecretState;
use crate::aws::{AwsError, Session, explain, timestamp};

/// The version that everybody reads (AWS Secrets Manager User Guide: "Secret versions").
pub const AWSCURRENT: &str = "AWSCURRENT";
/// The version that is to become it.
pub const AWSPENDING: &str = "AWSPENDING";

/// Of how many characters a password is: RDS takes 41 of MySQL (RDS API: "ModifyDBCluster").
const LENGTH: i64 = 32;

/// A value that nobody sees: neither its form for debugging nor for people shows it, and it cannot be serialized.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The value itself, for a request to AWS alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret without its value (Secrets Manager API: "DescribeSecret").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretDetail {
    pub arn: String,
    pub state: SecretState,
    /// The stages of each version that has any.
    pub versions: BTreeMap<String, Vec<String>>,
    pub rotation_enabled: bool,
    /// ARN of the function that rotates it.
    pub function: Option<String>,
    /// The service that manages it: `rds`.
    pub owner: Option<String>,
    /// Where its primary is, if it is a replica.
    pub primary_region: Option<String>,
}

impl Default for SecretDetail {
    fn default() -> Self {
        Self {
            arn: String::new(),
            state: SecretState::Present,
            versions: BTreeMap::new(),
            rotation_enabled: false,
            function: None,
            owner: None,
            primary_region: None,
        }
    }
}

impl SecretDetail {
    /// The version that everybody reads.
    pub fn current(&self) -> Option<&str> {
        self.versions.iter().find(|(_, stages)| stages.iter().any(|it| it == AWSCURRENT)).map(|(id, _)| id.as_str())
    }
}

/// Looks at a secret; `None` where there is none (Secrets Manager API: "DescribeSecret").
///
/// # Errors
/// AWS refused.
pub async fn describe(session: &Session, name: &str) -> Result<Option<SecretDetail>, AwsError> {
    let answer = session.secrets().describe_secret().secret_id(name).send().await;
    let secret = match answer.map_err(explain("secretsmanager:DescribeSecret")) {
        Ok(secret) => secret,
        Err(error) if error.is("ResourceNotFoundException") => return Ok(None),
        Err(error) => return Err(error),
    };
    let text = |value: Option<&str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
    let state = match secret.deleted_date() {
        Some(until) => SecretState::Deleting { until: timestamp(until) },
        None => SecretState::Present,
    };
    Ok(Some(SecretDetail {
        arn: secret.arn().unwrap_or_default().to_owned(),
        state,
        rotation_enabled: secret.rotation_enabled() == Some(true),
        function: text(secret.rotation_lambda_arn()),
        owner: text(secret.owning_service()),
        primary_region: text(secret.primary_region()).filter(|region| region != session.region()),
        versions: secret.version_ids_to_stages.unwrap_or_default().into_iter().collect(),
    }))
}

/// The text of one version; `None` where it is binary or not there (Secrets Manager API: "GetSecretValue").
///
/// # Errors
/// AWS refused.
pub async fn version_text(session: &Session, name: &str, version: &str) -> Result<Option<Secret>, AwsError> {
    let answer = session.secrets().get_secret_value().secret_id(name).version_id(version).send().await;
    match answer.map_err(explain("secretsmanager:GetSecretValue")) {
        Ok(answer) => Ok(answer.secret_string().map(Secret::new)),
        Err(error) if error.is("ResourceNotFoundException") => Ok(None),
        Err(error) => Err(error),
    }
}

/// A new random password of letters and digits, which every engine and every shell takes (Secrets Manager API:
/// "GetRandomPassword").
///
/// # Errors
/// AWS refused.
pub async fn random_password(session: &Session) -> Result<Secret, AwsError> {
    let ask = session.secrets().get_random_password().password_length(LENGTH).exclude_punctuation(true);
    let answer = ask.send().await.map_err(explain("secretsmanager:GetRandomPassword"))?;
    match answer.random_password().filter(|password| password.len() >= 16) {
        Some(password) => Ok(Secret::new(password)),
        None => Err(AwsError {
            operation: "secretsmanager:GetRandomPassword",
            code: None,
            message: "the answer has no password".to_owned(),
            transient: false,
        }),
    }
}

/// Puts a new version, whose id is the token (Secrets Manager API: "PutSecretValue").
///
/// # Errors
/// `ResourceExistsException` where a version of that token is there with another value.
pub async fn put(session: &Session, name: &str, token: &str, value: &Secret, stage: &str) -> Result<(), AwsError> {
    let put = session.secrets().put_secret_value().secret_id(name).client_request_token(token);
    let put = put.secret_string(value.reveal()).version_stages(stage);
    put.send().await.map(drop).map_err(explain("secretsmanager:PutSecretValue"))
}

/// Makes a version the one that everybody reads; the one before becomes AWSPREVIOUS (Secrets Manager API:
/// "UpdateSecretVersionStage").
///
/// # Errors
/// AWS refused, also where `from` is not the current one any more.
pub async fn move_current(session: &Session, name: &str, from: Option<&str>, to: &str) -> Result<(), AwsError> {
    let update = session.secrets().update_secret_version_stage().secret_id(name).version_stage(AWSCURRENT);
    let update = update.set_remove_from_version_id(from.map(str::to_owned)).move_to_version_id(to);
    update.send().await.map(drop).map_err(explain("secretsmanager:UpdateSecretVersionStage"))
}

/// Begins a rotation as the secret is set up for it; the id of the new version is the token (Secrets Manager API: "RotateSecret").
///
/// # Errors
/// AWS refused, also where another rotation is not complete.
pub async fn rotate(session: &Session, name: &str, token: &str) -> Result<(), AwsError> {
    let rotate = session.secrets().rotate_secret().secret_id(name).client_request_token(token);
    rotate.rotate_immediately(true).send().await.map(drop).map_err(explain("secretsmanager:RotateSecret"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_not_shown() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some(Secret(…))");
    }
}
