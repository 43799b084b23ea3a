# Partial on purpose: bucket, key and region differ from one environment to the next and from the
# primary to the recovery region, so they are given with -backend-config. A lifeboat run writes
# them from lifeboat.hcl into its own copy of this root.
terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  backend "s3" {}
}

provider "aws" {
  region = var.aws_region

  default_tags {
    tags = local.tags
  }

  # lifeboat marks what it restores with the run and the recovery point. The marks stay: they are
  # not drift, and taking them away would be a change to the database in the middle of a recovery.
  ignore_tags {
    key_prefixes = ["lifeboat:"]
  }
}
