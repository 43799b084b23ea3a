//! Records that resolvers keep for long: after the cutover they still lead to the lost region for as long as that.

use serde_json::Value;

use crate::steps::Before;

/// A TTL above this is warned of.
pub const LONG_TTL_SECONDS: i64 = 300;

/// What there is to say of the records as a cutover's check has found them.
pub fn long_ttls(facts: &Value) -> Vec<String> {
    let before: Vec<Before> = serde_json::from_value(facts["records_before"].clone()).unwrap_or_default();
    let long = before.into_iter().filter_map(|before| {
        let set = before.record_set?;
        let ttl = set.ttl_seconds.filter(|ttl| *ttl > LONG_TTL_SECONDS)?;
        Some(format!(
            "{} {} has a TTL of {ttl} s: resolvers go on answering with the lost region for that long; lower it to \
             {LONG_TTL_SECONDS} s or less beforehand",
            before.name, before.kind
        ))
    });
    long.collect()
}
