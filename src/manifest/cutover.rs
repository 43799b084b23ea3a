//! Reads `cutover` blocks: the record sets that move the traffic, judged as Route 53 would judge the batch.

use std::net::{Ipv4Addr, Ipv6Addr};

use hcl_edit::structure::Block;

use super::names::{DOMAIN, ZONE_ID};
use super::reader::{Fields, Reader, Schema, header};
use super::routing;
use super::values::{boolean, integer, list, named, string, text};
use super::{Answer, Cutover, Record, Text, Zone};
use crate::document::{nearest, quoted};

const CUTOVER: Schema = Schema {
    keys: &[("zone", "\"example.com\""), ("zone_id", "\"Z…\"")],
    blocks: &[("record", "record \"www.example.com\" { … }")],
};

const RECORD: Schema = Schema {
    keys: &[
        ("type", "\"CNAME\""),
        ("ttl", "60"),
        ("values", "[aurora.NAME.endpoint]"),
        ("set_identifier", "\"recovery\""),
        ("weight", "100"),
        ("failover", "\"PRIMARY\""),
        ("health_check_id", "\"…\""),
    ],
    blocks: &[("alias", "alias { name = \"…\", zone_id = \"Z…\" }")],
};

const ALIAS: Schema = Schema {
    keys: &[("name", "terraform.output.NAME"), ("zone_id", "\"Z…\""), ("evaluate_target_health", "true")],
    blocks: &[],
};

/// Types that may move (Amazon Route 53: "Supported DNS record types"); a zone's own SOA and NS may not.
const TYPES: [&str; 14] =
    ["A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NAPTR", "PTR", "SPF", "SRV", "SSHFP", "SVCB", "TXT"];

/// Amazon Route 53 API: "ResourceRecordSet", `TTL`.
const MAX_TTL: u64 = 2_147_483_647;

/// Reads a `cutover` block.
pub(super) fn cutover(reader: &mut Reader, block: &Block) -> Option<Cutover> {
    let name = reader.unique_label(block);
    let fields = Fields::new(reader, block, CUTOVER);
    let zone = zone(reader, &fields);
    let mut records = Vec::new();
    for block in fields.blocks("record") {
        let record = record(reader, block);
        if let (Some(record), Some(Zone::Name(zone))) = (&record, &zone) {
            routing::judge_in_zone(reader, record, zone, header(block));
        }
        records.push((record, header(block)));
    }
    if records.is_empty() {
        let message = format!("{} moves nothing", fields.title);
        reader.hinted(header(block), message, "no record block", "write record \"www.example.com\" { … }");
    }
    let known: Vec<_> = records.iter().filter_map(|(record, span)| Some((record.as_ref()?, span.clone()))).collect();
    routing::judge_together(reader, &known);
    let records = records.into_iter().map(|(record, _)| record).collect::<Option<Vec<_>>>();
    Some(Cutover { name: name?, zone: zone?, records: records? })
}

fn zone(reader: &mut Reader, fields: &Fields<'_>) -> Option<Zone> {
    let name = fields.optional(reader, "zone", named(DOMAIN));
    let id = fields.optional(reader, "zone_id", named(ZONE_ID));
    let found = match (fields.has("zone"), fields.has("zone_id")) {
        (true, true) => "zone and zone_id at once",
        (false, false) => "neither zone nor zone_id",
        _ => return id.map(Zone::Id).or_else(|| name.map(|name| Zone::Name(routing::plain(&name).to_owned()))),
    };
    let hint = "write zone = \"example.com\" or zone_id = \"Z…\", not both";
    reader.hinted(fields.header.clone(), format!("{} needs one hosted zone", fields.title), found, hint);
    None
}

fn record(reader: &mut Reader, block: &Block) -> Option<Record> {
    let name = reader.label(block, DOMAIN).map(|name| routing::plain(name).to_owned());
    let fields = Fields::new(reader, block, RECORD);
    let kind = fields.required(reader, "type", string).and_then(|kind| record_type(reader, &fields, kind));
    let answer = answer(reader, &fields, kind.as_deref());
    let set_identifier = fields.optional(reader, "set_identifier", string);
    if set_identifier.as_ref().is_some_and(|text| text.chars().count() > 128) {
        let span = fields.value_span("set_identifier");
        reader.problem(span, "a set identifier has up to 128 characters", "too long");
    }
    let weight = fields.optional(reader, "weight", integer(0, 255));
    let failover = fields.optional(reader, "failover", string);
    if let Some(failover) = &failover
        && !["PRIMARY", "SECONDARY"].contains(&failover.as_str())
    {
        let message = format!("{} is not a failover role", quoted(failover));
        reader.hinted(fields.value_span("failover"), message, "unknown", "write \"PRIMARY\" or \"SECONDARY\"");
    }
    let health_check_id = fields.optional(reader, "health_check_id", string);
    routed(reader, &fields);
    Some(Record {
        name: name?,
        kind: kind?,
        answer: answer?,
        set_identifier,
        weight: weight.and_then(|weight| u8::try_from(weight).ok()),
        failover,
        health_check_id,
    })
}

