variable "database_name" {
  description = "Name of the Glue database."
  type        = string
}

variable "logs_bucket" {
  description = "Bucket that the tables lie over."
  type        = string
}

variable "tables" {
  description = "Tables, by name."
  type = map(object({
    prefix      = string
    description = string
    columns     = list(object({ name = string, type = string }))
  }))
}
