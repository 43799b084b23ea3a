//! What a plan must not do before it may be applied. Pure: a plan in, violations out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::graph::configured;
use super::plan::{Action, Plan, ResourceChange};
use super::stateful;

/// Something in a plan that lifeboat refuses to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub address: String,
    pub why: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.address, self.why)
    }
}

/// The base plan must not destroy or replace what holds data, and must not touch a resource that is to be adopted.
pub fn base(plan: &Plan, adopted: &BTreeSet<String>) -> Vec<Violation> {
    let adopted: BTreeSet<String> = adopted.iter().map(|it| configured(it)).collect();
    let touched = plan.changes().filter(|it| adopted.contains(&configured(&it.address)));
    let touched = touched.map(|it| Violation {
        address: it.address.clone(),
        why: format!("would be {}{}, but is to be restored and adopted", it.verb(), because(it)),
    });
    let mut violations: Vec<Violation> = touched.collect();
    violations.extend(lost(plan).filter(|it| !adopted.contains(&configured(&it.address))).map(loss));
    violations
}

/// The adoption plan must import each resource of `imports` (address to id) by that id, or find it in the state already
/// where it is in `held`; it must neither create, replace nor destroy one, nor destroy anything else that holds data.
pub fn adoption(plan: &Plan, imports: &BTreeMap<String, String>, held: &BTreeSet<String>) -> Vec<Violation> {
    let mut violations = self::imports(plan, imports);
    let taken = plan.changes().filter(|it| held.contains(&it.address) && !harmless(it));
    violations.extend(taken.map(|change| Violation {
        address: change.address.clone(),
        why: format!("would be {}{}", change.verb(), because(change)),
    }));
    let others = lost(plan).filter(|it| !imports.contains_key(&it.address) && !held.contains(&it.address));
    violations.extend(others.map(loss));
    violations
}

/// Each of `imports` (address to id) must be imported by that id, and neither created, replaced nor destroyed.
pub fn imports(plan: &Plan, imports: &BTreeMap<String, String>) -> Vec<Violation> {
    let mut violations: Vec<Violation> = Vec::new();
    let mut violate = |address: &str, why: String| violations.push(Violation { address: address.to_owned(), why });
    for (address, id) in imports {
        match plan.resources.iter().find(|it| it.managed && !it.deposed && it.address == *address) {
            None => violate(address, "is not in the plan: the root does not declare it".into()),
            Some(change) => match &change.importing {
                Some(by) if !by.is_empty() && by != id => {
                    violate(address, format!("would be imported as {by}, not as {id}"))
                }
                _ if !harmless(change) => violate(address, format!("would be {}{}", change.verb(), because(change))),
                Some(_) => {}
                None => violate(address, format!("would be {}, not imported as {id}", change.verb())),
            },
        }
    }
    violations
}

/// What of the plan would be in another region than it shall be: provider configurations, and resources that name a
/// region of their own (AWS provider 6: "Enhanced Region Support").
///
/// The default configuration must be in the recovery region. Where it declares no region, AWS_REGION decides, which
/// lifeboat sets. A computed region must have been asked for before; where nothing shows that it is not the region that
/// is lost, it is refused. Other configurations and resources may be elsewhere (certificates for CloudFront are in
/// us-east-1), but not in the region that is lost, and neither may what the state holds.
pub fn regions(plan: &Plan, recovery: &str, primary: &str) -> Vec<Violation> {
    let lost = |region: &str| region == primary && primary != recovery;
    let wrong = |default: bool, region: &str| if default { region != recovery } else { lost(region) };
    let providers = plan.providers.iter().filter_map(|it| {
        let why = match it.region.as_deref() {
            Some(region) if wrong(it.default, region) => {
                format!("is configured for {region}; the recovery region is {recovery}")
            }
            None if it.default && it.declared => format!(
                "computes its region, so that nothing shows that it is {recovery}: write `region = var.aws_region`, a \
                 variable of the root that region \"recovery\" sets, or leave `region` out"
            ),
            None if it.declared => format!(
                "computes its region, so that nothing shows that it is not {primary}, the region that is lost: write \
                 `region = var.NAME`, a variable that is handed down from the root"
            ),
            _ => return None,
        };
        Some(Violation { address: format!("provider {}", it.key), why })
    });
    let planned = plan.resources.iter().filter(|it| it.managed && !it.deposed && it.actions != [Action::Delete]);
    let resources = planned.filter(|it| it.kind.starts_with("aws_")).filter_map(|it| {
        let region = it.values.get("region")?.as_str().filter(|region| lost(region))?;
        let why = format!("would be in {region}, the region that is lost; the recovery region is {recovery}");
        Some(Violation { address: it.address.clone(), why })
    });
    let held = plan.arns.iter().filter(|(_, arn)| arn.split(':').nth(3).is_some_and(lost)).map(|(address, arn)| {
        let why =
            format!("stands in {primary}, the region that is lost, as {arn}, and is in the recovery region's state");
        Violation { address: address.clone(), why }
    });
    providers.chain(resources).chain(held).collect()
}

