//! One line of JSON for each request of a rehearsal, and the summary of them all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rules::GLOBAL_SERVICES;

/// A request and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// When its head had arrived.
    pub time: Timestamp,
    pub service: String,
    pub operation: String,
    /// The region it was signed for; for a bucket whose home is known, that home.
    pub region: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resource: Option<String>,
    /// Who asked: `terraform`, `lifeboat`, `aws-cli`, `other`.
    pub agent: String,
    /// The status that the client was given; 0 where it was given none.
    pub status: u16,
    pub outcome: RequestOutcome,
    /// The status that the emulator answered with, where the client was not given that answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lost_status: Option<u16>,
    /// Until the last byte of the answer was passed on.
    pub duration_ms: u64,
    pub request_bytes: u64,
    pub response_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestOutcome {
    Forwarded,
    Refused,
    Hung,
    Throttled,
    /// Answered with expired credentials.
    Expired,
    /// Carried out; the answer was lost on purpose.
    ReplyLost,
    /// The emulator could not be asked.
    NoUpstream,
    /// The client went away before there was an answer.
    Abandoned,
}

impl RequestRecord {
    /// Whether the emulator did what it was asked, also where the client was not told.
    pub fn carried_out(&self) -> bool {
        let status = match self.outcome {
            RequestOutcome::Forwarded => Some(self.status),
            _ => self.lost_status,
        };
        status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// Where records go: appended, one write each.
#[derive(Debug)]
pub struct RequestLog {
    file: Mutex<File>,
    failure: Mutex<Option<io::Error>>,
}

impl RequestLog {
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { file: Mutex::new(file), failure: Mutex::new(None) })
    }

    /// Writes a line. The first failure is kept for [`RequestLog::failure`]: the request itself cannot wait for it.
    pub fn write(&self, record: &RequestRecord) {
        let written = serde_json::to_vec(record).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)
        });
        if let Err(error) = written {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// Why the first record that is missing is missing.
    pub fn failure(&self) -> Option<io::Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Reads `requests.jsonl`.
///
/// # Errors
/// The file cannot be read, or a line of it is no record.
pub fn read_records(path: &Path) -> io::Result<Vec<RequestRecord>> {
    BufReader::new(File::open(path)?).lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

/// How many requests there were, by region, service and operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub total: u64,
    /// Region → `service:Operation` → counts.
    pub regions: BTreeMap<String, BTreeMap<String, Counts>>,
}

/// Counts by class of status; `unanswered` are refused, hung and lost ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub total: u64,
    pub ok: u64,
    pub client_error: u64,
    pub server_error: u64,
    pub unanswered: u64,
}

impl Summary {
    pub fn of<'a>(records: impl IntoIterator<Item = &'a RequestRecord>) -> Self {
        let mut summary = Self::default();
        for record in records {
            let call = format!("{}:{}", record.service, record.operation);
            summary.total += 1;
            summary.regions.entry(record.region.clone()).or_default().entry(call).or_default().add(record.status);
        }
        summary
    }

    /// Requests to a region's own services: those of the global ones are signed for `us-east-1` wherever one is.
    pub fn requests_in(&self, region: &str) -> u64 {
        let global = |call: &str| GLOBAL_SERVICES.iter().any(|service| call.split(':').next() == Some(service));
        let calls = self.regions.get(region).into_iter().flatten();
        calls.filter(|(call, _)| !global(call)).map(|(_, counts)| counts.total).sum()
    }

    /// Requests of an operation, `rds:DescribeDBClusters`, in any region.
    pub fn requests_of(&self, call: &str) -> u64 {
        self.regions.values().filter_map(|calls| calls.get(call)).map(|counts| counts.total).sum()
    }
}

impl Counts {
    fn add(&mut self, status: u16) {
        self.total += 1;
        match status {
            0 => self.unanswered += 1,
            100..400 => self.ok += 1,
            400..500 => self.client_error += 1,
            _ => self.server_error += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(region: &str, service: &str, operation: &str, status: u16) -> RequestRecord {
        RequestRecord {
            time: Timestamp::UNIX_EPOCH,
            service: service.into(),
            operation: operation.into(),
            region: region.into(),
            resource: None,
            agent: "other".into(),
            status,
            outcome: RequestOutcome::Forwarded,
            lost_status: None,
            duration_ms: 1,
            request_bytes: 0,
            response_bytes: 0,
        }
    }

    #[test]
    fn a_summary_counts_by_region_operation_and_class_of_status() {
        let records = [
            record("us-east-1", "rds", "DescribeDBClusters", 200),
            record("us-east-1", "rds", "DescribeDBClusters", 404),
            record("us-east-1", "route53", "GetChange", 200),
            record("eu-west-2", "s3", "ListObjectsV2", 0),
        ];
        let summary = Summary::of(&records);
        let counts = summary.regions["us-east-1"]["rds:DescribeDBClusters"];
        assert_eq!(counts, Counts { total: 2, ok: 1, client_error: 1, ..Counts::default() });
        assert_eq!(summary.regions["eu-west-2"]["s3:ListObjectsV2"].unanswered, 1);
        assert_eq!((summary.requests_in("eu-west-2"), summary.requests_in("us-east-1")), (1, 2));
        assert_eq!(summary.requests_of("rds:DescribeDBClusters"), 2);
    }

    #[test]
    fn records_survive_the_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("requests.jsonl");
        let log = RequestLog::create(&path).expect("a log");
        let written = [record("us-east-1", "s3", "GetObject", 200), record("us-east-1", "s3", "HeadObject", 404)];
        for record in &written {
            log.write(record);
        }
        assert_eq!(read_records(&path).expect("records"), written);
    }
}
