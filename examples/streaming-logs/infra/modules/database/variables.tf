variable "service" {
  description = "Beginning of every name in this module."
  type        = string
}

variable "environment" {
  description = "End of every name in this module."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of the cluster, in at least two zones."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups of the cluster."
  type        = list(string)
}

variable "engine_version" {
  description = "Aurora MySQL version."
  type        = string
}

variable "min_capacity" {
  description = "Smallest capacity, in ACUs."
  type        = number
}

variable "max_capacity" {
  description = "Largest capacity, in ACUs."
  type        = number
}

variable "instances" {
  description = "Instances in the cluster, the writer included."
  type        = number
}

variable "backup_days" {
  description = "Days that automated backups are kept."
  type        = number
}

variable "master_username" {
  description = "First user of a new cluster."
  type        = string
}

variable "master_password" {
  description = "Password of the first user of a new cluster; null leaves it to Secrets Manager."
  type        = string
  sensitive   = true
}

variable "kms_key_arn" {
  description = "Key for the storage of a new cluster; null means the account's own RDS key."
  type        = string
}

variable "deletion_protection" {
  description = "Refuse to delete the cluster."
  type        = bool
}

variable "capacity_threshold" {
  description = "Percentage of the largest capacity that raises the alarm."
  type        = number
}

variable "alarm_topic_arn" {
  description = "SNS topic that the alarm tells."
  type        = string
}
