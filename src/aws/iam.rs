//! IAM: what shuts users and roles out, and the access keys of users. IAM has one control plane for all regions.

mod account;
mod keys;
mod roles;
mod users;

pub use account::{CredentialReport, authorization_details, credential_report, generate_credential_report};
pub use keys::{create_key, delete_key, was_used};
pub use roles::{Role, delete_role_policy, put_role_policy, put_trust, role, role_policy};
pub use users::{
    delete_login_profile, delete_user_policy, has_login_profile, keys, put_user_policy, set_key, user_arn, user_exists,
    user_policy,
};

use super::AwsError;

const MISSING: [&str; 2] = ["NoSuchEntity", "NoSuchEntityException"];

/// `None` where the answer is that there is no such thing.
fn unless_missing<T>(answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_any(&MISSING) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A policy document as it is answered: percent-encoded (IAM API: "GetUserPolicy", RFC 3986). What is no encoding stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match code.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn documents_are_read_as_they_were_written() {
        assert_eq!(decoded("%7B%22a%22%3A%20%22%C3%BC%2B%22%7D"), r#"{"a": "ü+"}"#);
        assert_eq!(decoded(r#"{"a": "100%"}"#), r#"{"a": "100%"}"#);
        assert_eq!(decoded("%zz%4"), "%zz%4");
    }
}
