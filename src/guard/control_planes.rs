//! `static`: a recovery that needs no control plane which stands in one region for all of them. When that region is the
//! one that is lost, nothing of theirs can be made or changed, while what exists goes on working.

use super::{STATIC, Violation};
use crate::manifest::Guards;
use crate::terraform::plan::Plan;

/// Types of resources by the beginning of their names, whose control plane it is, and where it stands (AWS Fault Isolation
/// Boundaries: "Global services"). The first that fits counts.
const PLANES: &[(&str, Option<(&str, &str)>)] = &[
    // A service of each region, whatever it is called after.
    ("aws_route53_resolver_", None),
    ("aws_route53_", Some(("Route 53", "us-east-1"))),
    ("aws_iam_", Some(("IAM", "us-east-1"))),
];

pub fn judge(plan: &Plan, rules: &Guards) -> Vec<Violation> {
    if !rules.control_planes {
        return Vec::new();
    }
    let found = plan.changes().filter(|it| !it.is_no_op()).filter_map(|change| {
        let (_, plane) = PLANES.iter().find(|(prefix, _)| change.kind.starts_with(prefix))?;
        let (service, region) = (*plane)?;
        let what = format!("would be {} by the control plane of {service}, which is in {region} alone", change.verb());
        let hint = "have it made beforehand, in a root of its own, and look it up with a data source";
        Some(Violation::of(STATIC, change, what).hint(hint))
    });
    found.collect()
}
