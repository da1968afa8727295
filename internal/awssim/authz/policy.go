package authz

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Policy is a policy document that has been read.
type Policy struct {
	// Name is for messages and simulations, such as "PolicyInputList.1" or a policy's ARN.
	Name       string
	Statements []Statement
	// variables says that "${…}" is a variable: in documents of version 2012-10-17.
	variables bool
}

// Statement of a Policy.
type Statement struct {
	Sid                     string
	Deny                    bool
	Principals              *Principals // nil in identity policies
	Actions, NotActions     []string    // one of them has elements
	Resources, NotResources []string    // one of them has elements, but in trust policies
	Conditions              []Condition
}

// Principals that a trust policy's statement speaks of.
type Principals struct {
	AWS       []string // "*", account numbers, ARNs of accounts (root), users, roles, sessions
	Service   []string
	Federated []string // ARNs of identity providers
}

// Kind of a policy document, by what it is attached to.
type Kind int

// Kinds of policy documents.
const (
	Identity Kind = iota // of users and roles, managed or inline; session policies, boundaries
	Trust                // of roles: who may assume them
)

// malformedError is worded as AWS words the message of MalformedPolicyDocument: as
// sentences.
type malformedError string

func (e malformedError) Error() string { return string(e) }

func malformed(format string, args ...any) error {
	return malformedError(fmt.Sprintf(format, args...))
}

// versions of the policy language.
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// Parse reads and checks a policy document. Its errors are worded for the message of
// MalformedPolicyDocument.
func Parse(name, document string, kind Kind) (Policy, error) {
	var doc struct {
		Version   string
		ID        string `json:"Id"`
		Statement oneOrMore[statementDoc]
	}
	if err := strict([]byte(document), &doc); err != nil {
		return Policy{}, malformed("Syntax errors in policy: %v", err)
	}
	p := Policy{Name: name, variables: doc.Version == version2012}
	switch {
	case doc.Version != "" && doc.Version != version2008 && doc.Version != version2012:
		return Policy{}, malformed("The policy must contain a valid version string: %q is not %s or %s", doc.Version, version2012, version2008)
	case len(doc.Statement) == 0:
		return Policy{}, malformed("Syntax errors in policy: Statement is missing or empty")
	}
	for i, s := range doc.Statement {
		st, err := s.statement(kind)
		if err != nil {
			return Policy{}, malformed("Statement[%d]: %v", i, err)
		}
		p.Statements = append(p.Statements, st)
	}
	return p, nil
}

// strict decodes JSON without unknown members and without anything behind it.
func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return malformed("reading JSON: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return malformed("the document goes on after its JSON object")
	}
	return nil
}

// oneOrMore is a JSON value that may stand alone or in a list.
type oneOrMore[T any] []T

// UnmarshalJSON implements json.Unmarshaler.
func (l *oneOrMore[T]) UnmarshalJSON(b []byte) error {
	*l = nil
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		var many []T
		if err := strict(b, &many); err != nil {
			return err
		}
		*l = many
		return nil
	}
	var one T
	if err := strict(b, &one); err != nil {
		return err
	}
	*l = []T{one}
	return nil
}

// text is a JSON string, number or boolean, as text.
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return malformed("reading a value: %v", err)
	}
	switch v := v.(type) {
	case string:
		*t = text(v)
	case bool, float64:
		*t = text(bytes.TrimSpace(b))
	default:
		return malformed("%s is not a string, number or boolean", b)
	}
	return nil
}

type statementDoc struct {
	Sid          string
	Effect       string
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Action       oneOrMore[string]
	NotAction    oneOrMore[string]
	Resource     oneOrMore[string]
	NotResource  oneOrMore[string]
	Condition    map[string]map[string]oneOrMore[text]
}

