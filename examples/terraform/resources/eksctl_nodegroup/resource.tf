resource "eksctl_nodegroup" "batch" {
  cluster                 = "green"
  region                  = "us-east-1"
  name                    = "batch"
  managed                 = true
  spot                    = true
  instance_types          = ["m7g.large", "m6g.large"]
  nodes_min               = 0
  nodes_max               = 10
  node_private_networking = true
  node_labels             = { workload = "batch" }
}
