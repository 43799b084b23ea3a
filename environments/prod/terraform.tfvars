# streaming-logs, production, in its primary region.
#
# The recovery region gets these same values, except for what `variables` of region "recovery" in
# lifeboat.hcl says. Anything that names a region, a zone or an ARN must therefore either be absent
# here or be overridden there.

aws_region  = "eu-west-2"
environment = "prod"

tags = {
  Team       = "observability"
  CostCentre = "4711"
  "data/pii" = "yes" # access logs hold client addresses
}

# Network

vpc_cidr                   = "10.40.0.0/16"
availability_zone_suffixes = ["a", "b"]
allowed_cidr_blocks = [
  "10.8.0.0/16",   # VPN
  "10.96.12.0/24", # analytics
]

# Aurora

aurora_engine_version = "8.0.mysql_aurora.3.08.2"
aurora_min_capacity   = 0.5
aurora_max_capacity   = 16
aurora_instances      = 2 // a writer, and a reader in the other zone
aurora_backup_days    = 7
aurora_kms_key_arn    = null # the account's own RDS key, which every region has
master_username       = "logs_admin"
deletion_protection   = true

# Pipeline

log_retention_days = 90

delivery_buffer = {
  size_mib         = 64
  interval_seconds = 60
}

alarm_thresholds = {
  aurora   = { capacity_percent = 80 }
  delivery = { age_seconds = 600 }
  metadata = { throttled_requests = 10 }
}

dashboard_note = <<-EOT
  ## Streaming logs, production

  Late deliveries: look at the *S3Delivery* log stream first.
  The service has moved regions when `db.streaming-logs.example.com` points away from eu-west-2.
EOT

# Catalog: the columns that Athena sees. Partitions (year, month, day) are added by the delivery jobs.

catalog_tables = {
  app_logs = {
    prefix      = "app/"
    description = "Application logs, as Firehose delivers them"
    columns = [
      { name = "timestamp", type = "timestamp" },
      { name = "level", type = "string" },
      { name = "service", type = "string" },
      { name = "message", type = "string" },
    ]
  }
  access_logs = {
    prefix      = "access/"
    description = "One line per request at the load balancers"
    columns = [
      { name = "timestamp", type = "timestamp" },
      { name = "client", type = "string" },
      { name = "status", type = "int" },
      { name = "bytes", type = "bigint" },
      { name = "path", type = "string" },
    ]
  }
}
