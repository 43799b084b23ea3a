//! AWS WAF: the IP sets that rules of a web ACL refer to.

use aws_sdk_wafv2::types::{IpAddressVersion, Scope};

use super::{AwsError, Session, explain};
use crate::containment::IpSetRef;

/// An IP set as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpSet {
    pub ipv4: bool,
    /// As AWS writes them.
    pub addresses: Vec<String>,
    description: Option<String>,
    /// What an update has to name, so that no other is overwritten.
    token: Option<String>,
}

/// An IP set (AWS WAFV2 API: "GetIPSet").
///
/// # Errors
/// AWS refused.
pub async fn ip_set(session: &Session, set: &IpSetRef) -> Result<Option<IpSet>, AwsError> {
    let get = session.wafv2().get_ip_set().name(&set.name).scope(scope(set)).id(&set.id).send().await;
    let answer = match get.map_err(explain("wafv2:GetIPSet")) {
        Ok(answer) => answer,
        Err(error) if error.is("WAFNonexistentItemException") => return Ok(None),
        Err(error) => return Err(error),
    };
    let token = answer.lock_token;
    Ok(answer.ip_set.map(|it| IpSet {
        ipv4: it.ip_address_version == IpAddressVersion::Ipv4,
        addresses: it.addresses,
        description: it.description.filter(|text| !text.is_empty()),
        token,
    }))
}

/// Writes what is in an IP set; `false` where it is another by now than `seen` (AWS WAFV2 API: "UpdateIPSet").
///
/// # Errors
/// AWS refused.
pub async fn update_ip_set(
    session: &Session,
    set: &IpSetRef,
    seen: &IpSet,
    addresses: Vec<String>,
) -> Result<bool, AwsError> {
    let update = session.wafv2().update_ip_set().name(&set.name).scope(scope(set)).id(&set.id);
    let update = update.set_description(seen.description.clone()).set_addresses(Some(addresses));
    match update.set_lock_token(seen.token.clone()).send().await.map_err(explain("wafv2:UpdateIPSet")) {
        Ok(_) => Ok(true),
        Err(error) if error.is("WAFOptimisticLockException") => Ok(false),
        Err(error) => Err(error),
    }
}

fn scope(set: &IpSetRef) -> Scope {
    Scope::from(set.scope.as_str())
}
