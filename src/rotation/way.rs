//! How a secret can be rotated, by what Secrets Manager tells of it and by the form of its text.

use super::document::{Unfit, is_login_of, with_password};
use crate::aws::secrets::SecretDetail;

/// How a secret is rotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By its own rotation: a function, or the service that manages it (AWS Secrets Manager User Guide: "Rotate AWS Secrets
    /// Manager secrets"). What it is, in words.
    Own(String),
    /// A new random password is put into it.
    Password,
    /// Not by lifeboat, and why.
    Cannot(String),
}

/// Decides. `text` is the current version's, `None` where it is binary or there is none; it is not looked at where the secret
/// rotates by itself.
pub fn way(detail: &SecretDetail, text: Option<&str>) -> Way {
    if let Some(own) = own_rotation(detail) {
        return Way::Own(own);
    }
    if let Some(owner) = &detail.owner {
        return Way::Cannot(format!("it belongs to {owner}, and its rotation is not switched on"));
    }
    let Some(text) = text else {
        return Way::Cannot("it is binary, or has no value, and no rotation is switched on for it".to_owned());
    };
    if let Some(field) = is_login_of(text) {
        return Way::Cannot(format!(
            "it is a login of a database (it has the key `{field}`), which would not be told of a new password: switch its rotation \
             on, or name the cluster in the rotation block where it is the master user's"
        ));
    }
    // Whether a password fits is the same for all of them.
    match with_password(text, "x") {
        Ok(_) => Way::Password,
        Err(unfit) => Way::Cannot(unfit.why().to_owned()),
    }
}

/// What rotates a secret, where something does.
pub fn own_rotation(detail: &SecretDetail) -> Option<String> {
    // RDS rotates what it manages, on request, whatever is told of it.
    if detail.owner.as_deref() == Some("rds") {
        return Some("RDS, which manages it".to_owned());
    }
    if !detail.rotation_enabled {
        return None;
    }
    Some(match (&detail.function, &detail.owner) {
        (Some(function), _) => format!("function {function}"),
        (None, Some(owner)) => format!("{owner}, which manages it"),
        (None, None) => "its rotation".to_owned(),
    })
}

impl Unfit {
    /// In words, without a part of the text.
    pub fn why(self) -> &'static str {
        match self {
            Self::NoPassword => {
                "it is JSON without a text under the key `password`, and no rotation is switched on for it"
            }
            Self::NotOneWord => {
                "it is a key, a certificate, an address or another text that is no password, and no rotation is switched on for it"
            }
            Self::NoKey => "it holds neither an access key nor nothing",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cannot(way: &Way, word: &str) -> bool {
        matches!(way, Way::Cannot(why) if why.contains(word))
    }

    #[test]
    fn a_secret_rotates_by_itself_by_a_new_password_or_not_at_all() {
        let plain = SecretDetail::default();
        let rotating = SecretDetail { rotation_enabled: true, function: Some("arn:f".into()), ..plain.clone() };
        assert_eq!(way(&rotating, None), Way::Own("function arn:f".into()));
        let off = SecretDetail { rotation_enabled: false, ..rotating };
        assert_eq!(
            way(&off, Some("hunter2")),
            Way::Password,
            "a rotation that was switched off is not switched on again"
        );
        let managed = SecretDetail { owner: Some("rds".into()), ..plain.clone() };
        assert!(matches!(way(&managed, None), Way::Own(_)));
        let others = SecretDetail { owner: Some("events".into()), ..plain.clone() };
        assert!(cannot(&way(&others, Some("hunter2")), "belongs to events"));
        assert!(cannot(&way(&plain, None), "binary"));
        assert_eq!(way(&plain, Some(r#"{"username": "app", "password": "hunter2"}"#)), Way::Password);
        let login = way(&plain, Some(r#"{"username": "app", "password": "hunter2", "host": "db"}"#));
        assert!(cannot(&login, "login of a database"), "{login:?}");
        for text in
            [r#"{"api_key": "hunter2"}"#, "[\"hunter2\"]", "-----BEGIN KEY-----\nhunter2", "mysql://a:hunter2@b"]
        {
            let Way::Cannot(why) = way(&plain, Some(text)) else { panic!("{text}") };
            assert!(!why.contains("hunter2"), "{why}");
        }
    }
}
