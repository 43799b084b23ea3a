//! What a secret's text becomes: the new password or access key, and everything else as it was.

use serde_json::{Map, Value};

/// Why a text cannot take what is new. No part of the text is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    NoPassword,
    NotOneWord,
    NoKey,
}

/// Under which names a database's place stands beside its login (AWS Secrets Manager User Guide: "JSON structure of AWS Secrets
/// Manager secrets").
const PLACES: [&str; 4] = ["host", "engine", "dbClusterIdentifier", "dbInstanceIdentifier"];

/// Names that people give the two halves of an access key; the first are given where there are none.
const KEYS: [(&str, &str); 5] = [
    ("access_key_id", "secret_access_key"),
    ("aws_access_key_id", "aws_secret_access_key"),
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ("AccessKeyId", "SecretAccessKey"),
    ("accessKeyId", "secretAccessKey"),
];

/// The text with another password: of JSON the key `password` alone, else the whole.
///
/// # Errors
/// It has no place for a password.
pub fn with_password(text: &str, password: &str) -> Result<String, Unfit> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(mut fields)) => match fields.get_mut("password") {
            Some(Value::String(old)) => {
                password.clone_into(old);
                Ok(Value::Object(fields).to_string())
            }
            _ => Err(Unfit::NoPassword),
        },
        Ok(Value::Array(_)) => Err(Unfit::NoPassword),
        _ if text.is_empty() || text.contains(char::is_whitespace) || text.contains("://") => Err(Unfit::NotOneWord),
        _ => Ok(password.to_owned()),
    }
}

/// The name that tells that a text is the login of a database.
pub fn is_login_of(text: &str) -> Option<&'static str> {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(text) else { return None };
    fields.get("password")?;
    PLACES.into_iter().find(|place| fields.contains_key(*place))
}

/// The user name of a login, where the text tells one.
pub(crate) fn username(text: &str) -> Option<String> {
    let fields: Value = serde_json::from_str(text).ok()?;
    fields["username"].as_str().map(str::to_owned)
}

/// The password that a text holds.
pub(crate) fn password(text: &str) -> Option<String> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(fields)) => fields.get("password")?.as_str().map(str::to_owned),
        Ok(Value::Array(_)) => None,
        _ => Some(text.to_owned()),
    }
}

/// The text with another access key, under the names that it has. `None` is a secret without a value.
///
/// # Errors
/// It holds something else.
pub fn with_access_key(text: Option<&str>, id: &str, secret: &str) -> Result<String, Unfit> {
    let mut fields = match text.map(serde_json::from_str::<Value>) {
        None => Map::new(),
        Some(Ok(Value::Object(fields))) => fields,
        Some(_) => return Err(Unfit::NoKey),
    };
    let named = KEYS.into_iter().find(|(id, secret)| fields.contains_key(*id) && fields.contains_key(*secret));
    let (for_id, for_secret) = match named {
        Some(names) => names,
        None if fields.is_empty() => KEYS[0],
        None => return Err(Unfit::NoKey),
    };
    fields.insert(for_id.to_owned(), id.into());
    fields.insert(for_secret.to_owned(), secret.into());
    Ok(Value::Object(fields).to_string())
}

/// The id of the access key that a text holds.
pub fn key_id(text: &str) -> Option<String> {
    let fields: Value = serde_json::from_str(text).ok()?;
    KEYS.into_iter().find_map(|(id, _)| fields[id].as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_of_json_becomes_another() {
        let text =
            with_password(r#"{"username": "app", "password": "old", "port": 3306, "more": {"a": [1.5]}}"#, "new")
                .unwrap();
        let expected =
            serde_json::json!({ "username": "app", "password": "new", "port": 3306, "more": { "a": [1.5] } });
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
        assert_eq!(with_password("old", "new"), Ok("new".into()));
        assert_eq!(with_password("12345", "new"), Ok("new".into()), "a number is a password as well");
        assert_eq!(with_password(r#"{"password": 5}"#, "new"), Err(Unfit::NoPassword));
        assert_eq!(with_password("two words", "new"), Err(Unfit::NotOneWord));
        assert_eq!((password(&text).as_deref(), username(&text).as_deref()), (Some("new"), Some("app")));
    }

    #[test]
    fn an_access_key_keeps_the_names_that_it_has() {
        let first = with_access_key(None, "AKIA1", "s").unwrap();
        assert_eq!(first, r#"{"access_key_id":"AKIA1","secret_access_key":"s"}"#);
        let named = r#"{"AccessKeyId": "AKIA0", "SecretAccessKey": "old", "region": "r"}"#;
        let text = with_access_key(Some(named), "AKIA1", "s").unwrap();
        assert_eq!(text, r#"{"AccessKeyId":"AKIA1","SecretAccessKey":"s","region":"r"}"#);
        assert_eq!(key_id(&text).as_deref(), Some("AKIA1"));
        for other in ["plain", r#"{"password": "x"}"#, "[]"] {
            assert_eq!(with_access_key(Some(other), "AKIA1", "s"), Err(Unfit::NoKey), "{other}");
        }
    }
}
