package old

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
)

// Eksctl is the skeleton of mumoshu/eksctl.
func Eksctl() *schema.Provider {
	return &schema.Provider{
		Schema: fields{"assume_role": assumeRole()},
		ResourcesMap: map[string]*schema.Resource{
			"eksctl_courier_alb":            courierALB(),
			"eksctl_courier_route53_record": courierRoute53(),
			"eksctl_cluster":                cluster(),
			"eksctl_nodegroup":              nodegroup(),
			"eksctl_iamserviceaccount":      serviceAccount(),
		},
	}
}

func nothing(*schema.ResourceData) map[string]any { return nil }

// courier holds what both couriers have.
func courier(more fields) fields {
	f := fields{
		"region":            text(defaults("")),
		"profile":           text(defaults("")),
		"address":           text(defaults("")),
		"assume_role":       assumeRole(),
		"step_weight":       integer(required),
		"step_interval":     text(required),
		"datadog_metric":    metric(),
		"cloudwatch_metric": metric(),
	}
	maps.Copy(f, more)
	return f
}

func metric() *schema.Schema {
	return blocks(schema.TypeList, fields{
		"name":        text(required),
		"query":       text(required),
		"max":         number(),
		"min":         number(),
		"interval":    text(defaults("1m")),
		"address":     text(defaults("")),
		"aws_region":  text(defaults("")),
		"aws_profile": text(defaults("")),
	})
}

func courierALB() *schema.Resource {
	exclusive := func(others ...string) option {
		return func(s *schema.Schema) { s.ConflictsWith = others }
	}
	return resource(courier(fields{
		"listener_arn":  text(required),
		"priority":      integer(defaults(10)),
		"hosts":         textSet(exclusive("methods", "path_patterns", "source_ips")),
		"methods":       textSet(exclusive("hosts", "path_patterns", "source_ips")),
		"path_patterns": textSet(exclusive("hosts", "methods", "source_ips")),
		"source_ips":    textSet(exclusive("hosts", "methods", "path_patterns")),
		// The old one declared a map of lists, which the SDK cannot write: no state has it.
		"headers":      textMap(),
		"querystrings": textMap(),
		"destination":  blocks(schema.TypeList, fields{"target_group_arn": text(required), "weight": integer(required)}),
	}), xid("listener_arn", "priority"), nothing)
}

func courierRoute53() *schema.Resource {
	return resource(courier(fields{
		"zone_id":     text(required),
		"name":        text(required),
		"destination": blocks(schema.TypeList, fields{"set_identifier": text(required), "weight": integer(required)}),
	}), xid("zone_id", "name"), nothing)
}

func cluster() *schema.Resource {
	mapping := func() fields {
		return fields{"iamarn": text(required), "username": text(required), "groups": texts(required)}
	}
	return resource(fields{
		"region":               text(required, replaces, func(s *schema.Schema) { s.DefaultFunc = schema.EnvDefaultFunc("AWS_DEFAULT_REGION", nil) }),
		"profile":              text(defaults("")),
		"assume_role":          assumeRole(),
		"name":                 text(required, replaces),
		"vpc_id":               text(replaces),
		"api_version":          text(defaults("eksctl.io/v1alpha5")),
		"version":              text(defaults("1.16")),
		"tags":                 textMap(replaces),
		"revision":             integer(),
		"eksctl_bin":           text(defaults("eksctl")),
		"eksctl_version":       text(defaults("")),
		"kubectl_bin":          text(defaults("kubectl")),
		"kubeconfig_path":      text(maybe),
		"spec":                 text(required),
		"drain_node_groups":    of(schema.TypeMap, schema.TypeBool),
		"iam_identity_mapping": blocks(schema.TypeSet, mapping()),
		"aws_auth_configmap":   blocks(schema.TypeSet, mapping(), computed),
		"output":               text(computed),
		"oidc_provider_url":    text(computed),
		"oidc_provider_arn":    text(computed),
		"security_group_ids":   texts(computed),
		"pods_readiness_check": blocks(schema.TypeList, fields{"namespace": text(required), "labels": textMap(required), "timeout_sec": integer(defaults(300))}),
		"manifests":            texts(),
		"kubernetes_resource_deletion_before_destroy": blocks(schema.TypeList, fields{"namespace": text(required), "kind": text(required), "name": text(required)}),
	}, xid("name", "region"), clusterComputed)
}

