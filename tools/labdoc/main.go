// Command labdoc writes the tables of the lab's documentation anew: the operations that
// are simulated and who has driven them, and the kinds of faults. What people wrote
// around the tables stays.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
)

//go:generate go run . -page ../../docs/lab.md -driven ../../internal/awssim/testdata/driven

func main() {
	page := flag.String("page", "docs/lab.md", "file whose tables to write")
	driven := flag.String("driven", "internal/awssim/testdata/driven", "folder of the lists that the simulator's tests hold")
	flag.Parse()
	old, err := os.ReadFile(*page)
	if err == nil {
		var text []byte
		if text, err = generate(old, *driven); err == nil {
			err = os.WriteFile(*page, text, 0o600) //nolint:gosec // G703: which file is up to who runs this
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// generate the page from its old text: each table stands between two marks.
func generate(old []byte, driven string) ([]byte, error) {
	operations, err := operationTable(driven)
	if err != nil {
		return nil, err
	}
	out := old
	for _, table := range []struct{ name, text string }{{"operations", operations}, {"faults", faultTable()}} {
		begin, end := []byte("<!-- begin "+table.name+", generated -->\n"), []byte("<!-- end "+table.name+" -->\n")
		head, rest, ok := bytes.Cut(out, begin)
		_, tail, closed := bytes.Cut(rest, end)
		if !ok || !closed {
			return nil, fmt.Errorf("the page has no lines %q and %q around its table of %s", strings.TrimSpace(string(begin)), strings.TrimSpace(string(end)), table.name)
		}
		out = slices.Concat(head, begin, []byte("\n"+table.text+"\n"), end, tail)
	}
	return out, nil
}

// clients that have driven the lab, and the service each of the lab's is to people.
var (
	clients  = []string{"aws-sdk-go-v2", "awscli"}
	services = map[string]string{
		"sts": "STS", "iam": "IAM", "elbv2": "Elastic Load Balancing v2", "cloudwatch": "CloudWatch", "route53": "Route 53", "eks": "EKS",
		"tagging": "Resource Groups Tagging", "ec2": "EC2", "sqs": "SQS",
	}
)

func operationTable(folder string) (string, error) {
	driven := map[string][]string{} // clients by "service operation"
	for _, client := range clients {
		list, err := os.ReadFile(filepath.Join(folder, client+".txt"))
		if err != nil {
			return "", fmt.Errorf("reading what %s drove: %w", client, err)
		}
		for line := range strings.Lines(string(list)) {
			op := strings.TrimSpace(line)
			driven[op] = append(driven[op], client)
		}
	}
	var b strings.Builder
	service := ""
	for _, op := range awssim.Operations() {
		if op.Service != service {
			service = op.Service
			fmt.Fprintf(&b, "\n### %s\n\n| operation | | how | driven by |\n|---|---|---|---|\n", services[service])
		}
		name := op.Service + " " + op.Name
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", op.Name, op.Fidelity, cell(op.How), strings.Join(driven[name], ", "))
		delete(driven, name)
	}
	for name := range driven {
		return "", fmt.Errorf("the lists say that %s was driven, which the simulator does not have", name)
	}
	return strings.TrimPrefix(b.String(), "\n"), nil
}

// meanings of the faults, as the comments of package fault have them.
var meanings = map[fault.Kind]string{
	fault.Throttle:         "the service's own throttling error, such as `Throttling` or `TooManyRequestsException`; nothing takes effect",
	fault.ErrorBefore:      "HTTP 500; nothing takes effect",
	fault.ErrorAfter:       "HTTP 500, although the call took effect",
	fault.AccessDenied:     "the service's own `AccessDenied`, HTTP 403; nothing takes effect",
	fault.ExpiredToken:     "the service's own `ExpiredToken`, HTTP 403; nothing takes effect",
	fault.Refusal:          "the error `code`, with HTTP `status` (400); nothing takes effect",
	fault.Latency:          "`duration` passes before the call takes effect",
	fault.DropBefore:       "the connection is closed without an answer; nothing takes effect",
	fault.DropAfter:        "the connection is closed without an answer, although the call took effect",
	fault.StaleRead:        "for `duration` after a service's newest change, reads answer as they did before it",
	fault.ShortPages:       "pages of lists hold at most `count` items",
	fault.WeightsDelay:     "changes of the control plane reach the load balancers' traffic `duration` late",
	fault.MetricDelay:      "metric data can be read `duration` later than otherwise",
	fault.MetricMissing:    "metrics whose name matches the glob `name` lose their data",
	fault.TargetFailure:    "targets of the group named `targetGroup` answer the share `failRate` (0–1) with 500 (in the world `nlb` they reset the connection, which is all that an NLB can see), and answer `latency` late (the share `slowRate` of them; without it, all)",
	fault.Lose:             "the load balancer counts, but never forwards, the next `count` requests or connections",
	fault.PropagationDelay: "changes of Route 53 stay PENDING, and unanswered by DNS, for `duration` more",
	fault.HealthCheck:      "Route 53 health checks whose ID matches the glob `name` are unhealthy",
	fault.IndexLag:         "the tagging service sees changes `duration` later than otherwise",
	fault.ClusterDelay:     "EKS clusters take `duration` longer to become what they become",
	fault.ClusterFailure:   "EKS clusters that are created with a name matching the glob `name` end FAILED",
}

func faultTable() string {
	var b strings.Builder
	b.WriteString("| kind | what happens | fields |\n|---|---|---|\n")
	for _, k := range fault.Kinds() {
		var fields []string
		for _, f := range fault.Fields(k) {
			fields = append(fields, "`"+f+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k, meanings[k], strings.Join(fields, ", "))
	}
	return b.String()
}

// cell escapes what would end a table's cell or be taken for emphasis.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "*", `\*`, "_", `\_`).Replace(s) }
