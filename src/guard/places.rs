//! `regions` and `accounts`: where a plan may reach. Told by its provider configurations, by resources that name a region
//! of their own, by the ARNs of what the state holds, and by ARNs among the planned values. Text in which an ARN is only
//! a part (a policy document) is not searched, and what is known only after the apply is not known here either.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{ACCOUNTS, Place, REGIONS, Violation};
use crate::manifest::Guards;
use crate::terraform::plan::{Action, Plan, ResourceChange};

pub fn judge(plan: &Plan, rules: &Guards, place: Place<'_>) -> Vec<Violation> {
    let regions = rules.regions.as_deref().map(|more| Allowed::of(place.region, more));
    let accounts = rules.accounts.as_deref().map(|more| Allowed::of(place.account, more));
    let mut violations = Vec::new();
    if let Some(regions) = &regions {
        violations.extend(providers(plan, regions));
        violations.extend(named(plan, regions));
    }
    let mut arns = |address: &str, what: &str, arn: Arn<'_>| {
        let text = arn.text;
        if let Some(regions) = regions.as_ref().filter(|regions| !regions.has(arn.region)) {
            let why = format!("{what} {text}, in {}; allowed: {regions}", arn.region);
            violations.push(Violation::new(REGIONS, address, why));
        }
        if let Some(accounts) =
            accounts.as_ref().filter(|accounts| is_account(arn.account) && !accounts.has(arn.account))
        {
            let why = format!("{what} {text}, of account {}; allowed: {accounts}", arn.account);
            violations.push(Violation::new(ACCOUNTS, address, why));
        }
    };
    for (address, arn) in &plan.arns {
        if let Some(arn) = Arn::parse(arn) {
            arns(address, "stands as", arn);
        }
    }
    for change in planned(plan) {
        let mut seen = BTreeSet::new();
        for (name, value) in change.values.iter() {
            each_arn(value, &mut |arn| {
                if plan.arns.get(&change.address).map(String::as_str) != Some(arn.text)
                    && seen.insert(arn.text.to_owned())
                {
                    arns(&change.address, &format!("has in {name}"), arn);
                }
            });
        }
    }
    violations
}

/// What is allowed, the place of the plan first.
struct Allowed(Vec<String>);

impl Allowed {
    fn of(own: &str, more: &[String]) -> Self {
        let others = more.iter().filter(|it| *it != own).cloned();
        Self(std::iter::once(own.to_owned()).chain(others).collect())
    }

    /// An ARN without a region or account is of a service that has none.
    fn has(&self, name: &str) -> bool {
        name.is_empty() || name == "*" || self.0.iter().any(|it| it == name)
    }
}

impl std::fmt::Display for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

fn providers(plan: &Plan, regions: &Allowed) -> Vec<Violation> {
    let elsewhere = plan.providers.iter().filter_map(|it| Some((it, it.region.as_deref()?)));
    let elsewhere = elsewhere.filter(|(_, region)| !regions.has(region)).map(|(provider, region)| {
        let why = format!("is configured for {region}; allowed: {regions}");
        Violation::new(REGIONS, &format!("provider {}", provider.key), why)
    });
    elsewhere.collect()
}

/// Resources that name a region of their own (AWS provider 6: "Enhanced Region Support").
fn named(plan: &Plan, regions: &Allowed) -> Vec<Violation> {
    let of = |change: &ResourceChange| {
        let region = change.values.get("region")?.as_str().filter(|region| !regions.has(region))?;
        Some(Violation::of(REGIONS, change, format!("would be in {region}; allowed: {regions}")))
    };
    planned(plan).filter(|it| it.kind.starts_with("aws_")).filter_map(of).collect()
}

/// What the plan makes or changes.
fn planned(plan: &Plan) -> impl Iterator<Item = &ResourceChange> {
    plan.changes().filter(|it| it.creates() || it.does(Action::Update))
}

/// The parts of an ARN that say where it is (AWS: "Identify AWS resources with Amazon Resource Names").
#[derive(Clone, Copy)]
struct Arn<'a> {
    text: &'a str,
    region: &'a str,
    account: &'a str,
}

impl<'a> Arn<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (arn, partition, _service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let plain = arn == "arn" && partition.starts_with("aws") && !resource.is_empty();
        (plain && !text.contains(char::is_whitespace)).then_some(Self { text, region, account })
    }
}

/// Others are words: `aws` owns the policies that AWS manages.
fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn each_arn<'a>(value: &'a Value, found: &mut impl FnMut(Arn<'a>)) {
    match value {
        Value::String(text) => {
            if let Some(arn) = Arn::parse(text) {
                found(arn);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_arn(item, found)),
        Value::Object(entries) => entries.values().for_each(|item| each_arn(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
