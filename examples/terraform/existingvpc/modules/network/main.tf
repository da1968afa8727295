# The subnets of a VPC as eksctl's ClusterConfig names them: public and private, by
# availability zone. Load balancers find subnets by the same tags.

terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "vpc_id" {
  type = string
}

locals {
  role = { public = "elb", private = "internal-elb" }
}

data "aws_subnets" "by" {
  for_each = local.role

  filter {
    name   = "vpc-id"
    values = [var.vpc_id]
  }
  filter {
    name   = "tag:kubernetes.io/role/${each.value}"
    values = ["1"]
  }
}

data "aws_subnet" "each" {
  for_each = toset(flatten([for s in data.aws_subnets.by : s.ids]))

  id = each.value
}

output "subnets" {
  description = "vpc.subnets of a ClusterConfig. A zone has one subnet of each kind."
  value = {
    for kind, s in data.aws_subnets.by : kind => {
      for id in s.ids : data.aws_subnet.each[id].availability_zone => { id = id }
    }
  }
}
