//! Fills buckets, and tells what they hold so that two states can be compared.

use serde_json::{Value, json};

use super::answer::Refusal;
use super::request::Asked;
use super::serve::Server;
use super::store::{Object, Version, mixed, now};

/// Objects `PREFIXpart-000000123.bin`, as many under each of the prefixes. Version `i` of each was written at `t0 + i × step`;
/// `marker` says which of them is a delete marker, the first being 1.
pub fn seed(server: &Server, asked: &Asked) -> Value {
    let number = |name: &str, otherwise: u64| asked.number(name).unwrap_or(otherwise);
    let (count, size, versions) = (number("count", 1000), number("size", 4096), number("versions", 1));
    let (step, marker) = (asked.number("step").unwrap_or(60_i64), number("marker", 0));
    let t0 = asked.number("t0").unwrap_or_else(|| now() - 3600);
    let prefixes = asked.param("prefix").unwrap_or("data/".into());
    let prefixes: Vec<&str> = prefixes.split(',').collect();
    let each = count.div_ceil(prefixes.len() as u64);
    let mut store = server.store();
    let keeps_versions = versions > 1 || number("versioned", 0) > 0;
    store.made(&bucket(asked)).keeps_versions |= keeps_versions;
    for index in 0..count {
        let prefix = prefixes[usize::try_from(index / each).unwrap_or_default()];
        let key = format!("{prefix}part-{index:09}.bin");
        let mut at = t0;
        for version in 1..=versions {
            let id = if keeps_versions { store.new_id() } else { 0 };
            let object = (version != marker).then(|| Object::new(size, mixed(index << 8 | version)));
            store.made(&bucket(asked)).add(&key, Version { id, at, object });
            at += step;
        }
    }
    json!({ "seeded": count })
}

/// Takes everything out of a bucket and makes it where it is not there.
pub fn clear(server: &Server, asked: &Asked) -> Value {
    let mut store = server.store();
    let bucket = store.made(&bucket(asked));
    bucket.keys.clear();
    bucket.keeps_versions = asked.number("versioned").unwrap_or(0) > 0;
    json!({})
}

/// Objects, bytes and a sum over all that does not depend on their order; now, or as it was at `at`. Content counts, and not
/// how it was uploaded.
pub fn count(server: &Server, asked: &Asked) -> Result<Value, Refusal> {
    let store = server.store();
    let (mut objects, mut bytes, mut sum) = (0_u64, 0_u64, 0_u64);
    for (key, object) in store.bucket(&bucket(asked))?.at(asked.number("at").unwrap_or(i64::MAX)) {
        objects += 1;
        bytes += object.size;
        let [low, high] = [object.digest() as u64, (object.digest() >> 64) as u64];
        let of_key = key.bytes().fold(0, |sum, byte| mixed(sum ^ u64::from(byte)));
        sum = sum.wrapping_add(mixed(of_key ^ mixed(object.size ^ mixed(low ^ mixed(high)))));
    }
    Ok(json!({ "objects": objects, "bytes": bytes, "hash": format!("{sum:016x}") }))
}

fn bucket(asked: &Asked) -> String {
    asked.param("bucket").unwrap_or_default().into_owned()
}
