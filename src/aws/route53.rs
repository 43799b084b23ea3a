//! Route 53: hosted zones, their record sets, and change batches.
//!
//! Its control plane is in us-east-1 for everybody; this is the one request of a failover that may leave the recovery
//! region.

mod record_set;

pub use record_set::{
    AliasTarget, Change, ChangeAction, ChangeBatch, CidrRoutingConfig, Coordinates, GeoLocation, GeoProximityLocation,
    RecordSet, ResourceRecord,
};

use aws_sdk_route53::types as sdk;

use super::{AwsError, Session, explain};

/// A hosted zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedZone {
    /// Without `/hostedzone/`.
    pub id: String,
    /// Normalised by [`dns_name`].
    pub name: String,
    pub private: bool,
}

/// A DNS name for comparisons: lower case, without the trailing dot, octal escapes such as `\052` resolved (Route 53
/// Developer Guide: "DNS domain name format").
pub fn dns_name(name: &str) -> String {
    let bytes = name.as_bytes();
    let mut plain = String::with_capacity(name.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = bytes.get(at + 1..at + 4).filter(|_| bytes[at] == b'\\').and_then(|digits| {
            let octal = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(octal, 8).ok()
        });
        plain.push(char::from(escaped.unwrap_or(bytes[at])).to_ascii_lowercase());
        at += if escaped.is_some() { 4 } else { 1 };
    }
    plain.strip_suffix('.').map(str::to_owned).unwrap_or(plain)
}

fn zone(found: &sdk::HostedZone) -> HostedZone {
    HostedZone {
        id: found.id().trim_start_matches("/hostedzone/").to_owned(),
        name: dns_name(found.name()),
        private: found.config().is_some_and(sdk::HostedZoneConfig::private_zone),
    }
}

/// All hosted zones of a name: there may be a public one and several private ones.
///
/// # Errors
/// AWS refused.
pub async fn zones_named(session: &Session, name: &str) -> Result<Vec<HostedZone>, AwsError> {
    let operation = "route53:ListHostedZonesByName";
    let wanted = dns_name(name);
    let (mut next_name, mut at) = (Some(wanted.clone()), None);
    let mut zones = Vec::new();
    loop {
        let request = session.route53().list_hosted_zones_by_name();
        let answer = request.set_dns_name(next_name.take()).set_hosted_zone_id(at.clone());
        let answer = answer.send().await.map_err(explain(operation))?;
        let page: Vec<HostedZone> = answer.hosted_zones().iter().map(zone).collect();
        let past = page.iter().any(|zone| zone.name != wanted);
        zones.extend(page.into_iter().filter(|zone| zone.name == wanted));
        if past || !answer.is_truncated() {
            return Ok(zones);
        }
        let next = answer.next_hosted_zone_id().map(str::to_owned);
        next_name = answer.next_dns_name().map(str::to_owned);
        if next_name.is_none() || next == at {
            return Err(cut_short(operation));
        }
        at = next;
    }
}

/// The hosted zone of an id; `None` where there is none.
///
/// # Errors
/// AWS refused.
pub async fn zone_of_id(session: &Session, id: &str) -> Result<Option<HostedZone>, AwsError> {
    let answer = session.route53().get_hosted_zone().id(id).send().await;
    match answer.map_err(explain("route53:GetHostedZone")) {
        Ok(answer) => Ok(answer.hosted_zone().map(zone)),
        Err(error) if error.is("NoSuchHostedZone") => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where a page of record sets starts: name, type, set identifier.
type Start = (Option<String>, Option<sdk::RrType>, Option<String>);

/// All record sets of a name, of whatever type. Route 53 lists them in order of their names, so the list ends at the
/// first other name.
///
/// # Errors
/// AWS refused, or the list is cut short.
pub async fn record_sets_named(session: &Session, zone_id: &str, name: &str) -> Result<Vec<RecordSet>, AwsError> {
    let operation = "route53:ListResourceRecordSets";
    let wanted = dns_name(name);
    let mut found = Vec::new();
    let mut start: Start = (Some(format!("{wanted}.")), None, None);
    loop {
        let (name, kind, identifier) = start.clone();
        let request = session.route53().list_resource_record_sets().hosted_zone_id(zone_id);
        let request = request.set_start_record_name(name).set_start_record_type(kind);
        let answer = request.set_start_record_identifier(identifier).send().await.map_err(explain(operation))?;
        let page = answer.resource_record_sets();
        let past = page.iter().any(|set| dns_name(set.name()) != wanted);
        found.extend(page.iter().filter(|set| dns_name(set.name()) == wanted).map(RecordSet::from));
        if past || !answer.is_truncated() {
            return Ok(found);
        }
        let next = (
            answer.next_record_name().map(str::to_owned),
            answer.next_record_type().cloned(),
            answer.next_record_identifier().map(str::to_owned),
        );
        if next.0.is_none() || next == start {
            return Err(cut_short(operation));
        }
        start = next;
    }
}

fn cut_short(operation: &'static str) -> AwsError {
    AwsError {
        operation,
        code: None,
        message: "the list is cut short without a place to go on".to_owned(),
        transient: false,
    }
}

/// Sends a change batch and gives back the id of the change.
///
/// # Errors
/// Route 53 refused the batch, in which case it made none of the changes.
pub async fn change(session: &Session, zone_id: &str, batch: &ChangeBatch) -> Result<String, AwsError> {
    let mut changes = Vec::with_capacity(batch.changes.len());
    for change in &batch.changes {
        let action = match change.action {
            ChangeAction::Upsert => sdk::ChangeAction::Upsert,
            ChangeAction::Delete => sdk::ChangeAction::Delete,
        };
        let set = change.resource_record_set.to_sdk()?;
        let change = sdk::Change::builder().action(action).resource_record_set(set).build();
        changes.push(change.map_err(record_set::incomplete)?);
    }
    let changes = sdk::ChangeBatch::builder().comment(&batch.comment).set_changes(Some(changes)).build();
    let changes = changes.map_err(record_set::incomplete)?;
    let request = session.route53().change_resource_record_sets().hosted_zone_id(zone_id).change_batch(changes);
    let answer = request.send().await.map_err(explain("route53:ChangeResourceRecordSets"))?;
    let id = answer.change_info().map(sdk::ChangeInfo::id).unwrap_or_default();
    Ok(id.trim_start_matches("/change/").to_owned())
}

/// Whether all authoritative servers have a change (Route 53 API: "GetChange", status `INSYNC`).
///
/// # Errors
/// AWS refused.
pub async fn is_in_sync(session: &Session, change_id: &str) -> Result<bool, AwsError> {
    let answer = session.route53().get_change().id(change_id).send().await.map_err(explain("route53:GetChange"))?;
    Ok(answer.change_info().is_some_and(|info| *info.status() == sdk::ChangeStatus::Insync))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_equal_whatever_their_case_dot_and_escapes() {
        assert_eq!(dns_name("\\052.Example.COM."), "*.example.com");
        assert_eq!(dns_name("*.example.com"), "*.example.com");
        assert_eq!(dns_name("a\\046b.example.com"), "a&b.example.com");
        assert_eq!(dns_name("odd\\9"), "odd\\9");
    }
}
