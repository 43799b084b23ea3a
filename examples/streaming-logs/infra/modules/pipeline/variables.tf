variable "service" {
  description = "Beginning of every name in this module."
  type        = string
}

variable "environment" {
  description = "Environment; part of every name in this module."
  type        = string
}

variable "aws_region" {
  description = "Region that the dashboard's metrics come from."
  type        = string
}

variable "logs_bucket_arn" {
  description = "Bucket that Firehose delivers to."
  type        = string
}

variable "athena_bucket" {
  description = "Bucket that Athena writes results to."
  type        = string
}

variable "log_retention_days" {
  description = "Days that the log groups are kept."
  type        = number
}

variable "delivery_buffer" {
  description = "What Firehose gathers before it writes an object."
  type        = object({ size_mib = number, interval_seconds = number })
}

variable "delivery_age_seconds" {
  description = "Age of the oldest undelivered record that raises the alarm."
  type        = number
}

variable "dashboard_note" {
  description = "Markdown at the top of the dashboard."
  type        = string
}

variable "force_destroy" {
  description = "Delete the workgroup even when it holds queries."
  type        = bool
}
