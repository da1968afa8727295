package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/shift"
)

const rule = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/web/0123456789abcdef/1123456789abcdef/2123456789abcdef"

// lookedAt runs the program on a route that no manifest declares.
func lookedAt(t *testing.T, at *fakeRun, args ...string) (code int, out, errOut string, where Where) {
	t.Helper()
	var o, e strings.Builder
	code = Main(t.Context(), args, strings.NewReader(""), &o, &e, Deps{Look: func(_ context.Context, w Where) (Place, error) {
		where = w
		return at, nil
	}})
	return code, o.String(), e.String(), where
}

func TestAWordIsLeftOnARouteThatNoManifestDeclares(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want Where
		word shift.Signal
	}{
		"a rule":             {[]string{"abort", "--rule", rule}, Where{RuleARN: rule}, shift.Signal{Kind: shift.SignalAbort, Step: -1}},
		"a default action":   {[]string{"promote", "--listener", listener}, Where{ListenerARN: listener}, shift.Signal{Kind: shift.SignalPromote, Step: -1}},
		"a rule by priority": {[]string{"approve", "--listener", listener, "--priority", "10"}, Where{ListenerARN: listener, Priority: 10}, shift.Signal{Kind: shift.SignalApprove, Step: -1}},
		"a name":             {[]string{"abort", "--hosted-zone", "Z1", "--name", "api.example.com"}, Where{HostedZoneID: "Z1", Name: "api.example.com"}, shift.Signal{Kind: shift.SignalAbort, Step: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			mark := testMark()
			at := &fakeRun{status: Status{Route: rule, Live: shift.Live{Exists: true, Split: weights(50, 50)}, Mark: &mark}}
			code, out, errOut, where := lookedAt(t, at, tc.args...)
			if code != ExitDone || where != tc.want || !slices.Equal(at.signals, []shift.Signal{tc.word}) {
				t.Errorf("code %d, looked at %+v, left %+v: %s", code, where, at.signals, errOut)
			}
			if want := `told the shift "web" on ` + rule + ": " + tc.args[0]; !strings.HasPrefix(out, want) {
				t.Errorf("it said %q, want %q", out, want)
			}
		})
	}
}

func TestTheStatusOfARouteThatNoManifestDeclares(t *testing.T) {
	mark := testMark()
	mark.Lease.Expires = mark.Lease.Expires.AddDate(-6, 0, 0) // over, whatever today is
	live := shift.Live{Exists: true, Split: weights(50, 50), Notes: []string{"stickiness is on"}}
	var text strings.Builder
	for _, st := range []Status{{Route: rule, Live: live, Mark: &mark}, {Route: "Z1 api.example.com", Live: shift.Live{Exists: true, Split: weights(0, 100)}}} {
		for _, format := range []string{"text", "json"} {
			code, out, errOut, _ := lookedAt(t, &fakeRun{status: st}, "status", "--rule", rule, "-o", format)
			if code != ExitDone {
				t.Fatal(errOut)
			}
			text.WriteString(out + "\n")
		}
	}
	golden(t, "status-place.txt", text.String())
}

func TestARouteThatCannotBeMeantIsRefusedBeforeItIsLookedAt(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"two routes":                     {[]string{"abort", "--rule", rule, "--listener", listener}, "error: --rule and --listener together: name one route\n"},
		"a manifest and a route":         {[]string{"status", "-f", "x.yaml", "--rule", rule}, "error: --file and --rule together: name one route\n"},
		"a priority of nothing":          {[]string{"abort", "--priority", "3"}, "error: --priority 3 without --listener: which listener's rule is it?\n"},
		"a priority that there is not":   {[]string{"abort", "--listener", listener, "--priority", "50001"}, "error: --priority 50001: want 1–50000\n"},
		"a name without its zone":        {[]string{"abort", "--name", "a.b"}, "error: --name \"a.b\" without --hosted-zone: want the ID of the zone that has its records\n"},
		"a zone without a name":          {[]string{"abort", "--hosted-zone", "Z1"}, "error: --hosted-zone \"Z1\" without --name: want the name of the records\n"},
		"an empty rule":                  {[]string{"abort", "--rule", ""}, "error: --rule is empty\n"},
		"neither a manifest nor a route": {[]string{"abort"}, "error: -f is missing: name the manifest\n"},
	} {
		t.Run(name, func(t *testing.T) {
			at := &fakeRun{err: errors.New("it was asked")}
			code, _, errOut, where := lookedAt(t, at, tc.args...)
			if code != ExitRefused || !strings.HasPrefix(errOut, tc.want) || where != (Where{}) {
				t.Errorf("code %d, looked at %+v:%s", code, where, cmp.Diff(tc.want, errOut))
			}
		})
	}
}

func TestWhereNoShiftIsUnfinishedNoWordIsLeft(t *testing.T) {
	at := &fakeRun{status: Status{Route: rule, Live: shift.Live{Exists: true, Split: weights(0, 100)}}}
	code, _, errOut, _ := lookedAt(t, at, "abort", "--rule", rule)
	if code != ExitRefused || at.signals != nil || !strings.HasPrefix(errOut, "error: there is nothing to abort: no shift is unfinished on "+rule) {
		t.Errorf("code %d, left %v: %s", code, at.signals, errOut)
	}
}
