package tfapp

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
)

func TestEachProviderListsWhatItHas(t *testing.T) {
	for name, tc := range map[string]struct {
		provider func() provider.Provider
		want     []string // resources
	}{
		"eksctl": {EksctlProvider("v1.2.3"), []string{
			"eksctl_cluster", "eksctl_courier_alb", "eksctl_courier_nlb", "eksctl_courier_route53_record", "eksctl_iamserviceaccount", "eksctl_nodegroup",
		}},
		"helmfile": {HelmfileProvider("v1.2.3"), []string{"helmfile_release", "helmfile_release_set"}},
	} {
		t.Run(name, func(t *testing.T) {
			server, err := providerserver.NewProtocol6WithError(tc.provider())()
			if err != nil {
				t.Fatal(err)
			}
			got, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range got.Diagnostics {
				t.Errorf("%s: %s", d.Summary, d.Detail)
			}
			var have []string
			for resource := range got.ResourceSchemas {
				have = append(have, resource)
			}
			if slices.Sort(have); !slices.Equal(have, tc.want) {
				t.Errorf("it has %v, want %v", have, tc.want)
			}
		})
	}
}

func TestWhoStartsAProviderByHandIsToldWhatItIs(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"a word":          {[]string{"apply"}, 2, `there is no argument "apply"; Terraform starts this program`},
		"a wrong -":       {[]string{"-verbose"}, 2, "flag provided but not defined: -verbose"},
		"a call for help": {[]string{"-help"}, 0, "TF_REATTACH_PROVIDERS"},
	} {
		t.Run(name, func(t *testing.T) {
			var said strings.Builder
			if code := EksctlMain(t.Context(), tc.args, io.Discard, &said, "v1.2.3"); code != tc.code || !strings.Contains(said.String(), tc.want) {
				t.Errorf("code %d: %s", code, said.String())
			}
		})
	}
}
