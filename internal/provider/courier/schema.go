package courier

import (
	"context"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/norikae/norikae/internal/provider/connection"
)

// kind is what differs between the couriers, besides their models.
type kind struct {
	name        string // after the provider's: courier_alb
	description string
	// id is the attribute that names a destination, with its description.
	id, idText string
	maxWeight  string
	reach      string // how norikae's command line is told the route
	balancers  bool   // destinations may have a load balancer
	attributes func() map[string]schema.Attribute
	// replaceable: another route means another resource, and leaving the old one harms nobody.
	replaceable bool
	// keepsUndeclared: destinations that are not declared stay, at weight 0.
	keepsUndeclared bool
}

func albKind() kind {
	return kind{
		name: "courier_alb", id: "target_group_arn", idText: "ARN of the target group, in the region and account of the listener.", maxWeight: "0–999", reach: "`--rule ARN`, or `--listener ARN --priority NUMBER`",
		description: "Shifts the traffic of one rule of an Application Load Balancer's listener between target groups, in judged steps: each apply goes from the weights that are live to the weights that are declared, and back if a metric fails. The rule is created when it is not there, with the split that serves its requests today.",
		attributes:  albAttributes,
	}
}

func nlbKind() kind {
	return kind{
		name: "courier_nlb", id: "target_group_arn", idText: "ARN of the target group, in the region and account of the listener.", maxWeight: "0–999", reach: "`--listener ARN`", replaceable: true,
		description: "Shifts the traffic of a Network Load Balancer's listener (its default action) between target groups, in judged steps. Connections that are open stay where they are; new ones follow the weights.",
		attributes: func() map[string]schema.Attribute {
			return map[string]schema.Attribute{"listener_arn": schema.StringAttribute{Required: true, MarkdownDescription: "ARN of the listener (TCP, TLS, UDP or TCP_UDP). Another one is another resource; the old listener is left as it is."}}
		},
	}
}

func recordKind() kind {
	return kind{
		name: "courier_route53_record", id: "set_identifier", idText: "Set identifier of the destination's records: 1–128 characters.", maxWeight: "0–255", reach: "`--hosted-zone ID --name NAME`", balancers: true, replaceable: true, keepsUndeclared: true,
		description: "Shifts the weights of the weighted records of one DNS name, in judged steps, all record types of the name together. The records exist already (`aws_route53_record` with `lifecycle { ignore_changes = [weighted_routing_policy] }`); nothing but their weights is changed, and destroying this resource leaves them as they are.",
		attributes: func() map[string]schema.Attribute {
			return map[string]schema.Attribute{
				"zone_id":      schema.StringAttribute{Required: true, MarkdownDescription: "ID of the hosted zone, such as `Z0123456789ABCDEFGHIJ`. Another one is another resource."},
				"name":         schema.StringAttribute{Required: true, MarkdownDescription: "Name of the records, such as `api.example.com` or `*.example.com`. Another one is another resource."},
				"record_types": schema.SetAttribute{ElementType: types.StringType, Optional: true, MarkdownDescription: "Record types to shift, such as `A` and `AAAA`. Default: every type that has weighted records at the name."},
			}
		},
	}
}

