package kubeapi

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/eks"
)

// session of a role with a path.
func session() identity {
	return identity{
		Account: account, ARN: "arn:aws:sts::000000000000:assumed-role/argocd/me@home", Principal: roleARN,
		UserID: "AROALAB1:me@home", Session: "me@home", KeyID: "ASIALAB1",
	}
}

func TestAnIdentityIsMappedBy(t *testing.T) {
	entry := []eks.AccessEntry{{Principal: roleARN, Username: "entry:{{SessionName}}", Groups: []string{"a"}}}
	roles := "- rolearn: " + bareRole + "\n  username: map:{{SessionName}}:{{SessionNameRaw}}:{{AccountID}}\n  groups:\n  - system:masters\n"
	for name, tc := range map[string]struct {
		access eks.Access
		auth   awsAuth
		want   string // user name and groups; "": nobody
	}{
		"an entry":                              {eks.Access{Mode: eks.ModeAPI, Entries: entry}, awsAuth{}, "entry:me-home a"},
		"an entry rather than aws-auth":         {eks.Access{Mode: eks.ModeAPIAndConfigMap, Entries: entry}, awsAuth{MapRoles: roles}, "entry:me-home a"},
		"aws-auth beside entries":               {eks.Access{Mode: eks.ModeAPIAndConfigMap}, awsAuth{MapRoles: roles}, "map:me-home:me@home:000000000000 system:masters"},
		"aws-auth alone":                        {eks.Access{Mode: eks.ModeConfigMap}, awsAuth{MapRoles: roles}, "map:me-home:me@home:000000000000 system:masters"},
		"nothing where aws-auth does not count": {eks.Access{Mode: eks.ModeAPI}, awsAuth{MapRoles: roles}, ""},
		"nothing where nobody names it":         {eks.Access{Mode: eks.ModeAPIAndConfigMap}, awsAuth{}, ""},
		"having created the cluster":            {eks.Access{Mode: eks.ModeConfigMap, Creator: roleARN}, awsAuth{}, "kubernetes-admin system:masters"},
		"its role having created the cluster":   {eks.Access{Mode: eks.ModeConfigMap, Creator: bareRole}, awsAuth{}, "kubernetes-admin system:masters"},
		"an entry of the role without its path": {eks.Access{Mode: eks.ModeAPI, Entries: []eks.AccessEntry{{Principal: bareRole, Username: "x"}}}, awsAuth{}, ""},
		"aws-auth with the path of the role":    {eks.Access{Mode: eks.ModeConfigMap}, awsAuth{MapRoles: strings.ReplaceAll(roles, bareRole, roleARN)}, ""},
		"aws-auth in JSON and other letters":    {eks.Access{Mode: eks.ModeConfigMap}, awsAuth{MapRoles: `[{"rolearn": "ARN:aws:iam::000000000000:role/ArgoCD", "username": "u"}]`}, "u"},
		"the last of two mappings":              {eks.Access{Mode: eks.ModeConfigMap}, awsAuth{MapRoles: roles + "- rolearn: " + bareRole + "\n  username: last\n"}, "last"},
		"a mapping without a name":              {eks.Access{Mode: eks.ModeConfigMap}, awsAuth{MapRoles: "- rolearn: " + bareRole + "\n"}, bareRole},
		"a list of users":                       {eks.Access{Mode: eks.ModeConfigMap}, awsAuth{MapUsers: "- userarn: " + bareRole + "\n  username: u\n  groups: [g]\n"}, "u g"},
		"its account":                           {eks.Access{Mode: eks.ModeConfigMap}, awsAuth{MapAccounts: "- \"000000000000\"\n"}, bareRole},
		"no other account":                      {eks.Access{Mode: eks.ModeConfigMap}, awsAuth{MapAccounts: "- \"111111111111\"\n"}, ""},
		"no roles that are not YAML":            {eks.Access{Mode: eks.ModeConfigMap}, awsAuth{MapRoles: "- {"}, ""},
		"no roles that are not a list":          {eks.Access{Mode: eks.ModeConfigMap}, awsAuth{MapRoles: "rolearn: " + bareRole}, ""},
		"no accounts that are not a list":       {eks.Access{Mode: eks.ModeConfigMap}, awsAuth{MapAccounts: "a: b"}, ""},
		"no name that only a node's address fills": {
			eks.Access{Mode: eks.ModeAPI, Entries: []eks.AccessEntry{{Principal: roleARN, Type: "EC2_LINUX", Username: "system:node:{{EC2PrivateDNSName}}"}}}, awsAuth{}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := mapIdentity(session(), tc.access, func() (awsAuth, error) { return tc.auth, nil })
			var u user
			if err == nil {
				u, err = session().user(m)
			}
			got := ""
			if err == nil {
				got = strings.Join(append([]string{u.Username}, u.Groups...), " ")
			}
			if got != tc.want {
				t.Errorf("it is %q (%v), want %q", got, err, tc.want)
			}
		})
	}
}

func TestAnEntryNeedsNoConfigMap(t *testing.T) {
	unread := errors.New("the ConfigMap was read")
	access := eks.Access{Mode: eks.ModeAPIAndConfigMap, Entries: []eks.AccessEntry{{Principal: roleARN}}}
	if _, err := mapIdentity(session(), access, func() (awsAuth, error) { return awsAuth{}, unread }); err != nil {
		t.Error(err)
	}
	if _, err := mapIdentity(session(), eks.Access{Mode: eks.ModeConfigMap}, func() (awsAuth, error) { return awsAuth{}, unread }); !errors.Is(err, unread) {
		t.Errorf("a ConfigMap that cannot be read gives %v", err)
	}
}

func TestAUserTellsWhoItIsOnAWS(t *testing.T) {
	u, err := session().user(mapping{username: "u", groups: []string{"g-{{AccessKeyID}}"}})
	if err != nil {
		t.Fatal(err)
	}
	want := user{
		Username: "u", UID: "aws-iam-authenticator:000000000000:AROALAB1", Groups: []string{"g-ASIALAB1"},
		Extra: map[string][]string{
			"accessKeyId": {"ASIALAB1"}, "arn": {session().ARN}, "canonicalArn": {bareRole}, "principalId": {"AROALAB1"}, "sessionName": {"me@home"},
		},
	}
	if d := cmp.Diff(want, u); d != "" {
		t.Errorf("the user (-want +got):\n%s", d)
	}
}

func TestNamespacesOfAnAccessScope(t *testing.T) {
	for name, tc := range map[string]struct {
		patterns  []string
		namespace string
		want      bool
	}{
		"the same name":              {[]string{"web"}, "web", true},
		"one of several":             {[]string{"db", "web"}, "web", true},
		"another name":               {[]string{"web"}, "web-2", false},
		"a star at the end":          {[]string{"web-*"}, "web-2", true},
		"a star that matches all":    {[]string{"*"}, "web", true},
		"a star inside":              {[]string{"a*z"}, "abcz", true},
		"what is no pattern on AWS":  {[]string{"we?"}, "web", false},
		"a class that is none":       {[]string{"[w]eb"}, "web", false},
		"a pattern that is too long": {[]string{"web*x"}, "web", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := matchesAny(tc.patterns, tc.namespace); got != tc.want {
				t.Errorf("%v matches %s: %t", tc.patterns, tc.namespace, got)
			}
		})
	}
}
