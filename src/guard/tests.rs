//! What each guard says of a plan.

use serde_json::{Value, json};

use super::fixtures::{change, plan};
use super::*;
use crate::terraform::plan::Plan;

const PLACE: Place<'_> = Place { region: "us-east-1", account: "123456789012" };

fn said(plan: &Plan, rules: &Guards) -> Vec<String> {
    judge(plan, rules, PLACE).iter().map(ToString::to_string).collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

const REPLACED: [&str; 2] = ["delete", "create"];

#[test]
fn without_a_guard_block_everything_may_be_done() {
    let plan = plan(&[
        change("aws_db_instance.a", "aws_db_instance", &REPLACED, json!({"tags_all": {}})),
        change("aws_iam_role.a", "aws_iam_role", &["delete"], Value::Null),
    ]);
    assert_eq!(said(&plan, &Guards::default()), [""; 0]);
}

#[test]
fn replacements_are_destroys_and_are_counted_and_named() {
    let mut changes: Vec<Value> =
        (0..6).map(|nr| change(&format!("aws_vpc.v[{nr}]"), "aws_vpc", &["delete"], Value::Null)).collect();
    changes.push(change("aws_vpc.kept", "aws_vpc", &["update"], json!({})));
    changes.push(change("aws_vpc.let_go", "aws_vpc", &["forget"], json!({})));
    changes.push(change("aws_vpc.again", "aws_vpc", &REPLACED, json!({})));
    let rules = |most| Guards { max_destroys: Some(most), ..Guards::default() };
    assert_eq!(said(&plan(&changes), &rules(7)), [""; 0]);
    insta::assert_snapshot!(said(&plan(&changes), &rules(6)).join("\n"), @"max_destroys: 7 resources would be destroyed or replaced, 6 may be: aws_vpc.v[0], aws_vpc.v[1], aws_vpc.v[2], aws_vpc.v[3], aws_vpc.v[4] and 2 more");
}

#[test]
fn what_is_protected_is_neither_destroyed_nor_replaced_nor_forgotten() {
    let mut replaced = change("module.db[0].aws_rds_cluster.logs", "aws_rds_cluster", &REPLACED, json!({}));
    replaced["change"]["replace_paths"] = json!([["engine"], ["tags", "x"]]);
    let mut moved = change("aws_kms_key.new", "aws_kms_key", &["delete"], Value::Null);
    moved["previous_address"] = json!("aws_kms_key.old");
    let plan = plan(&[
        replaced,
        moved,
        change("aws_sqs_queue.q[\"a.b\"]", "aws_sqs_queue", &["forget"], Value::Null),
        change("aws_sqs_queue.other", "aws_sqs_queue", &["update"], json!({})),
        change("aws_vpc.main", "aws_vpc", &["delete"], Value::Null),
        change("aws_sns_topic.t", "aws_sns_topic", &["burn"], json!({})),
    ]);
    let rules = Guards {
        protect: words(&["module.db", "aws_sqs_queue.*", "aws_kms_key.old", "aws_vpc.mian"]),
        protect_types: words(&["aws_rds_*", "aws_sns_topic"]),
        ..Guards::default()
    };
    insta::assert_snapshot!(said(&plan, &rules).join("\n"), @r#"
    protect: module.db[0].aws_rds_cluster.logs is protected (module.db) and would be replaced because of engine, tags.x
    protect_types: module.db[0].aws_rds_cluster.logs is protected (aws_rds_*) and would be replaced because of engine, tags.x
    protect: aws_kms_key.new is protected (aws_kms_key.old) and would be destroyed
    protect: aws_sqs_queue.q["a.b"] is protected (aws_sqs_queue.*) and would be forgotten
    protect_types: aws_sns_topic.t is protected (aws_sns_topic) and would be changed in a way that this lifeboat does not know
    "#);
    let open = not_told(&plan, &rules);
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].what, "guard protect: aws_vpc.mian", "a pattern that nothing goes by is said");
}

