//! What a step of containment, or of its release, carries through runbook and journal: all that it needs, as plain data.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{AclEntry, BucketBefore, Cidr, InstanceBefore, IpSetBefore, RoleBefore, UserBefore};

/// Something that is shut out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Containment {
    User(SpareUser),
    Role(SpareRole),
    Addresses(AddressBlock),
    IpSet(IpSetBlock),
    Instance(SpareInstance),
    Bucket(SpareBucket),
}

/// Something that is let in again, with what was there before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Release {
    User { user: SpareUser, before: UserBefore },
    Role { role: SpareRole, before: RoleBefore },
    Addresses { place: AclPlace, entries: Vec<AclEntry> },
    IpSet { set: IpSetRef, before: IpSetBefore },
    Instance { instance: SpareInstance, before: InstanceBefore },
    Bucket { bucket: SpareBucket, before: BucketBefore },
}

/// An IAM user, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpareUser {
    pub name: String,
    /// ARNs of who must never be shut out; at least one.
    pub break_glass: Vec<String>,
}

/// An IAM role, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpareRole {
    pub name: String,
    /// Whether nobody but the break-glass principals may begin new sessions either.
    pub narrow_trust: bool,
    pub break_glass: Vec<String>,
}

/// Addresses that network ACLs deny in both directions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressBlock {
    pub cidrs: Vec<Cidr>,
    pub place: AclPlace,
    /// Network ACLs that other steps see to: two at one ACL would be in each other's way.
    pub elsewhere: Vec<String>,
    pub break_glass: Vec<String>,
}

/// Which network ACLs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AclPlace {
    /// This one, by id.
    NetworkAcl(String),
    /// All of a VPC, by its id.
    Vpc(String),
}

impl fmt::Display for AclPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetworkAcl(id) => write!(f, "network ACL {id}"),
            Self::Vpc(id) => write!(f, "the network ACLs of VPC {id}"),
        }
    }
}

/// Addresses that are added to an IP set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpSetBlock {
    pub set: IpSetRef,
    /// Those of its version are added.
    pub cidrs: Vec<Cidr>,
    pub break_glass: Vec<String>,
}

/// An IP set of AWS WAF, as its ARN names it (Service Authorization Reference: "Actions, resources, and condition keys for
/// AWS WAF V2", `ipset`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpSetRef {
    pub region: String,
    pub account: String,
    /// `REGIONAL` or `CLOUDFRONT`.
    pub scope: String,
    pub name: String,
    pub id: String,
}

impl IpSetRef {
    /// Reads `arn:aws:wafv2:REGION:ACCOUNT:regional/ipset/NAME/ID`, or `global/…` for CloudFront.
    pub fn parse(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", _, "wafv2", region, account, resource] = parts.as_slice() else { return None };
        let resource: Vec<&str> = resource.split('/').collect();
        let [scope, "ipset", name, id] = resource.as_slice() else { return None };
        let scope = match *scope {
            "regional" => "REGIONAL",
            "global" => "CLOUDFRONT",
            _ => return None,
        };
        let whole = [region, account, name, id].iter().all(|part| !part.is_empty());
        whole.then(|| Self {
            region: (*region).to_owned(),
            account: (*account).to_owned(),
            scope: scope.to_owned(),
            name: (*name).to_owned(),
            id: (*id).to_owned(),
        })
    }
}

impl fmt::Display for IpSetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.scope == "CLOUDFRONT" { "cloudfront" } else { &self.region };
        write!(f, "{place}.{}", self.name)
    }
}

/// An EC2 instance, by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpareInstance {
    pub id: String,
    pub break_glass: Vec<String>,
}

/// A bucket that is closed to all but some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpareBucket {
    pub name: String,
    /// ARNs of who still looks into it.
    pub investigators: Vec<String>,
    pub break_glass: Vec<String>,
}

impl SpareBucket {
    /// Everybody that the bucket stays open to.
    pub fn except(&self) -> Vec<String> {
        let mut all: Vec<String> = self.break_glass.iter().chain(&self.investigators).cloned().collect();
        all.sort();
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ip_set_is_read_from_its_arn_and_from_nothing_else() {
        let set = IpSetRef::parse("arn:aws:wafv2:eu-west-2:123456789012:regional/ipset/blocked/a1b2").unwrap();
        assert_eq!(
            (set.scope.as_str(), set.id.as_str(), set.to_string().as_str()),
            ("REGIONAL", "a1b2", "eu-west-2.blocked")
        );
        let set = IpSetRef::parse("arn:aws:wafv2:us-east-1:123456789012:global/ipset/b/c").unwrap();
        assert_eq!((set.scope.as_str(), set.to_string().as_str()), ("CLOUDFRONT", "cloudfront.b"));
        for other in [
            "blocked",
            "arn:aws:wafv2:eu-west-2:123456789012:regional/webacl/a/b",
            "arn:aws:wafv2:eu-west-2:123456789012:regional/ipset/a",
            "arn:aws:wafv2::123456789012:regional/ipset/a/b",
        ] {
            assert_eq!(IpSetRef::parse(other), None, "{other}");
        }
    }
}
