//! A record set as the CLI and the API documents write it in JSON, so that what stood before a cutover can be kept in
//! the journal and given back to `aws route53 change-resource-record-sets` word for word.

use aws_sdk_route53::types as sdk;
use serde::{Deserialize, Serialize};

use crate::aws::AwsError;

/// A record set (Route 53 API: "ResourceRecordSet"), with every attribute that the API has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RecordSet {
    pub name: String,
    #[serde(rename = "Type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo_location: Option<GeoLocation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_value_answer: Option<bool>,
    #[serde(rename = "TTL", skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_records: Vec<ResourceRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias_target: Option<AliasTarget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_policy_instance_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidr_routing_config: Option<CidrRoutingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub geo_proximity_location: Option<GeoProximityLocation>,
}

/// One value of a record set.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResourceRecord {
    pub value: String,
}

/// Where an alias leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AliasTarget {
    pub hosted_zone_id: String,
    #[serde(rename = "DNSName")]
    pub dns_name: String,
    pub evaluate_target_health: bool,
}

/// Geolocation routing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GeoLocation {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continent_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdivision_code: Option<String>,
}

/// IP-based routing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CidrRoutingConfig {
    pub collection_id: String,
    pub location_name: String,
}

/// Geoproximity routing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GeoProximityLocation {
    #[serde(rename = "AWSRegion", skip_serializing_if = "Option::is_none")]
    pub aws_region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local_zone_group: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<Coordinates>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias: Option<i32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Coordinates {
    pub latitude: String,
    pub longitude: String,
}

/// What a change does with a record set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ChangeAction {
    Upsert,
    Delete,
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Change {
    pub action: ChangeAction,
    pub resource_record_set: RecordSet,
}

/// Changes that Route 53 makes all or none of (Route 53 API: "ChangeResourceRecordSets").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChangeBatch {
    pub comment: String,
    pub changes: Vec<Change>,
}

impl From<&sdk::ResourceRecordSet> for RecordSet {
    fn from(set: &sdk::ResourceRecordSet) -> Self {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Self {
            name: set.name().to_owned(),
            kind: set.r#type().as_str().to_owned(),
            set_identifier: own(set.set_identifier()),
            weight: set.weight(),
            region: own(set.region().map(sdk::ResourceRecordSetRegion::as_str)),
            geo_location: set.geo_location().map(|geo| GeoLocation {
                continent_code: own(geo.continent_code()),
                country_code: own(geo.country_code()),
                subdivision_code: own(geo.subdivision_code()),
            }),
            failover: own(set.failover().map(sdk::ResourceRecordSetFailover::as_str)),
            multi_value_answer: set.multi_value_answer(),
            ttl_seconds: set.ttl(),
            resource_records: (set.resource_records().iter())
                .map(|record| ResourceRecord { value: record.value().to_owned() })
                .collect(),
            alias_target: set.alias_target().map(|alias| AliasTarget {
                hosted_zone_id: alias.hosted_zone_id().to_owned(),
                dns_name: alias.dns_name().to_owned(),
                evaluate_target_health: alias.evaluate_target_health(),
            }),
            health_check_id: own(set.health_check_id()),
            traffic_policy_instance_id: own(set.traffic_policy_instance_id()),
            cidr_routing_config: set.cidr_routing_config().map(|cidr| CidrRoutingConfig {
                collection_id: cidr.collection_id().to_owned(),
                location_name: cidr.location_name().to_owned(),
            }),
            geo_proximity_location: set.geo_proximity_location().map(|geo| GeoProximityLocation {
                aws_region: own(geo.aws_region()),
                local_zone_group: own(geo.local_zone_group()),
                coordinates: geo
                    .coordinates()
                    .map(|at| Coordinates { latitude: at.latitude().to_owned(), longitude: at.longitude().to_owned() }),
                bias: geo.bias(),
            }),
        }
    }
}

impl RecordSet {
    /// The record set as the SDK wants it.
    ///
    /// # Errors
    /// A part that the API requires is missing.
    pub(super) fn to_sdk(&self) -> Result<sdk::ResourceRecordSet, AwsError> {
        let records = self
            .resource_records
            .iter()
            .map(|record| sdk::ResourceRecord::builder().value(&record.value).build().map_err(incomplete));
        let records = records.collect::<Result<Vec<_>, _>>()?;
        sdk::ResourceRecordSet::builder()
            .name(&self.name)
            .r#type(sdk::RrType::from(self.kind.as_str()))
            .set_set_identifier(self.set_identifier.clone())
            .set_weight(self.weight)
            .set_region(self.region.as_deref().map(sdk::ResourceRecordSetRegion::from))
            .set_geo_location(self.geo_location.as_ref().map(geo_location))
            .set_failover(self.failover.as_deref().map(sdk::ResourceRecordSetFailover::from))
            .set_multi_value_answer(self.multi_value_answer)
            .set_ttl(self.ttl_seconds)
            .set_resource_records((!records.is_empty()).then_some(records))
            .set_alias_target(self.alias_target.as_ref().map(alias_target).transpose()?)
            .set_health_check_id(self.health_check_id.clone())
            .set_traffic_policy_instance_id(self.traffic_policy_instance_id.clone())
            .set_cidr_routing_config(self.cidr_routing_config.as_ref().map(cidr).transpose()?)
            .set_geo_proximity_location(self.geo_proximity_location.as_ref().map(geo_proximity).transpose()?)
            .build()
            .map_err(incomplete)
    }
}

fn geo_location(geo: &GeoLocation) -> sdk::GeoLocation {
    sdk::GeoLocation::builder()
        .set_continent_code(geo.continent_code.clone())
        .set_country_code(geo.country_code.clone())
        .set_subdivision_code(geo.subdivision_code.clone())
        .build()
}

fn alias_target(alias: &AliasTarget) -> Result<sdk::AliasTarget, AwsError> {
    sdk::AliasTarget::builder()
        .hosted_zone_id(&alias.hosted_zone_id)
        .dns_name(&alias.dns_name)
        .evaluate_target_health(alias.evaluate_target_health)
        .build()
        .map_err(incomplete)
}

fn cidr(cidr: &CidrRoutingConfig) -> Result<sdk::CidrRoutingConfig, AwsError> {
    let config = sdk::CidrRoutingConfig::builder().collection_id(&cidr.collection_id);
    config.location_name(&cidr.location_name).build().map_err(incomplete)
}

fn geo_proximity(geo: &GeoProximityLocation) -> Result<sdk::GeoProximityLocation, AwsError> {
    let coordinates = geo.coordinates.as_ref().map(|at| {
        sdk::Coordinates::builder().latitude(&at.latitude).longitude(&at.longitude).build().map_err(incomplete)
    });
    Ok(sdk::GeoProximityLocation::builder()
        .set_aws_region(geo.aws_region.clone())
        .set_local_zone_group(geo.local_zone_group.clone())
        .set_coordinates(coordinates.transpose()?)
        .set_bias(geo.bias)
        .build())
}

pub(super) fn incomplete(error: impl std::error::Error) -> AwsError {
    AwsError { operation: "route53:ChangeResourceRecordSets", code: None, message: error.to_string(), transient: false }
}
