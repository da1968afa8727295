package cloudwatch

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The metric math language. Grammar, loosest binding first:
//
//	or      = and { ("OR" | "||") and }
//	and     = compare { ("AND" | "&&") compare }
//	compare = sum { ("<" | "<=" | ">" | ">=" | "==" | "!=") sum }
//	sum     = product { ("+" | "-") product }
//	product = unary { ("*" | "/") unary }
//	unary   = "-" unary | power
//	power   = primary [ "^" unary ]
//	primary = number | string | id | KEYWORD | FUNCTION "(" [ or { "," or } ] ")"
//	        | "[" [ or { "," or } ] "]" | "(" or ")"

// maxExprDepth bounds the nesting, and with it the stack, of parser and evaluator.
const maxExprDepth = 100

// expr is a node of a parsed expression: number, text, ref, keyword, negation,
// binary, call or list.
type expr any

type (
	number  float64
	text    string // a string literal, only for METRICS
	ref     string // the id of another query
	keyword string // REPEAT or LINEAR, only for FILL

	negation struct{ of expr }
	binary   struct {
		op          string
		left, right expr
	}
	call struct {
		name string
		run  func(*env, []expr) (value, error)
		args []expr
	}
	list []expr
)

// token is a lexeme. kind is 'n'umber, 's'tring, 'w'ord, 'o'perator or 0 at the end.
type token struct {
	kind byte
	text string
	pos  int // byte offset, for messages
}

func (t token) String() string {
	if t.kind == 0 {
		return "the end"
	}
	return fmt.Sprintf("%q at position %d", t.text, t.pos+1)
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// twoByteOps are looked for before the operators of one byte.
var twoByteOps = []string{"<=", ">=", "==", "!=", "&&", "||"}

// lex cuts an expression into tokens; the last one has kind 0.
func lex(in string) ([]token, error) {
	var out []token
	for at := 0; at < len(in); {
		rest := in[at:]
		t := token{pos: at}
		switch c := rest[0]; {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			at++
			continue
		case strings.IndexByte(digits+".", c) >= 0:
			t.kind, t.text = 'n', rest[:numberLen(rest)]
		case strings.IndexByte(letters, c) >= 0:
			t.kind, t.text = 'w', rest[:span(rest, letters+digits+"_")]
		case c == '"' || c == '\'':
			end := strings.IndexByte(rest[1:], c)
			if end < 0 {
				return nil, fmt.Errorf("the string at position %d has no end", at+1)
			}
			t.kind, t.text = 's', rest[:end+2]
		case len(rest) > 1 && slices.Contains(twoByteOps, rest[:2]):
			t.kind, t.text = 'o', rest[:2]
		case strings.IndexByte("+-*/^()[],<>", c) >= 0:
			t.kind, t.text = 'o', rest[:1]
		default:
			return nil, fmt.Errorf("unexpected character %q at position %d", []rune(rest)[0], at+1)
		}
		at += len(t.text)
		out = append(out, t)
	}
	return append(out, token{pos: len(in)}), nil
}

func span(s, set string) int {
	return len(s) - len(strings.TrimLeft(s, set))
}

// numberLen is the length of the number that s begins with: 1, 1.5, .5, 1e-3.
func numberLen(s string) int {
	n := span(s, digits)
	if n < len(s) && s[n] == '.' {
		n++
		n += span(s[n:], digits)
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		exp := n + 1
		if exp < len(s) && (s[exp] == '+' || s[exp] == '-') {
			exp++
		}
		if d := span(s[exp:], digits); d > 0 {
			n = exp + d
		}
	}
	return n
}

type parser struct {
	tokens []token
	depth  int
}

// parseExpr parses an expression. Functions and the number of their arguments are
// checked; ids and types are not.
func parseExpr(in string) (expr, error) {
	tokens, err := lex(in)
	if err != nil {
		return nil, err
	}
	if tokens[0].kind == 'w' && strings.EqualFold(tokens[0].text, "SELECT") {
		return nil, errors.New("queries of Metrics Insights (SELECT …) are not simulated")
	}
	p := &parser{tokens: tokens}
	e, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != 0 {
		return nil, fmt.Errorf("unexpected %s", t)
	}
	return e, nil
}

func (p *parser) peek() token { return p.tokens[0] }

func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != 0 {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) accept(op string) bool {
	if t := p.peek(); t.kind == 'o' && t.text == op {
		p.next()
		return true
	}
	return false
}

// enter counts one level of nesting; the caller defers leave.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxExprDepth {
		return fmt.Errorf("nested deeper than %d at %s", maxExprDepth, p.peek())
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// levels of binary operators, loosest first. All group from the left.
var levels = [][]string{
	{"OR", "||"},
	{"AND", "&&"},
	{"<", "<=", ">", ">=", "==", "!="},
	{"+", "-"},
	{"*", "/"},
}

func (p *parser) binary(level int) (expr, error) {
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	if err != nil {
		return nil, err
	}
	for {
		t := p.peek()
		if t.kind != 'o' && t.kind != 'w' || !slices.Contains(levels[level], t.text) {
			return left, nil
		}
		p.next()
		right, err := p.binary(level + 1)
		if err != nil {
			return nil, err
		}
		left = binary{canonical(t.text), left, right}
	}
}

func canonical(op string) string {
	switch op {
	case "&&":
		return "AND"
	case "||":
		return "OR"
	default:
		return op
	}
}

func (p *parser) unary() (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if p.accept("-") {
		e, err := p.unary()
		return negation{e}, err
	}
	base, err := p.primary()
	if err != nil || !p.accept("^") {
		return base, err
	}
	exponent, err := p.unary()
	return binary{"^", base, exponent}, err
}

func (p *parser) primary() (expr, error) {
	t := p.next()
	switch {
	case t.kind == 'n':
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is not a number", t)
		}
		return number(f), nil
	case t.kind == 's':
		return text(t.text[1 : len(t.text)-1]), nil
	case t.kind == 'w':
		return p.word(t)
	case t.kind == 'o' && t.text == "[":
		items, err := p.items("]")
		return list(items), err
	case t.kind == 'o' && t.text == "(":
		e, err := p.binary(0)
		if err == nil && !p.accept(")") {
			err = fmt.Errorf("expected \")\", found %s", p.peek())
		}
		return e, err
	default:
		return nil, fmt.Errorf("unexpected %s", t)
	}
}

