# Two clusters that something else made (terraform-aws-modules/eks, eksctl by hand, the
# console), each with a target group that its nodes or pods are registered with. Only the
# traffic between them is norikae's: change the weights, apply, and it moves in judged steps.

terraform {
  required_providers {
    eksctl = {
      source  = "norikae/eksctl"
      version = ">= 0.1.0"
    }
  }
}

variable "listener_arn" {
  type        = string
  description = "ARN of the Application Load Balancer's listener."
}

variable "host" {
  type        = string
  description = "Host name whose requests are shared out."
}

variable "target_group_arns" {
  type        = object({ blue = string, green = string })
  description = "Target groups of the two clusters."
}

variable "weights" {
  type        = object({ blue = number, green = number })
  description = "The split to end at. Swap the two to move everything."
  default     = { blue = 100, green = 0 }
}

variable "pace" {
  type        = object({ step_weight = number, step_interval = string, bake = string })
  description = "Percent of the move per step, how long each is held at least, and how long the end is watched with rollback armed."
  default     = { step_weight = 10, step_interval = "1m", bake = "5m" }
}

resource "eksctl_courier_alb" "web" {
  listener_arn  = var.listener_arn
  priority      = 20
  hosts         = [var.host]
  step_weight   = var.pace.step_weight
  step_interval = var.pace.step_interval
  bake          = var.pace.bake

  destination {
    target_group_arn = var.target_group_arns.blue
    weight           = var.weights.blue
  }
  destination {
    target_group_arn = var.target_group_arns.green
    weight           = var.weights.green
  }
}

output "live" {
  description = "The weights that are live."
  value       = eksctl_courier_alb.web.live_weights
}
