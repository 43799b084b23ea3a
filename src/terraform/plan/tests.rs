//! Plans of a real Terraform with the AWS provider, trimmed (`testdata/plan_*.json`).

use std::collections::BTreeSet;

use super::*;
use crate::terraform::guard;

const CREATE: &[u8] = include_bytes!("../testdata/plan_create.json");
const ADOPT_AND_REPLACE: &[u8] = include_bytes!("../testdata/plan_adopt_and_replace.json");

fn at<'a>(plan: &'a Plan, address: &str) -> &'a ResourceChange {
    plan.resources.iter().find(|it| it.address == address).unwrap()
}

fn set(addresses: &[&str]) -> BTreeSet<String> {
    addresses.iter().map(|it| (*it).to_owned()).collect()
}

fn imports() -> BTreeMap<String, String> {
    BTreeMap::from([("aws_rds_cluster.logs".to_owned(), "logs-dr".to_owned())])
}

fn told(violations: &[guard::Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_plan_is_counted_as_terraform_counts_it() {
    let plan = Plan::read(CREATE).unwrap();
    assert_eq!(plan.counts(), Counts { add: 4, ..Counts::default() });
    assert_eq!(plan.outputs.keys().collect::<Vec<_>>(), ["endpoint"]);
    let plan = Plan::read(ADOPT_AND_REPLACE).unwrap();
    assert_eq!(plan.counts(), Counts { add: 2, change: 1, destroy: 1, import: 1 });
    assert!(!plan.is_empty());
}

#[test]
fn no_secret_is_kept() {
    let plan = Plan::parse(CREATE).unwrap();
    assert!(!format!("{plan:?}").contains("hunter2"));
    assert_eq!(at(&plan, "aws_rds_cluster.logs").values.get("master_username").unwrap(), "admin");
}

#[test]
fn a_replacement_names_what_forces_it() {
    let plan = Plan::parse(ADOPT_AND_REPLACE).unwrap();
    let table = at(&plan, "aws_dynamodb_table.metadata");
    assert_eq!((table.verb(), table.replace_paths.as_slice()), ("replaced", ["hash_key".to_owned()].as_slice()));
    assert!(table.changed.contains(&"hash_key".to_owned()) && !table.changed.contains(&"name".to_owned()));
    let cluster = at(&plan, "aws_rds_cluster.logs");
    assert_eq!((cluster.verb(), cluster.importing.as_deref()), ("imported and changed", Some("logs-dr")));
}

#[test]
fn regions_are_resolved_where_they_are_plain() {
    let plan = Plan::parse(CREATE).unwrap();
    let found: Vec<_> = plan.providers.iter().map(|it| (it.key.as_str(), it.region.as_deref(), it.default)).collect();
    assert_eq!(found, [("aws", Some("us-east-1"), true), ("aws.certificates", Some("us-east-1"), false)]);
    assert_eq!(guard::regions(&plan, "us-east-1", "eu-west-2"), []);
    let wrong = told(&guard::regions(&plan, "eu-central-1", "us-east-1"));
    insta::assert_snapshot!(wrong, @r"
    provider aws is configured for us-east-1; the recovery region is eu-central-1
    provider aws.certificates is configured for us-east-1; the recovery region is eu-central-1
    ");
    // Certificates may be elsewhere, as long as that is not the region that is lost.
    assert_eq!(guard::regions(&plan, "eu-central-1", "eu-west-2").len(), 1);
}

#[test]
fn the_base_plan_must_not_touch_what_is_to_be_adopted() {
    let plan = Plan::parse(CREATE).unwrap();
    assert_eq!(guard::base(&plan, &BTreeSet::new()), []);
    let refused = told(&guard::base(&plan, &set(&["aws_rds_cluster.logs"])));
    assert_eq!(refused, "aws_rds_cluster.logs would be created, but is to be restored and adopted");
}

#[test]
fn neither_plan_may_replace_what_holds_data() {
    let plan = Plan::parse(ADOPT_AND_REPLACE).unwrap();
    let refused = "aws_dynamodb_table.metadata holds data and would be replaced because of hash_key";
    assert_eq!(told(&guard::base(&plan, &BTreeSet::new())), refused);
    assert_eq!(told(&guard::adoption(&plan, &imports(), &BTreeSet::new())), refused);
    let held = set(&["aws_dynamodb_table.metadata"]);
    let refused = "aws_dynamodb_table.metadata would be replaced because of hash_key";
    assert_eq!(told(&guard::adoption(&plan, &imports(), &held)), refused);
}

#[test]
fn the_adoption_plan_must_import_by_the_restored_id() {
    let plan = Plan::parse(CREATE).unwrap();
    let refused = told(&guard::adoption(&plan, &imports(), &BTreeSet::new()));
    assert_eq!(refused, "aws_rds_cluster.logs would be created");
    let plan = Plan::parse(ADOPT_AND_REPLACE).unwrap();
    let other = BTreeMap::from([
        ("aws_rds_cluster.logs".to_owned(), "another".to_owned()),
        ("aws_rds_cluster.typo".to_owned(), "x".to_owned()),
    ]);
    insta::assert_snapshot!(told(&guard::adoption(&plan, &other, &BTreeSet::new())), @r"
    aws_rds_cluster.logs would be imported as logs-dr, not as another
    aws_rds_cluster.typo is not in the plan: the root does not declare it
    aws_dynamodb_table.metadata holds data and would be replaced because of hash_key
    ");
}

#[test]
fn a_document_that_is_not_understood_is_refused() {
    let refused = |json: &str| Plan::parse(json.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        refused(r#"{"format_version": "2.0"}"#),
        "the plan's JSON has format version 2.0; this lifeboat reads 1.x"
    );
    assert_eq!(refused(r#"{"format_version": "1.2", "errored": true}"#), "the plan is marked as failed");
    assert!(refused("{}").contains("format version"));
    assert!(Plan::read(&CREATE[..CREATE.len() / 2]).is_err(), "half a plan");
}

#[test]
fn an_action_of_a_newer_terraform_is_never_taken_for_harmless() {
    let json = r#"{"format_version": "1.9", "resource_changes": [{"address": "aws_s3_bucket.b", "mode": "managed",
        "type": "aws_s3_bucket", "change": {"actions": ["melt"], "before": {}, "after": {}, "future": [1]}}]}"#;
    let plan = Plan::parse(json.as_bytes()).unwrap();
    let refused = told(&guard::base(&plan, &BTreeSet::new()));
    assert_eq!(refused, "aws_s3_bucket.b holds data and would be changed in a way that this lifeboat does not know");
}
