//! What proves that the service serves, and what moves its traffic.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// A health check of the recovered service, made before the cutover.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    pub probe: Probe,
    pub timeout: SignedDuration,
}

/// How a check asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    Http {
        url: Text,
        status: u16,
        contains: Option<String>,
    },
    /// A marked record that is put into a Firehose stream must come to rest in its bucket.
    Firehose {
        stream: Text,
        /// What is put, with `{mark}` where the mark shall be; by default a JSON object of its own.
        record: Option<String>,
    },
    /// Program and arguments; run in the manifest's folder, a relative program is relative to it.
    Command {
        argv: Vec<String>,
    },
}

/// Record sets of one hosted zone that are changed in one change batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cutover {
    pub name: String,
    pub zone: Zone,
    pub records: Vec<Record>,
}

/// A Route 53 hosted zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Zone {
    Name(String),
    Id(String),
}

/// A record set as it shall be after the cutover (Route 53 API: "ResourceRecordSet").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub name: String,
    /// `A`, `AAAA`, `CNAME`, `TXT`, …
    pub kind: String,
    pub answer: Answer,
    pub set_identifier: Option<String>,
    /// 0 to 255.
    pub weight: Option<u8>,
    /// `PRIMARY` or `SECONDARY`.
    pub failover: Option<String>,
    pub health_check_id: Option<String>,
}

/// What a record answers with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Values { ttl_seconds: u32, values: Vec<Text> },
    Alias { name: Text, zone_id: Text, evaluate_target_health: bool },
}

/// A string, or a reference to something that is known only once the run has made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Text {
    Literal(String),
    /// `aurora.NAME.endpoint` or `aurora.NAME.reader_endpoint`
    Cluster {
        name: String,
        attribute: String,
    },
    /// `terraform.output.NAME`
    TerraformOutput(String),
}
