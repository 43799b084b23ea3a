//! A table's items counted page by page, without reading one.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, Select};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::aws::{Refusal, Session, refusal};

const LONGEST_REQUEST: Duration = Duration::from_secs(30);

/// Where a scan goes on.
pub type ScanKey = HashMap<String, AttributeValue>;

/// A page of a count.
#[derive(Clone, Debug, PartialEq)]
pub struct CountPage {
    pub items: u64,
    /// `None` after the last one.
    pub next: Option<ScanKey>,
}

/// Counts one table. The SDK's own retries are off: they hide the throttling that the caller's pace adapts to.
pub struct PageCounter {
    client: Client,
    table: String,
    segments: u32,
}

impl PageCounter {
    pub fn new(session: &Session, table: &str, segments: u32) -> Self {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(Duration::from_secs(5)).operation_attempt_timeout(LONGEST_REQUEST);
        let config = session.dynamodb().config().to_builder();
        let config = config.retry_config(RetryConfig::disabled()).timeout_config(timeouts.build());
        Self { client: Client::from_conf(config.build()), table: table.to_owned(), segments }
    }

    /// Up to 1 MB of a segment (DynamoDB API: "Scan", `Select` of `COUNT`), strongly consistent, which takes up to 256
    /// read units.
    ///
    /// # Errors
    /// A refusal that says whether the same may be asked again.
    pub async fn page(&self, segment: u32, start: Option<ScanKey>) -> Result<CountPage, Refusal> {
        let scan = self.client.scan().table_name(&self.table).select(Select::Count).consistent_read(true);
        let scan = scan.segment(segment.cast_signed()).total_segments(self.segments.cast_signed());
        let page = scan.set_exclusive_start_key(start).send().await.map_err(refusal("dynamodb:Scan"))?;
        let next = page.last_evaluated_key().filter(|key| !key.is_empty()).cloned();
        Ok(CountPage { items: u64::try_from(page.count()).unwrap_or_default(), next })
    }
}
