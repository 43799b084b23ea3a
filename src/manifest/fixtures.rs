//! Manifests and a root for the tests of this room.

use std::fs;

use super::load;
use crate::manifest::Manifest;

const ROOT: &str = r#"
variable "aws_region" {}
variable "environment" {}
variable "password" {
  default   = null
  sensitive = true
}
output "lb_dns" {
  value = "x"
}
output "secret" {
  value     = "x"
  sensitive = true
}
resource "aws_rds_cluster" "logs" {}
module "data" {
  source = "./data"
}
"#;

const DATA: &str = "resource \"aws_dynamodb_table\" \"metadata\" {\n  for_each = toset([])\n}\n";

/// The smallest manifest; what tests add follows it.
pub(super) const HEAD: &str = r#"service = "logs"
account = "123456789012"
terraform {
  root = "../../infra"
}
region "primary" {
  name      = "eu-west-2"
  workspace = "prod"
  backend   = { bucket = "state", key = "logs.tfstate" }
}
region "recovery" {
  name      = "us-east-1"
  workspace = "prod-dr"
  backend   = { bucket = "state-dr", key = "logs.tfstate" }
}
"#;

pub(super) const WHOLE: &str = r#"
objective "system" { rto = "6h" }
objective "aurora" {
  rto = "1h30m"
  rpo = "0s"
}
aurora "logs" {
  source          = "logs-prod"
  target          = "logs-prod-dr"
  from            = snapshot("rds:logs-prod-2026-01-01")
  instances       = 2
  adopt           = "aws_rds_cluster.logs"
  subnet_group    = "main"
  security_groups = ["sg-0123456789abcdef0"]
}
table "metadata" {
  source = "metadata-prod"
  target = "metadata-prod-dr"
  from   = latest_backup
  adopt  = "module.data.aws_dynamodb_table.metadata[\"a\"]"
  verify = [items >= 1000, items < 2000]
}
bucket "logs" {
  source = "logs-backup"
  target = "logs-dr"
  verify = [objects == 1, bytes > 1]
}
catalog "logs" {
  source    = "logs_prod"
  target    = "logs_prod_dr"
  from      = export("s3://exports/logs.json")
  locations = { "s3://old-bucket/" = "s3://new-bucket/" }
  verify    = [tables >= 2, partitions <= 24, athena("SELECT COUNT(*) FROM events") >= 1]
  athena {
    output = "s3://athena-dr/results/"
  }
}
catalog "copy" {
  source    = "copy_prod"
  target    = "copy_prod_dr"
  from      = replica("copy_replica")
  locations = {}
}
check "pipeline" {
  command = ["./check.sh", "--env", "prod-dr"]
  timeout = "2m"
}
check "web" {
  http {
    url      = terraform.output.lb_dns
    contains = "ok"
  }
}
cutover "public" {
  zone = "example.com."
  record "db.example.com" {
    type   = "CNAME"
    ttl    = 60
    values = [aurora.logs.reader_endpoint]
  }
  record "www.example.com." {
    type           = "A"
    set_identifier = "recovery"
    weight         = 255
    alias {
      name                   = terraform.output.lb_dns
      zone_id                = "Z35SXDOTRQ7X7K"
      evaluate_target_health = true
    }
  }
}
"#;

/// A folder with a Terraform root and three environments, of which one has no manifest.
pub(super) struct World(pub tempfile::TempDir);

impl World {
    pub fn new(manifest: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("infra/main.tf", ROOT.as_bytes()),
            ("infra/data/main.tf", DATA.as_bytes()),
            ("environments/prod/lifeboat.hcl", manifest),
            ("environments/dev/lifeboat.hcl", b""),
            ("environments/empty/terraform.tfvars", b""),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    pub fn load(&self, env: &str) -> Result<Manifest, String> {
        let base = self.0.path().to_string_lossy().into_owned();
        let loaded = load(&self.0.path().join("environments"), env);
        loaded.map_err(|invalid| invalid.render(false, 100).replace(&base, ""))
    }
}

pub(super) fn valid(rest: &str) -> Manifest {
    World::new(format!("{HEAD}{rest}").as_bytes()).load("prod").unwrap_or_else(|text| panic!("{text}"))
}

/// What is said about the smallest manifest with something added.
pub(super) fn refused(rest: &str) -> String {
    refused_whole(&format!("{HEAD}{rest}"))
}

pub(super) fn refused_whole(text: &str) -> String {
    match World::new(text.as_bytes()).load("prod") {
        Err(said) => said,
        Ok(manifest) => panic!("{manifest:#?}"),
    }
}
