# How streaming-logs, development, moves from London to Northern Virginia. It is the environment for
# practising: what each part is for is said in ../prod/lifeboat.hcl.

service = "streaming-logs"
account = "123456789012"

terraform {
  root      = "../../examples/streaming-logs/infra"
  var_files = ["terraform.tfvars"]
}

region "primary" {
  name      = "eu-west-2"
  workspace = "dev"

  backend = {
    bucket = "streaming-logs-terraform-state"
    key    = "logs.tfstate"
  }
}

region "recovery" {
  name      = "us-east-1"
  workspace = "dev-dr"

  backend = {
    bucket       = "streaming-logs-terraform-state-dr"
    key          = "logs.tfstate"
    use_lockfile = true
  }

  variables = {
    aws_region  = "us-east-1"
    environment = "dev-dr"
  }
}

# Development may take twice as long as production; what may be lost is the same.
objective "system" {
  rto = "12h"
  rpo = "1h"
}

objective "infrastructure" {
  rto = "4h"
}

objective "aurora" {
  rto = "8h"
  rpo = "15m"
}

# A backup's RPO is its age: these stand for hourly backups. The minute that is promised elsewhere is
# that of point-in-time recovery, which does not leave its region.
objective "table" {
  rto = "4h"
  rpo = "1h"
}

# What S3 Replication Time Control promises for all but one object in a thousand.
objective "bucket" {
  rto = "2h"
  rpo = "15m"
}

# The catalog is exported every night.
objective "catalog" {
  rto = "2h"
  rpo = "24h"
}

aurora "logs" {
  source    = "streaming-logs-aurora-dev"
  target    = "streaming-logs-aurora-dev-dr"
  from      = latest_snapshot
  instances = 1
  adopt     = "module.database.aws_rds_cluster.logs"
}

table "metadata" {
  source = "streaming-logs-metadata-dev"
  target = "streaming-logs-metadata-dev-dr"
  from   = latest_backup
  adopt  = "module.metadata.aws_dynamodb_table.metadata"
  verify = [items >= 10]
}

bucket "logs" {
  source = "streaming-logs-logs-dev-backup"
  target = "streaming-logs-logs-dev-dr"
}

catalog "logs" {
  source = "streaming_logs_dev"
  target = "streaming_logs_dev_dr"
  from   = export("s3://streaming-logs-logs-dev-catalog/streaming_logs_dev.json")

  locations = {
    "s3://streaming-logs-logs-dev/" = "s3://streaming-logs-logs-dev-dr/"
  }

  verify = [tables >= 2]
}

check "pipeline" {
  command = ["../../examples/streaming-logs/integration_test.sh", "--environment", "dev-dr"]
  timeout = "2m"
}

guard {
  protect       = ["module.database", "module.metadata"]
  required_tags = ["Team"]
}

cutover "public" {
  zone = "dev.streaming-logs.example.com"

  record "db.dev.streaming-logs.example.com" {
    type   = "CNAME"
    ttl    = 60
    values = [aurora.logs.endpoint]
  }

  record "ingest.dev.streaming-logs.example.com" {
    type   = "CNAME"
    ttl    = 60
    values = [terraform.output.ingest_endpoint]
  }
}
