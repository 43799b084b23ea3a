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

fn rules(keep: &[&str], replace: &[&str]) -> Rebuild {
    let owned = |patterns: &[&str]| patterns.iter().map(|it| (*it).to_owned()).collect();
    Rebuild { keep: owned(keep), replace: owned(replace), ..Rebuild::default() }
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
    let found = divide(&state, &rules(&["aws_s3_bucket.logs[0]", "module.db", "aws_vpc.typo"], &[]), &guards);
    assert_eq!(found.targets, ["aws_s3_bucket.logs[1]", "aws_s3_bucket_policy.logs"]);
    assert_eq!(found.idle, ["aws_vpc.typo"]);
    let why = |at: &str| found.stays[at].as_str();
    assert_eq!(why("aws_s3_bucket.logs[0]"), "rebuild.keep names it (aws_s3_bucket.logs[0])");
    assert_eq!(why("aws_kms_key.logs"), "aws_s3_bucket.logs[0] was made with it");
    assert_eq!(why("aws_sqs_queue.q"), "guard.protect_types names its type (aws_sqs_*)");
    assert_eq!(found.selection(), Ok(Some(Selection::Target(found.targets.clone()))));
}

#[test]
fn what_is_protected_stays_alone_and_what_replace_names_goes() {
    let state = state(&[
        ("aws_vpc.v", &[]),
        ("module.db.aws_rds_cluster.it", &["aws_vpc.v"]),
        ("aws_sqs_queue.a", &[]),
        ("aws_sqs_queue.b", &[]),
    ]);
    let guards =
        Guards { protect: vec!["module.db".into()], protect_types: vec!["aws_sqs_*".into()], ..Guards::default() };
    let found = divide(&state, &rules(&[], &["aws_sqs_queue.b"]), &guards);
    assert_eq!(found.targets, ["aws_sqs_queue.b", "aws_vpc.v"], "what it was made with does not stay by itself");
    assert_eq!(found.released.keys().collect::<Vec<_>>(), ["aws_sqs_queue.b"]);
    let found = divide(&state, &rules(&["aws_sqs_queue.b"], &["aws_sqs_*", "module.db"]), &guards);
    assert_eq!(found.targets, ["aws_sqs_queue.a", "aws_vpc.v", "module.db.aws_rds_cluster.it"]);
    assert_eq!(found.stays.keys().collect::<Vec<_>>(), ["aws_sqs_queue.b"], "what is kept is not released");
}

#[test]
fn nothing_kept_is_no_limit_and_nothing_left_is_no_plan() {
    let state = state(&[("aws_sqs_queue.q", &[])]);
    let selection = |patterns: &[&str]| divide(&state, &rules(patterns, &[]), &Guards::default()).selection();
    assert_eq!(selection(&[]), Ok(Some(Selection::All)));
    assert_eq!(selection(&["*"]), Ok(None));
}

fn change(address: &str, actions: &[&str], before: &Value) -> Value {
    let kind = address.split('.').next().unwrap_or_default();
    json!({ "address": address, "mode": "managed", "type": kind,
            "change": { "actions": actions, "before": before, "after": null, "before_sensitive": {} } })
}

fn planned(changes: &[Value]) -> (Plan, State) {
    let json = json!({ "format_version": "1.2", "resource_changes": changes });
    let plan = Plan::parse(json.to_string().as_bytes()).unwrap();
    let addresses: Vec<&str> = changes.iter().filter_map(|it| it["address"].as_str()).collect();
    let entries: Vec<(&str, &[&str])> = addresses.iter().map(|it| (*it, &[][..])).collect();
    let mut state = state(&entries);
    for (address, name) in [("aws_s3_bucket.data", "shop-data"), ("aws_s3_bucket.state", "b")] {
        state.resources.insert(address.into(), name.into());
    }
    (plan, state)
}