#[test]
fn a_module_is_protected_with_all_that_is_in_it_and_no_other() {
    let protects = |pattern: &str, address: &str| {
        let plan = plan(&[change(address, "aws_vpc", &["delete"], Value::Null)]);
        !said(&plan, &Guards { protect: words(&[pattern]), ..Guards::default() }).is_empty()
    };
    for (pattern, address) in [
        ("module.a", "module.a[\"x.y\"].module.b.aws_vpc.v"),
        ("module.a.module.b", "module.a[\"x.y\"].module.b.aws_vpc.v"),
        ("module.a[\"x.y\"]", "module.a[\"x.y\"].module.b.aws_vpc.v"),
        ("*.aws_vpc.v", "module.a[\"x.y\"].module.b.aws_vpc.v"),
        ("aws_vpc.v", "aws_vpc.v[3]"),
        ("aws_vpc.v[3]", "aws_vpc.v[3]"),
    ] {
        assert!(protects(pattern, address), "{pattern} {address}");
    }
    for (pattern, address) in [
        ("module.a", "module.ab.aws_vpc.v"),
        ("aws_vpc.v[3]", "aws_vpc.v[4]"),
        ("module.b", "module.a.module.b.aws_vpc.v"),
    ] {
        assert!(!protects(pattern, address), "{pattern} {address}");
    }
}

#[test]
fn providers_resources_and_arns_of_other_regions_and_accounts_are_found() {
    let values = json!({
        "kms_key_id": "arn:aws:kms:eu-west-2:123456789012:key/1",
        "policy": "{\"Resource\": \"arn:aws:s3:::b\"}",
        "region": "ap-south-1",
        "role": ["arn:aws:iam::999999999999:role/r", "arn:aws:iam::aws:policy/ReadOnly"],
        "topic": {"arn": "arn:aws:sns:us-east-1:123456789012:t"},
    });
    let json = json!({
        "format_version": "1.2",
        "resource_changes": [
            change("aws_lambda_function.f", "aws_lambda_function", &["create"], values),
            change("aws_sqs_queue.kept", "aws_sqs_queue", &["no-op"], json!({"region": "ap-south-1"})),
        ],
        "configuration": { "provider_config": {
            "aws": { "name": "aws", "expressions": { "region": { "constant_value": "us-east-1" } } },
            "aws.far": { "name": "aws", "alias": "far", "expressions": { "region": { "constant_value": "eu-north-1" } } },
        } },
        "prior_state": { "values": { "root_module": { "resources": [
            { "address": "aws_sqs_queue.kept", "mode": "managed", "type": "aws_sqs_queue",
              "values": { "arn": "arn:aws:sqs:eu-west-2:123456789012:q" } },
        ] } } },
    });
    let plan = Plan::parse(json.to_string().as_bytes()).unwrap();
    let rules =
        Guards { regions: Some(words(&["us-west-2", "us-east-1"])), accounts: Some(vec![]), ..Guards::default() };
    insta::assert_snapshot!(said(&plan, &rules).join("\n"), @"
    regions: provider aws.far is configured for eu-north-1; allowed: us-east-1, us-west-2
    regions: aws_lambda_function.f would be in ap-south-1; allowed: us-east-1, us-west-2
    regions: aws_sqs_queue.kept stands as arn:aws:sqs:eu-west-2:123456789012:q, in eu-west-2; allowed: us-east-1, us-west-2
    regions: aws_lambda_function.f has in kms_key_id arn:aws:kms:eu-west-2:123456789012:key/1, in eu-west-2; allowed: us-east-1, us-west-2
    accounts: aws_lambda_function.f has in role arn:aws:iam::999999999999:role/r, of account 999999999999; allowed: 123456789012
    ");
    let wide = Guards {
        regions: Some(words(&["eu-north-1", "eu-west-2", "ap-south-1"])),
        accounts: Some(words(&["999999999999"])),
        ..Guards::default()
    };
    assert_eq!(said(&plan, &wide), [""; 0]);
}

#[test]
fn what_has_tags_must_have_the_required_ones() {
    let mut later = change("aws_vpc.later", "aws_vpc", &["create"], json!({"tags": {"Team": "x"}}));
    later["change"]["after_unknown"] = json!({"tags_all": true});
    let plan = plan(&[
        change("aws_vpc.bare", "aws_vpc", &["create"], json!({"tags": null, "tags_all": {"Team": "x"}})),
        change("aws_vpc.full", "aws_vpc", &["update"], json!({"tags": {}, "tags_all": {"Service": "", "Team": "x"}})),
        change("aws_iam_policy_attachment.none", "aws_iam_policy_attachment", &["create"], json!({"name": "x"})),
        change("aws_vpc.gone", "aws_vpc", &["delete"], Value::Null),
        change("aws_vpc.kept", "aws_vpc", &["no-op"], json!({"tags_all": {}})),
        later,
    ]);
    let rules = Guards { required_tags: words(&["Service", "Team"]), ..Guards::default() };
    assert_eq!(said(&plan, &rules), ["required_tags: aws_vpc.bare would be created without the tag Service"]);
    let open = not_told(&plan, &rules);
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].what, "guard required_tags: aws_vpc.later");
}

