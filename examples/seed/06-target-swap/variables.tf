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

variable "alb_listener_arn" {
  type        = string
  description = "Of the load balancer that clients reach."
}

variable "pace" {
  type        = object({ step_weight = number, step_interval = string, bake = string })
  description = "Percent of the move per step, how long each is held at least, and how long the end is watched with rollback armed."
  default     = { step_weight = 10, step_interval = "1m", bake = "5m" }
}
