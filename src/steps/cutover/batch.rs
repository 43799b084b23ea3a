//! The change batch of a cutover, and the one that undoes it. Pure.

use serde::{Deserialize, Serialize};

use crate::aws::route53::{AliasTarget, Change, ChangeAction, ChangeBatch, RecordSet, ResourceRecord, dns_name};
use crate::manifest::{Answer, Record, Text};

/// A record that resolvers keep for longer than this moves late; worth a warning before the day.
const LONG_TTL_SECONDS: i64 = 300;
/// Route 53's limit on a comment.
const COMMENT_LENGTH: usize = 256;

/// A record set that the cutover changes, as it stood before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub set_identifier: Option<String>,
    /// `None` where there was none.
    pub record_set: Option<RecordSet>,
}

/// The texts of a record that have to be resolved, in the order in which [`desired`] takes their values.
pub(super) fn texts(record: &Record) -> Vec<&Text> {
    match &record.answer {
        Answer::Values { values, .. } => values.iter().collect(),
        Answer::Alias { name, zone_id, .. } => vec![name, zone_id],
    }
}

/// The record set that a record of the manifest shall be; `resolved` are the values of its [`texts`].
pub(super) fn desired(record: &Record, resolved: &[String]) -> RecordSet {
    let mut set = RecordSet {
        name: record.name.clone(),
        kind: record.kind.clone(),
        set_identifier: record.set_identifier.clone(),
        weight: record.weight.map(i64::from),
        failover: record.failover.clone(),
        health_check_id: record.health_check_id.clone(),
        ..RecordSet::default()
    };
    match &record.answer {
        Answer::Values { ttl_seconds, .. } => {
            set.ttl_seconds = Some(i64::from(*ttl_seconds));
            set.resource_records =
                resolved.iter().map(|value| ResourceRecord { value: written(&record.kind, value) }).collect();
        }
        Answer::Alias { evaluate_target_health, .. } => {
            let at = |index: usize| resolved.get(index).cloned().unwrap_or_default();
            let evaluate_target_health = *evaluate_target_health;
            set.alias_target = Some(AliasTarget { dns_name: at(0), hosted_zone_id: at(1), evaluate_target_health });
        }
    }
    set
}

