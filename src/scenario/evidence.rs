//! Evidence of a breach: what is kept before anything is taken down, sealed and read back.

use jiff::{SignedDuration, Timestamp};

use super::step;
use crate::evidence::{Evidence, EvidenceStep, PLACE, SEAL, VERIFY};
use crate::manifest::{EvidenceRule, Manifest};
use crate::runbook::{Action, NotChecked, Phase, Runbook, StepId, StepSpec};

/// Its name in runbooks.
pub const EVIDENCE: &str = "evidence";

const fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_secs(minutes * 60)
}

/// Where CloudTrail records what concerns no region, such as IAM, in the partition `aws` (AWS CloudTrail User Guide: "Global
/// service events").
const GLOBAL: &str = "us-east-1";

/// The steps that keep what stands in `region`, for a scenario of their own or as part of another. The first waits for `after`;
/// what takes something down waits for [`VERIFY`], and asks [`crate::steps::evidence_verifies`] once more when it begins.
pub fn evidence_steps(
    manifest: &Manifest,
    region: &str,
    rule: &EvidenceRule,
    breach_at: Timestamp,
    after: &[StepId],
) -> Vec<StepSpec> {
    let place = rule.place(region);
    let spec = |id: &str, after: &[&str], title: String, expected, what| {
        let evidence = EvidenceStep { place: place.clone(), what };
        step(id, Phase::Evidence, after, title, None, expected, Action::Evidence { evidence })
    };
    let mut collecting = Vec::new();
    let mut collect = |id: String, title: String, expected, what| {
        collecting.push(spec(&id, &[PLACE], title, expected, what));
    };
    for cluster in clusters(manifest, region) {
        let title = format!("keep a snapshot of cluster {cluster}");
        collect(format!("evidence.aurora.{cluster}"), title, minutes(15), Evidence::Cluster(cluster));
    }
    for table in tables(manifest, region) {
        let title = format!("keep a backup of table {table}");
        collect(format!("evidence.table.{table}"), title, minutes(5), Evidence::Table(table));
    }
    for bucket in buckets(manifest, region, rule) {
        let title = format!("list every version in bucket {bucket}");
        collect(format!("evidence.bucket.{bucket}"), title, minutes(10), Evidence::Bucket(bucket));
    }
    let workgroups = manifest.rebuild.workgroups.iter().filter(|_| region == manifest.primary.name);
    for workgroup in workgroups {
        let title = format!("keep the queries of Athena workgroup {workgroup}");
        collect(format!("evidence.athena.{workgroup}"), title, minutes(10), Evidence::WorkGroup(workgroup.clone()));
    }
    let workspace = &manifest.region(region).workspace;
    let state = format!("keep the Terraform state of workspace {workspace}");
    collect("evidence.terraform.state".into(), state, minutes(1), Evidence::TerraformState);
    let plan = format!("keep what Terraform would change in workspace {workspace}");
    collect("evidence.terraform.plan".into(), plan, minutes(2), Evidence::TerraformPlan);
    let identities = "keep who may do what in the account".to_owned();
    collect("evidence.iam".into(), identities, minutes(2), Evidence::Identities);
    let from = breach_at.checked_sub(rule.window).unwrap_or(Timestamp::MIN);
    for region in trails(manifest, region) {
        let title = format!("keep CloudTrail's events of {region}");
        let what = Evidence::Trail { region: region.clone(), from };
        collect(format!("evidence.cloudtrail.{region}"), title, minutes(30), what);
    }
    let network = format!("keep the security groups and network ACLs of {region}");
    collect("evidence.network".into(), network, minutes(1), Evidence::Network);
    // An account exports one log group at a time.
    let mut before = PLACE.to_owned();
    for log_group in unique(rule.log_groups.iter().cloned()) {
        let (id, title) = (format!("evidence.logs.{log_group}"), format!("export log group {log_group}"));
        collecting.push(spec(&id, &[PLACE, &before], title, minutes(30), Evidence::Logs { log_group, from }));
        before = id;
    }
    let of: Vec<StepId> = collecting.iter().map(|step| step.id.clone()).collect();
    let what = Evidence::Place { breach_at, steps: of.clone() };
    let title = format!("open bucket {} for the evidence", place.bucket);
    let mut first = spec(PLACE, &[], title, minutes(1), what);
    first.after = after.to_vec();
    let sealing: Vec<&str> = [PLACE].into_iter().chain(of.iter().map(StepId::as_str)).collect();
    let sealed = spec(SEAL, &sealing, "seal the evidence".into(), minutes(1), Evidence::Seal { of: of.clone() });
    let proven = spec(VERIFY, &[SEAL], "read the evidence back".into(), minutes(5), Evidence::Verify);
    for step in &mut collecting {
        step.after.dedup();
    }
    [first].into_iter().chain(collecting).chain([sealed, proven]).collect()
}

