output "logs_bucket" {
  description = "Name of the logs bucket."
  value       = aws_s3_bucket.logs.id
}

output "logs_bucket_arn" {
  description = "ARN of the logs bucket."
  value       = aws_s3_bucket.logs.arn
}

output "athena_bucket" {
  description = "Name of the bucket for query results."
  value       = aws_s3_bucket.athena.id
}
