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

variable "gateway_replicas" {
  type        = number
  description = "Pods of the gateway."
  default     = 2
}

variable "agents_api_key" {
  type        = string
  description = "What the agents send their data with."
  sensitive   = true
}

variable "wait" {
  type        = bool
  description = "Whether an apply waits until all pods are ready."
  default     = true
}
