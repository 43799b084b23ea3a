variable "name" {
  description = "Beginning of every name in this module."
  type        = string
}

variable "vpc_cidr" {
  description = "Address range of the VPC."
  type        = string
}

variable "availability_zones" {
  description = "Zones to put one private subnet in, each."
  type        = list(string)
}

variable "allowed_cidr_blocks" {
  description = "Address ranges outside the VPC that may reach the database."
  type        = list(string)
}
