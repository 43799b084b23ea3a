# Aurora Serverless v2.
#
# In a failover the cluster and its instances are restored from a snapshot through the API, in the
# groups below, and then adopted with import blocks. The groups therefore must not depend on them.

locals {
  identifier = "${var.service}-aurora-${var.environment}"
}

resource "aws_db_subnet_group" "logs" {
  name        = local.identifier
  description = "Private subnets of ${local.identifier}"
  subnet_ids  = var.subnet_ids
}

resource "aws_rds_cluster_parameter_group" "logs" {
  name        = local.identifier
  family      = "aurora-mysql8.0"
  description = "Settings of ${local.identifier}"

  parameter {
    name  = "slow_query_log"
    value = "1"
  }

  parameter {
    name  = "long_query_time"
    value = "2"
  }
}

resource "aws_rds_cluster" "logs" {
  cluster_identifier = local.identifier
  engine             = "aurora-mysql"
  engine_version     = var.engine_version
  database_name      = "logs"

  master_username             = var.master_username
  master_password             = var.master_password
  manage_master_user_password = var.master_password == null ? true : null

  db_subnet_group_name            = aws_db_subnet_group.logs.name
  vpc_security_group_ids          = var.security_group_ids
  db_cluster_parameter_group_name = aws_rds_cluster_parameter_group.logs.name

  storage_encrypted = true
  kms_key_id        = var.kms_key_arn

  backup_retention_period         = var.backup_days
  copy_tags_to_snapshot           = true
  enabled_cloudwatch_logs_exports = ["error", "slowquery"]
  deletion_protection             = var.deletion_protection

  # The recovery points are the automated backups and the copied snapshots. A final snapshot would
  # also keep its name after the cluster is gone, and block the next one.
  skip_final_snapshot = true

  serverlessv2_scaling_configuration {
    min_capacity = var.min_capacity
    max_capacity = var.max_capacity
  }

  lifecycle {
    ignore_changes = [
      # A restored cluster has the user, the password and the first database of its snapshot. The
      # password cannot be read back, so that any plan after an import would set it anew and lock
      # the applications out; a user or a database named differently would even replace the
      # cluster, and with it the restored data.
      master_username,
      master_password,
      manage_master_user_password,
      database_name,
      # The copy of a snapshot in another region is encrypted with a key of that region. A change
      # of key replaces the cluster as well.
      kms_key_id,
      # Neither is in use, and neither is read back after an import: adopting would show them as
      # changes of the cluster (null to false) where nothing changes.
      enable_global_write_forwarding,
      enable_local_write_forwarding,
      # Belongs to Serverless v1. AWS leaves it out for this cluster; moto, which rehearsals run
      # against, answers with an empty one, and each plan would offer to fill it with defaults.
      scaling_configuration,
    ]
  }
}

# Without a subnet group: an instance is in that of its cluster, and naming another, or one that
# reads back empty after an import, would replace the instance.
resource "aws_rds_cluster_instance" "logs" {
  count = var.instances

  identifier         = "${local.identifier}-${count.index + 1}"
  cluster_identifier = aws_rds_cluster.logs.id
  instance_class     = "db.serverless"
  engine             = aws_rds_cluster.logs.engine
  engine_version     = aws_rds_cluster.logs.engine_version

  # What AWS gives an instance by itself. Terraform's own default is 0, and would change every
  # instance that was created through the API.
  promotion_tier = 1
}

resource "aws_cloudwatch_metric_alarm" "capacity" {
  alarm_name          = "${local.identifier}-capacity"
  alarm_description   = "Aurora runs close to its largest capacity."
  namespace           = "AWS/RDS"
  metric_name         = "ACUUtilization"
  dimensions          = { DBClusterIdentifier = aws_rds_cluster.logs.id }
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.capacity_threshold
  period              = 300
  evaluation_periods  = 3
  alarm_actions       = [var.alarm_topic_arn]
}
