package metric

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/norikae/norikae/internal/analysis"
	"github.com/norikae/norikae/internal/arn"
)

// Limits of a query template, so that one in a custom resource cannot exhaust whoever
// renders it.
const (
	maxTemplate = 64 << 10 // bytes of the template and of what it renders to
	maxNesting  = 2        // ranges within ranges
)

// Facts are what a query template can name.
type Facts struct {
	// Old is the first of the Losing destinations, New the first of the Gaining ones;
	// nil when there is none, and naming it then is an error.
	Old, New        *Side
	Losing, Gaining []Side
	LoadBalancer    Named
	Route           Named
	Region, Account string
	Interval        int // of a window, in seconds
	Period          int // of the source's data points, in seconds
}

// Side is a destination in a template. Suffix is how the TargetGroup dimension of
// CloudWatch wants it: targetgroup/NAME/ID.
type Side struct {
	Name, ARN, ID, Suffix string
	Weight                int   // in the live split
	LoadBalancer          Named // of a destination that has one of its own
}

// Named is a resource in a template. Suffix is how the LoadBalancer dimension of
// CloudWatch wants it, app/NAME/ID; of a route, what follows the account in its ARN.
type Named struct{ ARN, Suffix string }

// vocabulary says what a template can name: the fields of Facts, Side and Named.
const vocabulary = "a query is a Go template, such as {{.New.Suffix}}: .New and .Old, and each of .Gaining and .Losing, have Name, ARN, ID, Suffix, Weight and, behind a DNS name, LoadBalancer; " +
	".LoadBalancer and .Route have ARN and Suffix; there are .Region, .Account, .Interval and .Period (in seconds)"

// queryTemplate is a parsed query.
type queryTemplate struct{ t *template.Template }

// parseQuery reads a template and refuses what could run for long: only plain actions,
// conditions, and ranges over .Gaining and .Losing are possible.
func parseQuery(text string) (queryTemplate, error) {
	if strings.TrimSpace(text) == "" {
		return queryTemplate{}, errors.New("the query is empty")
	}
	if len(text) > maxTemplate {
		return queryTemplate{}, fmt.Errorf("the query has %d bytes; at most %d are possible", len(text), maxTemplate)
	}
	t, err := template.New("query").Option("missingkey=error").Parse(text)
	if err != nil {
		return queryTemplate{}, fmt.Errorf("%w; %s", err, vocabulary)
	}
	if len(t.Templates()) > 1 {
		return queryTemplate{}, errors.New("define and block are not possible in a query")
	}
	if t.Tree == nil || t.Tree.Root == nil {
		return queryTemplate{}, errors.New("the query is empty")
	}
	if err := checkList(t.Tree.Root, 0); err != nil {
		return queryTemplate{}, err
	}
	return queryTemplate{t}, nil
}

// render fills the template. The result is bounded.
func (q queryTemplate) render(f Facts) (string, error) {
	var out bounded
	if err := q.t.Execute(&out, f); err != nil {
		return "", fmt.Errorf("%w; %s", err, vocabulary)
	}
	if strings.TrimSpace(out.String()) == "" {
		return "", errors.New("the query is empty once its template is filled in")
	}
	return out.String(), nil
}

// bounded refuses to grow beyond maxTemplate.
type bounded struct{ strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxTemplate {
		return 0, fmt.Errorf("the rendered query exceeds %d bytes", maxTemplate)
	}
	return b.Builder.Write(p)
}

func checkList(l *parse.ListNode, depth int) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		if err := checkNode(n, depth); err != nil {
			return err
		}
	}
	return nil
}