func albAttributes() map[string]schema.Attribute {
	set := func(text string) schema.Attribute {
		return schema.SetAttribute{ElementType: types.StringType, Optional: true, Computed: true, MarkdownDescription: text, PlanModifiers: []planmodifier.Set{connection.UnsetSet()}}
	}
	return map[string]schema.Attribute{
		"arn":           schema.StringAttribute{Computed: true, MarkdownDescription: "ARN of the rule.", PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()}},
		"listener_arn":  schema.StringAttribute{Required: true, MarkdownDescription: "ARN of the Application Load Balancer's listener."},
		"priority":      schema.Int64Attribute{Optional: true, Computed: true, Default: int64default.StaticInt64(10), MarkdownDescription: "Priority of the rule, 1–50000; lower is matched first. Default: 10."},
		"hosts":         set("Hosts that the rule matches, such as `example.com` and `*.example.com`. All conditions together have at most 5 values and 5 wildcards (`*` and `?`); at least one condition is needed."),
		"methods":       set("HTTP methods that the rule matches, such as `GET`."),
		"path_patterns": set("Paths that the rule matches, such as `/api/*`; case matters."),
		"source_ips":    set("Address ranges (CIDR) that the rule matches, such as `10.0.0.0/8`: of the peer, not of X-Forwarded-For."),
		"headers":       schema.DynamicAttribute{Optional: true, Computed: true, PlanModifiers: []planmodifier.Dynamic{keepSpelling{}}, MarkdownDescription: "Headers that the rule matches, all of them: a map from a name to a value or to a list of values, one of which holds. `*` and `?` are wildcards."},
		"querystrings":  schema.DynamicAttribute{Optional: true, Computed: true, PlanModifiers: []planmodifier.Dynamic{keepSpelling{}}, MarkdownDescription: "Query strings that the rule matches, one of them: a map from a key to a value or to a list of values. The key `\"\"` stands for any key."},
		"adopt":         schema.BoolAttribute{Optional: true, MarkdownDescription: "Take over a rule that is there already, was not made by norikae, and has other conditions. Default: false. A rule that is in the state is ours."},
		"force_destroy": schema.BoolAttribute{Optional: true, MarkdownDescription: "Let destroy delete the rule although it carries traffic (a destination has a weight above 0). Apply it before the destroy. Default: false."},
	}
}

func (k kind) schema(ctx context.Context) schema.Schema {
	attrs := k.attributes()
	maps.Copy(attrs, connection.ResourceAttributes(""))
	maps.Copy(attrs, k.sharedAttributes())
	return schema.Schema{
		Version:             1, // 0 are the old provider's
		MarkdownDescription: k.description, Attributes: attrs,
		Blocks: map[string]schema.Block{
			connection.Block:    connection.ResourceBlock(),
			"destination":       k.destinationBlock(),
			"step":              stepBlock(),
			"cloudwatch_metric": metricBlock("CloudWatch", "cloudwatch_metric"),
			"datadog_metric":    metricBlock("Datadog", "datadog_metric"),
			"prometheus_metric": metricBlock("Prometheus", "prometheus_metric"),
			"timeouts": timeouts.Block(ctx, timeouts.Opts{
				Create: true, Update: true, Delete: true,
				CreateDescription: "How long the shift of a create may take, such as `2h`; then it is interrupted (`on_interrupt`). Default: `max_duration` alone bounds it.",
				UpdateDescription: "How long the shift of an update may take, such as `2h`; then it is interrupted (`on_interrupt`). Default: `max_duration` alone bounds it.",
				DeleteDescription: "How long a destroy may take. Default: `5m`.",
			}),
		},
	}
}

