package courier

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"

	"github.com/norikae/norikae/internal/manifest"
)

// explain says what is wrong with a manifest in Terraform's words, at the attribute. What
// is wrong only because a value is not known yet is left out.
func explain(ctx context.Context, config tfsdk.Config, problems []manifest.Problem, metrics []path.Path) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, p := range problems {
		at, ok := attribute(p.Path, metrics)
		if !ok || !known(ctx, config, at) {
			continue
		}
		text := inTerraform(p.Message)
		if p.Value != "" {
			text = p.Value + ": " + text
		}
		if len(at.Steps()) == 0 {
			diags.AddError("Invalid courier", text)
			continue
		}
		if p.Value != "" {
			text = "= " + text
		}
		diags.AddAttributeError(at, "Invalid value", at.String()+" "+text)
	}
	return diags
}

// known tells whether nothing at a path is unknown.
func known(ctx context.Context, config tfsdk.Config, at path.Path) bool {
	if len(at.Steps()) == 0 {
		return config.Raw.IsFullyKnown()
	}
	var v attr.Value
	if diags := config.GetAttribute(ctx, at, &v); diags.HasError() {
		return true
	}
	raw, err := v.ToTerraformValue(ctx)
	if err != nil {
		return true
	}
	if !raw.IsFullyKnown() {
		return false
	}
	return true
}

// attribute of a field of the manifest; not ok: it is none of the user's.
func attribute(field string, metrics []path.Path) (at path.Path, ok bool) {
	if rest, ok := strings.CutPrefix(field, "spec.analysis.metrics["); ok {
		number, tail, _ := strings.Cut(rest, "]")
		i, err := strconv.Atoi(number)
		if err != nil || i >= len(metrics) {
			return path.Empty(), true
		}
		return under(metrics[i], metricField(tail)), true
	}
	if rest, ok := strings.CutPrefix(field, "spec.destinations"); ok {
		if strings.HasSuffix(rest, ".name") {
			return path.Empty(), false // names are made, not given
		}
		return under(path.Root("destination"), rest), true
	}
	if rest, ok := strings.CutPrefix(field, "spec.strategy.steps"); ok {
		return under(path.Root("step"), strings.TrimSuffix(rest, ".duration")), true
	}
	if field == "spec.strategy" {
		return path.Root("step"), true
	}
	for _, prefix := range []string{"spec.route.alb.rule.", "spec.route.alb.", "spec.route.nlb.", "spec.route.route53."} {
		if rest, ok := strings.CutPrefix(field, prefix); ok && rest != "rule" {
			name, _, _ := strings.Cut(rest, "[")
			return path.Root(attributeName(name)), true
		}
	}
	for _, prefix := range []string{"spec.strategy.", "spec.analysis.", "spec.aws."} {
		if rest, ok := strings.CutPrefix(field, prefix); ok {
			if rest == "assumeRole.roleARN" {
				return path.Root("assume_role").AtListIndex(0).AtName("role_arn"), true
			}
			name, _, _ := strings.Cut(rest, ".")
			return path.Root(attributeName(name)), true
		}
	}
	return path.Empty(), true
}

// metricField leaves out the source, which is the block itself.
func metricField(tail string) string {
	for _, source := range []string{".cloudwatch", ".datadog", ".prometheus"} {
		tail = strings.TrimPrefix(tail, source)
	}
	return tail
}

// under adds fields and indexes, such as [1].targetGroupARN.
func under(at path.Path, rest string) path.Path {
	for _, part := range regexp.MustCompile(`\[\d+\]|[^.\[\]]+`).FindAllString(rest, -1) {
		if i, err := strconv.Atoi(strings.Trim(part, "[]")); err == nil && part[0] == '[' {
			at = at.AtListIndex(i)
			continue
		}
		at = at.AtName(attributeName(part))
	}
	return at
}

// renamed are the fields whose attributes are called otherwise than by the rule that
// camelCase becomes snake_case.
func renamed() map[string]string {
	return map[string]string{
		"builtin": "builtin_analysis", "sourceIPs": "source_ips", "queryStrings": "querystrings", "hostedZoneID": "zone_id",
		"types": "record_types", "targetGroupARN": "target_group_arn", "loadBalancerARN": "load_balancer_arn",
		"listenerARN": "listener_arn", "roleARN": "role_arn",
	}
}

func attributeName(field string) string {
	if name, ok := renamed()[field]; ok {
		return name
	}
	return strings.ToLower(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(field, "${1}_${2}"))
}

// inTerraform says a message in the words of the attributes.
func inTerraform(message string) string {
	message = strings.NewReplacer(
		`for all requests use default: true, or pathPatterns: ["*"]`, `for all requests use path_patterns = ["*"]`,
		`use pathPatterns: ["*"]`, `use path_patterns = ["*"]`,
		"pause: {duration: …}", "pause",
		"stepWeight, pause and analysis: give", "stepWeight, pause, approval and analysis: give",
		", or declare it as route.nlb", ", or use eksctl_courier_nlb",
		"builtin: false", "builtin_analysis = false", "analysis.metrics", "metrics",
		"max: 1", "max = 1", "steps and stepWeight", "step blocks and stepWeight",
		"spec.route.alb.", "", "spec.route.nlb.", "", "spec.destinations[", "destination[",
		"spec.analysis.metrics[", "metric[",
		" (analysis.timing)", "", "strategy.drain", "drain",
	).Replace(message)
	return regexp.MustCompile(`\b[a-z]+[A-Z]\w*\b`).ReplaceAllStringFunc(message, attributeNameIfKnown)
}

// attributeNameIfKnown leaves words alone that only look like fields.
func attributeNameIfKnown(word string) string {
	switch word {
	case "pathPatterns", "sourceIPs", "queryStrings", "stepWeight", "stepInterval", "setWeight", "loadBalancerARN", "listenerARN",
		"targetGroupARN", "setIdentifier", "failureLimit", "minRequests", "noData", "maxHold", "onFailure", "assumeRole":
		return attributeName(word)
	}
	return word
}

func summary(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
