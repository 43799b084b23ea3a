//! What users get of Terraform: real Terraform on roots of resources that need no provider.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use lifeboat::journal::FailureKind;
use lifeboat::runbook::{Action, ApplyScope, Phase};
use lifeboat::scenario;
use lifeboat::steps::{
    self, Seen, Step, StepError, TerraformApply, TerraformDeclare, TerraformPlan, TerraformPrepare, TerraformSettled,
};
use lifeboat::terraform::events::Event;
use lifeboat::terraform::{TerraformError, Workdir};
use serde_json::json;

use crate::harness;
use crate::terraform_world::{Notes, Site, cx, files};

const STACK: &str = r#"
terraform {
  backend "s3" {}
}
variable "aws_region" {
  default = "us-east-1"
}
locals {
  cluster = terraform_data.cluster.id
}
resource "terraform_data" "network" {
  input = var.aws_region
}
resource "terraform_data" "cluster" {
  input = terraform_data.network.output
}
resource "terraform_data" "alarm" {
  input = local.cluster
}
output "network" {
  value = terraform_data.network.output
}
output "alarm" {
  value = terraform_data.alarm.output
}
output "password" {
  value     = "hunter2"
  sensitive = true
}
"#;

fn base() -> (TerraformPlan, TerraformApply) {
    (TerraformPlan { scope: ApplyScope::Base }, TerraformApply { scope: ApplyScope::Base })
}

