package labcli

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/norikae/norikae/internal/awssim"
)

func TestAShellThatEvaluatesTheEnvironmentTalksToTheLab(t *testing.T) {
	t.Parallel()
	w, _ := up(t, "--seed", awssim.WorldFleet, "--clusters", "9")
	eval := func(script string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), "sh", "-c", script+"\necho $AWS_ENDPOINT_URL $AWS_ACCESS_KEY_ID ${AWS_PROFILE-no} ${AWS_SESSION_TOKEN:+token}\naws sts get-caller-identity --output text")
		c.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "AWS_PROFILE=production", "AWS_SESSION_TOKEN=of-aws"}
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if out := eval(ran(t, w.Endpoint, "env")); !strings.HasPrefix(out, w.Endpoint+" FAKEKEYOFTHELAB no\n") || !strings.Contains(out, "arn:aws:iam::000000000000:user/lab") {
		t.Error(out)
	}
	out := eval(ran(t, "", "env", "--endpoint", w.Endpoint, "--role-arn", "arn:aws:iam::111111111111:role/discovery"))
	if !strings.HasPrefix(out, w.Endpoint+" ASIA") || !strings.Contains(out, " no token\n") || !strings.Contains(out, "arn:aws:sts::111111111111:assumed-role/discovery/norikae-lab-env") {
		t.Error(out)
	}
}

func TestTheEnvironmentOfFishAndOfScripts(t *testing.T) {
	t.Parallel()
	w, _ := up(t, "--seed", "")
	fish := ran(t, w.Endpoint, "env", "--shell", "fish")
	for _, want := range []string{
		"set -e AWS_PROFILE ", "\nset -gx AWS_ENDPOINT_URL " + w.Endpoint + "\n", "\nfunction aws; command aws --endpoint-url " + w.Endpoint + " $argv; end\n",
	} {
		if !strings.Contains(fish, want) {
			t.Errorf("it does not say %q:\n%s", want, fish)
		}
	}
	var e struct {
		Env   map[string]string
		Unset []string
	}
	role := "arn:aws:iam::222222222222:role/x"
	if err := json.Unmarshal([]byte(ran(t, w.Endpoint, "env", "-o", "json", "--role-arn", role)), &e); err != nil {
		t.Fatal(err)
	}
	unset := strings.Join(e.Unset, " ")
	if e.Env["AWS_ENDPOINT_URL"] != w.Endpoint || !strings.HasPrefix(e.Env["AWS_ACCESS_KEY_ID"], "ASIA") || e.Env["AWS_SESSION_TOKEN"] == "" ||
		!strings.Contains(unset, "AWS_PROFILE") || strings.Contains(unset, "AWS_SESSION_TOKEN") {
		t.Errorf("%+v", e)
	}
}

func TestValuesAreQuotedAsShellsWantIt(t *testing.T) {
	e := environment{Env: map[string]string{}}
	e.set("A", `it's a \ $HOME`)
	e.set("B", "a/b+c=")
	if got := shells()["sh"].script(e); !strings.HasPrefix(got, `export A='it'\''s a \ $HOME'`+"\nexport B=a/b+c=\n") {
		t.Error(got)
	}
	if got := shells()["fish"].script(e); !strings.HasPrefix(got, `set -gx A 'it\'s a \\ $HOME'`+"\nset -gx B a/b+c=\n") {
		t.Error(got)
	}
}

func TestEnvironmentsThatCannotBe(t *testing.T) {
	t.Parallel()
	open, _ := up(t, "--seed", "")
	closed, _ := up(t, "--seed", "", "--authz")
	for name, tc := range map[string]struct {
		endpoint string
		args     []string
		want     string
	}{
		"an unknown shell":        {open.Endpoint, []string{"--shell", "csh"}, `--shell "csh" is not one of fish, sh`},
		"a role that is none":     {open.Endpoint, []string{"--role-arn", "deploy"}, "--role-arn deploy: the lab refused: ValidationError"},
		"a lab that wants a name": {closed.Endpoint, []string{"--role-arn", "arn:aws:iam::111111111111:role/x"}, "this lab wants signatures (--authz); with the lab's credentials use aws sts assume-role"},
		"the real AWS":            {"https://sts.amazonaws.com", nil, "is not a lab's URL"},
	} {
		if _, err := run(t, tc.endpoint, append([]string{"env"}, tc.args...)...); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", name, err, tc.want)
		}
	}
}