#[test]
fn control_planes_of_one_region_are_named() {
    let plan = plan(&[
        change("aws_iam_role.r", "aws_iam_role", &["create"], json!({})),
        change("aws_route53_record.r", "aws_route53_record", &["update"], json!({})),
        change("aws_route53_resolver_rule.r", "aws_route53_resolver_rule", &["create"], json!({})),
        change("aws_iam_role.kept", "aws_iam_role", &["no-op"], json!({})),
    ]);
    let rules = Guards { control_planes: true, ..Guards::default() };
    insta::assert_snapshot!(said(&plan, &rules).join("\n"), @"
    static: aws_iam_role.r would be created by the control plane of IAM, which is in us-east-1 alone
    static: aws_route53_record.r would be changed by the control plane of Route 53, which is in us-east-1 alone
    ");
}

#[test]
fn a_violation_stays_on_its_line_whatever_stands_in_a_name() {
    let address = "aws_vpc.v[\"a\nnothing was found\u{1b}[2J\"]";
    let plan = plan(&[change(address, "aws_vpc", &["delete"], Value::Null)]);
    let rules = Guards { protect: words(&["*"]), ..Guards::default() };
    let said = said(&plan, &rules);
    assert_eq!(said.len(), 1);
    assert!(!said[0].chars().any(char::is_control), "{said:?}");
}

#[test]
fn what_is_overridden_is_let_through_and_nothing_else() {
    let violation = |guard| Violation::new(guard, "a.b", "is wrong");
    let all = vec![violation(PROTECT), violation(STATIC), violation(PROTECT)];
    assert_eq!(violated(&all), [PROTECT, STATIC]);
    let (blocking, let_through) = sort(all, &["static".to_owned()].into());
    assert_eq!((violated(&blocking), violated(&let_through)), (vec![PROTECT], vec![STATIC]));
    assert_eq!(blocking.len(), 2);
}

#[test]
fn a_plan_claims_the_names_of_what_it_makes_and_says_which_are_not_looked_up() {
    let mut destroyed = change("aws_rds_cluster.old", "aws_rds_cluster", &["delete"], Value::Null);
    destroyed["change"]["before"] = json!({"final_snapshot_identifier": "last", "skip_final_snapshot": false});
    let mut skipped = change("aws_db_instance.old", "aws_db_instance", &["delete"], Value::Null);
    skipped["change"]["before"] = json!({"final_snapshot_identifier": "last", "skip_final_snapshot": true});
    let mut later = change("aws_s3_bucket.later", "aws_s3_bucket", &["create"], json!({}));
    later["change"]["after_unknown"] = json!({"bucket": true});
    let mut made_up = change("aws_s3_bucket.made_up", "aws_s3_bucket", &["create"], json!({"bucket_prefix": "x-"}));
    made_up["change"]["after_unknown"] = json!({"bucket": true});
    let mut imported = change("aws_s3_bucket.imported", "aws_s3_bucket", &["create"], json!({"bucket": "i"}));
    imported["change"]["importing"] = json!({"id": "i"});
    let plan = plan(&[
        change("aws_s3_bucket.logs", "aws_s3_bucket", &["create"], json!({"bucket": "logs-dr"})),
        change("aws_s3_bucket.again", "aws_s3_bucket", &REPLACED, json!({"bucket": "again"})),
        change("aws_dynamodb_table.adopted[0]", "aws_dynamodb_table", &["create"], json!({"name": "restored"})),
        change("aws_sqs_queue.q", "aws_sqs_queue", &["create"], json!({"name": "q"})),
        change("aws_vpc.v", "aws_vpc", &["create"], json!({})),
        destroyed,
        skipped,
        later,
        made_up,
        imported,
    ]);
    let (claims, open) = names::claims(&plan, &["aws_dynamodb_table.adopted[0]".to_owned()].into());
    let claims: Vec<String> = claims.iter().map(|it| format!("{} {:?} {}", it.address, it.kind, it.name)).collect();
    assert_eq!(claims, ["aws_s3_bucket.logs Bucket logs-dr", "aws_rds_cluster.old ClusterSnapshot last"]);
    let open: Vec<&str> = open.iter().map(|it| it.what.as_str()).collect();
    assert_eq!(open, ["guard names: aws_s3_bucket.later", "guard names: aws_sqs_queue (1)"]);
}

#[test]
fn only_a_name_that_was_seen_to_be_free_is_free() {
    let claim = |kind, name: &str| names::Claim { address: format!("a.{name}"), kind, name: name.into() };
    let seen = [
        (claim(names::Kind::Bucket, "free"), names::Standing::Free),
        (claim(names::Kind::Bucket, "there"), names::Standing::Taken("in eu-west-2".into())),
        (claim(names::Kind::Secret, "going"), names::Standing::Deleting("2026-12-01T00:00:00Z".into())),
        (claim(names::Kind::LogGroup, "denied"), names::Standing::Unknown("AccessDeniedException".into())),
    ];
    let said: Vec<String> = names::judge(&seen).iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(said.join("\n"), @"
    names: a.there needs the name there, and a bucket of it is in eu-west-2
    names: a.going needs the name going, and a secret of it is scheduled for deletion until 2026-12-01T00:00:00Z
    names: a.denied needs the name denied, and whether a log group of it stands cannot be told: AccessDeniedException
    ");
}

#[test]
fn what_does_not_fit_is_a_violation_and_what_is_not_known_a_warning() {
    let mut changes: Vec<Value> =
        (0..3).map(|nr| change(&format!("aws_vpc.v[{nr}]"), "aws_vpc", &["create"], json!({}))).collect();
    changes.push(change("aws_vpc.again", "aws_vpc", &REPLACED, json!({})));
    changes.push(change("aws_rds_cluster.c", "aws_rds_cluster", &["create"], json!({})));
    changes.push(change("aws_dynamodb_table.t", "aws_dynamodb_table", &["create"], json!({})));
    changes.push(change("aws_eip.e", "aws_eip", &["create"], json!({})));
    let needs = quotas::needs(&plan(&changes));
    let made: Vec<(&str, u64)> = needs.iter().map(|it| (it.quota.name, it.made)).collect();
    let wanted =
        [("VPCs per Region", 3), ("EC2-VPC Elastic IPs", 1), ("DB clusters", 1), ("Maximum number of tables", 1)];
    assert_eq!(made, wanted);
    let denied = || Err::<f64, String>("AccessDeniedException".into());
    let not_counted = || Err::<u64, String>("they are not counted".into());
    let answers = [(Ok(5.0), not_counted()), (denied(), not_counted()), (Ok(40.0), Ok(40)), (Ok(2500.0), Ok(7))];
    let asked: Vec<quotas::Asked> = needs
        .iter()
        .zip(answers)
        .map(|(need, (limit, standing))| quotas::Asked { need: *need, limit, standing })
        .collect();
    let (violations, warnings) = quotas::judge(&asked);
    let said: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        ["quotas: 1 more beside 40 that stand do not fit into the quota DB clusters (L-952B80B8), which is 40"]
    );
    insta::assert_snapshot!(warnings.join("\n"), @"
    3 more fit into the quota VPCs per Region (L-F678F1CE), which is 5, if few enough stand: they are not counted
    whether 1 more fit into the quota EC2-VPC Elastic IPs (L-0263D0A3) is not known: AccessDeniedException
    ");
}
