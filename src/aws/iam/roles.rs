//! IAM roles: inline policies and trust.

use super::{decoded, unless_missing};
use crate::aws::{AwsError, Session, explain};

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub arn: String,
    /// `/aws-service-role/…` of one that is linked to a service, which alone may change it.
    pub path: String,
    pub trust: String,
}

/// A role by name (IAM API: "GetRole").
///
/// # Errors
/// AWS refused.
pub async fn role(session: &Session, name: &str) -> Result<Option<Role>, AwsError> {
    let answer = session.iam().get_role().role_name(name).send().await.map_err(explain("iam:GetRole"));
    let role = unless_missing(answer)?.and_then(|answer| answer.role);
    Ok(role.map(|role| Role {
        arn: role.arn().to_owned(),
        path: role.path().to_owned(),
        trust: decoded(role.assume_role_policy_document().unwrap_or_default()),
    }))
}

/// An inline policy of a role (IAM API: "GetRolePolicy").
///
/// # Errors
/// AWS refused.
pub async fn role_policy(session: &Session, name: &str, policy: &str) -> Result<Option<String>, AwsError> {
    let answer = session.iam().get_role_policy().role_name(name).policy_name(policy).send().await;
    let answer = unless_missing(answer.map_err(explain("iam:GetRolePolicy")))?;
    Ok(answer.map(|it| decoded(it.policy_document())))
}

/// Writes it (IAM API: "PutRolePolicy").
///
/// # Errors
/// AWS refused.
pub async fn put_role_policy(session: &Session, name: &str, policy: &str, text: &str) -> Result<(), AwsError> {
    let put = session.iam().put_role_policy().role_name(name).policy_name(policy).policy_document(text);
    put.send().await.map(drop).map_err(explain("iam:PutRolePolicy"))
}

/// Takes it away, where it is there (IAM API: "DeleteRolePolicy").
///
/// # Errors
/// AWS refused.
pub async fn delete_role_policy(session: &Session, name: &str, policy: &str) -> Result<(), AwsError> {
    let answer = session.iam().delete_role_policy().role_name(name).policy_name(policy).send().await;
    unless_missing(answer.map_err(explain("iam:DeleteRolePolicy"))).map(drop)
}

/// Writes who may assume a role (IAM API: "UpdateAssumeRolePolicy").
///
/// # Errors
/// AWS refused.
pub async fn put_trust(session: &Session, name: &str, text: &str) -> Result<(), AwsError> {
    let put = session.iam().update_assume_role_policy().role_name(name).policy_document(text);
    put.send().await.map(drop).map_err(explain("iam:UpdateAssumeRolePolicy"))
}