/// Nothing that takes a resource away: kept as it is, or changed in place.
fn harmless(change: &ResourceChange) -> bool {
    change.actions.iter().all(|it| matches!(it, Action::NoOp | Action::Update))
}

/// What holds data and would be lost by any plan of the root.
pub fn losses(plan: &Plan) -> Vec<Violation> {
    lost(plan).map(loss).collect()
}

fn lost(plan: &Plan) -> impl Iterator<Item = &ResourceChange> {
    let lost = |it: &&ResourceChange| it.does(Action::Delete) || it.does(Action::Forget) || it.does(Action::Unknown);
    plan.changes().filter(lost).filter(|it| stateful::holds_data(&it.kind))
}

fn loss(change: &ResourceChange) -> Violation {
    Violation {
        address: change.address.clone(),
        why: format!("holds data and would be {}{}", change.verb(), because(change)),
    }
}

fn because(change: &ResourceChange) -> String {
    if change.replace_paths.is_empty() {
        return String::new();
    }
    format!(" because of {}", change.replace_paths.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a plan with this provider configuration, failing over from eu-west-2 to us-east-1.
    fn of_provider(provider: &str) -> Vec<String> {
        let json = format!(
            r#"{{"format_version": "1.2", "variables": {{"aws_region": {{"value": "us-east-1"}}, "none": {{"value": null}},
                "lost": {{"value": "eu-west-2"}}, "cfg": {{"value": {{"region": "us-east-1"}}}}}},
                "configuration": {{"provider_config": {{"it": {{"name": "aws", {provider}}}}}}}}}"#
        );
        let plan = Plan::parse(json.as_bytes()).unwrap();
        regions(&plan, "us-east-1", "eu-west-2").into_iter().map(|it| it.why).collect()
    }

    #[test]
    fn the_default_region_must_be_shown_to_be_the_recovery_region() {
        let region = |region: &str| of_provider(&format!(r#""expressions": {{"region": {region}}}"#));
        let right = [r#"{"constant_value": "us-east-1"}"#, r#"{"references": ["var.aws_region"]}"#];
        let by_environment = [r#"{"constant_value": null}"#, r#"{"references": ["var.none"]}"#];
        for it in right.into_iter().chain(by_environment) {
            assert_eq!(region(it), [""; 0], "{it}");
        }
        assert_eq!(of_provider(r#""expressions": {}"#), [""; 0]);
        for it in [r#"{"constant_value": "eu-west-2"}"#, r#"{"references": ["var.lost"]}"#] {
            assert_eq!(region(it), ["is configured for eu-west-2; the recovery region is us-east-1"], "{it}");
        }
        let computed = [
            r#"{"references": ["local.region"]}"#,
            r#"{"references": ["var.cfg.region", "var.cfg"]}"#,
            r#"{"references": ["var.aws_region", "terraform.workspace"]}"#,
            r#"{"references": ["data.aws_region.now.name", "data.aws_region.now"]}"#,
            r#"{}"#,
        ];
        for it in computed {
            let said = region(it);
            assert!(
                matches!(said.as_slice(), [why] if why.contains("write `region = var.aws_region`")),
                "{it}: {said:?}"
            );
        }
    }

    #[test]
    fn another_configuration_may_be_elsewhere_but_not_in_the_lost_region_nor_nobody_knows_where() {
        let alias = |region: &str| of_provider(&format!(r#""alias": "other", "expressions": {{"region": {region}}}"#));
        let said = alias(r#"{"references": ["local.region"]}"#);
        assert!(matches!(said.as_slice(), [why] if why.contains("it is not eu-west-2, the region that is lost")));
        assert_eq!(alias(r#"{"constant_value": "ap-south-1"}"#), [""; 0]);
        assert_eq!(alias(r#"{"constant_value": "eu-west-2"}"#).len(), 1);
    }

    /// What is said of a module's provider whose region is handed down so, through one module and another.
    fn of_module(region: &str) -> Vec<String> {
        let json = format!(
            r#"{{"format_version": "1.2", "variables": {{"aws_region": {{"value": "us-east-1"}}, "lost": {{"value": "eu-west-2"}}}},
                "configuration": {{"provider_config": {{"it": {{"name": "aws", "module_address": "module.a.module.b",
                "expressions": {{"region": {{"references": ["var.place"]}}}}}}}},
                "root_module": {{"module_calls": {{"a": {{"expressions": {{"where": {region}, "rules": [{{}}]}}, "module": {{
                "module_calls": {{"b": {{"expressions": {{"place": {{"references": ["var.where"]}}}}}}}}}}}}}}}}}}}}"#
        );
        let plan = Plan::parse(json.as_bytes()).unwrap();
        regions(&plan, "us-east-1", "eu-west-2").into_iter().map(|it| it.why).collect()
    }

    #[test]
    fn the_region_of_a_modules_provider_is_followed_to_the_root() {
        assert_eq!(of_module(r#"{"references": ["var.aws_region"]}"#), [""; 0]);
        assert_eq!(of_module(r#"{"constant_value": "ap-south-1"}"#), [""; 0]);
        for lost in [r#"{"references": ["var.lost"]}"#, r#"{"constant_value": "eu-west-2"}"#] {
            assert_eq!(of_module(lost), ["is configured for eu-west-2; the recovery region is us-east-1"], "{lost}");
        }
        for unknown in [r#"{"references": ["local.x"]}"#, "[]", r#"{"references": ["var.aws_region", "local.x"]}"#] {
            assert!(matches!(of_module(unknown).as_slice(), [why] if why.contains("computes its region")), "{unknown}");
        }
    }

    #[test]
    fn what_the_recovery_state_holds_in_the_lost_region_is_refused() {
        let of = |kind: &str, mode: &str, arn: &str| {
            let json = format!(
                r#"{{"format_version": "1.2", "prior_state": {{"values": {{"root_module": {{"child_modules": [{{"resources": [
                    {{"address": "module.x.{kind}.it", "mode": "{mode}", "type": "{kind}", "values": {{"arn": "{arn}"}}}}]}}]}}}}}}}}"#
            );
            let violations = regions(&Plan::parse(json.as_bytes()).unwrap(), "us-east-1", "eu-west-2");
            violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let lost = "arn:aws:sqs:eu-west-2:123456789012:q";
        let said = of("aws_sqs_queue", "managed", lost);
        assert!(said.starts_with("module.x.aws_sqs_queue.it stands in eu-west-2"), "{said}");
        assert_eq!(of("aws_sqs_queue", "data", lost), "");
        for elsewhere in ["arn:aws:acm:us-east-1:123456789012:certificate/x", "arn:aws:iam::123456789012:role/r", "odd"]
        {
            assert_eq!(of("aws_x", "managed", elsewhere), "", "{elsewhere}");
        }
    }

    #[test]
    fn no_resource_may_name_the_lost_region() {
        let told = |kind: &str, mode: &str, action: &str, region: &str| {
            let json = format!(
                r#"{{"format_version": "1.2", "resource_changes": [{{"address": "{kind}.it", "mode": "{mode}",
                    "type": "{kind}", "change": {{"actions": ["{action}"], "after": {{"region": {region}}}}}}}]}}"#
            );
            let violations = regions(&Plan::parse(json.as_bytes()).unwrap(), "us-east-1", "eu-west-2");
            violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let refused =
            "aws_sqs_queue.it would be in eu-west-2, the region that is lost; the recovery region is us-east-1";
        assert_eq!(told("aws_sqs_queue", "managed", "create", r#""eu-west-2""#), refused);
        assert_eq!(told("aws_sqs_queue", "managed", "no-op", r#""eu-west-2""#), refused);
        for region in [r#""us-east-1""#, r#""ap-south-1""#, "null"] {
            assert_eq!(told("aws_sqs_queue", "managed", "create", region), "");
        }
        assert_eq!(told("aws_sqs_queue", "data", "read", r#""eu-west-2""#), "");
        assert_eq!(told("aws_sqs_queue", "managed", "delete", r#""eu-west-2""#), "");
        assert_eq!(told("terraform_data", "managed", "create", r#""eu-west-2""#), "");
    }
}
