//! What of many objects failed: the first names, the first refusal, and when it is too much to go on.

use super::run::TransferError;
use super::survey::Names;
use crate::aws::AwsError;

/// So many failures are not a few bad objects: the work ends early.
const MOST: u64 = 20;

#[derive(Debug, Default)]
pub(super) struct Failures {
    names: Names,
    first: Option<AwsError>,
}

impl Failures {
    pub fn add(&mut self, key: &str, why: &str) {
        self.names.add(key, why);
    }

    pub fn refused(&mut self, key: &str, error: AwsError) {
        self.names.add(key, &error.to_string());
        self.first.get_or_insert(error);
    }

    pub fn are_too_many(&self) -> bool {
        self.names.count >= MOST
    }

    /// # Errors
    /// There are any; `what` says what could not be done.
    pub fn none(self, what: &str) -> Result<(), TransferError> {
        let too_many = self.are_too_many();
        match (self.names.say(what), self.first) {
            (None, _) => Ok(()),
            // One refusal for all, such as a denied permission, keeps its own hint.
            (Some(_), Some(error)) if too_many => Err(TransferError::Aws(error)),
            (Some(said), first) => Err(TransferError::Failed { said, first }),
        }
    }
}
