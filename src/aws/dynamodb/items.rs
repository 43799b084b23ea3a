//! A few items of a table, for a sample that is compared. They are given to whoever asks and kept nowhere.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};

use crate::aws::{AwsError, Session, explain};

type Item = HashMap<String, AttributeValue>;

/// The first `most` items of a segment, a megabyte of them at most, strongly consistent (DynamoDB API: "Scan").
///
/// # Errors
/// As [`super::PageCounter::page`].
pub async fn first_items(
    session: &Session,
    table: &str,
    (segment, segments): (u32, u32),
    most: i32,
) -> Result<Vec<Item>, AwsError> {
    let page = session
        .dynamodb()
        .scan()
        .table_name(table)
        .consistent_read(true)
        .segment(segment.cast_signed())
        .total_segments(segments.cast_signed())
        .limit(most)
        .send()
        .await
        .map_err(explain("dynamodb:Scan"))?;
    Ok(page.items().to_vec())
}

/// The items of these keys, 100 at most, strongly consistent; and the keys that DynamoDB did not get to (DynamoDB API:
/// "BatchGetItem", `UnprocessedKeys`).
///
/// # Errors
/// AWS refused, or could read none of them.
pub async fn items(session: &Session, table: &str, keys: Vec<Item>) -> Result<(Vec<Item>, Vec<Item>), AwsError> {
    let operation = "dynamodb:BatchGetItem";
    let asked = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
    let asked =
        asked.map_err(|error| AwsError { operation, code: None, message: error.to_string(), transient: false })?;
    let answer = session.dynamodb().batch_get_item().request_items(table, asked).send().await;
    let answer = answer.map_err(explain(operation))?;
    let found = answer.responses().and_then(|it| it.get(table)).cloned().unwrap_or_default();
    let left = answer.unprocessed_keys().and_then(|it| it.get(table)).map(|it| it.keys().to_vec());
    Ok((found, left.unwrap_or_default()))
}