func (k kind) sharedAttributes() map[string]schema.Attribute {
	text := func(description string) schema.Attribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description}
	}
	return map[string]schema.Attribute{
		"id":                 schema.StringAttribute{Computed: true, MarkdownDescription: "Identifies the courier in the state; that of an older provider is kept.", PlanModifiers: []planmodifier.String{stringplanmodifier.UseStateForUnknown()}},
		"step_weight":        schema.Int64Attribute{Optional: true, MarkdownDescription: "Percent of the move per step, 1–100. Default: 10. Not together with `step` blocks."},
		"step_interval":      text("How long each step is held at least, such as `1m`. Default: `1m`. Not together with `step` blocks."),
		"builtin_analysis":   schema.BoolAttribute{Optional: true, MarkdownDescription: "Judge each step by the load balancer's own metrics (errors, latency, health of the targets). Default: true; for Route 53 true where every destination has its `load_balancer_arn`, else false. `false` is the explicit way out."},
		"min_requests":       schema.Int64Attribute{Optional: true, MarkdownDescription: "Requests that the gaining side must have had in a window for the built-in judgement; fewer say nothing. Default: 1."},
		"max_hold":           text("How long a step may wait for a verdict, for health or for an API that does not answer; then `on_failure` applies. Default: `10m`."),
		"bake":               text("How long the last weights are held with rollback armed. Default: `5m`; `0s`: not at all."),
		"drain":              text("How long to wait after the bake, rollback still armed, for connections that the losing side still has. Default: `0s`; for Network Load Balancers `6m`."),
		"on_failure":         text("What to do when a metric fails, health is lost or a fault lasts: `rollback` (default) or `hold`."),
		"on_drift":           text("What to do when somebody else wrote the weights during a shift: `hold` (default), `adopt` or `overrule`."),
		"on_interrupt":       text("What to do on Ctrl-C and when a timeout ends: `rollback` (default) or `hold`."),
		"max_duration":       text("Bound of the whole shift. Default: 3 × the planned time + 1 h."),
		"rollback_timeout":   text("How long a rollback's write is retried. Default: `15m`."),
		"replace_unfinished": schema.BoolAttribute{Optional: true, MarkdownDescription: "Start from the live weights although a shift with another declaration is unfinished on the route. Default: false."},
		"status_file":        text("File that gets one line of JSON per event while a shift runs; it is written anew by each apply, readable by its owner only."),
		"planned_steps":      schema.ListAttribute{ElementType: types.StringType, Computed: true, MarkdownDescription: "The weights that the apply goes through, in order; empty when they need not change. A plan to create shows them in a warning alone, because they depend on what serves the requests by then."},
		"manifest":           schema.StringAttribute{Computed: true, MarkdownDescription: "The same shift as a TrafficShift in YAML, such as the data source `eksctl_courier_plan` and `norikae plan -f` take it. A shift that Terraform runs, or has left unfinished, is reached without it: `norikae status`, `approve`, `promote` and `abort` take " + k.reach + ", from any machine."},
		"live_weights":       schema.MapAttribute{ElementType: types.Int64Type, Computed: true, MarkdownDescription: "The weights that are live, by target group ARN or set identifier."},
		"unfinished":         schema.StringAttribute{Computed: true, MarkdownDescription: "Says which shift is unfinished on the route; null when there is none. The next apply goes on with it."},
	}
}

func (k kind) destinationBlock() schema.Block {
	attrs := map[string]schema.Attribute{
		k.id:     schema.StringAttribute{Required: true, MarkdownDescription: k.idText},
		"weight": schema.Int64Attribute{Required: true, MarkdownDescription: "Weight in the end, " + k.maxWeight + ", relative to the others; 0 is no traffic. At least one is above 0."},
	}
	if k.balancers {
		attrs["load_balancer_arn"] = schema.StringAttribute{Optional: true, MarkdownDescription: "ARN of the Application Load Balancer that the records lead to, whose metrics then judge the shift; for all destinations or for none."}
	}
	return schema.ListNestedBlock{
		MarkdownDescription: "A destination of the traffic and its weight in the end; at least one.",
		NestedObject:        schema.NestedBlockObject{Attributes: attrs},
	}
}

func stepBlock() schema.Block {
	return schema.ListNestedBlock{
		MarkdownDescription: "An explicit step, instead of `step_weight` and `step_interval`: exactly one of its attributes. The move ends at 100 percent even when the steps do not.",
		NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
			"set_weight":  schema.Int64Attribute{Optional: true, MarkdownDescription: "Percent of the move, 1–100, above that of the steps before."},
			"step_weight": schema.Int64Attribute{Optional: true, MarkdownDescription: "Percent that is added to that of the steps before."},
			"pause":       schema.StringAttribute{Optional: true, MarkdownDescription: "Hold the weights for so long, such as `10m`."},
			"approval":    schema.BoolAttribute{Optional: true, MarkdownDescription: "Hold the weights until somebody approves: `norikae approve`, which finds the route as `manifest` says."},
			"analysis":    schema.StringAttribute{Optional: true, MarkdownDescription: "Judge the weights for so long, such as `10m`, before going on."},
		}},
	}
}