fn told(changes: &[Value], rules: &Rebuild, foreseen: Option<&[(&str, &str)]>) -> Vec<String> {
    let (plan, state) = planned(changes);
    let division = divide(&state, rules, &Guards::default());
    let foreseen: Option<BTreeMap<String, Doomed>> = foreseen.map(|it| {
        it.iter().map(|(at, id)| ((*at).to_owned(), Doomed { id: (*id).to_owned(), ..Doomed::default() })).collect()
    });
    let manifest = Manifest { rebuild: rules.clone(), ..manifest() };
    let found = violations(&plan, &state, &division, &manifest, foreseen.as_ref());
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
    let gone = [change("aws_sqs_queue.q", &["delete"], &json!({}))];
    let nothing = Rebuild::default();
    assert_eq!(told(&gone, &nothing, None), [""; 0]);
    assert_eq!(told(&gone, &nothing, Some(&[("aws_sqs_queue.q", "id-of-aws_sqs_queue.q")])), [""; 0]);
    let said = told(&gone, &rules(&["aws_sqs_queue.*"], &[]), None);
    assert_eq!(said, ["aws_sqs_queue.q would be destroyed, and is to stay: rebuild.keep names it (aws_sqs_queue.*)"]);
    assert!(told(&gone, &nothing, Some(&[]))[0].contains("was not foreseen"));
    let other = told(&gone, &nothing, Some(&[("aws_sqs_queue.q", "another")]));
    assert_eq!(other, ["aws_sqs_queue.q is id-of-aws_sqs_queue.q now, and the teardown was planned for another"]);
    assert!(
        told(&gone, &rules(&["aws_vpc.typo"], &[]), None)[0]
            .starts_with("aws_vpc.typo is to be kept, and the state holds")
    );
    let replaced = [change("aws_sqs_queue.q", &["delete", "create"], &json!({}))];
    assert!(told(&replaced, &nothing, None)[0].ends_with("a teardown destroys, and does nothing else"));
}

#[test]
fn what_takes_something_protected_along_is_named() {
    let (plan, mut state) =
        planned(&[change("aws_vpc.v", &["delete"], &json!({})), change("aws_subnet.a[0]", &["delete"], &json!({}))]);
    state.dependencies.insert("aws_subnet.a[0]".into(), BTreeSet::from(["aws_vpc.v".to_owned()]));
    let guards = Guards { protect: vec!["aws_subnet.a".into()], ..Guards::default() };
    let division = divide(&state, &Rebuild::default(), &guards);
    let said = violations(&plan, &state, &division, &manifest(), None);
    let [said] = &said[..] else { panic!("{said:?}") };
    assert!(
        said.why.contains("guard.protect names it (aws_subnet.a); it was made with aws_vpc.v, which goes"),
        "{said}"
    );
}

#[test]
fn data_buckets_states_keys_and_nameless_snapshots_are_told_beforehand() {
    let nothing = Rebuild::default();
    let bucket =
        |name: &str| told(&[change(&format!("aws_s3_bucket.{name}"), &["delete"], &json!({}))], &nothing, None);
    let said = bucket("data");
    assert!(
        said[0].starts_with("aws_s3_bucket.data (shop-data) would be destroyed") && said[0].contains("`keep`"),
        "{said:?}"
    );
    assert!(bucket("state")[0].contains("Terraform's state"));
    let key = [change("aws_kms_key.k", &["delete"], &json!({}))];
    assert!(told(&key, &nothing, None)[0].contains("recovery points or evidence may be lost with it"));
    assert_eq!(told(&key, &rules(&[], &["aws_kms_key.k"]), None), [""; 0]);
    let cluster = |before: Value| told(&[change("aws_rds_cluster.logs", &["delete"], &before)], &nothing, None);
    assert!(cluster(json!({ "skip_final_snapshot": false }))[0].contains("a final snapshot without a name"));
    assert_eq!(cluster(json!({ "skip_final_snapshot": false, "final_snapshot_identifier": "last" })), [""; 0]);
    assert_eq!(cluster(json!({ "skip_final_snapshot": true })), [""; 0]);
}

#[test]
fn protection_from_deletion_is_told_and_where_lifeboat_cannot_switch_it_off_it_is_refused() {
    let protected = |address: &str, before: Value| {
        let changes = [change(address, &["delete"], &before)];
        let (plan, state) = planned(&changes);
        let found = teardown(&plan, &state, &Division::default()).destroys[address].protected;
        (found, told(&changes, &Rebuild::default(), None).len())
    };
    let cluster = json!({ "deletion_protection": true, "skip_final_snapshot": true });
    assert_eq!(protected("aws_rds_cluster.logs", cluster), (true, 0));
    assert_eq!(protected("aws_dynamodb_table.t", json!({ "deletion_protection_enabled": true })), (true, 0));
    assert_eq!(protected("aws_lb.front", json!({ "enable_deletion_protection": true })), (true, 1));
    assert_eq!(protected("aws_cognito_user_pool.users", json!({ "deletion_protection": "ACTIVE" })), (true, 1));
    assert_eq!(protected("aws_cognito_user_pool.users", json!({ "deletion_protection": "INACTIVE" })), (false, 0));
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
        let found = divide(&state, &rules(&[names[kept].as_str()], &[]), &Guards::default());
        for (from, needed) in dependencies {
            if found.stays.contains_key(&from) {
                prop_assert!(needed.iter().all(|it| found.stays.contains_key(it)));
            }
        }
        prop_assert_eq!(found.targets.len() + found.stays.len(), names.len());
    }
}
