# How streaming-logs, production, moves from London to Northern Virginia.
#
#   lifeboat plan failover prod   can it be done now, and how much would be lost
#   lifeboat rehearse prod        all of it on this machine, touching nothing real
#   lifeboat failover prod        the real thing
#
# Paths are relative to this file. Nothing below may need the primary region to answer: recovery
# points, backup bucket, export and state all stand in the recovery region already.

service = "streaming-logs"
account = "123456789012" # any other account is refused before anything is written

terraform {
  root         = "../../examples/streaming-logs/infra"
  var_files    = ["terraform.tfvars"]
  lock_timeout = "2m"
}

# Where the service lives on an ordinary day.
region "primary" {
  name      = "eu-west-2"
  workspace = "prod"

  backend = {
    bucket = "streaming-logs-terraform-state"
    key    = "logs.tfstate"
  }
}

# Where it goes. Its own state bucket, so that the way out does not lead through the failed region.
region "recovery" {
  name      = "us-east-1"
  workspace = "prod-dr"

  backend = {
    bucket       = "streaming-logs-terraform-state-dr"
    key          = "logs.tfstate"
    use_lockfile = true
  }

  # These win over terraform.tfvars. The environment's name goes into every S3 and IAM name, which
  # are global, so it has to differ from "prod". One Aurora instance serves; the second can be added
  # with an ordinary apply when the night is over.
  variables = {
    aws_region       = "us-east-1"
    environment      = "prod-dr"
    aurora_instances = 1
  }
}

# The promises, from the recovery time objectives in the disaster recovery procedures.
objective "system" {
  rto = "6h"
  rpo = "1h"
}

# The log pipeline: nothing of it is restored, it is what Terraform builds.
objective "infrastructure" {
  rto = "2h"
}

objective "aurora" {
  rto = "4h"
  rpo = "15m"
}

# A backup's RPO is its age: these stand for hourly backups. The minute that is promised elsewhere is
# that of point-in-time recovery, which does not leave its region.
objective "table" {
  rto = "2h"
  rpo = "1h"
}

# What S3 Replication Time Control promises for all but one object in a thousand.
objective "bucket" {
  rto = "1h"
  rpo = "15m"
}

# The catalog is exported every night.
objective "catalog" {
  rto = "1h"
  rpo = "24h"
}

# What is brought back. Each `adopt` is an address in the Terraform root: the restored cluster or
# table is put under Terraform's care there, and is never created empty and then overwritten.

aurora "logs" {
  source    = "streaming-logs-aurora-prod"
  target    = "streaming-logs-aurora-prod-dr"
  from      = latest_snapshot # or snapshot("name or ARN") to choose one
  adopt     = "module.database.aws_rds_cluster.logs"
}

table "metadata" {
  source = "streaming-logs-metadata-prod"
  target = "streaming-logs-metadata-prod-dr"
  from   = latest_backup # or backup("ARN") to choose one
  adopt  = "module.metadata.aws_dynamodb_table.metadata"
  verify = [items >= 1000]
}

# The copy of the logs that replication keeps in the recovery region. Terraform builds the target;
# every object of the source must be in it, byte for byte.
bucket "logs" {
  source = "streaming-logs-logs-prod-backup"
  target = "streaming-logs-logs-prod-dr"
  verify = [objects >= 1, bytes >= 1]
}

# Glue has no backups of its own; the nightly export stands in for one. Locations in it name the
# primary's bucket and are rewritten.
catalog "logs" {
  source = "streaming_logs_prod"
  target = "streaming_logs_prod_dr"
  from   = export("s3://streaming-logs-logs-prod-catalog/streaming_logs_prod.json")

  locations = {
    "s3://streaming-logs-logs-prod/" = "s3://streaming-logs-logs-prod-dr/"
  }

  verify = [tables >= 2, partitions >= 24]
}

# Before any traffic moves: is the rebuilt pipeline there and active?
check "pipeline" {
  command = ["../../examples/streaming-logs/integration_test.sh", "--environment", "prod-dr"]
  timeout = "2m"
}

# What no plan of this stack may do, whoever made it: known before anything is changed. --override GUARD --because "…"
# lets it through all the same, and the report says so. `static` is left out: the pipeline's IAM roles are made with it.
guard {
  max_destroys  = 0
  protect       = ["module.database", "module.metadata"]
  protect_types = ["aws_kms_*", "aws_s3_bucket"]
  regions       = [] # besides the recovery region
  accounts      = [] # besides the one above
  required_tags = ["Team", "CostCentre"]
  names         = true
  # quotas      = true # in a real account: no emulator knows them, so that each rehearsal would warn of it
}

# After a breach the stack is taken down and built anew where it stands. Its buckets stay, and their objects are taken back in
# place; the database and the table go although they are protected above, and are restored from points before the breach.
rebuild {
  keep       = ["module.storage"]
  buckets    = ["streaming-logs-logs-prod"]
  replace    = ["module.database", "module.metadata"]
  workgroups = ["streaming-logs-prod"] # with the history of its queries, once that is in evidence
}

# Whose keys and sessions are shut out first, unless the command line names others; who breaks the glass never is.
containment {
  break_glass = ["arn:aws:iam::123456789012:role/break-glass"]
  users       = ["streaming-logs-deploy"]
  roles       = ["streaming-logs-ci"]
}

# What is kept before anything is taken down: in a bucket that is not of the stack, best in another account.
evidence {
  bucket = "streaming-logs-evidence"
  window = "72h"
}

# The last step, and the only one that users notice. Short TTLs, so that it takes a minute.
cutover "public" {
  zone = "streaming-logs.example.com"

  # What applications connect to.
  record "db.streaming-logs.example.com" {
    type   = "CNAME"
    ttl    = 60
    values = [aurora.logs.endpoint]
  }

  # Weighted: the recovery region takes everything, and the primary keeps its record with weight 0,
  # ready for the way back.
  record "ingest.streaming-logs.example.com" {
    type           = "CNAME"
    ttl            = 60
    set_identifier = "recovery"
    weight         = 100
    values         = [terraform.output.ingest_endpoint]
  }

  record "ingest.streaming-logs.example.com" {
    type           = "CNAME"
    ttl            = 60
    set_identifier = "primary"
    weight         = 0
    values         = ["ingest.eu-west-2.streaming-logs.example.com"]
  }
}