func metricBlock(source, name string) schema.Block {
	unset := []planmodifier.String{connection.UnsetString()}
	attrs := map[string]schema.Attribute{
		"name":          schema.StringAttribute{Required: true, MarkdownDescription: "What the metric is called in messages. It is made lower-case letters, digits and hyphens."},
		"query":         schema.StringAttribute{Required: true, MarkdownDescription: "The query, a Go template: `{{.New.Suffix}}`, `{{.Old.ARN}}`, `{{.LoadBalancer.Suffix}}`, `{{.Interval}}` and others, and the older `{{.TargetGroupARN}}` and `{{index .LoadBalancerARNs 0}}`."},
		"min":           schema.Float64Attribute{Optional: true, Computed: true, PlanModifiers: []planmodifier.Float64{connection.UnsetFloat64()}, MarkdownDescription: "A lower value fails. Not set: no bound. `min`, `max` or both."},
		"max":           schema.Float64Attribute{Optional: true, Computed: true, PlanModifiers: []planmodifier.Float64{connection.UnsetFloat64()}, MarkdownDescription: "A higher value fails. Not set: no bound. `min`, `max` or both."},
		"interval":      schema.StringAttribute{Optional: true, Computed: true, Default: stringdefault.StaticString("1m"), MarkdownDescription: "One measurement per interval, `1s` or more. Default: `1m`."},
		"failure_limit": schema.Int64Attribute{Optional: true, MarkdownDescription: "Failed measurements that are tolerated over the whole shift. Default: 0."},
		"no_data":       schema.StringAttribute{Optional: true, MarkdownDescription: "What a window without data means: `hold` (default), `pass` or `fail`."},
		"min_requests":  schema.Int64Attribute{Optional: true, MarkdownDescription: "Requests that the gaining side must have had in the window; fewer say nothing. Default: 0."},
		"reducer":       schema.StringAttribute{Optional: true, MarkdownDescription: "How points and series become one number: `avg`, `sum`, `min`, `max` or `last`. Default: the average of one series."},
	}
	switch name {
	case "prometheus_metric":
		attrs["address"] = schema.StringAttribute{Required: true, MarkdownDescription: "Address of Prometheus, `http(s)://host:port`."}
	case "datadog_metric":
		attrs["address"] = schema.StringAttribute{Optional: true, Computed: true, PlanModifiers: unset, MarkdownDescription: "Address of Datadog's API. Default: that of the site."}
		attrs["site"] = schema.StringAttribute{Optional: true, MarkdownDescription: "Datadog's site, such as `datadoghq.eu`. Default: `datadoghq.com`."}
	default:
		attrs["address"] = schema.StringAttribute{Optional: true, Computed: true, PlanModifiers: unset, MarkdownDescription: "Only the resource's own `address` is possible."}
	}
	if name != "prometheus_metric" {
		of := "Region of the metric. Default: that of the route."
		if name == "datadog_metric" {
			of = "Has no meaning for Datadog; accepted from older files."
		}
		attrs["aws_region"] = schema.StringAttribute{Optional: true, Computed: true, PlanModifiers: unset, MarkdownDescription: of}
		attrs["aws_profile"] = schema.StringAttribute{Optional: true, Computed: true, PlanModifiers: unset, MarkdownDescription: "Profile of the shared AWS configuration files for this metric alone."}
	}
	return schema.ListNestedBlock{
		MarkdownDescription: "A query of " + source + " that judges each step besides.",
		NestedObject:        schema.NestedBlockObject{Attributes: attrs},
	}
}
