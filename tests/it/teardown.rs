//! A stack is taken down after a breach: what stays, what is refused, and what becomes of a teardown that breaks off. With
//! the real Terraform and the emulator; the evidence is a fake.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use lifeboat::aws::secrets::{SecretState, secret};
use lifeboat::engine::{Ended, ahead, preflight};
use lifeboat::rehearse::proxy::{Catch, Effect, Pattern, Release, Trap, read_records};
use lifeboat::runbook::{Action, Phase, Runbook, StepId, StepSpec};
use lifeboat::scenario::teardown_steps;
use lifeboat::steps::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError, TeardownProof};
use lifeboat::terraform::Detail;
use lifeboat::terraform::approved::Approved;
use serde_json::{Value, json};

use crate::command;
use crate::teardown_world::{Place, ROOT, RULES, Stack, failures};

const STANDS: [&str; 5] = ["shop-app", "shop-db", "shop-logs", "shop-orders", "shop-results"];

async fn filled() -> Stack {
    let stack = Stack::new().await;
    for key in ["a", "b", "a"] {
        stack.put("shop-results", key).await;
    }
    stack.put("shop-logs", "kept").await;
    stack.keep_evidence(&["shop-results"]).await;
    stack
}

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
async fn a_run_that_is_bound_to_an_approval_does_what_was_approved_and_nothing_else() {
    let _turn = command::turn().await;
    let stack = filled().await;
    let engine = stack.place.engine(stack.place.runbook(), None).await;
    let foreknown = ahead(&engine, Detail::Kept).await.expect("both plans");
    let look = foreknown.teardown.expect("something goes");
    assert!(String::from_utf8_lossy(&look.json).contains("aws_dynamodb_table.orders"), "it is fit to be sealed");
    assert_eq!(foreknown.look.plan.counts().add, 8, "the rebuild is planned on what the teardown leaves");
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

/// Started by the test that kills it; of itself it does nothing.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process for the test that kills it"]
async fn a_process_that_is_killed() {
    let (Some(dir), Ok(endpoint)) = (std::env::var_os("TEARDOWN_DIR"), std::env::var("TEARDOWN_ENDPOINT")) else {
        return;
    };
    Place::at(PathBuf::from(dir), endpoint).run().await;
}

/// Kills the process of a run when one of its requests is under way, and takes the run up again.
#[expect(clippy::disallowed_methods, reason = "a process is needed that can be killed")]
async fn killed_at(service: &'static str, operation: &'static str, catch: Catch) {
    let _turn = command::turn().await;
    let stack = filled().await;
    let at = Trap {
        matches: Box::new(move |call, _| call.service == service && call.operation == operation),
        nth: 1,
        catch,
    };
    let caught = stack.proxy.control().trap(at);
    let mut process = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "teardown::a_process_that_is_killed", "--ignored"])
        .env("TEARDOWN_DIR", &stack.place.dir)
        .env("TEARDOWN_ENDPOINT", &stack.place.endpoint)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a process");
    let caught = tokio::time::timeout(Duration::from_secs(120), caught).await.expect("in time").expect("a request");
    process.kill().expect("it is killed");
    process.wait().expect("it has ended");
    caught.release(Release::Go);
    let ended = stack.place.resume(&[]).await;
    assert_eq!(ended, Ended::Done { changed: true }, "{operation}: {}", told(&ended));
    assert_eq!(stack.standing().await, STANDS, "{operation}");
    let proof = stack.place.output("teardown.proof");
    assert_eq!(proof["stays"], 1, "{operation}: {proof}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teardown_killed_while_it_empties_is_gone_on_with() {
    killed_at("s3", "DeleteObjects", Catch::After).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teardown_killed_while_it_switches_protection_off_is_gone_on_with() {
    killed_at("dynamodb", "UpdateTable", Catch::After).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teardown_killed_while_it_destroys_is_gone_on_with() {
    killed_at("dynamodb", "DeleteTable", Catch::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teardown_killed_while_it_restores_a_secret_is_gone_on_with() {
    killed_at("secretsmanager", "RestoreSecret", Catch::After).await;
}

/// A fake of the plan: what it returns is all that the steps behind it know of it.
struct PlannedBefore;

#[async_trait]
impl Step for PlannedBefore {
    async fn check(&self, _cx: &Cx) -> Result<Checked, Blocked> {
        Ok(Checked::default())
    }

    async fn observe(&self, _cx: &Cx) -> Result<Seen, StepError> {
        let bucket = |id: &str| json!({"type": "aws_s3_bucket", "id": id, "stateful": true});
        let destroys =
            json!({"aws_s3_bucket.results": bucket("shop-results"), "aws_s3_bucket.plain": bucket("shop-plain")});
        Ok(Seen::Done(json!({"destroys": destroys, "stays": {}})))
    }

    async fn apply(&self, _cx: &Cx) -> Result<Output, StepError> {
        Ok(Value::Null)
    }

    async fn verify(&self, _cx: &Cx, _output: &Output) -> Result<(), StepError> {
        Ok(())
    }

    fn compensation(&self) -> Compensation {
        Compensation::Auto
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_ten_thousand_versions_is_emptied_in_batches_and_one_that_stays_is_not() {
    const KEYS: usize = 1000;
    let stack = Stack::bare(RULES).await;
    stack.make_bucket("shop-results").await;
    stack.make_bucket("shop-logs").await;
    let s3 = stack.session().s3();
    let enabled = aws_sdk_s3::types::VersioningConfiguration::builder().status("Enabled".into()).build();
    let put = s3.put_bucket_versioning().bucket("shop-results").versioning_configuration(enabled);
    put.send().await.expect("versions are kept");
    let keys: Vec<String> = (0..KEYS).map(|n| format!("result {n:04}/é")).collect();
    for key in &keys {
        stack.put("shop-results", key).await;
    }
    // Each batch of deletions leaves a delete marker for each key.
    let markers: Vec<_> = keys.iter().map(|key| ObjectIdentifier::builder().key(key).build().expect("a key")).collect();
    for _ in 0..9 {
        let delete = Delete::builder().set_objects(Some(markers.clone())).quiet(true).build().expect("a batch");
        s3.delete_objects().bucket("shop-results").delete(delete).send().await.expect("markers");
    }
    // One that keeps no versions.
    stack.make_bucket("shop-plain").await;
    stack.put("shop-plain", "a").await;
    stack.keep_evidence(&["shop-results", "shop-plain"]).await;
    let kept = std::fs::read_to_string(stack.place.dir.join("evidence/inventory")).expect("the inventory");
    assert_eq!(kept.lines().count(), 10 * KEYS + 1 + 3);
    stack.put("shop-logs", "kept").await;

    let mut runbook = stack.place.runbook();
    let of_interest = |step: &StepSpec| matches!(step.action, Action::TeardownPlan | Action::EmptyBucket { .. });
    runbook.steps.retain(of_interest);
    for bucket in ["shop-logs", "shop-plain"] {
        let (id, action) = (format!("teardown.empty.{bucket}"), Action::EmptyBucket { bucket: bucket.into() });
        runbook.steps.push(StepSpec { id: StepId::new(id), action, ..runbook.steps[1].clone() });
    }
    runbook.steps[0].after.clear();
    let mut engine = stack.place.engine(runbook, None).await;
    engine.make = Arc::new(planned_before);
    let ended = stack.place.run_with(engine).await;
    assert_eq!(ended, Ended::Done { changed: true }, "{}", told(&ended));
    assert_eq!(stack.place.output("teardown.empty.shop-results")["deleted"], 10 * KEYS);
    assert_eq!(stack.place.output("teardown.empty.shop-logs")["deleted"], 0);
    assert_eq!(stack.place.output("teardown.empty.shop-plain")["deleted"], 1);
    let asked = read_records(&stack.place.dir.join("requests.jsonl")).expect("requests");
    assert_eq!(asked.iter().filter(|it| it.operation == "DeleteObjects").count(), 11, "a thousand at once");
    s3.head_object().bucket("shop-logs").key("kept").send().await.expect("no plan destroys its bucket");
}

fn planned_before(spec: &StepSpec) -> Arc<dyn Step> {
    match spec.action {
        Action::TeardownPlan => Arc::new(PlannedBefore),
        Action::TeardownProof => Arc::new(TeardownProof { within: Duration::from_secs(1) }),
        _ => lifeboat::steps::make(spec),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remnant_fails_the_proof_and_without_evidence_nothing_may_begin() {
    let _turn = command::turn().await;
    let stack = Stack::bare(RULES).await;
    for bucket in ["shop-state", "shop-results"] {
        stack.make_bucket(bucket).await;
    }
    let mut runbook = stack.place.runbook();
    runbook
        .steps
        .retain(|step| matches!(step.action, Action::TerraformPrepare | Action::TeardownPlan | Action::TeardownProof));
    runbook.steps[2].after = vec!["teardown.plan".into()];
    let mut engine = stack.place.engine(runbook, None).await;
    engine.make = Arc::new(planned_before);
    let said = failures(&stack.place.run_with(engine).await);
    assert!(said.contains("AWS still has what was destroyed: aws_s3_bucket.results (shop-results)"), "{said}");

    let runbook = Runbook { steps: teardown_steps(&stack.place.loaded().in_primary(), &[]), ..stack.place.runbook() };
    let mut engine = stack.place.engine(runbook, None).await;
    Arc::get_mut(&mut engine.world).expect("nobody else has it").evidence = None;
    let blocked = preflight(&engine).await.blocked;
    let steps: Vec<&str> = blocked.iter().map(|(step, _)| step.as_str()).collect();
    assert_eq!(steps, ["teardown.plan", "teardown.empty.shop-results", "teardown.workgroup.shop", "teardown.destroy"]);
    assert!(blocked.iter().all(|(_, it)| it.cause.contains("no evidence is kept in this run")), "{blocked:?}");
}

/// Why a run did not end.
fn told(ended: &Ended) -> String {
    match ended {
        Ended::Held { .. } => failures(ended),
        ended => format!("{ended:?}"),
    }
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
