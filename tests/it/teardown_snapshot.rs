//! A database that leaves a final snapshot when it goes with the stack.

use lifeboat::aws::rds::has_cluster_snapshot;
use lifeboat::engine::Ended;
use lifeboat::runbook::{Action, Phase};
use serde_json::json;

use crate::command;
use crate::teardown_world::{Stack, told};

const ROOT: &str = r#"terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
  backend "s3" {}
}
provider "aws" {
  region = "eu-west-2"
}
resource "aws_rds_cluster" "db" {
  cluster_identifier        = "shop-db"
  engine                    = "aurora-mysql"
  master_username           = "shop"
  master_password           = "not-a-secret-1"
  deletion_protection       = true
  skip_final_snapshot       = false
  final_snapshot_identifier = "shop-db-final"
}
"#;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a minute or more of Terraform: make slow"]
async fn a_final_snapshot_whose_name_is_taken_stands_in_the_way_and_one_that_is_left_is_told() {
    let _turn = command::turn().await;
    let stack = Stack::of(ROOT, "").await;
    let (session, snapshot) = (stack.session(), "shop-db-final");
    let earlier = session.rds().create_db_cluster_snapshot().db_cluster_identifier("shop-db");
    earlier.db_cluster_snapshot_identifier(snapshot).send().await.expect("a snapshot");
    let blocked = stack.place.preflight().await.blocked;
    let [(step, blocked)] = &blocked[..] else { panic!("{blocked:?}") };
    assert_eq!(step.as_str(), "teardown.plan");
    assert!(blocked.cause.contains("would leave the final snapshot shop-db-final, and there is one"), "{blocked:?}");
    let delete = session.rds().delete_db_cluster_snapshot().db_cluster_snapshot_identifier(snapshot);
    delete.send().await.expect("its name is free");

    stack.keep_evidence(&[]).await;
    let mut runbook = stack.place.runbook();
    runbook.steps.retain(|step| step.phase == Phase::Teardown || step.action == Action::TerraformPrepare);
    let ended = stack.place.run_with(stack.place.engine(runbook, None).await).await;
    assert_eq!(ended, Ended::Done { changed: true }, "{}", told(&ended));
    assert_eq!(stack.place.output("teardown.destroy")["final_snapshots"], json!([snapshot]));
    assert_eq!(has_cluster_snapshot(&session, snapshot).await, Ok(true));
    assert_eq!(stack.place.output("teardown.proof")["gone"], 1);
}
