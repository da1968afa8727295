variable "name" {
  type = string
}

variable "region" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  type        = map(string)
  description = "Private subnets of the VPC, by availability zone."
}

variable "kubernetes_version" {
  type    = string
  default = "1.33"
}

variable "nodes" {
  type    = number
  default = 2
}