fn adoption() -> (TerraformPlan, TerraformApply) {
    (TerraformPlan { scope: ApplyScope::Adoption }, TerraformApply { scope: ApplyScope::Adoption })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_resource_is_adopted_between_two_applies() {
    let moto = harness::emulator().await;
    let aws = moto.session("us-east-1");
    aws.s3().create_bucket().bucket("state").send().await.expect("a bucket for state");
    let mut site = Site::in_s3(&[("main.tf", STACK)], moto.endpoint());
    site.adopt = Some("terraform_data.cluster");
    let before = files(&site.path("root"));
    let world = site.world(aws.clone()).await;

    let prepared = TerraformPrepare.apply(&cx(&world, "infrastructure.prepare", &[])).await.expect("prepared");
    assert_eq!((&prepared["workspace"], &prepared["created"]), (&json!("prod-dr"), &json!(true)));
    assert_eq!(prepared["adopted"], json!({}));

    let (plan, apply) = base();
    let planned = plan.apply(&cx(&world, "infrastructure.plan", &[])).await.expect("planned");
    assert_eq!(planned["deferred"], json!(["terraform_data.alarm", "terraform_data.cluster"]));
    assert_eq!(planned["add"], 1);
    assert_eq!(planned["declared"], json!({}), "nothing is told of kinds that no restore reads");

    let applied = apply.apply(&cx(&world, "infrastructure.apply", &[])).await.expect("applied");
    assert_eq!((&applied["added"], &applied["outputs"]["network"]), (&json!(1), &json!("us-east-1")));
    apply.verify(&cx(&world, "infrastructure.apply", &[]), &applied).await.expect("the state is the one applied");
    assert!(!applied.to_string().contains("hunter2"), "{applied}");

    let declared = TerraformDeclare.apply(&cx(&world, "infrastructure.declare", &[])).await.expect("declared");
    assert_eq!(declared["declared"], json!({}));

    let restored = json!({ "adopt": [{ "address": "terraform_data.cluster", "id": "restored-1" }] });
    let outputs = [("restore.table.metadata", restored)];
    let (plan, apply) = adoption();
    let planned = plan.apply(&cx(&world, "adoption.plan", &outputs)).await.expect("planned");
    assert_eq!(
        (&planned["import"], &planned["add"], &planned["destroy"]),
        (&json!(1), &json!(1), &json!(0)),
        "{planned}"
    );
    let applied = apply.apply(&cx(&world, "adoption.apply", &outputs)).await.expect("applied");
    assert_eq!((&applied["imported"], &applied["outputs"]["alarm"]), (&json!(1), &json!("restored-1")));

    let settled = TerraformSettled.apply(&cx(&world, "verify.infrastructure", &[])).await.expect("settled");
    assert_eq!(settled, json!({ "changes": 0 }));

    // A second failover, on another machine: everything is found.
    fs::remove_dir_all(site.path("run")).expect("the first run's folder");
    let world = site.world(aws).await;
    let prepared = TerraformPrepare.apply(&cx(&world, "infrastructure.prepare", &[])).await.expect("prepared");
    assert_eq!(prepared["created"], false);
    assert_eq!(prepared["adopted"], json!({ "terraform_data.cluster": "restored-1" }));
    let applied = adoption().1.apply(&cx(&world, "adoption.apply", &outputs)).await.expect("nothing to apply");
    assert_eq!((&applied["added"], &applied["changed"], &applied["imported"]), (&json!(0), &json!(0), &json!(0)));
    assert!(!site.logs().iter().any(|it| it.ends_with("-apply")), "{:?}", site.logs());
    assert_eq!(files(&site.path("root")), before, "the user's tree was written to");
}

#[tokio::test]
async fn a_wrong_account_stops_before_anything_is_staged() {
    let moto = harness::emulator().await;
    let site = Site::new(&[("main.tf", STACK)]);
    let mut world = site.world(moto.session("us-east-1")).await;
    let manifest = &mut std::sync::Arc::get_mut(&mut world).expect("one owner").manifest;
    std::sync::Arc::make_mut(manifest).account = "999999999999".into();
    let blocked = TerraformPrepare.check(&cx(&world, "infrastructure.prepare", &[])).await.expect_err("blocked");
    assert!(blocked.cause.contains("the manifest is for 999999999999"), "{blocked}");
    for spec in scenario::failover(&world.manifest).steps {
        let step = steps::make(&spec);
        let cx = cx(&world, spec.id.as_str(), &[]);
        if matches!(spec.phase, Phase::Infrastructure | Phase::Adoption | Phase::Restore | Phase::Cutover)
            && !matches!(spec.action, Action::TerraformDeclare)
        {
            let error = step.apply(&cx).await.expect_err("it would change something");
            assert!(error.cause.contains("the manifest is for 999999999999"), "{}: {error}", spec.id);
        }
    }
    assert!(!site.path("run/terraform").exists());
}

pub async fn error_of<T: std::fmt::Debug>(result: impl Future<Output = Result<T, TerraformError>>) -> StepError {
    StepError::from(result.await.expect_err("it cannot succeed"))
}

pub async fn plan(workdir: &Workdir) -> Result<lifeboat::terraform::Saved, TerraformError> {
    workdir.plan_base(&Default::default(), &Default::default(), &Default::default(), &Notes::default()).await
}

#[tokio::test]
async fn a_root_that_init_refuses_is_told_with_file_and_line() {
    let site = Site::new(&[(
        "main.tf",
        "resource \"terraform_data\" \"a\" {\n  input = nothing\n}\n\nresource \"acme_x\" \"y\" {}\n",
    )]);
    let error = error_of(plan(&site.workdir().await)).await;
    assert!(error.cause.starts_with("terraform init failed: "), "{error}");
    assert!(error.cause.contains("hashicorp/acme"), "{error}");
    assert!(error.hint.is_some_and(|hint| hint.contains("/log/") && hint.ends_with("-init.log")));
}

#[tokio::test]
async fn a_failing_plan_is_told_in_terraforms_words() {
    let site = Site::new(&[("main.tf", "resource \"terraform_data\" \"a\" {\n  input = nothing.at.all\n}\n")]);
    let error = error_of(plan(&site.workdir().await)).await;
    assert_eq!(
        error.cause,
        "terraform plan failed: Reference to undeclared resource: A managed resource \"nothing\" \"at\" has not been \
         declared in the root module. (main.tf:2)"
    );
}

#[tokio::test]
async fn a_failing_apply_is_told_with_its_address() {
    let root = r#"
resource "terraform_data" "a" {
  provisioner "local-exec" {
    command = "echo out of luck; exit 3"
  }
}
"#;
    let site = Site::new(&[("main.tf", root)]);
    let workdir = site.workdir().await;
    plan(&workdir).await.expect("a plan");
    let error = error_of(workdir.apply("base", &Notes::default())).await;
    assert!(error.cause.contains("terraform_data.a: local-exec provisioner error"), "{error}");
    assert!(error.cause.contains("out of luck") && error.cause.ends_with("(main.tf:3)"), "{error}");
    assert!(workdir.saved("base").is_none(), "a plan that was tried must not be applied again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_is_one_sigint_and_the_run_can_go_on() {
    let root = r#"
resource "terraform_data" "first" {
  provisioner "local-exec" {
    command = "sleep 2"
  }
}
resource "terraform_data" "second" {
  input = terraform_data.first.id
}
"#;
    let site = Site::new(&[("main.tf", root)]);
    let workdir = site.workdir().await;
    plan(&workdir).await.expect("a plan");
    let notes = Notes { stop_at: Some("terraform_data.first"), ..Notes::default() };
    let error = error_of(workdir.apply("base", &notes)).await;
    assert_eq!(error.kind, FailureKind::Interrupted, "{error}");
    let log = site.path("run/terraform/log").join(format!("{}.log", site.logs().last().expect("a log")));
    let said = fs::read_to_string(log).expect("the log of the apply");
    assert_eq!(said.matches("Interrupt received").count(), 1, "{said}");
    assert!(!said.contains("Two interrupts"), "{said}");
    plan(&workdir).await.expect("the lock is free and the state is whole");
    workdir.apply("base", &Notes::default()).await.expect("the rest");
    assert!(plan(&workdir).await.expect("a plan").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_could_not_be_saved_is_kept_and_must_be_pushed_first() {
    let moto = harness::emulator().await;
    let s3 = moto.session("us-east-1").s3();
    let bucket = || s3.create_bucket().bucket("state").send();
    bucket().await.expect("a bucket for state");
    // While the resource is made, the bucket of the state disappears.
    let vanish = format!("curl -sf -X POST {}/moto-api/reset", moto.endpoint());
    let root = format!(
        "resource \"terraform_data\" \"a\" {{\n  provisioner \"local-exec\" {{\n    command = \"{vanish}\"\n  }}\n}}\n"
    );
    let site = Site::in_s3(&[("main.tf", &root)], moto.endpoint());
    let workdir = site.workdir().await;
    plan(&workdir).await.expect("a plan");
    let error = error_of(workdir.apply("base", &Notes::default())).await;
    let kept = files(&site.path("run/terraform/errored"));
    assert_eq!(kept.len(), 1, "{error}");
    assert!(error.cause.contains("NoSuchBucket"), "{error}");
    assert!(error.cause.contains(&kept[0]) && error.cause.contains("SHA-256"), "{error}");
    bucket().await.expect("the bucket is back");
    let workdir = site.workdir().await;
    let blocked = error_of(plan(&workdir)).await;
    assert!(blocked.cause.starts_with("the state after the last apply could not be saved"), "{blocked}");
    assert!(blocked.hint.is_some_and(|hint| hint.starts_with("lifeboat state push run")), "the command");
    let pushed = workdir.push_unsaved(&Notes::default()).await.expect("the backend takes it");
    assert_eq!(pushed.len(), 1);
    assert!(workdir.push_unsaved(&Notes::default()).await.expect("nothing is left").is_empty());
    assert!(plan(&workdir).await.expect("a plan").is_empty(), "the resource is known again");
}

#[tokio::test]
async fn a_second_process_finds_everything_ready_and_skips_init() {
    let site = Site::new(&[("main.tf", "resource \"terraform_data\" \"a\" {}\n")]);
    plan(&site.workdir().await).await.expect("a plan");
    let first = site.logs();
    let workdir = site.workdir().await;
    assert!(workdir.was_ready());
    plan(&workdir).await.expect("a plan");
    let second = site.logs().split_off(first.len());
    assert!(second.iter().all(|it| !it.ends_with("-init")), "{second:?}");
    assert!(second[0].ends_with("-workspace-show"), "the workspace is asserted before anything else: {second:?}");
    site.write("templates/terraform/backend_override.tf.tera", "# other\nterraform {\n  backend \"local\" {}\n}\n");
    plan(&site.workdir().await).await.expect("a plan");
    assert_eq!(site.logs().iter().filter(|it| it.ends_with("-init")).count(), 2, "another backend needs another init");
}

#[tokio::test]
async fn what_holds_secrets_is_for_the_owner_alone() {
    let site = Site::new(&[("main.tf", "resource \"terraform_data\" \"a\" {}\n")]);
    let workdir = site.workdir().await;
    plan(&workdir).await.expect("a plan");
    let mode = |inside: &str| fs::metadata(site.path(inside)).expect(inside).permissions().mode() & 0o777;
    assert_eq!(mode("run/terraform"), 0o700);
    assert_eq!(mode("run/terraform/plans/base.tfplan"), 0o600);
    assert!(site.logs().iter().any(|it| it.ends_with("-init")));
    for log in site.logs() {
        assert_eq!(mode(&format!("run/terraform/log/{log}.log")), 0o600, "{log}");
    }
    workdir.apply("base", &Notes::default()).await.expect("an apply");
    assert!(!site.path("run/terraform/plans/base.tfplan").exists());
}

#[tokio::test]
async fn modules_beside_the_root_are_planned_from_the_copy() {
    let root = "module \"x\" {\n  source = \"../modules/x\"\n}\n";
    let site = Site::new(&[("main.tf", root), ("../modules/x/main.tf", "resource \"terraform_data\" \"a\" {}\n")]);
    let saved = plan(&site.workdir().await).await.expect("a plan");
    assert_eq!(saved.add, 1);
    assert!(!site.path("root/.terraform.lock.hcl").exists() && !site.path("root/.terraform").exists());
}

#[tokio::test]
async fn a_plan_that_went_stale_is_made_again_and_applied_once() {
    let moto = harness::emulator().await;
    let site = Site::new(&[("main.tf", "resource \"terraform_data\" \"a\" {}\n")]);
    let world = site.world(moto.session("us-east-1")).await;
    let (planning, applying) = base();
    planning.apply(&cx(&world, "infrastructure.plan", &[])).await.expect("a plan");
    // Somebody else applies in between.
    let other = Site::new(&[]);
    other.write("root/main.tf", "resource \"terraform_data\" \"b\" {}\n");
    copy_templates(&site.path("templates"), &other.path("templates"));
    let elsewhere = other.workdir().await;
    plan(&elsewhere).await.expect("their plan");
    elsewhere.apply("base", &Notes::default()).await.expect("their apply");
    let applied = applying.apply(&cx(&world, "infrastructure.apply", &[])).await.expect("planned again, and applied");
    assert_eq!((&applied["added"], &applied["destroyed"]), (&json!(1), &json!(1)));
}

fn copy_templates(from: &Path, to: &Path) {
    for name in files(&from.join("terraform")) {
        fs::copy(from.join("terraform").join(&name), to.join("terraform").join(&name)).expect("a template");
    }
}

#[tokio::test]
async fn a_resumed_apply_that_was_done_is_found_done() {
    let moto = harness::emulator().await;
    let site = Site::new(&[("main.tf", "resource \"terraform_data\" \"a\" {}\n")]);
    let world = site.world(moto.session("us-east-1")).await;
    let applying = base().1;
    let cx = cx(&world, "infrastructure.apply", &[]);
    assert_eq!(applying.observe(&cx).await.expect("seen"), Seen::Absent);
    let resumed = cx.clone().resumed();
    assert_eq!(applying.observe(&resumed).await.expect("seen"), Seen::Absent, "nothing was applied yet");
    let applied = applying.apply(&resumed).await.expect("applied");
    assert_eq!(applied["added"], 1);
    let Seen::Done(found) = applying.observe(&resumed).await.expect("seen") else { panic!("it was applied") };
    assert_eq!((&found["added"], &found["serial"]), (&json!(0), &applied["serial"]));
}

#[tokio::test]
async fn what_is_left_to_change_is_named_with_its_attributes() {
    let moto = harness::emulator().await;
    let site = Site::new(&[("main.tf", "resource \"terraform_data\" \"a\" {\n  input = timestamp()\n}\n")]);
    let world = site.world(moto.session("us-east-1")).await;
    base().1.apply(&cx(&world, "infrastructure.apply", &[])).await.expect("applied");
    let error = TerraformSettled.apply(&cx(&world, "verify.infrastructure", &[])).await.expect_err("it never settles");
    assert_eq!(error.kind, FailureKind::CheckFailed);
    assert_eq!(
        error.cause,
        "terraform still has 1 change to make:\n- terraform_data.a would be changed: input, output"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terraform_of_a_killed_lifeboat_is_waited_for() {
    let root =
        "resource \"terraform_data\" \"a\" {\n  provisioner \"local-exec\" {\n    command = \"sleep 2\"\n  }\n}\n";
    let site = Site::new(&[("main.tf", root)]);
    let first = site.workdir().await;
    plan(&first).await.expect("a plan");
    let notes = Notes::default();
    let killed = tokio::time::timeout(Duration::from_millis(900), first.apply("base", &notes));
    assert!(killed.await.is_err(), "the apply takes two seconds");
    let began = Instant::now();
    let saved = plan(&site.workdir().await).await.expect("a plan, after the first apply has ended");
    assert!(saved.is_empty(), "the first apply was not waited for");
    assert!(began.elapsed() > Duration::from_millis(600), "{:?}", began.elapsed());
}

#[tokio::test]
async fn progress_is_told_resource_by_resource() {
    let site = Site::new(&[("main.tf", "resource \"terraform_data\" \"a\" {\n  count = 2\n}\n")]);
    let workdir = site.workdir().await;
    plan(&workdir).await.expect("a plan");
    let notes = Notes::default();
    workdir.apply("base", &notes).await.expect("an apply");
    let events = notes.events.lock().expect("no poison");
    assert_eq!(events.iter().filter(|it| matches!(it, Event::Completed { .. })).count(), 2);
}

#[tokio::test]
async fn a_variable_that_nobody_sets_is_found_by_the_check() {
    let moto = harness::emulator().await;
    let site = Site::new(&[("main.tf", "variable \"zone\" {}\n")]);
    let world = site.world(moto.session("us-east-1")).await;
    let blocked = TerraformPrepare.check(&cx(&world, "infrastructure.prepare", &[])).await.expect_err("blocked");
    assert!(blocked.cause.contains("zone"), "{blocked}");
    assert!(!site.path("run/terraform").exists(), "a check writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_of_one_tree_never_see_the_import_blocks_of_another() {
    let site = Site::new(&[("main.tf", STACK)]);
    let workdir = site.workdir().await;
    let (adopted, notes) = (["terraform_data.cluster".to_owned()].into(), Notes::default());
    let restored = [("terraform_data.cluster".to_owned(), "restored-1".to_owned())].into();
    let none = Default::default();
    let (surveyed, planned, surveyed_again) = tokio::join!(
        workdir.declared(&adopted, &notes),
        workdir.plan_adoption(&adopted, &restored, None, &none, &notes),
        workdir.declared(&adopted, &notes),
    );
    surveyed.expect("a survey");
    surveyed_again.expect("another");
    assert_eq!(planned.expect("an adoption plan").import, 1);
    let graphs = site.logs().into_iter().filter(|it| it.ends_with("-graph")).count();
    assert_eq!(graphs, 1, "the graph of the same files is read once");
}
