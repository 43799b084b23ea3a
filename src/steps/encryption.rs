//! Whether what a recovery point is encrypted with can still be used: found before the run, not in the middle of it.

use super::Blocked;
use crate::aws::Session;
use crate::aws::kms::{self, Key};

/// Checks the key of a recovery point; `what` names that: `snapshot ARN`. Gives back a warning where the key cannot be
/// looked at: RDS and DynamoDB use it in the caller's name, but need other permissions for it than looking does.
///
/// # Errors
/// The key is disabled, about to be deleted, or gone; or AWS could not be asked.
pub async fn check_key(session: &Session, key: Option<&str>, what: &str) -> Result<Option<String>, Blocked> {
    // Both services tell the key by its ARN. What is no ARN (an emulator has such words) names no key.
    let Some(key) = key.filter(|key| key.starts_with("arn:")) else { return Ok(None) };
    let region = session.region();
    let (cause, hint) = match kms::key(session, key).await {
        Ok(Key::Usable) => return Ok(None),
        Ok(Key::Unusable(state)) => {
            let hint = match state.as_str() {
                "Disabled" => format!("enable it: aws kms enable-key --region {region} --key-id {key}"),
                "PendingDeletion" => {
                    format!("keep it: aws kms cancel-key-deletion --region {region} --key-id {key}; then enable it")
                }
                _ => "make the key usable".to_owned(),
            };
            (format!("{what} is encrypted with key {key}, which is {state} in {region}"), hint)
        }
        Ok(Key::Missing) => {
            let hint = "without its key nobody can read it".to_owned();
            (format!("{what} is encrypted with key {key}, which does not exist in {region}"), hint)
        }
        Err(error) if error.is_any(&["AccessDeniedException", "AccessDenied"]) => {
            return Ok(Some(format!("nobody knows whether key {key} of {what} can be used: {error}")));
        }
        Err(error) => return Err(error.into()),
    };
    Err(Blocked { cause, hint: Some(format!("{hint}; or name another recovery point with `from` in the manifest")) })
}
