variable "service" {
  description = "Beginning of the bucket names."
  type        = string
}

variable "environment" {
  description = "End of the bucket names."
  type        = string
}

variable "force_destroy" {
  description = "Delete the logs bucket even when it still holds objects."
  type        = bool
}
