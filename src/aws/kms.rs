//! KMS: whether a key can be used.

use aws_sdk_kms::types::KeyState;

use super::{AwsError, Session, explain};

/// How a key stands (KMS API: "DescribeKey").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    Usable,
    /// KMS's word for why not: `Disabled`, `PendingDeletion`, …
    Unusable(String),
    Missing,
}

/// Looks at a key by its id, ARN or alias.
///
/// # Errors
/// Any answer but the key or "not found".
pub async fn key(session: &Session, id: &str) -> Result<Key, AwsError> {
    match session.kms().describe_key().key_id(id).send().await.map_err(explain("kms:DescribeKey")) {
        Ok(answer) => Ok(match answer.key_metadata().and_then(|key| key.key_state()) {
            Some(KeyState::Enabled) => Key::Usable,
            Some(state) => Key::Unusable(state.as_str().to_owned()),
            None => Key::Unusable("in a state that KMS does not tell".to_owned()),
        }),
        Err(error) if error.is("NotFoundException") => Ok(Key::Missing),
        Err(error) => Err(error),
    }
}
