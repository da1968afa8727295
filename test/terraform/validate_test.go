package terraform

import (
	"encoding/json"
	"strings"
	"testing"
)

// validate says whether the configuration is valid, and which errors there are.
func (f *folder) validate(t *testing.T) (valid bool, d diagnostics) {
	t.Helper()
	r := f.run(t, "validate", "-json")
	var out struct {
		Valid       bool
		Diagnostics []diagnostic
	}
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatalf("terraform validate: %v\n%s", err, r)
	}
	return out.Valid, diagnostics{out.Diagnostics, r.String()}
}

const validCourier = `
resource "eksctl_courier_alb" "this" {
  listener_arn  = "arn:aws:elasticloadbalancing:us-east-1:000000000000:listener/app/web/0123456789abcdef/0123456789abcdef"
  priority      = "11"
  step_weight   = 50
  step_interval = "1s"
  hosts         = ["example.com"]
  destination {
    target_group_arn = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/blue/0123456789abcdef"
    weight           = 100
  }
  destination {
    target_group_arn = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/green/0123456789abcdef"
    weight           = 0
  }
}
`

func TestGoodConfigurationsAreValid(t *testing.T) {
	t.Parallel()
	l := startLab(t, "--seed", "")
	for name, hcl := range map[string]string{
		"a priority in quotes":                    validCourier,
		"hosts and paths together":                strings.Replace(validCourier, "hosts ", "path_patterns = [\"/a/*\"]\nhosts ", 1),
		"a listener in China":                     strings.ReplaceAll(strings.ReplaceAll(validCourier, "arn:aws:", "arn:aws-cn:"), "us-east-1", "cn-north-1"),
		"a listener in GovCloud":                  strings.ReplaceAll(strings.ReplaceAll(validCourier, "arn:aws:", "arn:aws-us-gov:"), "us-east-1", "us-gov-west-1"),
		"headers and a query string":              strings.Replace(validCourier, "hosts ", "headers = { X-Canary = [\"yes\"] }\nquerystrings = { v = \"2\" }\nhosts ", 1),
		"a destination that is known later":       strings.Replace(validCourier, `"arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/green/0123456789abcdef"`, "terraform_data.later.output", 1) + "\nresource \"terraform_data\" \"later\" { input = \"x\" }\n",
		"an empty provider block":                 validCourier + "\nprovider \"eksctl\" {}\n",
		"a provider block with a role":            validCourier + "\nprovider \"eksctl\" {\n  assume_role {\n    role_arn = \"arn:aws:iam::111111111111:role/shifter\"\n  }\n}\n",
		"a metric that has a least value only":    strings.Replace(validCourier, "  destination", metricBlock("min = 99"), 1),
		"a metric that has a greatest value only": strings.Replace(validCourier, "  destination", metricBlock("max = 0.5"), 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if valid, d := l.folder(t, hcl).validate(t); !valid {
				t.Errorf("it is not valid:\n%s", d.errors())
			}
		})
	}
}

func metricBlock(bounds string) string {
	return `
  cloudwatch_metric {
    name     = "errors"
    ` + bounds + `
    interval = "10s"
    query    = jsonencode([{ Id = "e", MetricStat = { Metric = { Namespace = "AWS/ApplicationELB", MetricName = "HTTPCode_Target_5XX_Count", Dimensions = [] }, Period = 60, Stat = "Sum" } }])
  }
  destination`
}

// Each is one edit of the good configuration; the error must be at the line that was
// edited, and say the value.
func TestBadConfigurationsAreRefusedWhereTheyAreBad(t *testing.T) {
	t.Parallel()
	l := startLab(t, "--seed", "")
	for name, tc := range map[string]struct {
		old, new string
		at       string // in the line that is shown; "": not at one line
		says     []string
	}{
		"a step of 0":                        {"step_weight   = 50", "step_weight   = 0", "step_weight", []string{"0", "100"}},
		"a step of 101":                      {"step_weight   = 50", "step_weight   = 101", "step_weight", []string{"101", "100"}},
		"an interval without a unit":         {`"1s"`, `"10"`, "step_interval", []string{"10"}},
		"a negative interval":                {`"1s"`, `"-1s"`, "step_interval", []string{"-1s"}},
		"priority 0":                         {`"11"`, `"0"`, "priority", []string{"0", "50000"}},
		"a priority beyond the last":         {`"11"`, `50001`, "priority", []string{"50001", "50000"}},
		"a priority that is a word":          {`"11"`, `"first"`, "priority", nil},
		"a listener that is no ARN":          {`"arn:aws:elasticloadbalancing:us-east-1:000000000000:listener/app/web/0123456789abcdef/0123456789abcdef"`, `"web"`, "listener_arn", []string{"web"}},
		"a load balancer as the listener":    {":listener/app/web/0123456789abcdef/0123456789abcdef", ":loadbalancer/app/web/0123456789abcdef", "listener_arn", []string{"loadbalancer/app/web"}},
		"a target group that is no ARN":      {`"arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/green/0123456789abcdef"`, `"green"`, "target_group_arn", []string{"green"}},
		"a negative weight":                  {"weight           = 100", "weight           = -1", "weight", []string{"-1", "999"}},
		"a weight of 1000":                   {"weight           = 100", "weight           = 1000", "weight", []string{"1000", "999"}},
		"weights that are all 0":             {"weight           = 100", "weight           = 0", "", []string{"0"}},
		"one target group twice":             {"targetgroup/green/", "targetgroup/blue/", "", []string{"blue"}},
		"a metric without a bound":           {"  destination", metricBlock(""), "", []string{"min", "max"}},
		"a metric whose bounds are crossed":  {"  destination", metricBlock("min = 2\nmax = 1"), "", []string{"min", "max"}},
		"an unknown policy of interruption":  {"priority ", "on_interrupt = \"panic\"\n  priority ", "on_interrupt", []string{"panic"}},
		"an unknown policy of drift":         {"priority ", "on_drift = \"fight\"\n  priority ", "on_drift", []string{"fight"}},
		"an address that is no URL":          {"priority ", "address = \"lab\"\n  priority ", "address", []string{"lab"}},
		"a source that is no block":          {"priority ", "source_ips = [\"10.0.0.300/8\"]\n  priority ", "source_ips", []string{"10.0.0.300/8"}},
		"a transitive tag that is not given": {"priority ", "assume_role {\n    role_arn = \"arn:aws:iam::111111111111:role/r\"\n    transitive_tag_keys = [\"team\"]\n  }\n  priority ", "transitive_tag_keys", []string{"team"}},
		"a role that is no ARN":              {"priority ", "assume_role {\n    role_arn = \"shifter\"\n  }\n  priority ", "role_arn", []string{"shifter"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hcl := strings.Replace(validCourier, tc.old, tc.new, 1)
			if hcl == validCourier {
				t.Fatalf("nothing was edited: %q is not there", tc.old)
			}
			valid, d := l.folder(t, hcl).validate(t)
			if valid {
				t.Fatal("it is valid")
			}
			contains(t, d.errors(), tc.says...)
			at, _, _ := strings.Cut(d.errors(), " | ")
			if !strings.Contains(at, tc.at) {
				t.Errorf("the error is shown at %q, want at %s:\n%s", at, tc.at, d.errors())
			}
		})
	}
	t.Cleanup(func() {
		if calls := l.calls(t); len(calls) != 0 {
			t.Errorf("AWS was called: %v", calls)
		}
	})
}
