//! Account and region as Terraform's own provider has them: real Terraform, the real AWS provider, an emulated AWS.

use crate::harness::{self, TestEmulator};
use crate::terraform_world::{Notes, Site, files};
use lifeboat::aws::Session;
use lifeboat::terraform::TerraformError;

/// A root whose default provider and alias compute their regions.
fn root(default: &str, other: &str) -> String {
    format!(
        r#"
terraform {{
  required_providers {{
    aws = {{
      source = "hashicorp/aws"
    }}
  }}
}}
variable "aws_region" {{
  default = "us-east-1"
}}
locals {{
  default = {default}
  other   = {other}
}}
provider "aws" {{
  region = local.default
}}
provider "aws" {{
  alias  = "other"
  region = local.other
}}
resource "terraform_data" "a" {{
  input = local.default
}}
"#
    )
}

async fn with_state() -> (TestEmulator, Session) {
    let moto = harness::emulator().await;
    let aws = moto.session("us-east-1");
    aws.s3().create_bucket().bucket("state").send().await.expect("a bucket for state");
    (moto, aws)
}

async fn refused(site: &Site) -> String {
    let planned = site
        .workdir()
        .await
        .plan_base(&Default::default(), &Default::default(), &Default::default(), &Notes::default())
        .await;
    planned.expect_err("it cannot be planned").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn computed_regions_are_asked_of_the_provider_and_the_lost_one_is_refused() {
    let (moto, _aws) = with_state().await;
    let right = root("lower(upper(var.aws_region))", "format(\"%s-%d\", \"ap-south\", 1)");
    let site = Site::in_s3(&[("main.tf", &right)], moto.endpoint());
    let workdir = site.workdir().await;
    workdir
        .plan_base(&Default::default(), &Default::default(), &Default::default(), &Notes::default())
        .await
        .expect("both are known, and right");
    workdir.apply("base", &Notes::default()).await.expect("applied");
    let state = workdir.state(&Notes::default()).await.expect("a state");
    assert_eq!(state.resources.keys().collect::<Vec<_>>(), ["terraform_data.a"], "the questions leave nothing behind");
    assert!(!files(&site.path("run/terraform/tree")).contains(&"lifeboat_regions.tf".to_owned()));

    site.write("root/main.tf", &root("var.aws_region", "join(\"-\", [\"eu\", \"west\", \"2\"])"));
    workdir.restage(false, None).await.expect("staged anew");
    let said = refused(&site).await;
    assert!(said.contains("provider aws.other is configured for eu-west-2"), "{said}");
    site.write("root/main.tf", &root("lower(\"AP-SOUTH-1\")", "var.aws_region"));
    site.workdir().await.restage(false, None).await.expect("staged anew");
    let said = refused(&site).await;
    assert!(said.contains("provider aws is configured for ap-south-1; the recovery region is us-east-1"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provider_itself_refuses_another_account() {
    let (moto, _aws) = with_state().await;
    let root = "provider \"aws\" {\n  region = \"us-east-1\"\n}\nprovider \"aws\" {\n  alias  = \"dns\"\n  region = \
                \"us-east-1\"\n}\ndata \"aws_caller_identity\" \"me\" {}\n";
    let mut site = Site::in_s3(&[("main.tf", root)], moto.endpoint());
    site.account = "210987654321";
    let said = refused(&site).await;
    assert!(said.contains("AWS account ID not allowed: 123456789012"), "{said}");
    site.account = harness::ACCOUNT;
    let planned = site
        .workdir()
        .await
        .plan_base(&Default::default(), &Default::default(), &Default::default(), &Notes::default())
        .await;
    planned.map_err(|error: TerraformError| error.to_string()).expect("it is the account of the credentials");
}
