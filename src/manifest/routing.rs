//! What Route 53 refuses about records that are each right on their own (Amazon Route 53: "Values that you specify when
//! you create or edit Amazon Route 53 records").

use std::collections::BTreeMap;
use std::ops::Range;

use super::reader::Reader;
use super::{Answer, Record};
use crate::document::quoted;

/// A name without the dot at its end.
pub(super) fn plain(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Notes a record that lies outside its zone, or a CNAME in the place of the zone's own records.
pub(super) fn judge_in_zone(reader: &mut Reader, record: &Record, zone: &str, span: Range<usize>) {
    let (name, zone) = (record.name.to_ascii_lowercase(), zone.to_ascii_lowercase());
    if name == zone {
        if record.kind == "CNAME" {
            let hint = "use an alias record of type A there";
            reader.hinted(span, "a CNAME cannot stand at the top of its zone", "the zone's own name", hint);
        }
    } else if !name.ends_with(&format!(".{zone}")) {
        let hint = format!("its names end with .{zone}");
        let message = format!("{} is not in the zone {}", quoted(&record.name), quoted(&zone));
        reader.hinted(span, message, "outside", hint);
    }
}

/// Notes records of one name that Route 53 would not keep side by side.
pub(super) fn judge_together(reader: &mut Reader, records: &[(&Record, Range<usize>)]) {
    let mut by_name: BTreeMap<String, Vec<&(&Record, Range<usize>)>> = BTreeMap::new();
    for entry in records {
        by_name.entry(entry.0.name.to_ascii_lowercase()).or_default().push(entry);
    }
    for group in by_name.values() {
        for (index, (record, span)) in group.iter().enumerate() {
            for (earlier, _) in &group[..index] {
                if let Some((message, hint)) = clash(earlier, record) {
                    let message = format!("{} {message}", quoted(&record.name));
                    reader.hinted(span.clone(), message, "the second", hint);
                    break;
                }
            }
        }
    }
}

fn clash(earlier: &Record, record: &Record) -> Option<(&'static str, &'static str)> {
    if earlier.kind != record.kind {
        let cname = earlier.kind == "CNAME" || record.kind == "CNAME";
        return cname.then_some(("has a CNAME, which allows no other type", "keep one of them, or use alias records"));
    }
    match (&earlier.set_identifier, &record.set_identifier) {
        (None, _) | (_, None) => {
            Some(("is there twice", "give both a set_identifier with weight or failover, or put the values into one"))
        }
        (Some(first), Some(second)) if first == second => {
            Some(("is there twice with one set_identifier", "tell them apart by their set_identifier"))
        }
        _ if earlier.weight.is_some() != record.weight.is_some() => {
            Some(("has two routing policies", "use weight for all of a name's records, or failover for all"))
        }
        _ if earlier.failover.is_some() && earlier.failover == record.failover => {
            Some(("has one failover role twice", "one is PRIMARY, the other SECONDARY"))
        }
        _ => ttls_differ(earlier, record),
    }
}

/// Weighted and failover records of one name must have one TTL: resolvers keep whichever they got.
fn ttls_differ(earlier: &Record, record: &Record) -> Option<(&'static str, &'static str)> {
    match (&earlier.answer, &record.answer) {
        (Answer::Values { ttl_seconds: first, .. }, Answer::Values { ttl_seconds: second, .. }) if first != second => {
            Some(("has two TTLs", "records of one name share their TTL"))
        }
        _ => None,
    }
}
