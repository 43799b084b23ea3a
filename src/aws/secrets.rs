//! Secrets Manager: whether a secret's name is free, what becomes of one that is being deleted, the login that a manifest names,
//! and what a rotation needs. No other value is ever asked for. [`Secret`] keeps a value out of what is shown.

mod versions;

use jiff::Timestamp;

use super::{AwsError, Session, explain, timestamp};

pub use versions::{
    AWSCURRENT, AWSPENDING, Secret, SecretDetail, describe, move_current, put, random_password, rotate, version_text,
};

/// How a secret stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretState {
    Missing,
    Present,
    /// It is deleted, and keeps its name until its recovery window is over (Secrets Manager API: "DeleteSecret").
    Deleting {
        until: Option<Timestamp>,
    },
}

/// Looks at a secret (Secrets Manager API: "DescribeSecret").
///
/// # Errors
/// AWS refused.
pub async fn secret(session: &Session, name: &str) -> Result<SecretState, AwsError> {
    let answer = session.secrets().describe_secret().secret_id(name).send().await;
    match answer.map_err(explain("secretsmanager:DescribeSecret")) {
        Ok(secret) => Ok(match secret.deleted_date() {
            Some(until) => SecretState::Deleting { until: timestamp(until) },
            None => SecretState::Present,
        }),
        Err(error) if error.is("ResourceNotFoundException") => Ok(SecretState::Missing),
        Err(error) => Err(error),
    }
}

/// The text of a secret (Secrets Manager API: "GetSecretValue"). It is never written anywhere.
///
/// # Errors
/// AWS refused, or there is none of that name in the region.
pub async fn secret_text(session: &Session, name: &str) -> Result<Option<String>, AwsError> {
    let answer = session.secrets().get_secret_value().secret_id(name).send().await;
    let answer = answer.map_err(explain("secretsmanager:GetSecretValue"))?;
    Ok(answer.secret_string().map(str::to_owned))
}

/// Takes back the deletion of a secret, with all its versions (Secrets Manager API: "RestoreSecret"). One that is not being
/// deleted is left as it is.
///
/// # Errors
/// AWS refused.
pub async fn restore_secret(session: &Session, id: &str) -> Result<(), AwsError> {
    let answer = session.secrets().restore_secret().secret_id(id).send().await;
    answer.map(drop).map_err(explain("secretsmanager:RestoreSecret"))
}

/// Deletes a secret without a recovery window: its values are gone for good (Secrets Manager API: "DeleteSecret",
/// `ForceDeleteWithoutRecovery`).
///
/// # Errors
/// AWS refused.
pub async fn delete_secret_now(session: &Session, id: &str) -> Result<(), AwsError> {
    let request = session.secrets().delete_secret().secret_id(id).force_delete_without_recovery(true);
    match request.send().await.map_err(explain("secretsmanager:DeleteSecret")) {
        Ok(_) => Ok(()),
        Err(error) if error.is("ResourceNotFoundException") => Ok(()),
        Err(error) => Err(error),
    }
}
