variable "service" {
  description = "Beginning of the table's name."
  type        = string
}

variable "environment" {
  description = "End of the table's name."
  type        = string
}

variable "deletion_protection" {
  description = "Refuse to delete the table."
  type        = bool
}

variable "throttle_threshold" {
  description = "Throttled writes in five minutes that raise the alarm."
  type        = number
}

variable "alarm_topic_arn" {
  description = "SNS topic that the alarm tells."
  type        = string
}
