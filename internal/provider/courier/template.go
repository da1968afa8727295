package courier

import (
	"text/template"
	"text/template/parse"
)

// The old provider's queries could name two variables, {{.TargetGroupARN}} and
// {{index .LoadBalancerARNs 0}}; people also write {{.LoadBalancerARN}} and
// {{.ListenerARN}}. They are written anew in the words of package metric.

// modern is a query in today's words. One that names nothing old, or that cannot be
// read, is left as it is: the check of the metrics says what is wrong with it.
func modern(query, listener string) string {
	t, err := template.New("query").Parse(query)
	if err != nil || t.Tree == nil || t.Root == nil {
		return query
	}
	w := &rewriter{listener: listener}
	w.list(t.Root)
	if !w.changed {
		return query
	}
	return t.Root.String()
}

type rewriter struct {
	listener string
	changed  bool
}

func (w *rewriter) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	for i, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			w.pipe(n.Pipe)
		case *parse.IfNode:
			w.branch(&n.BranchNode)
		case *parse.WithNode:
			w.branch(&n.BranchNode)
		case *parse.RangeNode:
			l.Nodes[i] = w.loop(n)
		}
	}
}

func (w *rewriter) branch(b *parse.BranchNode) {
	w.pipe(b.Pipe)
	w.list(b.List)
	w.list(b.ElseList)
}

// loop over the load balancers of a target group: there is exactly one.
func (w *rewriter) loop(n *parse.RangeNode) parse.Node {
	w.list(n.List)
	w.list(n.ElseList)
	p := n.Pipe
	if len(p.Decl) > 0 || len(p.Cmds) != 1 || len(p.Cmds[0].Args) != 1 || !names(p.Cmds[0].Args[0], "LoadBalancerARNs") {
		w.pipe(p)
		return n
	}
	p.Cmds[0].Args[0] = w.field(p.Cmds[0].Args[0], "LoadBalancer", "ARN")
	with := &parse.WithNode{BranchNode: n.BranchNode}
	with.NodeType = parse.NodeWith
	return with
}

func (w *rewriter) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for _, c := range p.Cmds {
		if len(c.Args) == 3 && isIndex(c.Args[0]) && names(c.Args[1], "LoadBalancerARNs") && c.Args[2].String() == "0" {
			c.Args = []parse.Node{w.field(c.Args[1], "LoadBalancer", "ARN")}
			continue
		}
		for i, a := range c.Args {
			c.Args[i] = w.argument(a)
		}
	}
}

func isIndex(n parse.Node) bool {
	id, ok := n.(*parse.IdentifierNode)
	return ok && id.Ident == "index"
}

func (w *rewriter) argument(a parse.Node) parse.Node {
	switch {
	case names(a, "TargetGroupARN"):
		return w.field(a, "New", "ARN")
	case names(a, "LoadBalancerARN"):
		return w.field(a, "LoadBalancer", "ARN")
	case names(a, "ListenerARN") && w.listener != "":
		w.changed = true
		return &parse.StringNode{NodeType: parse.NodeString, Quoted: `"` + w.listener + `"`, Text: w.listener}
	}
	if inner, ok := a.(*parse.PipeNode); ok {
		w.pipe(inner)
	}
	return a
}

// names tells whether a node is .NAME or $.NAME.
func names(n parse.Node, name string) bool {
	switch n := n.(type) {
	case *parse.FieldNode:
		return len(n.Ident) == 1 && n.Ident[0] == name
	case *parse.VariableNode:
		return len(n.Ident) == 2 && n.Ident[0] == "$" && n.Ident[1] == name
	}
	return false
}

// field is .A.B, or $.A.B where n begins with $.
func (w *rewriter) field(n parse.Node, path ...string) parse.Node {
	w.changed = true
	if v, ok := n.(*parse.VariableNode); ok {
		v.Ident = append([]string{"$"}, path...)
		return v
	}
	return &parse.FieldNode{NodeType: parse.NodeField, Ident: path}
}
