//! Compares a sample of a restored table's items with its source as it is now, where that stands in the same region. Reads only,
//! and little: the source serves.

use std::time::Duration;

use serde_json::{Value, json};

use crate::aws::{AwsError, Session, dynamodb};
use crate::verify::sample::{Sample, choose, compare, key_of};

/// Segments of the restored table whose first items are looked at, and how many of each.
const SEGMENTS: u32 = 8;
const OF_A_SEGMENT: i32 = 100;
/// Items that are compared at most.
const MOST: usize = 200;
/// Keys of a request, so that one answer takes little of the source's capacity at once.
const AT_ONCE: usize = 25;
/// How often what the source did not get to is asked for again, and the first pause before that.
const ROUNDS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);
/// Answers of a table whose capacity is used up (DynamoDB Developer Guide: "Error handling with DynamoDB").
const USED_UP: [&str; 3] = ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"];

/// Compares a sample. `keys` are the names of the key's attributes.
///
/// # Errors
/// AWS refused. A source whose capacity is used up is no error: what it does not tell is counted.
pub async fn sample_table(
    session: &Session,
    source: &str,
    target: &str,
    keys: &[String],
    stopping: &(dyn Fn() -> bool + Send + Sync),
) -> Result<Sample, AwsError> {
    let mut found = Vec::new();
    for segment in 0..SEGMENTS {
        if stopping() {
            break;
        }
        found.extend(dynamodb::first_items(session, target, (segment, SEGMENTS), OF_A_SEGMENT).await?);
    }
    let chosen = choose(found, keys, MOST);
    let (mut live, mut unread) = (Vec::new(), Vec::new());
    for some in chosen.chunks(AT_ONCE) {
        let mut left: Vec<_> = some.iter().map(|item| key_of(item, keys)).collect();
        for round in 0..=ROUNDS {
            // Once it has not told all that it was asked for, the rest is not worth its readers' waiting.
            if left.is_empty() || stopping() || !unread.is_empty() {
                break;
            }
            if round > 0 {
                tokio::time::sleep(PAUSE * (1 << (round - 1))).await;
            }
            match dynamodb::items(session, source, left.clone()).await {
                Ok((items, rest)) => {
                    live.extend(items);
                    left = rest;
                }
                Err(error) if error.is_any(&USED_UP) => {}
                Err(error) => return Err(error),
            }
        }
        unread.extend(left);
    }
    Ok(compare(&chosen, &live, &unread, keys))
}

/// The same for a step's output: what could not be compared is told, and fails nothing.
pub(super) async fn sampled(
    session: &Session,
    source: &str,
    target: &str,
    keys: &[String],
    stopping: &(dyn Fn() -> bool + Send + Sync),
) -> Value {
    match sample_table(session, source, target, keys, stopping).await {
        Ok(sample) => {
            let mut output = json!(sample);
            output["said"] = json!(sample.in_words(&format!("table {source}")));
            output
        }
        Err(error) => json!({ "said": format!("no item was compared with table {source}: {error}") }),
    }
}
