//! IAM users: inline policies, access keys, and the password for the console. No secret is ever asked for.

use std::collections::BTreeMap;

use aws_sdk_iam::types::StatusType;

use super::{decoded, unless_missing};
use crate::aws::{AwsError, Session, explain};

/// Whether there is a user of that name (IAM API: "GetUser").
///
/// # Errors
/// AWS refused.
pub async fn user_exists(session: &Session, name: &str) -> Result<bool, AwsError> {
    Ok(user_arn(session, name).await?.is_some())
}

/// The ARN of a user, with its path (IAM API: "GetUser").
///
/// # Errors
/// AWS refused.
pub async fn user_arn(session: &Session, name: &str) -> Result<Option<String>, AwsError> {
    let answer = session.iam().get_user().user_name(name).send().await.map_err(explain("iam:GetUser"));
    Ok(unless_missing(answer)?.map(|answer| answer.user.map(|user| user.arn).unwrap_or_default()))
}

/// An inline policy of a user (IAM API: "GetUserPolicy").
///
/// # Errors
/// AWS refused.
pub async fn user_policy(session: &Session, name: &str, policy: &str) -> Result<Option<String>, AwsError> {
    let answer = session.iam().get_user_policy().user_name(name).policy_name(policy).send().await;
    let answer = unless_missing(answer.map_err(explain("iam:GetUserPolicy")))?;
    Ok(answer.map(|it| decoded(it.policy_document())))
}

/// Writes it (IAM API: "PutUserPolicy").
///
/// # Errors
/// AWS refused.
pub async fn put_user_policy(session: &Session, name: &str, policy: &str, text: &str) -> Result<(), AwsError> {
    let put = session.iam().put_user_policy().user_name(name).policy_name(policy).policy_document(text);
    put.send().await.map(drop).map_err(explain("iam:PutUserPolicy"))
}

/// Takes it away, where it is there (IAM API: "DeleteUserPolicy").
///
/// # Errors
/// AWS refused.
pub async fn delete_user_policy(session: &Session, name: &str, policy: &str) -> Result<(), AwsError> {
    let answer = session.iam().delete_user_policy().user_name(name).policy_name(policy).send().await;
    unless_missing(answer.map_err(explain("iam:DeleteUserPolicy"))).map(drop)
}

/// The access keys of a user, and whether each is active (IAM API: "ListAccessKeys").
///
/// # Errors
/// AWS refused, or a page could not be read: a part is never taken for all.
pub async fn keys(session: &Session, name: &str) -> Result<BTreeMap<String, bool>, AwsError> {
    let mut pages = session.iam().list_access_keys().user_name(name).into_paginator().send();
    let mut keys = BTreeMap::new();
    while let Some(page) = pages.next().await {
        for key in page.map_err(explain("iam:ListAccessKeys"))?.access_key_metadata() {
            let id = key.access_key_id().unwrap_or_default().to_owned();
            keys.insert(id, key.status() == Some(&StatusType::Active));
        }
    }
    Ok(keys)
}

/// Switches an access key on or off; `false` where it is not there any more (IAM API: "UpdateAccessKey").
///
/// # Errors
/// AWS refused.
pub async fn set_key(session: &Session, name: &str, key: &str, active: bool) -> Result<bool, AwsError> {
    let status = if active { StatusType::Active } else { StatusType::Inactive };
    let answer = session.iam().update_access_key().user_name(name).access_key_id(key).status(status).send().await;
    Ok(unless_missing(answer.map_err(explain("iam:UpdateAccessKey")))?.is_some())
}

/// Whether a user has a password for the console (IAM API: "GetLoginProfile").
///
/// # Errors
/// AWS refused.
pub async fn has_login_profile(session: &Session, name: &str) -> Result<bool, AwsError> {
    let answer = session.iam().get_login_profile().user_name(name).send().await;
    Ok(unless_missing(answer.map_err(explain("iam:GetLoginProfile")))?.is_some())
}

/// Takes it away, where there is one (IAM API: "DeleteLoginProfile").
///
/// # Errors
/// AWS refused.
pub async fn delete_login_profile(session: &Session, name: &str) -> Result<(), AwsError> {
    let answer = session.iam().delete_login_profile().user_name(name).send().await;
    unless_missing(answer.map_err(explain("iam:DeleteLoginProfile"))).map(drop)
}
