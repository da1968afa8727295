package eksctl

import (
	"context"
	"maps"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/listplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/setplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/eksctl"
	"github.com/norikae/norikae/internal/provider/connection"
)

const nameText = "1–100 letters, digits and -, a letter first"

var (
	clusterName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,99}$`)
	minor       = regexp.MustCompile(`^1\.[1-9][0-9]$`)
	release     = regexp.MustCompile(`^(v?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?)?$`)
	principal   = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$`)
)

func matches(r *regexp.Regexp, want string) []validator.String {
	return []validator.String{stringvalidator.RegexMatches(r, "must be "+want)}
}

func versionAttribute(text string, mods ...planmodifier.String) schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, Computed: true, MarkdownDescription: text, PlanModifiers: append([]planmodifier.String{connection.UnsetString()}, mods...),
		Validators: matches(release, "a release of eksctl, such as 0.215.0"),
	}
}

const eksctlVersionText = "Release of eksctl to run, such as `0.215.0`: exactly this one is fetched, checked against its published SHA-256 and kept. Default: none is fetched."

func output() schema.StringAttribute {
	return schema.StringAttribute{
		Computed: true, MarkdownDescription: "The end of what eksctl said in the last create or update: at most 64 KiB, without secrets.",
		PlanModifiers: keepString(),
	}
}

func keepString() []planmodifier.String {
	return []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
}

func unsetString(text string, mods ...planmodifier.String) schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, Computed: true, MarkdownDescription: text, PlanModifiers: append([]planmodifier.String{connection.UnsetString()}, mods...),
	}
}

// Schema implements resource.Resource.
func (r *clusterResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		Version: stateVersion,
		MarkdownDescription: "An EKS cluster that eksctl makes, changes and deletes. The ClusterConfig that eksctl gets is in the plan, as `cluster_config`.\n\n" +
			"An update upgrades the control plane by one minor version, creates node groups, service accounts and Fargate profiles that are new in `spec`, and deletes those that are no longer there, " +
			"once the nodes are drained. eksctl changes none that exists: give it another name to replace it. Of every other change the plan says that it is not applied.",
		Attributes: clusterAttributes(),
		Blocks: map[string]schema.Block{
			connection.Block:                              connection.ResourceBlock(),
			"iam_identity_mapping":                        mappingBlock(),
			"pods_readiness_check":                        readinessBlock(),
			"kubernetes_resource_deletion_before_destroy": deletionBlock(),
			attachmentName:                                attachmentBlock(),
			"timeouts": timeouts.Block(ctx, timeouts.Opts{
				Create: true, Update: true, Delete: true,
				CreateDescription: "How long creating may take, such as `90m`. Default: `60m`.",
				UpdateDescription: "How long an update may take, such as `90m`. Default: `60m`.",
				DeleteDescription: "How long deleting may take, such as `90m`. Default: `60m`.",
			}),
		},
	}
}

