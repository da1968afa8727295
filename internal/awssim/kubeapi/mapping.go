package kubeapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/norikae/norikae/internal/awssim/eks"
)

// user of an API server, as a TokenReview names it.
type user struct {
	Username string              `json:"username"`
	UID      string              `json:"uid,omitempty"`
	Groups   []string            `json:"groups,omitempty"`
	Extra    map[string][]string `json:"extra,omitempty"`
}

// mapping of an identity: what it is inside of a cluster, before templates are filled in.
type mapping struct {
	username string
	groups   []string
	policies []eks.AccessPolicy
}

// errNotMapped is of identities that a cluster does not know.
var errNotMapped = errors.New("neither an access entry nor aws-auth names it")

// awsAuth is the ConfigMap's data, of which each is YAML.
type awsAuth struct {
	MapRoles    string `json:"mapRoles"`
	MapUsers    string `json:"mapUsers"`
	MapAccounts string `json:"mapAccounts"`
}

// mapIdentity by access entries first: on AWS, too, an entry hides what aws-auth says of
// the same principal. auth is called in the modes that know the ConfigMap.
func mapIdentity(id identity, access eks.Access, auth func() (awsAuth, error)) (mapping, error) {
	for _, e := range access.Entries {
		if e.Principal == id.Principal {
			return mapping{e.Username, e.Groups, e.Policies}, nil
		}
	}
	if access.Creator != "" && (access.Creator == id.Principal || access.Creator == id.canonical()) {
		return mapping{username: "kubernetes-admin", groups: []string{"system:masters"}}, nil
	}
	if access.Mode == eks.ModeAPI {
		return mapping{}, errNotMapped
	}
	a, err := auth()
	if err != nil {
		return mapping{}, err
	}
	return a.find(id)
}

// find an identity. Of several mappings of one ARN the last holds. A role's ARN has no path
// here: aws-iam-authenticator compares it with what it can tell from a session.
func (a awsAuth) find(id identity) (mapping, error) {
	type named struct {
		RoleARN  string   `yaml:"rolearn"`
		UserARN  string   `yaml:"userarn"`
		Username string   `yaml:"username"`
		Groups   []string `yaml:"groups"`
	}
	for _, part := range []struct {
		name, text string
		arn        func(named) string
	}{
		{"mapRoles", a.MapRoles, func(n named) string { return n.RoleARN }},
		{"mapUsers", a.MapUsers, func(n named) string { return n.UserARN }},
	} {
		var list []named
		if err := yaml.Unmarshal([]byte(part.text), &list); err != nil {
			return mapping{}, fmt.Errorf("aws-auth: %s: %w", part.name, err)
		}
		for _, n := range slices.Backward(list) {
			if got := part.arn(n); got != "" && strings.EqualFold(got, id.canonical()) {
				return mapping{username: n.Username, groups: n.Groups}, nil
			}
		}
	}
	var accounts []string
	if err := yaml.Unmarshal([]byte(a.MapAccounts), &accounts); err != nil {
		return mapping{}, fmt.Errorf("aws-auth: mapAccounts: %w", err)
	}
	if slices.Contains(accounts, id.Account) {
		return mapping{username: id.canonical()}, nil
	}
	return mapping{}, errNotMapped
}

// readAWSAuth of a cluster's own API server; none is an empty one.
func readAWSAuth(ctx context.Context, api *client) (awsAuth, error) {
	var object struct{ Data awsAuth }
	err := api.do(ctx, http.MethodGet, "/api/v1/namespaces/kube-system/configmaps/aws-auth", nil, &object)
	if err != nil && !hasStatus(err, http.StatusNotFound) {
		return awsAuth{}, fmt.Errorf("reading aws-auth: %w", err)
	}
	return object.Data, nil
}

// user that the identity is by its mapping, without the groups of access policies.
func (id identity) user(m mapping) (user, error) {
	fill := strings.NewReplacer(
		"{{AccountID}}", id.Account, "{{AccessKeyID}}", id.KeyID,
		// A user's name must not hold an @, of which a session's may have some.
		"{{SessionName}}", strings.ReplaceAll(id.Session, "@", "-"), "{{SessionNameRaw}}", id.Session,
	)
	u := user{Username: fill.Replace(m.username), Groups: make([]string, len(m.groups))}
	for i, g := range m.groups {
		u.Groups[i] = fill.Replace(g)
	}
	for _, text := range append([]string{u.Username}, u.Groups...) {
		if strings.Contains(text, "{{") {
			return user{}, fmt.Errorf("%q has a template that this lab cannot fill in: it has no nodes", text)
		}
	}
	if u.Username == "" {
		u.Username = id.canonical()
	}
	u.UID = "aws-iam-authenticator:" + id.Account + ":" + strings.Split(id.UserID, ":")[0]
	u.Extra = map[string][]string{
		"accessKeyId": {id.KeyID}, "arn": {id.ARN}, "canonicalArn": {id.canonical()}, "principalId": {strings.Split(id.UserID, ":")[0]},
		"sessionName": {id.Session},
	}
	return u, nil
}
