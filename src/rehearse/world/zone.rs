//! Hosted zones with the records of the cutovers, which answer with the primary.

use std::collections::BTreeMap;

use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, ResourceRecordSetFailover,
    RrType,
};

use super::Regions;
use super::before::{Before, Known, before};
use super::cluster::SourceCluster;
use crate::aws::{AwsError, explain};
use crate::manifest::{Cutover, Manifest, Zone};
use crate::rehearse::RehearseError;

/// A hosted zone of the world before the outage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostedZone {
    pub name: String,
    pub id: String,
    pub records: Vec<Before>,
}

/// # Errors
/// The emulator refused, or a cutover names its zone by id: the emulator chooses ids itself.
pub async fn build(
    manifest: &Manifest,
    regions: &Regions,
    clusters: &[SourceCluster],
) -> Result<Vec<HostedZone>, RehearseError> {
    let mut zones: BTreeMap<String, HostedZone> = BTreeMap::new();
    for cutover in &manifest.cutovers {
        let name = name(cutover)?;
        let mut zone = match zones.remove(name) {
            Some(zone) => zone,
            None => create(regions, name).await?,
        };
        let records = before(manifest, cutover, clusters);
        upsert(regions, &zone.id, &records).await?;
        zone.records.extend(records);
        zones.insert(name.to_owned(), zone);
    }
    Ok(zones.into_values().collect())
}

fn name(cutover: &Cutover) -> Result<&str, RehearseError> {
    match &cutover.zone {
        Zone::Name(name) => Ok(name.trim_end_matches('.')),
        Zone::Id(id) => Err(RehearseError::Unsupported(format!(
            "cutover {} names its zone by the id {id}, and the emulator chooses ids itself: name the zone instead",
            cutover.name
        ))),
    }
}

async fn create(regions: &Regions, name: &str) -> Result<HostedZone, AwsError> {
    let route53 = regions.recovery.route53();
    let made = route53.create_hosted_zone().name(name).caller_reference(format!("rehearsal-{name}")).send().await;
    let zone = made.map_err(explain("route53:CreateHostedZone"))?.hosted_zone;
    let id = zone.map(|zone| zone.id.trim_start_matches("/hostedzone/").to_owned()).unwrap_or_default();
    Ok(HostedZone { name: name.to_owned(), id, records: Vec::new() })
}

async fn upsert(regions: &Regions, zone: &str, records: &[Before]) -> Result<(), RehearseError> {
    if records.is_empty() {
        return Ok(());
    }
    let changes = records.iter().map(|record| {
        Change::builder()
            .action(ChangeAction::Upsert)
            .resource_record_set(record_set(record)?)
            .build()
            .map_err(unsupported)
    });
    let changes = changes.collect::<Result<Vec<_>, RehearseError>>()?;
    let batch = ChangeBatch::builder().set_changes(Some(changes)).build().map_err(unsupported)?;
    let route53 = regions.recovery.route53();
    let changed = route53.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send().await;
    changed.map_err(explain("route53:ChangeResourceRecordSets"))?;
    Ok(())
}

fn record_set(record: &Before) -> Result<ResourceRecordSet, RehearseError> {
    let set = ResourceRecordSet::builder()
        .name(&record.name)
        .r#type(RrType::from(record.kind.as_str()))
        .set_set_identifier(record.set_identifier.clone())
        .set_weight(record.weight.map(i64::from))
        .set_failover(record.failover.as_deref().map(ResourceRecordSetFailover::from));
    let set = match &record.answer {
        Known::Values { ttl_seconds, values } => {
            let values = values.iter().map(|value| ResourceRecord::builder().value(value).build().map_err(unsupported));
            set.ttl(i64::from(*ttl_seconds)).set_resource_records(Some(values.collect::<Result<_, _>>()?))
        }
        Known::Alias { name, zone_id, evaluate_target_health } => {
            let target = AliasTarget::builder().dns_name(name).hosted_zone_id(zone_id);
            set.alias_target(target.evaluate_target_health(*evaluate_target_health).build().map_err(unsupported)?)
        }
    };
    set.build().map_err(unsupported)
}

fn unsupported(error: impl std::fmt::Display) -> RehearseError {
    RehearseError::Unsupported(error.to_string())
}