func clusterAttributes() map[string]schema.Attribute {
	replace := stringplanmodifier.RequiresReplace()
	attrs := map[string]schema.Attribute{
		"region": schema.StringAttribute{
			Optional: true, Computed: true, PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown(), replace},
			MarkdownDescription: "AWS region of the cluster. Default: the provider's, then `AWS_DEFAULT_REGION`, then `AWS_REGION`. Another one makes another cluster.",
		},
		"profile": unsetString("Profile of the shared AWS configuration files. Default: the provider's, then `AWS_PROFILE`."),
		"name": schema.StringAttribute{
			Required: true, PlanModifiers: []planmodifier.String{replace}, Validators: matches(clusterName, nameText),
			MarkdownDescription: "Name of the cluster: " + nameText + ". Another one makes another cluster.",
		},
		"vpc_id": unsetString("ID of an existing VPC to make the cluster in. Default: eksctl makes one, or takes the subnets of `spec`. Another one makes another cluster.", replaceString()),
		"api_version": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString(eksctl.DefaultAPIVersion),
			MarkdownDescription: "`apiVersion` of the ClusterConfig. Default: `" + eksctl.DefaultAPIVersion + "`.",
		},
		"version": schema.StringAttribute{
			Optional: true, Computed: true, PlanModifiers: keepString(), Validators: matches(minor, "a minor version of Kubernetes, such as \"1.33\""),
			MarkdownDescription: "Minor version of Kubernetes, such as `\"1.33\"`. Default: eksctl's. One minor more than the live one upgrades the control plane, and only that; anything else is refused at plan.",
		},
		"tags": schema.MapAttribute{
			ElementType: types.StringType, Optional: true, Computed: true, MarkdownDescription: "Tags of all that eksctl makes for the cluster. Others make another cluster.",
			PlanModifiers: []planmodifier.Map{connection.UnsetMap(), replaceMap()},
		},
		"revision": schema.Int64Attribute{
			Optional: true, Computed: true, PlanModifiers: []planmodifier.Int64{connection.UnsetInt64()},
			MarkdownDescription: "A number of your own: changing it runs an update, which does again what is not as declared.",
		},
		"eksctl_bin": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString("eksctl"),
			MarkdownDescription: "Path or name of the eksctl program. Default: `eksctl`, looked up on `PATH`. `eksctl_version` goes before it.",
		},
		"eksctl_version": versionAttribute(eksctlVersionText),
		"kubectl_bin": schema.StringAttribute{
			Optional: true, Computed: true, Default: stringdefault.StaticString("kubectl"),
			MarkdownDescription: "Not used: kubectl is not needed any more. Default: `kubectl`.",
		},
		"kubeconfig_path": schema.StringAttribute{
			Optional: true, Computed: true, PlanModifiers: keepString(),
			MarkdownDescription: "Path of the cluster's kubeconfig, which only its owner may read and which holds no secret. It is written after creation, and again at a refresh when it is missing. Default: a file under `.terraform`.",
		},
		"spec": schema.StringAttribute{
			Required:            true,
			MarkdownDescription: "The rest of the [ClusterConfig](https://eksctl.io/usage/schema/) as YAML: all but `apiVersion`, `kind`, `metadata` and `vpc.id`. An old `git` section is left out.",
		},
		"drain_node_groups": schema.MapAttribute{
			ElementType: types.BoolType, Optional: true, Computed: true, PlanModifiers: []planmodifier.Map{connection.UnsetMap()},
			MarkdownDescription: "Node groups by name that are drained (`true`) or may take pods again (`false`).",
		},
		"manifests": schema.ListAttribute{
			ElementType: types.StringType, Optional: true, Computed: true, PlanModifiers: []planmodifier.List{connection.UnsetList()},
			MarkdownDescription: "Kubernetes manifests that are applied in order after creation and at each update, YAML of one or more objects each.",
		},
	}
	maps.Copy(attrs, computedAttributes())
	return attrs
}

func computedAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"id": schema.StringAttribute{Computed: true, MarkdownDescription: "The cluster's name.", PlanModifiers: keepString()},
		"aws_auth_configmap": schema.SetAttribute{
			Computed: true, ElementType: mappingType(), PlanModifiers: []planmodifier.Set{setplanmodifier.UseStateForUnknown()},
			MarkdownDescription: "Who has access to the cluster: its access entries, or the mappings of `aws-auth` where it has no access entries.",
		},
		"output":            output(),
		"oidc_provider_url": schema.StringAttribute{Computed: true, MarkdownDescription: "URL of the cluster's OIDC issuer.", PlanModifiers: keepString()},
		"oidc_provider_arn": schema.StringAttribute{
			Computed: true, PlanModifiers: keepString(),
			MarkdownDescription: "ARN of the IAM OIDC provider for the issuer; empty unless `spec` has `iam.withOIDC`.",
		},
		"security_group_ids": schema.ListAttribute{
			Computed: true, ElementType: types.StringType, PlanModifiers: []planmodifier.List{listplanmodifier.UseStateForUnknown()},
			MarkdownDescription: "Security groups of the control plane: the cluster's own, which managed nodes share, and the additional ones.",
		},
		"node_groups": schema.SetAttribute{
			Computed: true, ElementType: types.StringType, PlanModifiers: []planmodifier.Set{setplanmodifier.UseStateForUnknown()},
			MarkdownDescription: "Node groups of `spec` that exist. A managed one that somebody deleted is missing here after a refresh, and is created again.",
		},
		"unfinished": schema.ListAttribute{
			Computed: true, ElementType: types.StringType, PlanModifiers: []planmodifier.List{listplanmodifier.UseStateForUnknown()},
			MarkdownDescription: "What was not done after eksctl had made the cluster, such as pods that did not get ready in time; empty when the cluster is complete. " +
				"Creation then ends with a warning: an error would have Terraform replace the cluster. The next apply does what is missing. " +
				"Until then couriers of the same run and the same provider configuration move no traffic; those of another alias of the provider do not know of it. " +
				"A `postcondition` with the condition `length(self.unfinished) == 0` makes it an error that stops the apply, and whatever depends on the cluster, and replaces nothing. " +
				"It also says that a deletion failed after EKS had forgotten the cluster: the state keeps it then, and the next destroy has eksctl delete what is left of it.",
		},
		"cluster_config": schema.StringAttribute{
			Computed: true, PlanModifiers: keepString(), MarkdownDescription: "The ClusterConfig that eksctl gets.",
		},
	}
}

func mappingBlock() schema.Block {
	return schema.SetNestedBlock{
		MarkdownDescription: "Gives an IAM role or user access to the cluster: by an access entry where the cluster's authentication mode has them, else in `aws-auth`. " +
			"The group `system:masters` becomes the access policy AmazonEKSClusterAdminPolicy.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"iamarn": schema.StringAttribute{
				Required: true, MarkdownDescription: "ARN of the role or user.",
				Validators: matches(principal, "the ARN of an IAM role or user, arn:PARTITION:iam::ACCOUNT:role/NAME"),
			},
			"username": schema.StringAttribute{Required: true, MarkdownDescription: "Kubernetes user name.", Validators: []validator.String{stringvalidator.LengthAtLeast(1)}},
			"groups":   schema.ListAttribute{Required: true, ElementType: types.StringType, MarkdownDescription: "Kubernetes groups."},
		}},
	}
}

func readinessBlock() schema.Block {
	return schema.ListNestedBlock{
		MarkdownDescription: "Pods that must be ready before creation or an update is done.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"namespace": schema.StringAttribute{Required: true, MarkdownDescription: "Namespace of the pods."},
			"labels":    schema.MapAttribute{Required: true, ElementType: types.StringType, MarkdownDescription: "Labels of the pods."},
			"timeout_sec": schema.Int64Attribute{
				Optional: true, Computed: true, Default: int64default.StaticInt64(300), MarkdownDescription: "Seconds to wait, 1–3600. Default: 300.",
				PlanModifiers: []planmodifier.Int64{int64planmodifier.UseStateForUnknown()}, Validators: []validator.Int64{int64validator.Between(1, 3600)},
			},
		}},
	}
}

// kinds that can be deleted before the cluster is, as the older provider named them.
var kinds = []string{"deployment", "deploy", "pod", "service", "svc", "statefulset", "job"}

func deletionBlock() schema.Block {
	return schema.ListNestedBlock{
		MarkdownDescription: "Objects that are deleted before the cluster is, such as services whose load balancers would stay.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"namespace": schema.StringAttribute{Required: true, MarkdownDescription: "Namespace of the object."},
			"kind": schema.StringAttribute{
				Required: true, MarkdownDescription: "Kind of the object: `deployment`, `deploy`, `pod`, `service`, `svc`, `statefulset` or `job`.",
				Validators: []validator.String{stringvalidator.OneOfCaseInsensitive(kinds...)},
			},
			"name": schema.StringAttribute{Required: true, MarkdownDescription: "Name of the object."},
		}},
	}
}
