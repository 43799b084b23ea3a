//! A stack is taken down after a breach: what stays, what is refused, and what becomes of a teardown that breaks off. With
//! the real Terraform and the emulator; the evidence is a fake.

use std::collections::BTreeMap;
use std::sync::Arc;

use lifeboat::aws::secrets::{SecretState, secret};
use lifeboat::engine::{Ended, ahead};
use lifeboat::rehearse::proxy::{Catch, Effect, Pattern, Release, Trap, read_records};
use lifeboat::runbook::{Action, Phase};
use lifeboat::terraform::Detail;
use lifeboat::terraform::approved::Approved;
use serde_json::json;

use crate::command;
use crate::teardown_world::{ROOT, RULES, STANDS, Stack, failures, filled, told};

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_taken_down_but_for_what_stays_and_is_built_again() {
    let _turn = command::turn().await;
    let stack = filled().await;
    let (place, control) = (&stack.place, stack.proxy.control());
    // A service makes its log group again, right after it was destroyed.
    let asks = Trap {
        matches: Box::new(|call, agent| call.operation == "DescribeLogGroups" && agent == "lifeboat"),
        nth: 1,
        catch: Catch::Before,
    };
    let asked = control.trap(asks);
    let logs = stack.session().logs();
    let again = tokio::spawn(async move {
        let caught = asked.await.expect("it is asked for");
        logs.create_log_group().log_group_name("/shop/app").send().await.expect("a log group");
        caught.release(Release::Go);
    });
    let ended = place.run().await;
    assert_eq!(ended, Ended::Done { changed: true }, "{}", told(&ended));
    again.await.expect("it was made again");

    let planned = place.output("teardown.plan");
    assert_eq!(planned["stays"], json!({"aws_s3_bucket.logs": "rebuild.keep names it (aws_s3_bucket.logs)"}));
    let table = &planned["destroys"]["aws_dynamodb_table.orders"];
    assert_eq!(
        (&table["protected"], &table["released"]),
        (&json!(true), &json!("guard.protect names it (aws_dynamodb_table.orders)"))
    );
    assert_eq!(
        place.output("teardown.empty.shop-results"),
        json!({"bucket": "shop-results", "deleted": 3, "left": null})
    );
    // The workgroup was deleted by its own step.
    assert_eq!(place.output("teardown.destroy")["destroyed"], 7);
    let import = place.output("teardown.names")["import"].clone();
    assert_eq!(import["aws_cloudwatch_log_group.app"], "/shop/app");
    assert!(import["aws_secretsmanager_secret.db"].as_str().is_some_and(|arn| arn.contains("shop-db")), "{import}");
    let proof = place.output("teardown.proof");
    assert_eq!((&proof["stays"], &proof["gone"]), (&json!(1), &json!(4)), "{proof}");
    assert_eq!(proof["not_asked"], json!({"aws_cloudwatch_log_stream": 1, "aws_s3_bucket_versioning": 1}), "{proof}");

    assert_eq!(stack.standing().await, STANDS, "it is built again, and its last plan was empty");
    let versions = stack.session().s3().list_object_versions().bucket("shop-results").send().await.expect("versions");
    assert!(versions.versions().is_empty(), "the bucket is a new one");
    stack.session().s3().head_object().bucket("shop-logs").key("kept").send().await.expect("what stays is as it was");
    let noted = &place.state().steps[&"teardown.destroy".into()].notes;
    assert_eq!(noted["deletion_protection"], json!(["aws_dynamodb_table.orders"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_protected_or_holds_what_nobody_named_stands_in_the_way_before_anything_begins() {
    let _turn = command::turn().await;
    let stack = filled().await;
    let before = changes(&stack);
    let refused = async |rules: &str, words: &[&str]| {
        stack.place.write("environments/shop/lifeboat.hcl", &format!("{}{rules}", crate::teardown_world::MANIFEST));
        let found = stack.place.preflight().await;
        let told: String = found.blocked.iter().map(|(step, blocked)| format!("{step}: {}\n", blocked.cause)).collect();
        for word in words {
            assert!(told.contains(word), "{word}:\n{told}");
        }
    };
    // It was made with a log group that goes.
    let protects = RULES.replace(
        "[\"aws_dynamodb_table.orders\"]\n  protect_types",
        "[\"aws_cloudwatch_log_stream.app\"]\n  protect_types",
    );
    refused(
        &protects,
        &[
            "teardown.plan: the teardown plan is refused",
            "aws_cloudwatch_log_stream.app would be destroyed, and is to stay",
            "was made with aws_cloudwatch_log_group.app, which goes",
        ],
    )
    .await;
    refused(&RULES.replace("  empty      = [\"shop-results\"]\n", ""), &["bucket shop-results is not empty"]).await;
    refused(
        &RULES.replace("aws_s3_bucket.logs", "aws_s3_bucket.lgos"),
        &["aws_s3_bucket.lgos is to be kept, and the state holds no such address"],
    )
    .await;
    refused(
        &RULES.replace("[\"shop-results\"]", "[\"shop-results\", \"shop-state\"]"),
        &["bucket shop-state holds Terraform's state"],
    )
    .await;
    // What is neither kept nor released stays, with what else is of it.
    refused(&RULES.replace(", \"aws_s3_bucket.results\"]", "]"), &[]).await;
    assert_eq!(changes(&stack), before, "nothing was changed");
    assert_eq!(stack.standing().await, STANDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_away_while_the_evidence_does_not_verify() {
    let _turn = command::turn().await;
    let stack = filled().await;
    let inventory = stack.place.dir.join("evidence/inventory");
    let sealed = std::fs::read(&inventory).expect("the inventory");
    let mut altered = sealed.clone();
    altered[0] ^= 1;
    std::fs::write(&inventory, altered).expect("a file");
    let ended = stack.place.run().await;
    assert!(
        failures(&ended).contains("teardown.empty.shop-results: the evidence is not what was sealed"),
        "{}",
        told(&ended)
    );
    assert_eq!(stack.standing().await, STANDS);
    // What was written since is in no evidence.
    std::fs::write(&inventory, sealed).expect("a file");
    stack.put("shop-results", "late").await;
    let ended = stack.place.resume(&["teardown.empty.shop-results", "teardown.workgroup.shop"]).await;
    assert!(
        failures(&ended).contains("the evidence does not list 1 versions of shop-results: late"),
        "{}",
        told(&ended)
    );
    assert_eq!(stack.standing().await, STANDS);
    stack.keep_evidence(&["shop-results"]).await;
    let ended = stack.place.resume(&["teardown.empty.shop-results"]).await;
    assert_eq!(ended, Ended::Done { changed: true }, "{}", told(&ended));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teardown_that_breaks_off_half_way_is_gone_on_with_and_knows_what_is_gone() {
    let _turn = command::turn().await;
    let stack = filled().await;
    let control = stack.proxy.control();
    control.add(Pattern::operation("dynamodb", "DeleteTable"), Effect::Refuse);
    let ended = stack.place.run().await;
    assert!(failures(&ended).starts_with("teardown.destroy: terraform apply failed"), "{}", told(&ended));
    let half = stack.standing().await;
    assert!(half.contains(&"shop-orders".to_owned()) && !half.contains(&"shop-results".to_owned()), "{half:?}");
    control.clear();
    let ended = stack.place.resume(&["teardown.destroy"]).await;
    assert_eq!(ended, Ended::Done { changed: true }, "{}", told(&ended));
    assert_eq!(stack.place.output("teardown.destroy")["destroyed"], 1, "only what was left");
    let noted = &stack.place.state().steps[&"teardown.destroy".into()].notes;
    assert_eq!(noted["deletion_protection"], json!(["aws_dynamodb_table.orders"]), "what was on before is still known");
    assert_eq!(stack.standing().await, STANDS);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute or more of Terraform: make slow"]
async fn what_appears_after_the_plan_is_not_destroyed_with_it() {
    let _turn = command::turn().await;
    // Without a workgroup to be deleted, so that the saved plan is still there when the state has moved on.
    let stack = Stack::of(ROOT, &RULES.replace("  workgroups = [\"shop\"]\n", "")).await;
    stack.put("shop-results", "a").await;
    let ended = stack.place.run().await;
    assert!(failures(&ended).starts_with("teardown.empty.shop-results: no evidence"), "{}", told(&ended));
    let more = format!("{ROOT}resource \"aws_iam_user\" \"late\" {{\n  name = \"late\"\n}}\n");
    stack.place.write("root/main.tf", &more);
    stack.stand("stand-2").await;
    stack.keep_evidence(&["shop-results"]).await;
    let ended = stack.place.resume(&["teardown.empty.shop-results"]).await;
    let said = failures(&ended);
    assert!(said.contains("aws_iam_user.late would be destroyed, which was not foreseen"), "{said}");
    assert_eq!(stack.standing().await, STANDS, "nothing of the stale plan was applied");
    assert!(stack.session().iam().get_user().user_name("late").send().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute or more of Terraform: make slow"]
async fn a_run_that_is_bound_to_an_approval_does_what_was_approved_and_nothing_else() {
    let _turn = command::turn().await;
    let stack = filled().await;
    let engine = stack.place.engine(stack.place.runbook(), None).await;
    let foreknown = ahead(&engine, Detail::Kept).await.expect("both plans");
    let look = foreknown.teardown.expect("something goes");
    assert!(String::from_utf8_lossy(&look.json).contains("aws_dynamodb_table.orders"), "it is fit to be sealed");
    assert_eq!(foreknown.look.plan.counts().add, 8, "the rebuild is planned on what the teardown leaves");
    let refused: Vec<String> = foreknown.look.refused.iter().map(ToString::to_string).collect();
    assert!(
        matches!(refused.as_slice(), [why] if why.starts_with("the root is of no commit that could have been reviewed")),
        "{refused:?}"
    );
    drop(engine);
    let rebuilt = || foreknown.look.plan.as_ref().clone();
    let mut less = look.plan.clone();
    less.resources.retain(|it| it.address != "aws_iam_role.app");
    let approved = Arc::new(Approved::of(rebuilt()).with_teardown(Some(less)));
    let engine = stack.place.engine(stack.place.runbook(), Some(approved)).await;
    let ended = stack.place.run_with(engine).await;
    let said = failures(&ended);
    assert!(said.contains("aws_iam_role.app would be destroyed, and the approved plan does not know it"), "{said}");
    assert_eq!(stack.standing().await, STANDS);
    std::fs::remove_dir_all(stack.place.dir.join("run")).expect("another run");
    let approved = Arc::new(Approved::of(rebuilt()).with_teardown(Some(look.plan.clone())));
    let engine = stack.place.engine(stack.place.runbook(), Some(approved)).await;
    let ended = stack.place.run_with(engine).await;
    assert_eq!(ended, Ended::Done { changed: true }, "{}", told(&ended));
    assert_eq!(stack.standing().await, STANDS);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute or more of Terraform: make slow"]
async fn the_example_is_taken_down_in_its_primary_region_but_for_its_buckets() {
    let _turn = command::turn().await;
    let stack = Stack::example().await;
    stack.keep_evidence(&[]).await;
    let mut runbook = stack.place.runbook();
    runbook.steps.retain(|step| step.phase == Phase::Teardown || step.action == Action::TerraformPrepare);
    let ended = stack.place.run_with(stack.place.engine(runbook, None).await).await;
    assert_eq!(ended, Ended::Done { changed: true }, "{}", told(&ended));
    let planned = stack.place.output("teardown.plan");
    let stays = planned["stays"].as_object().expect("what stays");
    assert!(!stays.is_empty() && stays.keys().all(|address| address.starts_with("module.storage.")), "{stays:?}");
    let noted = &stack.place.state().steps[&"teardown.destroy".into()].notes;
    let databases = json!(["module.database.aws_rds_cluster.logs", "module.metadata.aws_dynamodb_table.metadata"]);
    assert_eq!(noted["deletion_protection"], databases);
    let session = stack.session();
    assert!(session.rds().describe_db_clusters().send().await.expect("clusters").db_clusters().is_empty());
    assert!(session.dynamodb().list_tables().send().await.expect("tables").table_names().is_empty());
    let state = stack.place.loaded().primary.backend.bucket;
    let buckets = session.s3().list_buckets().send().await.expect("buckets").buckets.unwrap_or_default();
    let mut buckets: Vec<String> = buckets.into_iter().filter_map(|it| it.name).filter(|it| *it != state).collect();
    buckets.sort();
    assert_eq!(buckets, ["streaming-logs-athena-prod", "streaming-logs-logs-prod"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute or more of Terraform: make slow"]
async fn a_secret_is_deleted_for_good_where_the_manifest_says_so() {
    let _turn = command::turn().await;
    let rules = RULES.replace("  workgroups", "  secrets    = force_delete\n  workgroups");
    let stack = Stack::of(ROOT, &rules).await;
    stack.keep_evidence(&["shop-results"]).await;
    let session = stack.session();
    let old =
        session.secrets().describe_secret().secret_id("shop-db").send().await.expect("a secret").arn.expect("an ARN");
    let ended = stack.place.run().await;
    assert_eq!(ended, Ended::Done { changed: true }, "{}", told(&ended));
    assert_eq!(stack.place.output("teardown.names")["import"], json!({}));
    assert_eq!(secret(&session, "shop-db").await, Ok(SecretState::Present), "it is built again");
    let new =
        session.secrets().describe_secret().secret_id("shop-db").send().await.expect("a secret").arn.expect("an ARN");
    assert_ne!(old, new, "another secret of the same name");
}

/// How often each operation came that changes something in AWS, but for the lock of the state.
fn changes(stack: &Stack) -> BTreeMap<String, usize> {
    let requests = read_records(&stack.place.dir.join("requests.jsonl")).expect("requests");
    let mut changes = BTreeMap::new();
    let reads = ["Get", "List", "Describe", "Head"];
    for request in requests.into_iter().filter(|it| !reads.iter().any(|verb| it.operation.starts_with(verb))) {
        *changes.entry(format!("{} {}", request.service, request.operation)).or_default() += 1;
    }
    changes
}
