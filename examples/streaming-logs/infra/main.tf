# The streaming-logs service: log groups feed a Firehose stream, which writes to a bucket that
# Athena reads through the Glue catalog; metadata lives in DynamoDB and in Aurora.
#
# Every name carries the environment. S3 and IAM names are global, so the recovery region's copy
# can stand beside the primary only because "prod" and "prod-dr" are different environments.

locals {
  tags = merge(var.tags, {
    Service     = var.service
    Environment = var.environment
    ManagedBy   = "terraform"
  })
}

module "network" {
  source = "./modules/network"

  name                = "${var.service}-${var.environment}"
  vpc_cidr            = var.vpc_cidr
  availability_zones  = [for suffix in var.availability_zone_suffixes : "${var.aws_region}${suffix}"]
  allowed_cidr_blocks = var.allowed_cidr_blocks
}

module "storage" {
  source = "./modules/storage"

  service       = var.service
  environment   = var.environment
  force_destroy = !var.deletion_protection
}

module "metadata" {
  source = "./modules/metadata"

  service             = var.service
  environment         = var.environment
  deletion_protection = var.deletion_protection
  throttle_threshold  = var.alarm_thresholds.metadata.throttled_requests
  alarm_topic_arn     = module.pipeline.alarm_topic_arn
}

module "database" {
  source = "./modules/database"

  service             = var.service
  environment         = var.environment
  subnet_ids          = module.network.private_subnet_ids
  security_group_ids  = [module.network.database_security_group_id]
  engine_version      = var.aurora_engine_version
  min_capacity        = var.aurora_min_capacity
  max_capacity        = var.aurora_max_capacity
  instances           = var.aurora_instances
  backup_days         = var.aurora_backup_days
  master_username     = var.master_username
  master_password     = var.master_password
  kms_key_arn         = var.aurora_kms_key_arn
  deletion_protection = var.deletion_protection
  capacity_threshold  = var.alarm_thresholds.aurora.capacity_percent
  alarm_topic_arn     = module.pipeline.alarm_topic_arn
}

module "catalog" {
  source = "./modules/catalog"

  database_name = replace("${var.service}_${var.environment}", "-", "_")
  logs_bucket   = module.storage.logs_bucket
  tables        = var.catalog_tables
}

module "pipeline" {
  source = "./modules/pipeline"

  service              = var.service
  environment          = var.environment
  aws_region           = var.aws_region
  logs_bucket_arn      = module.storage.logs_bucket_arn
  athena_bucket        = module.storage.athena_bucket
  log_retention_days   = var.log_retention_days
  delivery_buffer      = var.delivery_buffer
  delivery_age_seconds = var.alarm_thresholds.delivery.age_seconds
  dashboard_note       = var.dashboard_note
  force_destroy        = !var.deletion_protection
}
