package elbv2

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/norikae/norikae/internal/awssim/model"
	"github.com/norikae/norikae/internal/awssim/wire"
)

// Action types.
const (
	forward       = "forward"
	redirect      = "redirect"
	fixedResponse = "fixed-response"
	authOIDC      = "authenticate-oidc"
	authCognito   = "authenticate-cognito"
	authJWT       = "jwt-validation"
)

// maxOrder is the highest Order of an action.
const maxOrder = 50000

// actions of a rule in order. Neither the slice nor what it points to is written to
// once it is parsed, so that snapshots may share it.
type actions struct {
	list []model.Action
	// clientSecret of the authenticate-oidc action. It never leaves the service.
	clientSecret string
}

func (a actions) forward() *model.Forward {
	if len(a.list) == 0 {
		return nil
	}
	return a.list[len(a.list)-1].Forward
}

// parseActions reads a rule's actions. old are the actions that they replace.
func (c *call) parseActions(name string, l *listener, old actions) (actions, error) {
	params := c.p.List(name)
	if len(params) == 0 {
		return actions{}, invalid("%s must have at least one action", name)
	}
	if l.lb.kind == network && len(params) > 1 {
		// The code is a guess.
		return actions{}, wire.Errorf("TooManyActions", "A rule of a Network Load Balancer can have only one action, not %d", len(params))
	}
	var out actions
	for i, p := range params {
		path := at(wire.Camel(name), i)
		a, err := c.parseAction(p, path, l)
		if err != nil {
			return actions{}, err
		}
		if a.Type == authOIDC {
			if out.clientSecret, err = clientSecret(p.Struct("AuthenticateOidcConfig"), old); err != nil {
				return actions{}, err
			}
		}
		out.list = append(out.list, a)
	}
	if err := orderActions(out.list); err != nil {
		return actions{}, err
	}
	return out, c.checkForward(out.forward(), l)
}

func (c *call) parseAction(p wire.Params, path string, l *listener) (model.Action, error) {
	a := model.Action{Type: p.Str("Type")}
	if a.Type == "" {
		return a, constraint.Violation(nil, path+".type", "not be null")
	}
	if err := constraint.OneOf(a.Type, path+".type", forward, authOIDC, authCognito, redirect, fixedResponse, authJWT); err != nil {
		return a, err
	}
	if l.lb.kind == network && a.Type != forward {
		// The wording is a guess.
		return a, wire.Errorf("InvalidLoadBalancerAction", "The action type '%s' is not valid with a Network Load Balancer; use 'forward'", a.Type)
	}
	if err := onlyConfigOf(p, a.Type); err != nil {
		return a, err
	}
	var err error
	if a.Order, _, err = constraint.Int(p, "Order", path+".order", 1, maxOrder); err != nil {
		return a, err
	}
	switch a.Type {
	case forward:
		a.Forward, err = c.parseForward(p, path, l)
	case redirect:
		a.Redirect, err = parseRedirect(p.Struct("RedirectConfig"), path+".redirectConfig", l)
	case fixedResponse:
		a.FixedResponse, err = parseFixedResponse(p.Struct("FixedResponseConfig"), path+".fixedResponseConfig")
	default:
		a.Auth, err = parseAuth(p, a.Type, l)
	}
	return a, err
}

// configMember is the member that holds the parameters of an action type.
func configMember(actionType string) string {
	return map[string]string{
		forward: "ForwardConfig", redirect: "RedirectConfig", fixedResponse: "FixedResponseConfig",
		authOIDC: "AuthenticateOidcConfig", authCognito: "AuthenticateCognitoConfig", authJWT: "JwtValidationConfig",
	}[actionType]
}

func onlyConfigOf(p wire.Params, actionType string) error {
	for _, other := range []string{forward, redirect, fixedResponse, authOIDC, authCognito, authJWT} {
		if other != actionType && p.Struct(configMember(other)) != nil {
			return invalid("%s cannot be specified for an action of type '%s'", configMember(other), actionType)
		}
	}
	if actionType != forward && p.Str("TargetGroupArn") != "" {
		return invalid("TargetGroupArn cannot be specified for an action of type '%s'", actionType)
	}
	return nil
}

// orderActions sorts by Order and makes sure that the last action, and no other, routes.
func orderActions(list []model.Action) error {
	if len(list) > 1 {
		orders := make([]string, len(list))
		for i, a := range list {
			if a.Order == 0 {
				return invalid("An action order must be specified when there are multiple actions")
			}
			orders[i] = strconv.Itoa(a.Order)
		}
		if order, ok := wire.FirstDuplicate(orders); ok {
			return invalid("Action order '%s' was provided multiple times", order)
		}
	}
	slices.SortStableFunc(list, func(a, b model.Action) int { return cmp.Compare(a.Order, b.Order) })
	auth := 0
	for i, a := range list {
		routes := a.Auth == nil
		switch last := i == len(list)-1; {
		case routes && !last:
			return wire.Errorf("InvalidLoadBalancerAction", "The '%s' action must be the last action to be performed, and the only one of forward, redirect and fixed-response", a.Type)
		case !routes && last:
			return wire.Errorf("InvalidLoadBalancerAction", "The last action must be of type forward, redirect or fixed-response, not '%s'", a.Type)
		case !routes:
			auth++
		}
	}
	if auth > 1 {
		return wire.Errorf("TooManyActions", "A rule can have only one authentication action, not %d", auth)
	}
	return nil
}

