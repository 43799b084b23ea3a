//! What a teardown keeps and refuses.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn state(entries: &[(&str, &[&str])]) -> State {
    let resources = entries.iter().map(|(at, _)| ((*at).to_owned(), format!("id-of-{at}"))).collect();
    let needs = |needed: &&[&str]| needed.iter().map(|it| (*it).to_owned()).collect::<BTreeSet<_>>();
    let dependencies = entries.iter().map(|(at, needed)| ((*at).to_owned(), needs(needed))).collect();
    State { resources, dependencies, ..State::default() }
}

fn keep(patterns: &[&str]) -> Vec<String> {
    patterns.iter().map(|it| (*it).to_owned()).collect()
}

#[test]
fn what_is_kept_keeps_what_it_was_made_with() {
    let state = state(&[
        ("aws_kms_key.logs", &[]),
        ("aws_s3_bucket.logs[0]", &["aws_kms_key.logs"]),
        ("aws_s3_bucket.logs[1]", &["aws_kms_key.logs"]),
        ("aws_s3_bucket_policy.logs", &["aws_s3_bucket.logs", "aws_kms_key.logs"]),
        ("module.db[\"a\"].aws_rds_cluster.it", &["module.db.aws_db_subnet_group.it"]),
        ("module.db[\"a\"].aws_db_subnet_group.it", &[]),
        ("aws_sqs_queue.q", &[]),
    ]);
    let guards = Guards { protect_types: vec!["aws_sqs_*".into()], ..Guards::default() };
    let found = divide(&state, &keep(&["aws_s3_bucket.logs[0]", "module.db", "aws_vpc.typo"]), &guards);
    assert_eq!(found.targets, ["aws_s3_bucket.logs[1]", "aws_s3_bucket_policy.logs"]);
    assert_eq!(found.idle, ["aws_vpc.typo"]);
    let why = |at: &str| found.stays[at].as_str();
    assert_eq!(why("aws_s3_bucket.logs[0]"), "rebuild.keep names it (aws_s3_bucket.logs[0])");
    assert_eq!(why("aws_kms_key.logs"), "aws_s3_bucket.logs[0] was made with it");
    assert_eq!(why("aws_sqs_queue.q"), "guard.protect_types names its type (aws_sqs_*)");
    assert_eq!(found.selection(), Ok(Some(Selection::Target(found.targets.clone()))));
}

#[test]
fn nothing_kept_is_no_limit_and_nothing_left_is_no_plan() {
    let state = state(&[("aws_sqs_queue.q", &[])]);
    let selection = |patterns: &[&str]| divide(&state, &keep(patterns), &Guards::default()).selection();
    assert_eq!(selection(&[]), Ok(Some(Selection::All)));
    assert_eq!(selection(&["*"]), Ok(None));
}

fn change(address: &str, actions: &[&str], before: &Value) -> Value {
    let kind = address.split('.').next().unwrap_or_default();
    json!({ "address": address, "mode": "managed", "type": kind,
            "change": { "actions": actions, "before": before, "after": null, "before_sensitive": {} } })
}

fn told(changes: &[Value], keeping: &[&str], foreseen: Option<&[&str]>) -> Vec<String> {
    let json = json!({ "format_version": "1.2", "resource_changes": changes });
    let plan = Plan::parse(json.to_string().as_bytes()).unwrap();
    let addresses: Vec<&str> = changes.iter().filter_map(|it| it["address"].as_str()).collect();
    let entries: Vec<(&str, &[&str])> = addresses.iter().map(|it| (*it, &[][..])).collect();
    let mut state = state(&entries);
    state.resources.insert("aws_s3_bucket.data".into(), "shop-data".into());
    let division = divide(&state, &keep(keeping), &Guards::default());
    let foreseen = foreseen.map(|it| it.iter().map(|it| (*it).to_owned()).collect());
    let found = violations(&plan, &state, &division, &manifest(), foreseen.as_ref());
    found.iter().map(ToString::to_string).collect()
}

fn manifest() -> Manifest {
    let region = json!({ "name": "us-east-1", "workspace": "w", "variables": {},
        "backend": { "bucket": "b", "key": "k", "use_lockfile": true, "extra": {} } });
    serde_json::from_value(json!({ "path": "/x", "environment": "e", "service": "s", "account": "123456789012",
        "terraform": { "root": "/r", "var_files": [], "binary": null, "parallelism": null, "lock_timeout": "PT1S" },
        "primary": region, "recovery": region, "objectives": {}, "clusters": [], "tables": [], "catalogs": [],
        "checks": [], "cutovers": [],
        "buckets": [{ "name": "data", "source": "shop-data", "target": "shop-data-dr", "verify": [] }] }))
    .unwrap()
}