func (p *parser) word(t token) (expr, error) {
	switch {
	case p.accept("("):
		f, err := findFunction(t.text) // before its arguments, which may be as strange
		if err != nil {
			return nil, err
		}
		args, err := p.items(")")
		if err != nil {
			return nil, err
		}
		if n := len(args); n < f.minArgs || n > f.maxArgs {
			return nil, fmt.Errorf("%s takes %s, got %d", t.text, f.arity(), n)
		}
		return call{t.text, f.run, args}, nil
	case t.text == "REPEAT" || t.text == "LINEAR":
		return keyword(t.text), nil
	case t.text[0] >= 'a' && t.text[0] <= 'z':
		return ref(t.text), nil
	default:
		return nil, fmt.Errorf("unexpected %s: ids begin with a lowercase letter", t)
	}
}

// items parses a comma-separated list up to the closing bracket.
func (p *parser) items(end string) ([]expr, error) {
	if p.accept(end) {
		return nil, nil
	}
	var out []expr
	for {
		e, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
		if p.accept(end) {
			return out, nil
		}
		if !p.accept(",") {
			return nil, fmt.Errorf("expected \",\" or %q, found %s", end, p.peek())
		}
	}
}

// refs calls visit for every id that an expression names.
func refs(e expr, visit func(id string)) {
	switch e := e.(type) {
	case ref:
		visit(string(e))
	case negation:
		refs(e.of, visit)
	case binary:
		refs(e.left, visit)
		refs(e.right, visit)
	case call:
		for _, a := range e.args {
			refs(a, visit)
		}
	case list:
		for _, a := range e {
			refs(a, visit)
		}
	}
}
