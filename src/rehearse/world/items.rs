//! The items of a table: made up, and always the same ones. Pure.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use super::shape::{Key, KeyType, TableShape};

/// 2026-11-01T00:00:00Z, in seconds: the first item's time.
const FIRST_SECOND: u64 = 1_793_491_200;
/// 2100-01-01T00:00:00Z, in seconds: no item expires during a rehearsal.
const NEVER: u64 = 4_102_444_800;
/// Values of the hash keys of indexes.
const GROUPS: [&str; 5] = ["api", "billing", "checkout", "search", "web"];

/// The item with a number; its keys are its own.
pub fn item(shape: &TableShape, number: u64) -> HashMap<String, AttributeValue> {
    let mut item = HashMap::from([
        ("object_key".to_owned(), AttributeValue::S(format!("app/part-{number:05}.json"))),
        ("size_bytes".to_owned(), AttributeValue::N((number * 37 % 262_144).to_string())),
        ("delivered".to_owned(), AttributeValue::Bool(!number.is_multiple_of(7))),
        ("labels".to_owned(), AttributeValue::Ss(vec!["rehearsal".to_owned(), format!("shard-{}", number % 16)])),
    ]);
    if let Some(ttl) = &shape.ttl_attribute {
        item.insert(ttl.clone(), AttributeValue::N((NEVER + number).to_string()));
    }
    for index in &shape.indexes {
        let group = GROUPS[usize::try_from(number % 5).unwrap_or(0)];
        item.insert(index.hash.name.clone(), value(&index.hash, group, number));
        if let Some(range) = &index.range {
            item.insert(range.name.clone(), value(range, &format!("{number:09}"), FIRST_SECOND + number * 60));
        }
    }
    if let Some(range) = &shape.range {
        item.insert(range.name.clone(), value(range, &format!("{number:09}"), FIRST_SECOND + number * 60));
    }
    item.insert(shape.hash.name.clone(), value(&shape.hash, &format!("log-{number:09}"), number));
    item
}

fn value(key: &Key, text: &str, number: u64) -> AttributeValue {
    match key.kind {
        KeyType::String => AttributeValue::S(text.to_owned()),
        KeyType::Number => AttributeValue::N(number.to_string()),
        KeyType::Binary => AttributeValue::B(Blob::new(text.as_bytes())),
    }
}
