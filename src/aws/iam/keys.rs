//! Access keys of users: a new one, and one that nobody has.

use super::unless_missing;
use crate::aws::secrets::Secret;
use crate::aws::{AwsError, Session, explain};

/// Makes an access key: its id and its secret half, which IAM tells this once (IAM API: "CreateAccessKey"). The request has no
/// token: after a lost reply there is a key that nobody has.
///
/// # Errors
/// `LimitExceeded` where the user has two.
pub async fn create_key(session: &Session, user: &str) -> Result<(String, Secret), AwsError> {
    let answer = session.iam().create_access_key().user_name(user).send().await;
    let key = answer.map_err(explain("iam:CreateAccessKey"))?.access_key;
    match key {
        Some(key) => Ok((key.access_key_id().to_owned(), Secret::new(key.secret_access_key()))),
        None => Err(AwsError {
            operation: "iam:CreateAccessKey",
            code: None,
            message: "the answer has no key".to_owned(),
            transient: false,
        }),
    }
}

/// Deletes an access key, where it is there (IAM API: "DeleteAccessKey").
///
/// # Errors
/// AWS refused.
pub async fn delete_key(session: &Session, user: &str, key: &str) -> Result<(), AwsError> {
    let answer = session.iam().delete_access_key().user_name(user).access_key_id(key).send().await;
    unless_missing(answer.map_err(explain("iam:DeleteAccessKey"))).map(drop)
}

/// Whether anybody has used an access key (IAM API: "GetAccessKeyLastUsed").
///
/// # Errors
/// AWS refused.
pub async fn was_used(session: &Session, key: &str) -> Result<bool, AwsError> {
    let answer = session.iam().get_access_key_last_used().access_key_id(key).send().await;
    let answer = unless_missing(answer.map_err(explain("iam:GetAccessKeyLastUsed")))?;
    let used = answer.and_then(|it| it.access_key_last_used);
    Ok(used.is_some_and(|used| used.last_used_date().is_some()))
}
