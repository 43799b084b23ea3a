output "table_name" {
  description = "Name of the metadata table."
  value       = aws_dynamodb_table.metadata.name
}
