# streaming-logs, development, in its primary region. See ../prod/terraform.tfvars for what the
# recovery region takes over from here.

aws_region  = "eu-west-2"
environment = "dev"

tags = {
  Team       = "observability"
  CostCentre = "4712"
}

vpc_cidr            = "10.41.0.0/16"
allowed_cidr_blocks = []

aurora_min_capacity = 0.5
aurora_max_capacity = 2
aurora_instances    = 1
aurora_backup_days  = 7
aurora_kms_key_arn  = null
deletion_protection = false

log_retention_days = 7

alarm_thresholds = {
  aurora   = { capacity_percent = 95 }
  delivery = { age_seconds = 1800 }
  metadata = { throttled_requests = 100 }
}

dashboard_note = <<-EOT
  ## Streaming logs, development
EOT