/// Route 53 wants the values of text records in quotes.
fn written(kind: &str, value: &str) -> String {
    if !matches!(kind, "TXT" | "SPF") || value.starts_with('"') {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether a standing record set is the one that a record of the manifest would replace.
pub(super) fn is_same_set(record: &Record, standing: &RecordSet) -> bool {
    dns_name(&record.name) == dns_name(&standing.name)
        && record.kind == standing.kind
        && record.set_identifier == standing.set_identifier
}

/// Whether a standing record set answers as desired, in whatever spelling.
pub(super) fn is_equal(desired: &RecordSet, standing: &RecordSet) -> bool {
    normal(desired) == normal(standing)
}

fn normal(set: &RecordSet) -> RecordSet {
    let mut set = set.clone();
    set.name = dns_name(&set.name);
    if matches!(set.kind.as_str(), "CNAME" | "NS" | "PTR" | "MX" | "SRV") {
        for record in &mut set.resource_records {
            record.value = dns_name(&record.value);
        }
    }
    set.resource_records.sort();
    if let Some(alias) = &mut set.alias_target {
        alias.dns_name = dns_name(&alias.dns_name);
        // An alias has its target's TTL.
        set.ttl_seconds = None;
    }
    set
}

/// The routing policy, which all record sets of one name and type share (Route 53 Developer Guide: "Choosing a routing
/// policy").
fn policy(set: &RecordSet) -> &'static str {
    match set {
        _ if set.weight.is_some() => "weighted",
        _ if set.region.is_some() => "latency",
        _ if set.failover.is_some() => "failover",
        _ if set.geo_location.is_some() => "geolocation",
        _ if set.geo_proximity_location.is_some() => "geoproximity",
        _ if set.cidr_routing_config.is_some() => "IP-based",
        _ if set.multi_value_answer.is_some() => "multivalue answer",
        _ => "simple",
    }
}

/// Why Route 53 would refuse the record among those that stand under its name. `record` is compared by its policy
/// alone, so that this can be asked before its answer is known.
pub(super) fn clash(record: &Record, standing: &[RecordSet]) -> Option<String> {
    let wanted = desired(record, &[]);
    let label = label(&wanted);
    for other in standing.iter().filter(|other| dns_name(&other.name) == dns_name(&record.name)) {
        if (other.kind == "CNAME") != (record.kind == "CNAME") {
            return Some(format!("{label} cannot stand beside the {} record of the same name", other.kind));
        }
        if other.kind != record.kind {
            continue;
        }
        if let Some(id) = &other.traffic_policy_instance_id {
            return Some(format!("{label} belongs to traffic policy instance {id}, which alone may change it"));
        }
        let (ours, theirs) = (policy(&wanted), policy(other));
        if ours != theirs {
            return Some(format!("{label} is to be {ours}, but a {theirs} record of this name and type stands"));
        }
        if wanted.failover.is_some()
            && wanted.failover == other.failover
            && wanted.set_identifier != other.set_identifier
        {
            let role = wanted.failover.as_deref().unwrap_or_default();
            let id = other.set_identifier.as_deref().unwrap_or_default();
            return Some(format!("{label} is to be {role}, which set {id:?} is already"));
        }
    }
    None
}

/// "A api.example.com (set blue)"
pub(super) fn label(set: &RecordSet) -> String {
    let name = dns_name(&set.name);
    match &set.set_identifier {
        Some(id) => format!("{} {name} (set {id})", set.kind),
        None => format!("{} {name}", set.kind),
    }
}

/// What people should know before the record is replaced.
pub(super) fn warnings(record: &Record, standing: &RecordSet) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(ttl) = standing.ttl_seconds.filter(|ttl| *ttl > LONG_TTL_SECONDS) {
        warnings.push(format!("resolvers may keep {} for another {ttl} s: lower its TTL beforehand", label(standing)));
    }
    if let Some(check) = &standing.health_check_id
        && record.health_check_id.is_none()
    {
        warnings.push(format!("{} has health check {check} now and will have none", label(standing)));
    }
    warnings
}

/// The batch that makes all records as desired; Route 53 makes all of it or nothing.
pub(super) fn change_batch(desired: &[RecordSet], run: &str, cutover: &str) -> ChangeBatch {
    let changes = desired.iter().map(|set| upsert(set.clone())).collect();
    ChangeBatch { comment: comment(&format!("lifeboat run {run}, cutover {cutover}")), changes }
}

/// The batch that puts everything back: what stood is put in place again, what was made is deleted.
pub(super) fn undo_batch(before: &[Before], after: &[RecordSet], run: &str, cutover: &str) -> ChangeBatch {
    let changes = before.iter().zip(after).map(|(before, after)| match &before.record_set {
        Some(set) => upsert(set.clone()),
        None => Change { action: ChangeAction::Delete, resource_record_set: after.clone() },
    });
    let comment = comment(&format!("undo of lifeboat run {run}, cutover {cutover}"));
    ChangeBatch { comment, changes: changes.collect() }
}

fn upsert(set: RecordSet) -> Change {
    Change { action: ChangeAction::Upsert, resource_record_set: set }
}

