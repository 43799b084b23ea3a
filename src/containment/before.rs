//! What was there before something was shut out. It is in the journal before the effect, and never holds the effect
//! itself: a step that is taken up again keeps what it has noted, and only adds what was not there then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Of an IAM user. Its password cannot be read, and so not be put back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserBefore {
    /// The inline policy of our name, where there was one.
    pub policy: Option<String>,
    /// Whether each access key was active.
    pub keys: BTreeMap<String, bool>,
    /// Whether there was a password for the console.
    pub login_profile: bool,
}

impl UserBefore {
    /// The same with keys and a password that have come since.
    #[must_use]
    pub fn with(mut self, now: &Self) -> Self {
        for (key, active) in &now.keys {
            self.keys.entry(key.clone()).or_insert(*active);
        }
        self.login_profile |= now.login_profile;
        self
    }
}

/// Of an IAM role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleBefore {
    /// The inline policy of our name, where there was one.
    pub policy: Option<String>,
    pub trust: String,
    /// Sessions that began before are shut out; fixed once, in seconds, as IAM compares it.
    pub issued_before: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_since_is_added_and_what_was_noted_stays() {
        let noted = UserBefore { policy: None, keys: [("A".into(), true)].into(), login_profile: false };
        let now = UserBefore {
            policy: Some("ours".into()),
            keys: [("A".into(), false), ("B".into(), true)].into(),
            login_profile: true,
        };
        let whole = noted.with(&now);
        assert_eq!(whole.keys, [("A".into(), true), ("B".into(), true)].into());
        assert_eq!((whole.policy, whole.login_profile), (None, true));
    }
}
