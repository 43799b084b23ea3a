//! Buckets that are emptied with a teardown, and what is found of them after it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use lifeboat::engine::{Ended, preflight};
use lifeboat::rehearse::proxy::read_records;
use lifeboat::runbook::{Action, Runbook, StepId, StepSpec};
use lifeboat::scenario::teardown_steps;
use lifeboat::steps::{Blocked, Checked, Compensation, Cx, Output, Seen, Step, StepError, TeardownProof};
use serde_json::{Value, json};

use crate::command;
use crate::teardown_world::{RULES, Stack, failures, told};

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