fn comment(text: &str) -> String {
    // XML cannot carry control characters.
    text.chars().map(|c| if c.is_control() { '?' } else { c }).take(COMMENT_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, kind: &str) -> Record {
        Record {
            name: name.into(),
            kind: kind.into(),
            answer: Answer::Values { ttl_seconds: 60, values: vec![] },
            set_identifier: None,
            weight: None,
            failover: None,
            health_check_id: None,
        }
    }

    fn standing(name: &str, kind: &str, value: &str) -> RecordSet {
        RecordSet {
            name: name.into(),
            kind: kind.into(),
            ttl_seconds: Some(60),
            resource_records: vec![ResourceRecord { value: value.into() }],
            ..RecordSet::default()
        }
    }

    #[test]
    fn spelling_does_not_make_a_record_differ() {
        let wanted = desired(&record("*.Example.com", "CNAME"), &["DB.example.com".into()]);
        assert!(is_equal(&wanted, &standing("\\052.example.com.", "CNAME", "db.example.com.")));
        assert!(!is_equal(&wanted, &standing("\\052.example.com.", "CNAME", "other.example.com.")));
        let ttl = RecordSet { ttl_seconds: Some(300), ..standing("*.example.com", "CNAME", "db.example.com") };
        assert!(!is_equal(&wanted, &ttl));
    }

    #[test]
    fn text_values_are_quoted_once() {
        let set = desired(&record("t", "TXT"), &["say \"hi\"".into(), "\"done\"".into()]);
        let values: Vec<&str> = set.resource_records.iter().map(|record| record.value.as_str()).collect();
        assert_eq!(values, ["\"say \\\"hi\\\"\"", "\"done\""]);
    }

    #[test]
    fn route_53s_rules_are_known_before_the_change() {
        let simple = record("api.example.com", "A");
        let weighted = RecordSet {
            weight: Some(10),
            set_identifier: Some("blue".into()),
            ..standing("api.example.com.", "A", "192.0.2.1")
        };
        let said = clash(&simple, std::slice::from_ref(&weighted)).expect("a clash");
        assert_eq!(said, "A api.example.com is to be simple, but a weighted record of this name and type stands");
        let cname = standing("api.example.com.", "CNAME", "x");
        assert!(clash(&simple, &[cname]).is_some_and(|said| said.contains("beside the CNAME record")));
        assert_eq!(clash(&simple, &[standing("api.example.com.", "A", "192.0.2.1")]), None);
        assert_eq!(clash(&simple, &[standing("api.example.com.", "TXT", "\"x\"")]), None);
        let green = Record { weight: Some(5), set_identifier: Some("green".into()), ..record("api.example.com", "A") };
        assert_eq!(clash(&green, &[weighted]), None);
    }

    #[test]
    fn two_primaries_clash() {
        let primary = |id: &str| Record {
            failover: Some("PRIMARY".into()),
            set_identifier: Some(id.into()),
            ..record("api.example.com", "A")
        };
        let stands = desired(&primary("a"), &["192.0.2.1".into()]);
        assert_eq!(clash(&primary("a"), std::slice::from_ref(&stands)), None);
        assert!(clash(&primary("b"), &[stands]).is_some_and(|said| said.contains("which set \"a\" is already")));
    }

    #[test]
    fn the_undo_restores_what_stood_and_deletes_what_was_made() {
        let old = standing("a.example.com.", "A", "192.0.2.1");
        let after = [standing("a.example.com", "A", "192.0.2.9"), standing("new.example.com", "A", "192.0.2.9")];
        let before =
            |name: &str, record_set| Before { name: name.into(), kind: "A".into(), set_identifier: None, record_set };
        let befores = [before("a.example.com", Some(old.clone())), before("new.example.com", None)];
        let undo = undo_batch(&befores, &after, "r1", "api");
        let json = serde_json::to_value(&undo).expect("JSON");
        assert_eq!(
            json,
            serde_json::json!({
                "Comment": "undo of lifeboat run r1, cutover api",
                "Changes": [
                    { "Action": "UPSERT", "ResourceRecordSet": {
                        "Name": "a.example.com.", "Type": "A", "TTL": 60, "ResourceRecords": [{ "Value": "192.0.2.1" }],
                    }},
                    { "Action": "DELETE", "ResourceRecordSet": {
                        "Name": "new.example.com", "Type": "A", "TTL": 60, "ResourceRecords": [{ "Value": "192.0.2.9" }],
                    }},
                ],
            })
        );
        assert_eq!(serde_json::from_value::<ChangeBatch>(json).expect("a batch"), undo);
    }
}