/// Weights and failover roles stand alone, and each needs an identifier (Amazon Route 53: "Choosing a routing policy").
fn routed(reader: &mut Reader, fields: &Fields<'_>) {
    let given = |key| fields.has(key);
    if given("weight") && given("failover") {
        let hint = "a record has one routing policy: keep weight or failover";
        reader.hinted(fields.span("failover"), "weight and failover exclude each other", "the second policy", hint);
    }
    for policy in ["weight", "failover"] {
        if given(policy) && !given("set_identifier") {
            let hint = "write set_identifier = \"recovery\": it tells records of one name apart";
            reader.hinted(fields.span(policy), format!("{policy} needs a set_identifier"), "which one is it?", hint);
        }
    }
    if given("set_identifier") && !given("weight") && !given("failover") {
        let hint = "add weight = 100 or failover = \"PRIMARY\", or remove it";
        reader.hinted(fields.span("set_identifier"), "set_identifier goes with weight or failover", "alone", hint);
    }
}

fn record_type(reader: &mut Reader, fields: &Fields<'_>, kind: String) -> Option<String> {
    if TYPES.contains(&kind.as_str()) {
        return Some(kind);
    }
    let message = format!("{} is not a record type that can be moved", quoted(&kind));
    let hint = match nearest(&kind, TYPES) {
        Some(nearest) => format!("did you mean \"{nearest}\"?"),
        None => format!("known: {}", TYPES.join(", ")),
    };
    reader.hinted(fields.value_span("type"), message, "unknown", hint);
    None
}

fn answer(reader: &mut Reader, fields: &Fields<'_>, kind: Option<&str>) -> Option<Answer> {
    let alias = fields.only(reader, "alias", false);
    if let Some(block) = alias {
        for key in ["ttl", "values"] {
            if fields.has(key) {
                let hint = "an alias takes TTL and values from its target: remove this";
                reader.hinted(fields.span(key), format!("{key} does not go with an alias"), "", hint);
            }
        }
        return self::alias(reader, block);
    }
    if !fields.has("values") {
        let hint = "write values = [\"…\"] with a ttl, or alias { … }";
        reader.hinted(
            fields.header.clone(),
            format!("{} has no answer", fields.title),
            "neither values nor alias",
            hint,
        );
        return None;
    }
    let ttl = fields.required(reader, "ttl", integer(0, MAX_TTL));
    let values = fields.required(reader, "values", list(text))?;
    if values.is_empty() {
        reader.problem(fields.value_span("values"), "the list of values is empty", "nothing here");
    }
    if kind == Some("CNAME") && values.len() > 1 {
        reader.problem(fields.value_span("values"), "a CNAME has one value", format!("here are {}", values.len()));
    }
    for value in &values {
        if let Some(reason) = kind.and_then(|kind| misfit(kind, value)) {
            let message = format!("a value does not fit a record of type {}", kind.unwrap_or_default());
            reader.problem(fields.value_span("values"), message, reason);
        }
    }
    Some(Answer::Values { ttl_seconds: u32::try_from(ttl?).ok()?, values })
}

/// Why a value is not one of the type, where that can be told.
fn misfit(kind: &str, value: &Text) -> Option<String> {
    match (kind, value) {
        ("A" | "AAAA", Text::Cluster { attribute, .. }) => Some(format!("an {attribute} is a host name: use CNAME")),
        ("A", Text::Literal(text)) if text.parse::<Ipv4Addr>().is_err() => {
            Some(format!("{} is not an IPv4 address", quoted(text)))
        }
        ("AAAA", Text::Literal(text)) if text.parse::<Ipv6Addr>().is_err() => {
            Some(format!("{} is not an IPv6 address", quoted(text)))
        }
        ("CNAME", Text::Literal(text)) => (DOMAIN.refuse)(text).map(|reason| format!("{}: {reason}", quoted(text))),
        ("TXT" | "SPF", Text::Literal(text)) if !(text.starts_with('"') && text.ends_with('"') && text.len() > 1) => {
            Some("Route 53 wants the text in quotation marks: \"\\\"…\\\"\"".to_owned())
        }
        _ => None,
    }
}

fn alias(reader: &mut Reader, block: &Block) -> Option<Answer> {
    reader.unlabelled(block);
    let fields = Fields::new(reader, block, ALIAS);
    let name = fields.required(reader, "name", text);
    let zone_id = fields.required(reader, "zone_id", text);
    if let Some(Text::Literal(id)) = &zone_id
        && let Some(reason) = (ZONE_ID.refuse)(id)
    {
        reader.problem(fields.value_span("zone_id"), format!("{} is not {}", quoted(id), ZONE_ID.noun), reason);
    }
    let evaluate = fields.optional(reader, "evaluate_target_health", boolean).unwrap_or(false);
    Some(Answer::Alias { name: name?, zone_id: zone_id?, evaluate_target_health: evaluate })
}
