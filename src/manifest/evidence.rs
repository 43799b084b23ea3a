//! Reads the `evidence` block: what is kept of a breach, and where.

use hcl_edit::structure::Block;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::names::{BUCKET, KEY, REGION, ROLE, Rule};
use super::reader::{Fields, Reader, Schema};
use super::values::{Choice, choice, integer, list, named, timeout};
use crate::evidence::{EvidencePlace, Retention, RetentionMode};

/// What is kept of a breach besides what the blocks of the manifest name, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRule {
    pub bucket: String,
    /// The bucket's; `None` is the region that evidence is collected in.
    pub region: Option<String>,
    /// ARN of the role that writes and reads the bucket.
    pub role: Option<String>,
    /// Ends with a slash, or is empty.
    pub prefix: String,
    /// How long before the breach events and logs are collected from.
    pub window: SignedDuration,
    /// Names of log groups.
    pub log_groups: Vec<String>,
    /// Names of buckets that are listed besides those of `bucket` blocks.
    pub buckets: Vec<String>,
    pub retention: Option<Retention>,
}

impl EvidenceRule {
    /// Where evidence of `region` is kept.
    pub fn place(&self, region: &str) -> EvidencePlace {
        EvidencePlace {
            bucket: self.bucket.clone(),
            region: self.region.clone().unwrap_or_else(|| region.to_owned()),
            role: self.role.clone(),
            prefix: self.prefix.clone(),
            retention: self.retention,
        }
    }
}

const EVIDENCE: Schema = Schema {
    keys: &[
        ("bucket", "\"security-evidence\""),
        ("region", "\"eu-west-2\""),
        ("role", "\"arn:aws:iam::210987654321:role/evidence\""),
        ("prefix", "\"breaches\""),
        ("window", "\"72h\""),
        ("log_groups", "[\"/aws/lambda/ingest\"]"),
        ("buckets", "[\"my-assets\"]"),
        ("retain_days", "365"),
        ("retain_mode", "governance"),
    ],
    blocks: &[],
};

const WINDOW: SignedDuration = SignedDuration::from_hours(72);
/// CloudTrail's event history goes no further back (CloudTrail API: "LookupEvents").
const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(90 * 24);
/// S3 API: "DefaultRetention": 100 years.
const MOST_DAYS: u64 = 36_500;

/// CloudWatch Logs API: "CreateLogGroup", `logGroupName`.
const LOG_GROUP: Rule = Rule { noun: "the name of a log group", refuse: log_group };

pub(super) fn evidence(reader: &mut Reader, block: &Block) -> Option<EvidenceRule> {
    reader.unlabelled(block);
    let before = reader.problems.len();
    let fields = Fields::new(reader, block, EVIDENCE);
    let bucket = fields.required(reader, "bucket", named(BUCKET));
    let region = fields.optional(reader, "region", named(REGION));
    let role = fields.optional(reader, "role", named(ROLE));
    let prefix = fields.optional(reader, "prefix", named(KEY));
    let window = fields.optional(reader, "window", timeout);
    let log_groups = fields.optional(reader, "log_groups", list(named(LOG_GROUP)));
    let buckets = fields.optional(reader, "buckets", list(named(BUCKET)));
    let days = fields.optional(reader, "retain_days", integer(1, MOST_DAYS));
    let mode = fields.optional(reader, "retain_mode", choice("a retention mode", &["governance", "compliance"], &[]));
    if window.is_some_and(|window| window > LONGEST_WINDOW) {
        let hint = "CloudTrail's event history holds 90 days: write \"2160h\" at most, and keep a trail for more";
        reader.hinted(fields.value_span("window"), "the window is longer than 90 days", "too long", hint);
    }
    if fields.has("retain_mode") && !fields.has("retain_days") {
        let hint = "write retain_days = 365, or leave both out: the bucket's default retention holds then";
        reader.hinted(fields.span("retain_mode"), "how long nothing may be deleted is not said", "", hint);
    }
    let mode = match mode {
        Some(Choice::Word("compliance")) => RetentionMode::Compliance,
        _ => RetentionMode::Governance,
    };
    let days = days.and_then(|days| u32::try_from(days).ok());
    let prefix = prefix.map(|prefix| format!("{prefix}/")).unwrap_or_default();
    let rule = EvidenceRule {
        bucket: bucket?,
        region,
        role,
        prefix,
        window: window.unwrap_or(WINDOW),
        log_groups: log_groups.unwrap_or_default(),
        buckets: buckets.unwrap_or_default(),
        retention: days.map(|days| Retention { mode, days }),
    };
    (reader.problems.len() == before).then_some(rule)
}

fn log_group(text: &str) -> Option<&'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-/.#".contains(c);
    let named = (1..=512).contains(&text.len()) && text.chars().all(fits);
    (!named).then_some("up to 512 letters, digits and _ - / . #")
}
