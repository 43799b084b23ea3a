//! Reviews of plans that the real Terraform made, of resources without any cloud and of AWS's against the emulator.

use std::path::Path;

use serde_json::Value;

use crate::{command, harness};

const BEFORE: &str = r#"
variable "secret" {
  type      = string
  sensitive = true
  default   = "hunter2"
}
resource "terraform_data" "changed" { input = { size = 1, list = ["a", "b"], secret = var.secret } }
resource "terraform_data" "replaced" {
  input            = "same"
  triggers_replace = ["v1"]
}
resource "terraform_data" "destroyed" { input = "x" }
resource "terraform_data" "old_name" { input = "moves" }
resource "terraform_data" "kept" { input = "stays" }
output "size" { value = 1 }
output "password" {
  value     = var.secret
  sensitive = true
}
"#;

const AFTER: &str = r#"
variable "secret" {
  type      = string
  sensitive = true
  default   = "correct-horse"
}
resource "terraform_data" "changed" { input = { size = 2, list = ["a", "c", "d"], secret = var.secret } }
resource "terraform_data" "replaced" {
  input            = "same"
  triggers_replace = ["v2"]
}
resource "terraform_data" "new_name" { input = "moves" }
moved {
  from = terraform_data.old_name
  to   = terraform_data.new_name
}
resource "terraform_data" "kept" { input = "stays" }
resource "terraform_data" "created" {
  for_each = toset(["<b>|`@all`", "a.b"])
  input    = each.key
}
output "size" { value = 2 }
output "password" {
  value     = var.secret
  sensitive = true
}
"#;

/// A folder in which Terraform keeps its state.
struct Root {
    dir: tempfile::TempDir,
    endpoint: String,
}

impl Root {
    fn new(endpoint: &str) -> Self {
        Self { dir: tempfile::tempdir().expect("a folder"), endpoint: endpoint.to_owned() }
    }

