package old_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"

	"github.com/norikae/norikae/test/sdkv2/old"
)

func TestTheSDKTakesTheOldSchemas(t *testing.T) {
	for name, p := range map[string]*schema.Provider{"eksctl": old.Eksctl(), "helmfile": old.Helmfile()} {
		t.Run(name, func(t *testing.T) {
			if err := p.InternalValidate(); err != nil {
				t.Error(err)
			}
		})
	}
}
