output "aurora_endpoint" {
  description = "Writer endpoint of the Aurora cluster."
  value       = module.database.endpoint
}

output "logs_bucket" {
  description = "Bucket that the logs are delivered to."
  value       = module.storage.logs_bucket
}

output "metadata_table" {
  description = "DynamoDB table of the metadata."
  value       = module.metadata.table_name
}

output "glue_database" {
  description = "Glue database that Athena queries."
  value       = module.catalog.database_name
}

output "firehose_stream" {
  description = "Firehose stream that the log groups feed."
  value       = module.pipeline.firehose_stream
}

output "athena_workgroup" {
  description = "Athena workgroup for queries over the logs."
  value       = module.pipeline.athena_workgroup
}

output "ingest_endpoint" {
  description = "Host name that producers of this region send to. The ingestion itself is another stack; the name follows from its convention."
  value       = "ingest.${var.aws_region}.${var.service}.example.com"
}