/// What no evidence has, and why.
pub fn evidence_not_checked() -> Vec<NotChecked> {
    let not = |what: &str, why: &str| NotChecked { what: what.into(), why: why.into() };
    vec![
        not(
            "data events, insights and regions that the service does not use",
            "CloudTrail's event history has none of them: a trail's own bucket has, where there is a trail",
        ),
        not(
            "what happened within the last minutes, and what was logged within the last twelve hours",
            "CloudTrail tells an event within 15 minutes or so, and CloudWatch Logs exports a log event within 12 hours",
        ),
        not("contents of objects and of instances' disks and memory", "buckets are listed, instances are not touched"),
        not("whether snapshots and backups can be restored", "they are made and seen to be available"),
    ]
}

/// The runbook that collects evidence of what stands in `region`, and changes nothing of it.
pub fn evidence(manifest: &Manifest, region: &str, rule: &EvidenceRule, breach_at: Timestamp) -> Runbook {
    Runbook {
        scenario: EVIDENCE.into(),
        environment: manifest.environment.clone(),
        service: manifest.service.clone(),
        account: manifest.account.clone(),
        from_region: region.to_owned(),
        to_region: region.to_owned(),
        steps: evidence_steps(manifest, region, rule, breach_at, &[]),
        objectives: Vec::new(),
        not_checked: evidence_not_checked(),
    }
}

/// What a block names for the region.
fn named<'a>(manifest: &Manifest, region: &str, (source, target): (&'a String, &'a String)) -> &'a String {
    if region == manifest.primary.name { source } else { target }
}

fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    names.filter(|name| seen.insert(name.clone())).collect()
}

fn clusters(manifest: &Manifest, region: &str) -> Vec<String> {
    unique(manifest.clusters.iter().map(|it| named(manifest, region, (&it.source, &it.target)).clone()))
}

fn tables(manifest: &Manifest, region: &str) -> Vec<String> {
    unique(manifest.tables.iter().map(|it| named(manifest, region, (&it.source, &it.target)).clone()))
}

fn buckets(manifest: &Manifest, region: &str, rule: &EvidenceRule) -> Vec<String> {
    let own = manifest.buckets.iter().map(|it| named(manifest, region, (&it.source, &it.target)).clone());
    // A bucket block names buckets of the recovery region; those of the primary one are in the rebuild block.
    let (primary, rebuild) = (region == manifest.primary.name, &manifest.rebuild);
    let stack = rebuild.buckets.iter().chain(&rebuild.empty).filter(|_| primary).cloned();
    unique(own.chain(stack).chain(rule.buckets.iter().cloned()))
}

fn trails(manifest: &Manifest, region: &str) -> Vec<String> {
    let other = [&manifest.primary.name, &manifest.recovery.name].into_iter().find(|it| *it != region).cloned();
    let global = (!region.starts_with("cn-") && !region.starts_with("us-gov-")).then(|| GLOBAL.to_owned());
    unique([region.to_owned()].into_iter().chain(other).chain(global))
}