// fixedResponseStatus is the pattern of the API model.
func fixedResponseStatus() *regexp.Regexp { return regexp.MustCompile(`^(2|4|5)\d\d$`) }

func parseFixedResponse(p wire.Params, path string) (*model.FixedResponse, error) {
	status, err := requiredIn(p, "StatusCode", path)
	if err != nil {
		return nil, err
	}
	if err := constraint.Matches(status, path+".statusCode", fixedResponseStatus()); err != nil {
		return nil, err
	}
	f := &model.FixedResponse{StatusCode: status, ContentType: p.Str("ContentType"), MessageBody: p.Str("MessageBody")}
	if f.ContentType != "" {
		err := constraint.OneOf(f.ContentType, path+".contentType", "text/plain", "text/css", "text/html", "application/javascript", "application/json")
		if err != nil {
			return nil, err
		}
	}
	return f, constraint.Length(f.MessageBody, path+".messageBody", 0, 1024)
}

func requiredIn(p wire.Params, name, path string) (string, error) {
	v := p.Str(name)
	if v == "" {
		return "", constraint.Violation(nil, path+"."+wire.Camel(name), "not be null")
	}
	return v, nil
}

// redirectProtocol is the pattern of the API model.
func redirectProtocol() *regexp.Regexp { return regexp.MustCompile(`^(HTTPS?|#\{protocol\})$`) }

func parseRedirect(p wire.Params, path string, l *listener) (*model.Redirect, error) {
	status, err := requiredIn(p, "StatusCode", path)
	if err != nil {
		return nil, err
	}
	if err := constraint.OneOf(status, path+".statusCode", "HTTP_301", "HTTP_302"); err != nil {
		return nil, err
	}
	part := func(name, unchanged string) string {
		if v, ok := p.String(name); ok && (v != "" || name == "Query") {
			return v
		}
		return unchanged
	}
	unchanged := model.Redirect{
		Protocol: "#{protocol}", Port: "#{port}", Host: "#{host}", Path: "/#{path}", Query: "#{query}", StatusCode: status,
	}
	r := &model.Redirect{
		Protocol: part("Protocol", unchanged.Protocol), Port: part("Port", unchanged.Port), Host: part("Host", unchanged.Host),
		Path: part("Path", unchanged.Path), Query: part("Query", unchanged.Query), StatusCode: status,
	}
	if err := constraint.Matches(r.Protocol, path+".protocol", redirectProtocol()); err != nil {
		return nil, err
	}
	for _, f := range []struct{ name, value string }{{"host", r.Host}, {"path", r.Path}, {"query", r.Query}} {
		if err := constraint.Length(f.value, path+"."+f.name, 0, 128); err != nil {
			return nil, err
		}
	}
	if n, err := strconv.Atoi(r.Port); r.Port != unchanged.Port && (err != nil || n < 1 || n > 65535) {
		return nil, invalid("The redirect port '%s' must be from 1 to 65535 or #{port}", r.Port)
	}
	if !strings.HasPrefix(r.Path, "/") {
		return nil, invalid("The redirect path '%s' must start with '/'", r.Path)
	}
	if *r == unchanged {
		return nil, wire.Errorf("InvalidLoadBalancerAction", "The redirect configuration is not valid because it creates a loop.")
	}
	if l.protocol == "HTTPS" && r.Protocol == "HTTP" {
		return nil, wire.Errorf("InvalidLoadBalancerAction", "A redirect from HTTPS to HTTP is not supported")
	}
	return r, nil
}

func describeAction(a model.Action) wire.Struct {
	out := wire.Struct{kv("Type", a.Type)}
	if a.Order != 0 {
		out = append(out, kv("Order", a.Order))
	}
	switch {
	case a.Forward != nil:
		out = append(out, describeForward(a.Forward)...)
	case a.Redirect != nil:
		r := a.Redirect
		out = append(out, kv("RedirectConfig", wire.Struct{
			kv("Protocol", r.Protocol), kv("Port", r.Port), kv("Host", r.Host),
			kv("Path", r.Path), kv("Query", r.Query), kv("StatusCode", r.StatusCode),
		}))
	case a.FixedResponse != nil:
		f := a.FixedResponse
		out = append(out, kv("FixedResponseConfig", wire.Struct{
			kv("MessageBody", wire.Opt(f.MessageBody)), kv("StatusCode", f.StatusCode), kv("ContentType", wire.Opt(f.ContentType)),
		}))
	default:
		out = append(out, kv(configMember(a.Type), describeAuth(a)))
	}
	return out
}