func (d statementDoc) statement(kind Kind) (Statement, error) {
	s := Statement{
		Sid: d.Sid, Deny: d.Effect == "Deny",
		Actions: d.Action, NotActions: d.NotAction, Resources: d.Resource, NotResources: d.NotResource,
	}
	switch {
	case d.Effect != "Allow" && d.Effect != "Deny":
		return s, malformed("Effect %q is not Allow or Deny", d.Effect)
	case (len(d.Action) > 0) == (len(d.NotAction) > 0):
		return s, malformed("Policy statement must contain actions: exactly one of Action and NotAction")
	case d.NotPrincipal != nil:
		return s, malformed("Has prohibited field NotPrincipal")
	}
	for _, a := range slices.Concat(d.Action, d.NotAction) {
		if err := checkAction(a, kind); err != nil {
			return s, err
		}
	}
	var err error
	if kind == Trust {
		err = d.trust(&s)
	} else {
		err = d.identity()
	}
	if err != nil {
		return s, err
	}
	s.Conditions, err = parseConditions(d.Condition)
	return s, err
}

func checkAction(a string, kind Kind) error {
	vendor, name, ok := strings.Cut(a, ":")
	switch {
	case kind == Trust && (!ok || vendor != "sts"):
		return malformed("AssumeRole policy may only specify STS AssumeRole actions.")
	case a == "*":
		return nil
	case !ok || vendor == "" || name == "" || strings.ContainsAny(a, " \t\n"):
		return malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: %q", a)
	}
	return nil
}

func (d statementDoc) identity() error {
	switch {
	case d.Principal != nil:
		return malformed("Policy document should not specify a principal.")
	case (len(d.Resource) > 0) == (len(d.NotResource) > 0):
		return malformed("Policy statement must contain resources: exactly one of Resource and NotResource")
	}
	for _, r := range slices.Concat(d.Resource, d.NotResource) {
		if r != "*" && (!strings.HasPrefix(r, "arn:") || strings.Count(r, ":") < 5 && !strings.HasSuffix(r, "*")) {
			return malformed("Resource %s must be in ARN format or \"*\".", r)
		}
	}
	return nil
}

func (d statementDoc) trust(s *Statement) error {
	if len(d.Resource)+len(d.NotResource) > 0 {
		return malformed("Has prohibited field Resource")
	}
	if d.Principal == nil {
		return malformed("Missing required field Principal")
	}
	var everybody string
	if json.Unmarshal(d.Principal, &everybody) == nil {
		if everybody != "*" {
			return malformed("Invalid principal in policy: %q", everybody)
		}
		s.Principals = &Principals{AWS: []string{"*"}}
		return nil
	}
	var doc struct{ AWS, Service, Federated oneOrMore[string] }
	if err := strict(d.Principal, &doc); err != nil {
		return malformed("Invalid principal in policy: %v", err)
	}
	if len(doc.AWS)+len(doc.Service)+len(doc.Federated) == 0 {
		return malformed("Invalid principal in policy: it names nobody")
	}
	for _, p := range doc.AWS {
		if p != "*" && accountOf(p) == "" {
			return malformed("Invalid principal in policy: \"AWS\":%q", p)
		}
	}
	for _, p := range doc.Federated {
		if !strings.Contains(p, ":oidc-provider/") && !strings.Contains(p, ":saml-provider/") {
			return malformed("Invalid principal in policy: \"Federated\":%q", p)
		}
	}
	s.Principals = &Principals{AWS: doc.AWS, Service: doc.Service, Federated: doc.Federated}
	return nil
}

// accountOf is the account of a principal as policies write it, "" when it is none.
func accountOf(principal string) string {
	isAccount := func(s string) bool {
		return len(s) == 12 && strings.Trim(s, "0123456789") == ""
	}
	if isAccount(principal) {
		return principal
	}
	p := strings.SplitN(principal, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[2] != "iam" && p[2] != "sts" || !isAccount(p[4]) || p[5] == "" {
		return ""
	}
	return p[4]
}
