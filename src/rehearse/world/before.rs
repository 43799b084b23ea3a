//! The records of a cutover as they were before the outage: the primary answers. Pure.

use super::cluster::SourceCluster;
use crate::manifest::{Answer, Cutover, Manifest, Record, Text};

/// The weight of the one that serves.
const SERVING: u8 = 100;

/// A record set with values that are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    pub name: String,
    pub kind: String,
    pub answer: Known,
    pub set_identifier: Option<String>,
    pub weight: Option<u8>,
    pub failover: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    Values { ttl_seconds: u32, values: Vec<String> },
    Alias { name: String, zone_id: String, evaluate_target_health: bool },
}

/// Each record of the cutover with what it said before. Of weighted ones, those that end with weight 0 serve, and the
/// others stand by; where none ends with 0, they have the weight that they end with.
pub fn before(manifest: &Manifest, cutover: &Cutover, clusters: &[SourceCluster]) -> Vec<Before> {
    let record = |record: &Record| Before {
        name: record.name.clone(),
        kind: record.kind.clone(),
        answer: answer(manifest, &record.answer, &record.kind, &record.name, clusters),
        set_identifier: record.set_identifier.clone(),
        weight: record.weight.map(|weight| weight_before(cutover, record, weight)),
        failover: record.failover.clone(),
    };
    cutover.records.iter().map(record).collect()
}

fn weight_before(cutover: &Cutover, record: &Record, after: u8) -> u8 {
    let same = |other: &&Record| other.name == record.name && other.kind == record.kind;
    let handed_over = cutover.records.iter().filter(same).any(|other| other.weight == Some(0));
    match (handed_over, after) {
        (true, 0) => SERVING,
        (true, _) => 0,
        (false, weight) => weight,
    }
}

fn answer(manifest: &Manifest, after: &Answer, kind: &str, name: &str, clusters: &[SourceCluster]) -> Known {
    let primary = |text: &Text| of_primary(manifest, text, kind, name, clusters);
    match after {
        Answer::Values { ttl_seconds, values } => {
            Known::Values { ttl_seconds: *ttl_seconds, values: values.iter().map(primary).collect() }
        }
        Answer::Alias { name, zone_id, evaluate_target_health } => Known::Alias {
            name: primary(name),
            zone_id: match zone_id {
                Text::Literal(id) => id.clone(),
                Text::Cluster { .. } | Text::TerraformOutput(_) => "Z0000000REHEARSAL".to_owned(),
            },
            evaluate_target_health: *evaluate_target_health,
        },
    }
}

/// What the primary's stack says in the place of a value that the recovery will make; what stands in the manifest
/// stands.
fn of_primary(manifest: &Manifest, text: &Text, kind: &str, record: &str, clusters: &[SourceCluster]) -> String {
    match text {
        Text::Literal(value) => value.clone(),
        Text::Cluster { name, attribute } => {
            let known = clusters.iter().find(|cluster| cluster.name == *name).map(|cluster| {
                if attribute == "reader_endpoint" { cluster.reader_endpoint.clone() } else { cluster.endpoint.clone() }
            });
            known.unwrap_or_else(|| made_up(manifest, name, kind, record))
        }
        Text::TerraformOutput(name) => made_up(manifest, name, kind, record),
    }
}

/// Addresses are those that RFC 5737 and RFC 3849 set aside for documentation.
fn made_up(manifest: &Manifest, what: &str, kind: &str, record: &str) -> String {
    match kind {
        "A" => "192.0.2.10".to_owned(),
        "AAAA" => "2001:db8::10".to_owned(),
        "TXT" | "SPF" => format!("\"{what} in {}\"", manifest.primary.name),
        _ => format!("{}.{}.{record}", what.replace('_', "-"), manifest.primary.name),
    }
}
