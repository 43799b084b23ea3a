# What is known about each delivered object: where it came from, when, and until when it is kept.
#
# In a failover this table is restored from a backup through the API and then adopted with an
# import block. A restore brings the items, the keys and the indexes; time to live, streams,
# point-in-time recovery and tags have to be set again, by lifeboat or by the adopting apply.

resource "aws_dynamodb_table" "metadata" {
  name         = "${var.service}-metadata-${var.environment}"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "log_id"
  range_key    = "ingested_at"

  stream_enabled   = true
  stream_view_type = "NEW_AND_OLD_IMAGES"

  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "log_id"
    type = "S"
  }

  attribute {
    name = "ingested_at"
    type = "N"
  }

  attribute {
    name = "source"
    type = "S"
  }

  global_secondary_index {
    name            = "by-source"
    hash_key        = "source"
    range_key       = "ingested_at"
    projection_type = "ALL"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }
}

resource "aws_cloudwatch_metric_alarm" "throttled" {
  alarm_name          = "${aws_dynamodb_table.metadata.name}-throttled"
  alarm_description   = "Writes of metadata are being throttled."
  namespace           = "AWS/DynamoDB"
  metric_name         = "WriteThrottleEvents"
  dimensions          = { TableName = aws_dynamodb_table.metadata.name }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.throttle_threshold
  period              = 300
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.alarm_topic_arn]
}