#[test]
fn a_kept_address_another_action_and_what_nobody_foresaw_are_refused() {
    let gone = change("aws_sqs_queue.q", &["delete"], &json!({}));
    assert_eq!(told(std::slice::from_ref(&gone), &[], None), [""; 0]);
    assert_eq!(told(std::slice::from_ref(&gone), &[], Some(&["aws_sqs_queue.q"])), [""; 0]);
    let said = told(std::slice::from_ref(&gone), &["aws_sqs_queue.*"], None);
    assert_eq!(
        said,
        ["aws_sqs_queue.q would be destroyed, and is to be kept: rebuild.keep names it (aws_sqs_queue.*)"]
    );
    assert!(told(std::slice::from_ref(&gone), &[], Some(&[]))[0].contains("was not foreseen"));
    assert!(told(&[gone], &["aws_vpc.typo"], None)[0].starts_with("aws_vpc.typo is to be kept, and the state holds"));
    let replaced = change("aws_sqs_queue.q", &["delete", "create"], &json!({}));
    assert!(told(&[replaced], &[], None)[0].ends_with("a teardown destroys, and does nothing else"));
}

#[test]
fn data_buckets_protected_clusters_and_nameless_snapshots_are_told_beforehand() {
    let said = told(&[change("aws_s3_bucket.data", &["delete"], &json!({}))], &[], None);
    assert!(
        said[0].starts_with("aws_s3_bucket.data (shop-data) would be destroyed") && said[0].contains("`keep`"),
        "{said:?}"
    );
    let cluster = |before: Value| told(&[change("aws_rds_cluster.logs", &["delete"], &before)], &[], None);
    let said = cluster(json!({ "deletion_protection": true, "skip_final_snapshot": true }));
    assert!(said[0].contains("deletion_protection = true"), "{said:?}");
    assert!(cluster(json!({ "skip_final_snapshot": false }))[0].contains("a final snapshot without a name"));
    assert_eq!(cluster(json!({ "skip_final_snapshot": false, "final_snapshot_identifier": "last" })), [""; 0]);
    assert_eq!(cluster(json!({ "skip_final_snapshot": true })), [""; 0]);
    let table = json!({ "deletion_protection_enabled": true });
    assert_eq!(told(&[change("aws_dynamodb_table.t", &["delete"], &table)], &[], None).len(), 1);
}

#[test]
fn names_that_a_provider_makes_up_are_none_of_the_roots() {
    let secret = |before: Value| {
        let json = json!({ "format_version": "1.2",
            "resource_changes": [change("aws_secretsmanager_secret.s", &["delete"], &before)] });
        let plan = Plan::parse(json.to_string().as_bytes()).unwrap();
        let state = state(&[("aws_secretsmanager_secret.s", &[])]);
        teardown(&plan, &state, &Division::default()).destroys["aws_secretsmanager_secret.s"].name.clone()
    };
    assert_eq!(secret(json!({ "name": "db", "name_prefix": "" })).as_deref(), Some("db"));
    assert_eq!(secret(json!({ "name": "db-123", "name_prefix": "db-" })), None);
}

proptest! {
    /// Whatever depends on what: nothing kept was made with something that is destroyed.
    #[test]
    fn nothing_kept_needs_what_goes(edges in prop::collection::vec((1_usize..20, 0_usize..19), 0..60), kept in 0_usize..20) {
        let names: Vec<String> = (0..20).map(|n| format!("aws_vpc.n{n}")).collect();
        let mut dependencies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in edges {
            dependencies.entry(names[from].clone()).or_default().insert(names[to % from].clone());
        }
        let resources = names.iter().map(|it| (it.clone(), String::new())).collect();
        let state = State { resources, dependencies: dependencies.clone(), ..State::default() };
        let found = divide(&state, &[names[kept].clone()], &Guards::default());
        for (from, needed) in dependencies {
            if found.stays.contains_key(&from) {
                prop_assert!(needed.iter().all(|it| found.stays.contains_key(it)));
            }
        }
        prop_assert_eq!(found.targets.len() + found.stays.len(), names.len());
    }
}
