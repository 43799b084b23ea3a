resource "aws_sns_topic" "alarms" {
  name = "${var.service}-alarms-${var.environment}"
}

resource "aws_cloudwatch_metric_alarm" "delivery" {
  alarm_name          = "${local.stream}-delivery"
  alarm_description   = "Logs reach the bucket late, or not at all."
  namespace           = "AWS/Firehose"
  metric_name         = "DeliveryToS3.DataFreshness"
  dimensions          = { DeliveryStreamName = aws_kinesis_firehose_delivery_stream.logs.name }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.delivery_age_seconds
  period              = 300
  evaluation_periods  = 2
  alarm_actions       = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_dashboard" "logs" {
  dashboard_name = local.stream

  dashboard_body = jsonencode({
    widgets = [
      {
        type       = "text"
        x          = 0
        y          = 0
        width      = 24
        height     = 3
        properties = { markdown = var.dashboard_note }
      },
      {
        type   = "metric"
        x      = 0
        y      = 3
        width  = 24
        height = 6
        properties = {
          title  = "Age of the oldest undelivered record"
          region = var.aws_region
          stat   = "Maximum"
          period = 300
          metrics = [[
            "AWS/Firehose", "DeliveryToS3.DataFreshness",
            "DeliveryStreamName", aws_kinesis_firehose_delivery_stream.logs.name,
          ]]
        }
      },
    ]
  })
}
