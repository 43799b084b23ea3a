output "firehose_stream" {
  description = "Name of the Firehose stream."
  value       = aws_kinesis_firehose_delivery_stream.logs.name
}

output "athena_workgroup" {
  description = "Name of the Athena workgroup."
  value       = aws_athena_workgroup.logs.name
}

output "alarm_topic_arn" {
  description = "SNS topic that alarms tell."
  value       = aws_sns_topic.alarms.arn
}
