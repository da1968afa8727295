package eksctl_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// later is a provider's configuration with the role of a resource that is not made yet.
var later = object{"assume_role": []any{object{"role_arn": tftypes.UnknownValue}}}

func TestNothingIsReadWhileTheProvidersConfigurationIsNotKnown(t *testing.T) {
	const listener = "arn:aws-cn:elasticloadbalancing:cn-north-1:111122223333:listener/"
	for resource, prior := range map[string]object{
		cluster:                         blue(with("id", "blue")),
		nodegroup:                       group(with("id", "blue/web")),
		account:                         dns(with("id", "blue/default/dns")),
		"eksctl_courier_alb":            {"id": "a", "listener_arn": listener + "app/a/0123456789abcdef/0123456789abcdef", "arn": "arn:x"},
		"eksctl_courier_nlb":            {"id": "a", "listener_arn": listener + "net/a/0123456789abcdef/0123456789abcdef"},
		"eksctl_courier_route53_record": {"id": "a", "zone_id": "Z0123456789ABCDEFGHIJ", "name": "api.example.com"},
	} {
		w := newWorld() // everything is gone where the default credentials lead to
		tf := start(t, w, later)
		state := fill(t, tf.kind(resource), prior)
		after, diags := tf.refresh(resource, state)
		tf.clean(diags)
		if !after.Equal(state) {
			t.Errorf("%s: the state became %s", resource, after)
		}
		if said := text(diags, tfprotov6.DiagnosticSeverityWarning); !strings.Contains(said, "Not refreshed") || !strings.Contains(said, "Apply once more") {
			t.Errorf("%s: said %q", resource, said)
		}
	}
}

func TestNothingIsImportedWhileTheProvidersConfigurationIsNotKnown(t *testing.T) {
	for resource, id := range map[string]string{
		cluster:                         "cn-north-1/blue",
		nodegroup:                       "cn-north-1/blue/web",
		account:                         "cn-north-1/blue/default/dns",
		"eksctl_courier_route53_record": "Z0123456789ABCDEFGHIJ/api.example.com",
	} {
		tf := start(t, newWorld(), later)
		if _, diags := tf.imports(resource, id); !strings.Contains(text(diags, tfprotov6.DiagnosticSeverityError), "known only after an apply") {
			t.Errorf("%s: said %q", resource, text(diags, tfprotov6.DiagnosticSeverityError))
		}
	}
}

func TestADataSourceIsNotReadWhileTheProvidersConfigurationIsNotKnown(t *testing.T) {
	const name = "eksctl_courier_plan"
	tf := start(t, newWorld(), later)
	kind := tf.schemas.DataSourceSchemas[name].ValueType()
	resp, err := tf.ReadDataSource(t.Context(), &tfprotov6.ReadDataSourceRequest{TypeName: name, Config: tf.dynamic(kind, fill(t, kind, object{"manifest": "x"}))})
	if err != nil {
		t.Fatal(err)
	}
	if said := text(resp.Diagnostics, tfprotov6.DiagnosticSeverityError); !strings.Contains(said, "known only after an apply") {
		t.Errorf("said %q", said)
	}
}

func TestARegionThatIsNotKnownYetIsNotMissing(t *testing.T) {
	for resource, config := range map[string]object{cluster: blue(with("region", nil)), nodegroup: group(with("region", nil)), account: dns(with("region", nil))} {
		tf := start(t, newWorld(), object{"region": tftypes.UnknownValue})
		p := tf.plan(resource, nil, config)
		if tf.clean(p.diags); tf.get(p.value, "region") != "(unknown)" {
			t.Errorf("%s: the region is %s", resource, tf.get(p.value, "region"))
		}
	}
}