func checkNode(n parse.Node, depth int) error {
	switch n := n.(type) {
	case *parse.TextNode, *parse.CommentNode, *parse.BreakNode, *parse.ContinueNode:
		return nil
	case *parse.ActionNode:
		return checkPipe(n.Pipe)
	case *parse.IfNode:
		return checkBranch(&n.BranchNode, depth)
	case *parse.WithNode:
		return checkBranch(&n.BranchNode, depth)
	case *parse.RangeNode:
		if depth >= maxNesting {
			return fmt.Errorf("%s: ranges nest at most %d deep", n, maxNesting)
		}
		if over := n.Pipe.Cmds[0].String(); len(n.Pipe.Cmds) > 1 || !slices.Contains([]string{".Gaining", ".Losing", "$.Gaining", "$.Losing"}, over) {
			return fmt.Errorf("range over %s: only .Gaining and .Losing can be ranged over", n.Pipe)
		}
		return checkBranch(&n.BranchNode, depth+1)
	}
	return fmt.Errorf("%s is not possible in a query", n)
}

func checkBranch(b *parse.BranchNode, depth int) error {
	return errors.Join(checkPipe(b.Pipe), checkList(b.List, depth), checkList(b.ElseList, depth))
}

// functions that a query may call: those whose work is bounded by their arguments.
// printf is not one of them (its widths have no bound), nor is print (what it makes can be
// doubled again and again).
func functions() []string {
	return []string{"and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index"}
}

func checkPipe(p *parse.PipeNode) error {
	if p == nil {
		return nil
	}
	for _, c := range p.Cmds {
		for _, a := range c.Args {
			switch a := a.(type) {
			case *parse.IdentifierNode:
				if !slices.Contains(functions(), a.Ident) {
					return fmt.Errorf("function %s is not possible in a query; these are: %s", a.Ident, strings.Join(functions(), ", "))
				}
			case *parse.PipeNode:
				if err := checkPipe(a); err != nil {
					return err
				}
			case *parse.ChainNode:
				if inner, ok := a.Node.(*parse.PipeNode); ok {
					if err := checkPipe(inner); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// facts of a request, for a metric measured on s from data points of period.
func (a *Analyzer) facts(req analysis.Request, s analysis.Schedule, period time.Duration) Facts {
	f := Facts{
		Losing:   a.sides(req, req.Losing),
		Gaining:  a.sides(req, req.Gaining),
		Route:    Named{ARN: a.cfg.RouteARN},
		Interval: int(s.Interval / time.Second),
		Period:   int(period / time.Second),
	}
	lb := ""
	switch {
	case a.cfg.ALB != nil:
		lb = a.cfg.ALB.ARN
	case a.cfg.NLB != nil:
		lb = a.cfg.NLB.ARN
	}
	if lb != "" {
		f.LoadBalancer = loadBalancer(lb)
		if n, err := arn.Parse(lb); err == nil {
			f.Region, f.Account = n.Region, n.Account
		}
	}
	if n, err := arn.Parse(a.cfg.RouteARN); err == nil {
		f.Route.Suffix = n.Resource
	}
	if len(f.Losing) > 0 {
		f.Old = &f.Losing[0]
	}
	if len(f.Gaining) > 0 {
		f.New = &f.Gaining[0]
	}
	return f
}

func (a *Analyzer) sides(req analysis.Request, ids []string) []Side {
	out := make([]Side, len(ids))
	for i, id := range ids {
		out[i] = Side{Name: a.name(id), ID: id, ARN: id, Suffix: arn.TargetGroupSuffix(id), Weight: req.Live.Weight(id)}
		if a.cfg.DNS != nil {
			out[i].LoadBalancer = loadBalancer(a.cfg.DNS.LoadBalancers[id].ARN)
		}
	}
	return out
}

// name that people call a destination; else the name within its ARN, else its ID.
func (a *Analyzer) name(id string) string {
	if n := a.cfg.Names[id]; n != "" {
		return n
	}
	if p := strings.Split(arn.TargetGroupSuffix(id), "/"); len(p) == 3 {
		return p[1]
	}
	return id
}

// loadBalancer that an ARN is of, or whose listener or rule it is of.
func loadBalancer(of string) Named {
	n, err := arn.Parse(of)
	if err != nil {
		return Named{}
	}
	suffix := arn.LoadBalancerSuffix(of)
	return Named{ARN: strings.TrimSuffix(of, n.Resource) + "loadbalancer/" + suffix, Suffix: suffix}
}
