package labcli

import (
	"io"
	"strings"
	"testing"
)

func TestWhatIsNoLabIsRefusedByTheNameOfWhatLedThere(t *testing.T) {
	for name, tc := range map[string]struct {
		env, flag, want string
	}{
		"nothing is named":                 {"", "", "no lab is known"},
		"the real AWS in the environment":  {"https://sts.amazonaws.com", "", `AWS_ENDPOINT_URL "https://sts.amazonaws.com" is not a lab's URL`},
		"another machine":                  {"http://192.0.2.1:4599", "", `AWS_ENDPOINT_URL "http://192.0.2.1:4599" is not on this machine`},
		"a flag instead of a good default": {"http://127.0.0.1:4599", "127.0.0.1:1", `--endpoint "127.0.0.1:1" is not a lab's URL`},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := New(func(string) string { return tc.env })
			args := []string{"world"}
			if tc.flag != "" {
				args = append(args, "--endpoint", tc.flag)
			}
			cmd.SetArgs(args)
			cmd.SetOut(io.Discard)
			cmd.SetErr(io.Discard)
			if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
