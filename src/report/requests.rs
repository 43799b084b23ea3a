//! Which regions and services were asked, from the recording that a rehearsal or a drill leaves in the run's folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

const FILE_NAME: &str = "requests.jsonl";
/// The longest line that is read.
const LINE_BYTES: u64 = 64 * 1024;
/// Services and regions that are told apart; what comes after them is counted as `other`.
const NAMES: usize = 500;

/// The requests of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Requests {
    pub total: u64,
    /// The region that was left comes first, though nothing was asked of it: that is the proof.
    pub regions: Vec<RegionRequests>,
    /// Lines of the recording that could not be read.
    pub unreadable: u64,
}

/// The requests to one region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RegionRequests {
    pub region: String,
    pub role: RegionRole,
    pub requests: u64,
    /// Answered with 4xx; asking whether something is there is among them.
    pub client_errors: u64,
    /// Answered with 5xx, or not at all.
    pub failures: u64,
    pub services: Vec<ServiceRequests>,
}

/// What a region is to the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionRole {
    /// The region that the scenario leaves.
    From,
    /// The region that it recovers to.
    To,
    #[default]
    Other,
}

/// The requests to one service of a region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ServiceRequests {
    pub service: String,
    pub requests: u64,
    pub client_errors: u64,
    pub failures: u64,
}

/// What of a recorded request is counted.
#[derive(Deserialize)]
struct Line {
    service: String,
    region: Option<String>,
    status: Option<u16>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    requests: u64,
    client_errors: u64,
    failures: u64,
}

/// Counts the recording of a run; `None` where there is none.
///
/// # Errors
/// It is there and cannot be read.
pub(super) fn read(run_dir: &Path, from: &str, to: &str) -> std::io::Result<Option<Requests>> {
    match File::open(run_dir.join(FILE_NAME)) {
        Ok(file) => count(BufReader::new(file), from, to).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn count(mut lines: impl BufRead, from: &str, to: &str) -> std::io::Result<Requests> {
    let mut counts: BTreeMap<(String, String), Counts> = BTreeMap::new();
    let mut requests = Requests::default();
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if (&mut lines).take(LINE_BYTES).read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        let Ok(line) = serde_json::from_slice::<Line>(&bytes) else {
            requests.unreadable += 1;
            continue;
        };
        let mut key = (line.region.filter(|name| !name.is_empty()).unwrap_or_else(|| "global".into()), line.service);
        if counts.len() >= NAMES && !counts.contains_key(&key) {
            key = ("other".into(), "other".into());
        }
        let entry = counts.entry(key).or_default();
        entry.requests += 1;
        match line.status {
            Some(100..400) => {}
            Some(400..500) => entry.client_errors += 1,
            _ => entry.failures += 1,
        }
        requests.total += 1;
    }
    requests.regions = by_region(counts, from, to);
    Ok(requests)
}

fn by_region(counts: BTreeMap<(String, String), Counts>, from: &str, to: &str) -> Vec<RegionRequests> {
    let role = |region: &str| match region {
        // A rebuild leaves no region.
        _ if region == to => RegionRole::To,
        _ if region == from => RegionRole::From,
        _ => RegionRole::Other,
    };
    let mut regions: BTreeMap<(RegionRole, String), RegionRequests> = BTreeMap::new();
    let asked = counts.into_iter().map(|((region, service), counts)| (region, Some((service, counts))));
    for (region, asked) in [(from.to_owned(), None), (to.to_owned(), None)].into_iter().chain(asked) {
        let role = role(&region);
        let entry = regions.entry((role, region.clone())).or_default();
        (entry.region, entry.role) = (region, role);
        if let Some((service, Counts { requests, client_errors, failures })) = asked {
            entry.requests += requests;
            entry.client_errors += client_errors;
            entry.failures += failures;
            entry.services.push(ServiceRequests { service, requests, client_errors, failures });
        }
    }
    regions.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDING: &str = r#"{"time":"2026-11-22T03:12:00Z","service":"rds","operation":"DescribeDBClusters","region":"us-east-1","status":200,"duration_ms":12}
{"time":"2026-11-22T03:12:01Z","service":"rds","operation":"DescribeDBClusters","region":"us-east-1","status":503,"duration_ms":9}
{"time":"2026-11-22T03:12:01Z","service":"s3","operation":"GetObject","region":"us-east-1","status":null,"duration_ms":9}
{"time":"2026-11-22T03:12:02Z","service":"route53","operation":"ListHostedZones","region":"","status":404,"duration_ms":7}
{"time":"2026-
"#;

    #[test]
    fn the_region_that_was_left_is_listed_though_nothing_was_asked_of_it() {
        let requests = count(RECORDING.as_bytes(), "eu-west-2", "us-east-1").expect("it is in memory");
        let seen: Vec<_> = requests.regions.iter().map(|it| (it.region.as_str(), it.requests, it.failures)).collect();
        assert_eq!(seen, [("eu-west-2", 0, 0), ("us-east-1", 3, 2), ("global", 1, 0)]);
        assert_eq!((requests.total, requests.unreadable), (4, 1));
        assert_eq!(requests.regions[2].client_errors, 1);
        assert_eq!(requests.regions[1].services[0].service, "rds");
    }
}
