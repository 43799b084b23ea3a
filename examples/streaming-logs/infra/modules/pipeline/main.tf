# Log group -> subscription filter -> Firehose -> logs bucket, and Athena to read it.

locals {
  stream = "${var.service}-${var.environment}"
}

resource "aws_cloudwatch_log_group" "app" {
  name              = "/${var.service}/${var.environment}/app"
  retention_in_days = var.log_retention_days
}

# Why a delivery failed is only said here, and only if group and stream are there beforehand.
resource "aws_cloudwatch_log_group" "delivery" {
  name              = "/aws/kinesisfirehose/${local.stream}"
  retention_in_days = var.log_retention_days
}

resource "aws_cloudwatch_log_stream" "delivery" {
  name           = "S3Delivery"
  log_group_name = aws_cloudwatch_log_group.delivery.name
}

resource "aws_kinesis_firehose_delivery_stream" "logs" {
  name        = local.stream
  destination = "extended_s3"

  extended_s3_configuration {
    role_arn            = aws_iam_role.firehose.arn
    bucket_arn          = var.logs_bucket_arn
    prefix              = "app/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/"
    error_output_prefix = "failed/!{firehose:error-output-type}/!{timestamp:yyyy-MM-dd}/"
    buffering_size      = var.delivery_buffer.size_mib
    buffering_interval  = var.delivery_buffer.interval_seconds
    compression_format  = "GZIP"

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.delivery.name
      log_stream_name = aws_cloudwatch_log_stream.delivery.name
    }
  }

  # Firehose tries the role when the stream is created.
  depends_on = [aws_iam_role_policy.firehose]
}

resource "aws_cloudwatch_log_subscription_filter" "app" {
  name            = "firehose"
  log_group_name  = aws_cloudwatch_log_group.app.name
  filter_pattern  = ""
  destination_arn = aws_kinesis_firehose_delivery_stream.logs.arn
  role_arn        = aws_iam_role.subscription.arn

  # CloudWatch Logs sends a test record when the filter is created.
  depends_on = [aws_iam_role_policy.subscription]
}

resource "aws_athena_workgroup" "logs" {
  name          = local.stream
  description   = "Queries over the logs of ${var.environment}"
  force_destroy = var.force_destroy

  configuration {
    enforce_workgroup_configuration = true

    result_configuration {
      output_location = "s3://${var.athena_bucket}/results/"
    }
  }
}
