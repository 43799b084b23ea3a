//! Something of the stack's name stands already when Terraform would create it: the answer to its creation was lost, or an
//! earlier run left it. With the command, the real Terraform and the emulator.

use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};

use crate::state_custody::Tiny;

const ROOT: &str = r#"terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
provider "aws" {}
resource "aws_dynamodb_table" "jobs" {
  for_each     = toset(["a=b"])
  name         = "jobs"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"
  attribute {
    name = "id"
    type = "S"
  }
}
"#;
const ADDRESS: &str = r#"aws_dynamodb_table.jobs["a=b"]"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_already_is_taken_over_when_the_operator_says_so_and_is_not_made_again() {
    let tiny = Tiny::with_root(ROOT).await;
    let tables = tiny.moto.session("us-east-1").dynamodb();
    let id = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash);
    let table = tables.create_table().table_name("jobs").billing_mode(BillingMode::PayPerRequest);
    let table = table.attribute_definitions(id.build().expect("it")).key_schema(key.build().expect("it"));
    let made = table.send().await.expect("a table").table_description.and_then(|it| it.table_id);

    let (code, _, said) = tiny.lifeboat(&["failover", "tiny", "--confirm", "tiny"]).await;
    assert_eq!(code, Some(4), "{said}");
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("add --import ADDRESS=ID to lifeboat resume"), "{said}");
    let run = tiny.run();
    let resume = async |import: &str| {
        tiny.lifeboat(&["resume", &run, "--retry", "infrastructure.apply", "--import", import]).await
    };
    let (code, _, said) = resume("jobs").await;
    assert_eq!(code, Some(2), "{said}");
    let (code, _, said) = resume(&format!("{ADDRESS}=nothing-of-that-name")).await;
    assert_eq!(code, Some(4), "{said}");
    let (code, _, said) = resume("aws_sqs_queue.of_no_root=jobs").await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("take it back with --import ADDRESS="), "{said}");
    let args = ["resume", &run, "--retry", "infrastructure.apply", "--import", "aws_sqs_queue.of_no_root="];
    let (code, _, said) = tiny.lifeboat(&[&args[..], &["--import", &format!("{ADDRESS}=jobs")]].concat()).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(&format!("has jobs taken over as {ADDRESS}")), "{said}");
    let now = tables.describe_table().table_name("jobs").send().await.expect("it stands").table;
    assert_eq!(now.and_then(|it| it.table_id), made, "it is the same table");
    let applied = &tiny.report(&run).await["applied"][0];
    assert_eq!(applied["step"], "infrastructure.apply", "{applied}");
}
