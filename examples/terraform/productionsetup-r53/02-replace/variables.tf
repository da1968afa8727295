variable "region" {
  type = string
}

variable "zone_id" {
  type        = string
  description = "ID of the hosted zone."
}

variable "name" {
  type        = string
  description = "The DNS name whose records are weighted."
}

variable "load_balancer_arns" {
  type        = object({ blue = string, green = string })
  description = "Application Load Balancers of the two clusters."
}

variable "pace" {
  type        = object({ step_weight = number, step_interval = string, bake = string })
  description = "Percent of the move per step, how long each is held at least, and how long the end is watched with rollback armed."
  default     = { step_weight = 10, step_interval = "1m", bake = "5m" }
}