func clusterComputed(d *schema.ResourceData) map[string]any {
	name, region := fmt.Sprint(d.Get("name")), fmt.Sprint(d.Get("region"))
	issuer := fmt.Sprintf("oidc.eks.%s.amazonaws.com/id/%032X", region, len(name))
	out := map[string]any{
		"output":             "[ℹ]  EKS cluster \"" + name + "\" in \"" + region + "\" region is ready\n",
		"oidc_provider_url":  "https://" + issuer,
		"oidc_provider_arn":  "arn:aws:iam::000000000000:oidc-provider/" + issuer,
		"security_group_ids": []string{"sg-0123456789abcdef0"},
		"aws_auth_configmap": d.Get("iam_identity_mapping"),
	}
	if d.Get("kubeconfig_path") == "" {
		out["kubeconfig_path"] = filepath.Join(os.TempDir(), "tf-eksctl-kubeconfig123456789")
	}
	return out
}

func nodegroup() *schema.Resource {
	f := fields{
		"cluster": text(required, replaces), "name": text(required, replaces),
		"tags": textMap(replaces), "node_labels": textMap(replaces),
		"drain":       boolean(replaces, defaults(true)),
		"assume_role": assumeRole(), "output": text(computed),
	}
	for _, k := range []string{
		"eksctl_version", "region", "version", "node_type", "node_volume_type", "ssh_public_key", "node_ami",
		"node_ami_family", "instance_prefix", "instance_name", "cfn_role_arn",
	} {
		f[k] = text(replaces)
	}
	for _, k := range []string{"nodes", "nodes_min", "nodes_max", "node_volume_size"} {
		f[k] = integer(replaces)
	}
	// Early releases had misspelt names instead of instance_types and external_dns_access.
	for _, k := range []string{"node_security_groups", "node_zones", "instance_types", "instanec_types"} {
		f[k] = texts(replaces)
	}
	for _, k := range []string{
		"ssh_access", "enable_ssm", "node_private_networking", "disable_pod_imds", "managed", "spot", "asg_access",
		"external_dns_access", "exernal_dns_access", "full_ecr_access", "appmesh_access", "appmesh_preview_access", "alb_ingress_access",
		"install_neuron_plugin", "install_nvidia_plugin", "cfn_disable_rollback",
	} {
		f[k] = boolean(replaces)
	}
	return resource(f, decimal("cluster", "name"), func(d *schema.ResourceData) map[string]any {
		return map[string]any{"output": fmt.Sprintf("[✔]  created 1 nodegroup(s) in cluster %q\n", d.Get("cluster"))}
	})
}

// The ID of a service account is not known: the old provider's last public version never
// set one. It is taken to be like a node group's.
func serviceAccount() *schema.Resource {
	return resource(fields{
		"namespace":                         text(replaces, defaults("default")),
		"name":                              text(required, replaces),
		"region":                            text(required, replaces),
		"profile":                           text(),
		"cluster":                           text(required, replaces),
		"override_existing_serviceaccounts": boolean(replaces),
		"attach_policy_arn":                 text(required, replaces),
		"assume_role":                       assumeRole(),
		"output":                            text(computed),
	}, decimal("cluster", "namespace", "name"), func(d *schema.ResourceData) map[string]any {
		return map[string]any{"output": fmt.Sprintf("[ℹ]  created serviceaccount \"%v/%v\"\n", d.Get("namespace"), d.Get("name"))}
	})
}
