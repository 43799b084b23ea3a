//! What was there before something was shut out. It is in the journal before the effect, and never holds the effect
//! itself: a step that is taken up again keeps what it has noted, and only adds what was not there then.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Cidr;

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

/// Of an IP set: what was added to it, so that only that is taken out again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpSetBefore {
    pub added: Vec<Cidr>,
}

/// Of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceBefore {
    pub vpc: String,
    pub interfaces: Vec<InterfaceBefore>,
}

/// A network interface with its security groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceBefore {
    pub id: String,
    pub groups: Vec<String>,
}

impl InstanceBefore {
    /// The same with network interfaces that have come since.
    #[must_use]
    pub fn with(mut self, now: &Self) -> Self {
        for interface in &now.interfaces {
            if self.interfaces.iter().all(|known| known.id != interface.id) {
                self.interfaces.push(interface.clone());
            }
        }
        self
    }
}

/// Of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketBefore {
    pub policy: Option<String>,
    /// `None` where nothing was set.
    pub public_access: Option<PublicAccess>,
}

/// What of a bucket's public access is blocked (S3 API: "PublicAccessBlockConfiguration").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicAccess {
    pub block_public_acls: bool,
    pub ignore_public_acls: bool,
    pub block_public_policy: bool,
    pub restrict_public_buckets: bool,
}

impl PublicAccess {
    pub const BLOCKED: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
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
        let of = |list: &[(&str, &str)]| InstanceBefore {
            vpc: "v".into(),
            interfaces: list
                .iter()
                .map(|(id, group)| InterfaceBefore { id: (*id).into(), groups: vec![(*group).into()] })
                .collect(),
        };
        assert_eq!(of(&[("a", "web")]).with(&of(&[("a", "q"), ("b", "web")])), of(&[("a", "web"), ("b", "web")]));
    }
}
