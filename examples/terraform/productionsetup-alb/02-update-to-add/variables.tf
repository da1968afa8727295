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

variable "security_group_id" {
  type        = string
  description = "Lets the load balancer reach the nodes."
}

variable "alb_listener_arn" {
  type = string
}

variable "host" {
  type = string
}

variable "pace" {
  type        = object({ step_weight = number, step_interval = string, bake = string })
  description = "Percent of the move per step, how long each is held at least, and how long the end is watched with rollback armed."
  default     = { step_weight = 10, step_interval = "1m", bake = "5m" }
}

variable "target_type" {
  type        = string
  description = "What the target groups take: instances, as node groups are, or ip."
  default     = "instance"
}

variable "targets" {
  type        = map(object({ color = string, ip = string, port = number }))
  description = "Targets that no node group registers, by any name."
  default     = {}
}
