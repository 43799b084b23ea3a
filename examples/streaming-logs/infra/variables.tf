variable "aws_region" {
  description = "Region that this copy of the stack lives in."
  type        = string
}

variable "environment" {
  description = "Environment; part of every name. The recovery region's copy needs its own, such as prod-dr."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.environment))
    error_message = "An environment is 2 to 21 small letters, digits and hyphens: it becomes part of S3, RDS and IAM names."
  }
}

variable "service" {
  description = "Service; the beginning of every name."
  type        = string
  default     = "streaming-logs"
}

variable "tags" {
  description = "Tags for every resource, beside Service, Environment and ManagedBy."
  type        = map(string)
  default     = {}
}

# Network

variable "vpc_cidr" {
  description = "Address range of the VPC. Subnets are cut from it, 8 bits longer."
  type        = string
  default     = "10.40.0.0/16"
}

variable "availability_zone_suffixes" {
  description = "Letters of the zones to use, appended to the region's name: a list of zones would name the failed region."
  type        = list(string)
  default     = ["a", "b"]

  validation {
    condition     = length(var.availability_zone_suffixes) >= 2
    error_message = "Aurora needs subnets in at least two availability zones."
  }
}

variable "allowed_cidr_blocks" {
  description = "Address ranges that may reach the database."
  type        = list(string)
  default     = []
}

# Aurora

variable "aurora_engine_version" {
  description = "Aurora MySQL version. Keep it equal to the version of the snapshots, or a restored cluster is upgraded when it is adopted."
  type        = string
  default     = "8.0.mysql_aurora.3.08.2"
}

variable "aurora_min_capacity" {
  description = "Smallest Aurora Serverless v2 capacity, in ACUs."
  type        = number
  default     = 0.5
}

variable "aurora_max_capacity" {
  description = "Largest Aurora Serverless v2 capacity, in ACUs."
  type        = number
  default     = 4
}

variable "aurora_instances" {
  description = "Instances in the Aurora cluster, the writer included."
  type        = number
  default     = 1
}

variable "aurora_backup_days" {
  description = "Days that Aurora keeps automated backups."
  type        = number
  default     = 7
}

variable "aurora_kms_key_arn" {
  description = "Key for the Aurora storage; null means the account's own RDS key. Keys are regional."
  type        = string
  default     = null
}

variable "master_username" {
  description = "Aurora's first user. A restored cluster keeps the user of its snapshot."
  type        = string
  default     = "logs_admin"
}

variable "master_password" {
  description = "Password of that user for a new cluster; null leaves it to Secrets Manager. A restored cluster keeps the password of its snapshot."
  type        = string
  default     = null
  sensitive   = true
}

variable "deletion_protection" {
  description = "Refuse to delete the cluster, the table, and buckets that still hold objects."
  type        = bool
  default     = true
}

# Pipeline

variable "log_retention_days" {
  description = "Days that CloudWatch keeps the log groups."
  type        = number
  default     = 30
}

variable "delivery_buffer" {
  description = "What Firehose gathers before it writes an object: whichever is reached first."
  type = object({
    size_mib         = number
    interval_seconds = number
  })
  default = {
    size_mib         = 64
    interval_seconds = 300
  }
}

variable "alarm_thresholds" {
  description = "Thresholds of the alarms, by component."
  type = object({
    aurora   = object({ capacity_percent = number })
    delivery = object({ age_seconds = number })
    metadata = object({ throttled_requests = number })
  })
  default = {
    aurora   = { capacity_percent = 80 }
    delivery = { age_seconds = 900 }
    metadata = { throttled_requests = 10 }
  }
}

variable "dashboard_note" {
  description = "Markdown at the top of the dashboard."
  type        = string
  default     = "Streaming logs."
}

# Catalog

variable "catalog_tables" {
  description = "Glue tables over the logs bucket, all partitioned by year, month and day."
  type = map(object({
    prefix      = string
    description = optional(string, "")
    columns     = list(object({ name = string, type = string }))
  }))
  default = {
    app_logs = {
      prefix = "app/"
      columns = [
        { name = "timestamp", type = "timestamp" },
        { name = "level", type = "string" },
        { name = "message", type = "string" },
      ]
    }
    access_logs = {
      prefix = "access/"
      columns = [
        { name = "timestamp", type = "timestamp" },
        { name = "status", type = "int" },
        { name = "path", type = "string" },
      ]
    }
  }
}