    fn write(&self, text: &str) {
        std::fs::write(self.path().join("main.tf"), text).expect("a file");
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    async fn terraform(&self, args: &[&str]) -> String {
        let mut terraform = command::command("terraform", &self.endpoint, self.path());
        terraform.args(args).current_dir(self.path()).env("TF_IN_AUTOMATION", "1").env("AWS_REGION", "us-east-1");
        let output = command::output(terraform).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "terraform {args:?}: {said}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Applies what is there now, then plans `after`. Returns Terraform's own summary of the plan.
    async fn planned(&self, before: &str, after: &str) -> String {
        self.write(before);
        self.terraform(&["init", "-input=false", "-no-color"]).await;
        self.terraform(&["apply", "-input=false", "-no-color", "-auto-approve"]).await;
        self.write(after);
        self.plan(&[]).await
    }

    async fn plan(&self, more: &[&str]) -> String {
        let args = ["plan", "-input=false", "-no-color", "-out=plan"];
        let said = self.terraform(&[&args[..], more].concat()).await;
        let json = self.terraform(&["show", "-json", "plan"]).await;
        std::fs::write(self.path().join("plan.json"), json).expect("a file");
        said.lines().find(|line| line.starts_with("Plan:")).unwrap_or_default().to_owned()
    }

    async fn review(&self, args: &[&str]) -> (Option<i32>, String) {
        let mut lifeboat = command::lifeboat(&self.endpoint, self.path());
        lifeboat.arg("review").arg(self.path().join("plan.json")).args(args);
        let output = command::output(lifeboat).await;
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    }
}

/// Terraform makes up an id for each resource.
fn without_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() == 36 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    text.split('"').map(|word| if is_id(word) { "ID" } else { word }).collect::<Vec<_>>().join("\"")
}

/// The numbers of Terraform's own summary line are those of the review.
fn agree(summary: &str, json: &Value) {
    let of = |name: &str| json["totals"][name].as_u64().unwrap_or_else(|| panic!("{json}"));
    let mut expected = String::new();
    if of("import") > 0 {
        expected = format!("{} to import, ", of("import"));
    }
    let (add, destroy) = (of("create") + of("replace"), of("destroy") + of("replace"));
    let expected = format!("Plan: {expected}{add} to add, {} to change, {destroy} to destroy.", of("update"));
    assert_eq!(summary, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_terraform_is_reviewed_in_three_forms_without_its_secrets() {
    let root = Root::new("http://127.0.0.1:9");
    let summary = root.planned(BEFORE, AFTER).await;
    let (code, table) = root.review(&[]).await;
    assert_eq!(code, Some(0));
    insta::assert_snapshot!("review_table", without_ids(&table));
    let (code, markdown) = root.review(&["-o", "markdown", "--detailed-exitcode"]).await;
    assert_eq!(code, Some(2), "there are changes");
    insta::assert_snapshot!("review_markdown", without_ids(&markdown));
    let (_, json) = root.review(&["-o", "json"]).await;
    for page in [&table, &markdown, &json] {
        assert!(!page.contains("hunter2") && !page.contains("correct-horse"), "{page}");
    }
    assert!(table.lines().all(|line| console::measure_text_width(line) <= 80), "{table}");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    agree(&summary, &json);

    root.terraform(&["apply", "-input=false", "-no-color", "plan"]).await;
    root.plan(&[]).await;
    let (code, table) = root.review(&["--detailed-exitcode"]).await;
    assert_eq!(code, Some(0), "nothing is left to change: {table}");
    assert!(table.contains("nothing is changed"), "{table}");
    let summary = root.plan(&["-destroy"]).await;
    let (_, json) = root.review(&["-o", "json"]).await;
    agree(&summary, &serde_json::from_str(&json).expect("JSON"));
}

const AWS: &str = r#"
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
provider "aws" {
  region            = "us-east-1"
  s3_use_path_style = true
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_lost_in_aws_comes_first_and_what_was_changed_by_hand_is_told_apart() {
    let moto = harness::emulator().await;
    let root = Root::new(&moto.endpoint());
    let table = |hash: &str, more: &str| {
        format!(
            "{AWS}resource \"aws_dynamodb_table\" \"metadata\" {{\n  name = \"metadata\"\n  billing_mode = \
             \"PAY_PER_REQUEST\"\n  hash_key = \"{hash}\"\n  attribute {{\n    name = \"{hash}\"\n    type = \"S\"\n  \
             }}\n}}\n{more}"
        )
    };
    let queue = "resource \"aws_sqs_queue\" \"jobs\" { name = \"jobs\" }\nresource \"aws_sns_topic\" \"alarms\" { name = \"alarms\" }\n";
    root.write(&table("id", queue));
    root.terraform(&["init", "-input=false", "-no-color"]).await;
    root.terraform(&["apply", "-input=false", "-no-color", "-auto-approve"]).await;
    let aws = moto.session("us-east-1");
    let bucket = aws.s3().create_bucket().bucket("by-hand").send().await;
    bucket.expect("a bucket that Terraform does not know");
    let tag = aws_sdk_dynamodb::types::Tag::builder().key("by").value("hand").build().expect("a tag");
    let arn = aws.dynamodb().describe_table().table_name("metadata").send().await.expect("the table");
    let arn = arn.table().and_then(|it| it.table_arn()).expect("an ARN").to_owned();
    aws.dynamodb().tag_resource().resource_arn(arn).tags(tag).send().await.expect("tagged by hand");
    root.write(&table(
        "pk",
        "resource \"aws_s3_bucket\" \"logs\" { bucket = \"by-hand\" }\nimport {\n  to = aws_s3_bucket.logs\n  id = \"by-hand\"\n}\n\
         resource \"aws_sns_topic\" \"alarms\" { name = \"alarms-dr\" }\n",
    ));
    let summary = root.plan(&[]).await;
    let (_, json) = root.review(&["-o", "json"]).await;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    agree(&summary, &json);
    let told: Vec<(&str, &str, bool)> = json["changes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| {
            let text = |name: &str| it[name].as_str().expect("text");
            (text("address"), text("effect"), it["stateful"] == true)
        })
        .collect();
    let expected = [
        ("aws_dynamodb_table.metadata", "replace", true),
        ("aws_sqs_queue.jobs", "destroy", true),
        ("aws_sns_topic.alarms", "replace", false),
        ("aws_s3_bucket.logs", "import", true),
    ];
    assert_eq!(told, expected);
    let forcing: Vec<&str> = json["changes"][0]["differences"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|it| it["forces_replacement"] == true)
        .filter_map(|it| it["path"].as_str())
        .collect();
    assert_eq!(forcing, ["hash_key"]);
    let drift = &json["drift"][0];
    assert_eq!(
        (drift["address"].as_str(), drift["effect"].as_str()),
        (Some("aws_dynamodb_table.metadata"), Some("update"))
    );
    let (_, page) = root.review(&[]).await;
    let at = |words: &str| page.find(words).unwrap_or_else(|| panic!("{words}: {page}"));
    assert!(at("LOSES WHAT NO APPLY BRINGS BACK: 2 of these") < at("aws_dynamodb_table.metadata"));
    assert!(at("    ! hash_key: \"id\" → \"pk\"") < at("aws_sqs_queue.jobs") && at("replaced\n-/+ aws_sns_topic") > 0);
    assert!(at("changed outside Terraform") < at("tags_all.by: nothing → \"hand\""), "{page}");
}

#[tokio::test]
async fn what_is_no_plan_is_refused_in_words() {
    let root = Root::new("http://127.0.0.1:9");
    let refused = async |content: &str| {
        std::fs::write(root.path().join("plan.json"), content).expect("a file");
        let mut lifeboat = command::lifeboat(&root.endpoint, root.path());
        lifeboat.args(["review", "plan.json"]);
        command::said(lifeboat).await
    };
    for (content, words) in [
        ("{\"format_version\":\"2.0\"}", "has format version 2.0; this lifeboat reads 1.x"),
        ("{\"format_version\":\"1.2\",\"errored\":true}", "the plan is marked as failed"),
        ("PK\u{3}\u{4}", "terraform show -json PLAN"),
        ("", "the plan's JSON is not understood"),
        ("{\"format_version\":\"1.2\",\"resource_changes\":[{\"address\":1}]}", "the plan's JSON is not understood"),
    ] {
        let (code, said) = refused(content).await;
        assert_eq!(code, Some(1), "{content}: {said}");
        assert!(said.contains(words), "{words}: {said}");
    }
    let mut lifeboat = command::lifeboat(&root.endpoint, root.path());
    lifeboat.args(["review", "nowhere.json"]);
    let (code, said) = command::said(lifeboat).await;
    assert_eq!(code, Some(2), "{said}");
    let (code, said) = refused("{\"format_version\":\"1.9\",\"new_field\":{\"x\":[1]}}").await;
    assert_eq!(code, Some(0), "what is new and unknown is no matter: {said}");
}

/// What becomes of a resource between two configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    Comes,
    Changes,
    IsReplaced,
    Goes,
    Moves,
    IsForgotten,
    IsImported,
}

const FATES: [Fate; 8] = [
    Fate::Stays,
    Fate::Comes,
    Fate::Changes,
    Fate::IsReplaced,
    Fate::Goes,
    Fate::Moves,
    Fate::IsForgotten,
    Fate::IsImported,
];

/// The configuration before and after.
fn configurations(fates: &[Fate]) -> (String, String) {
    let (mut before, mut after) = (String::new(), String::new());
    let block = |name: &str, input: usize, trigger: usize| {
        format!("resource \"terraform_data\" \"{name}\" {{\n  input = {input}\n  triggers_replace = [{trigger}]\n}}\n")
    };
    for (nr, fate) in fates.iter().enumerate() {
        let name = format!("r{nr}");
        if !matches!(fate, Fate::Comes | Fate::IsImported) {
            before += &block(&name, 0, 0);
        }
        match fate {
            Fate::Stays | Fate::Comes => after += &block(&name, 0, 0),
            Fate::Changes => after += &block(&name, 1, 0),
            Fate::IsReplaced => after += &block(&name, nr % 2, 1),
            Fate::Goes => {}
            Fate::Moves => {
                // Every other one is changed on the way.
                after += &block(&format!("m{nr}"), nr % 2, 0);
                after += &format!("moved {{\n  from = terraform_data.r{nr}\n  to = terraform_data.m{nr}\n}}\n");
            }
            Fate::IsForgotten => {
                after += &format!("removed {{\n  from = terraform_data.r{nr}\n  lifecycle {{ destroy = false }}\n}}\n");
            }
            Fate::IsImported => {
                after += &format!(
                    "resource \"terraform_data\" \"r{nr}\" {{}}\nimport {{\n  to = terraform_data.r{nr}\n  id = \"id-{nr}\"\n}}\n"
                );
            }
        }
    }
    (before, after)
}

/// One plan of many resources, each with a fate drawn by chance: the totals are those of Terraform's summary line, and what
/// that line does not tell is as many as were drawn.
#[tokio::test(flavor = "multi_thread")]
async fn the_totals_are_those_of_terraforms_own_summary_line() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..2 {
        let drawn = proptest::collection::vec(proptest::sample::select(FATES.as_slice()), 40..60);
        let fates = proptest::strategy::Strategy::new_tree(&drawn, &mut runner).expect("fates");
        let fates = proptest::strategy::ValueTree::current(&fates);
        let root = Root::new("http://127.0.0.1:9");
        let (before, after) = configurations(&fates);
        let summary = root.planned(&before, &after).await;
        let (_, json) = root.review(&["-o", "json"]).await;
        let json: Value = serde_json::from_str(&json).expect("JSON");
        agree(&summary, &json);
        let drawn = |fate: Fate| fates.iter().filter(|it| **it == fate).count() as u64;
        let told = |name: &str| json["totals"][name].as_u64();
        assert_eq!(told("moved"), Some(drawn(Fate::Moves)), "{after}");
        assert_eq!(told("forget"), Some(drawn(Fate::IsForgotten)), "{after}");
        assert_eq!(told("replace"), Some(drawn(Fate::IsReplaced)), "{after}");
    }
}
