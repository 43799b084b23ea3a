output "endpoint" {
  description = "Writer endpoint."
  value       = aws_rds_cluster.logs.endpoint
}
