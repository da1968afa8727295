package authz

import (
	"fmt"
	"strings"
	"testing"
)

func policies(t *testing.T, documents ...string) []Policy {
	t.Helper()
	out := []Policy{}
	for i, d := range documents {
		p, err := Parse(fmt.Sprintf("p%d", i), d, Identity)
		if err != nil {
			t.Fatalf("%s: %v", d, err)
		}
		out = append(out, p)
	}
	return out
}

// allow is a policy with one statement.
func allow(action, resource, more string) string { return statement("Allow", action, resource, more) }

func deny(action, resource, more string) string { return statement("Deny", action, resource, more) }

func statement(effect, action, resource, more string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":%q,"Action":%q,"Resource":%q%s}}`, effect, action, resource, more)
}

const (
	modify = "elasticloadbalancing:ModifyRule"
	rule   = "arn:aws:elasticloadbalancing:us-east-1:000000000000:listener-rule/app/web/0a/1b/2c"
)

func TestEvaluate(t *testing.T) {
	keys := Keys{}
	keys.Set("aws:username", "ann")
	keys.Set("aws:RequestedRegion", "us-east-1")
	keys.setTag("aws:PrincipalTag/", "team", "web")
	keys.setTag("aws:PrincipalTag/", "star", "*")
	everything := allow("*", "*", "")
	for name, tc := range map[string]struct {
		identity, boundary, session []string
		resource                    string
		want                        Effect
		source                      string
	}{
		"nothing is allowed by no policy":           {nil, nil, nil, rule, ImplicitDeny, fromIdentity},
		"an action is allowed by its name":          {[]string{allow(modify, rule, "")}, nil, nil, rule, Allowed, fromIdentity},
		"actions have no case":                      {[]string{allow(strings.ToUpper(modify), rule, "")}, nil, nil, rule, Allowed, fromIdentity},
		"resources have case":                       {[]string{allow(modify, strings.Replace(rule, "web", "Web", 1), "")}, nil, nil, rule, ImplicitDeny, fromIdentity},
		"wildcards reach over slashes and colons":   {[]string{allow("elasticloadbalancing:Modify*", "arn:*:listener-rule/app/*", "")}, nil, nil, rule, Allowed, fromIdentity},
		"a question mark is one character":          {[]string{allow("elasticloadbalancing:ModifyRul?", rule[:len(rule)-1]+"?", "")}, nil, nil, rule, Allowed, fromIdentity},
		"a question mark is not none":               {[]string{allow(modify+"?", "*", "")}, nil, nil, rule, ImplicitDeny, fromIdentity},
		"another resource is not allowed":           {[]string{allow(modify, rule+"0", "")}, nil, nil, rule, ImplicitDeny, fromIdentity},
		"a deny wins over any allow":                {[]string{everything, deny(modify, rule, "")}, nil, nil, rule, ExplicitDeny, fromIdentity},
		"a deny of another action does nothing":     {[]string{everything, deny("iam:*", "*", "")}, nil, nil, rule, Allowed, fromIdentity},
		"a boundary limits":                         {[]string{everything}, []string{allow("iam:*", "*", "")}, nil, rule, ImplicitDeny, fromBoundary},
		"a boundary allows nothing by itself":       {nil, []string{everything}, nil, rule, ImplicitDeny, fromIdentity},
		"a deny in a boundary wins":                 {[]string{everything}, []string{everything, deny(modify, "*", "")}, nil, rule, ExplicitDeny, fromBoundary},
		"session policies limit":                    {[]string{everything}, nil, []string{allow("iam:*", "*", "")}, rule, ImplicitDeny, fromSession},
		"session policies let through":              {[]string{everything}, []string{everything}, []string{allow(modify, rule, "")}, rule, Allowed, fromIdentity},
		"NotAction is everything else":              {[]string{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*"],"Resource":"*"}]}`}, nil, nil, rule, Allowed, fromIdentity},
		"NotAction is not what it names":            {[]string{`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["elasticloadbalancing:*"],"Resource":"*"}]}`}, nil, nil, rule, ImplicitDeny, fromIdentity},
		"NotResource is everything else":            {[]string{`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","NotResource":"arn:aws:s3:::*"}]}`, everything}, nil, nil, rule, ExplicitDeny, fromIdentity},
		"a variable stands for a key":               {[]string{allow(modify, "arn:aws:x:::${aws:username}/${aws:PrincipalTag/team}", "")}, nil, nil, "arn:aws:x:::ann/web", Allowed, fromIdentity},
		"a variable's wildcard is literal":          {[]string{allow(modify, "arn:aws:x:::${aws:PrincipalTag/star}", "")}, nil, nil, "arn:aws:x:::ann", ImplicitDeny, fromIdentity},
		"a variable's wildcard matches itself":      {[]string{allow(modify, "arn:aws:x:::${aws:PrincipalTag/star}", "")}, nil, nil, "arn:aws:x:::*", Allowed, fromIdentity},
		"a variable without a value matches none":   {[]string{allow(modify, "arn:aws:x:::${aws:PrincipalTag/none}", "")}, nil, nil, "arn:aws:x:::", ImplicitDeny, fromIdentity},
		"a variable may have a default":             {[]string{allow(modify, "arn:aws:x:::${aws:PrincipalTag/none, 'all'}", "")}, nil, nil, "arn:aws:x:::all", Allowed, fromIdentity},
		"an escaped star is literal":                {[]string{allow(modify, "arn:aws:x:::a${*}", "")}, nil, nil, "arn:aws:x:::ab", ImplicitDeny, fromIdentity},
		"version 2008 has no variables":             {[]string{strings.Replace(allow(modify, "arn:aws:x:::${aws:username}", ""), "2012-10-17", "2008-10-17", 1)}, nil, nil, "arn:aws:x:::${aws:username}", Allowed, fromIdentity},
		"a condition that holds":                    {[]string{allow(modify, "*", `,"Condition":{"StringEquals":{"aws:RequestedRegion":["eu-west-1","us-east-1"]}}`)}, nil, nil, rule, Allowed, fromIdentity},
		"all conditions must hold":                  {[]string{allow(modify, "*", `,"Condition":{"StringEquals":{"aws:RequestedRegion":"us-east-1","aws:username":"bob"}}`)}, nil, nil, rule, ImplicitDeny, fromIdentity},
		"a condition compares with a variable":      {[]string{allow(modify, "*", `,"Condition":{"StringEquals":{"aws:username":"${aws:username}"}}`)}, nil, nil, rule, Allowed, fromIdentity},
		"a deny whose condition fails does nothing": {[]string{everything, deny("*", "*", `,"Condition":{"StringNotEquals":{"aws:RequestedRegion":"us-east-1"}}`)}, nil, nil, rule, Allowed, fromIdentity},
	} {
		t.Run(name, func(t *testing.T) {
			p := Policies{Identity: policies(t, tc.identity...)}
			if tc.boundary != nil {
				p.Boundary = policies(t, tc.boundary...)
			}
			if tc.session != nil {
				p.Session = policies(t, tc.session...)
			}
			d := Evaluate(p, Request{Action: modify, Resource: tc.resource, Keys: keys})
			if d.Effect != tc.want || d.Source != tc.source {
				t.Errorf("%s by %s, want %s by %s", d.Effect, d.Source, tc.want, tc.source)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	keys := Keys{}
	keys.Set("t:name", "Blue")
	keys.Set("t:many", "a", "b")
	keys.Set("t:n", "10")
	keys.Set("t:on", "true")
	keys.Set("t:ip", "10.1.2.3")
	keys.Set("t:arn", "arn:aws:iam::111122223333:role/ops/deploy")
	keys.Set("t:date", "2026-11-23T10:00:00Z")
	for condition, want := range map[string]bool{
		`"StringEquals":{"t:name":"Blue"}`:                                    true,
		`"StringEquals":{"T:NAME":"Blue"}`:                                    true,
		`"StringEquals":{"t:name":"blue"}`:                                    false,
		`"StringEquals":{"t:name":"B*"}`:                                      false,
		`"StringEquals":{"t:none":"x"}`:                                       false,
		`"StringEqualsIfExists":{"t:none":"x"}`:                               true,
		`"StringEqualsIfExists":{"t:name":"x"}`:                               false,
		`"StringNotEquals":{"t:name":["x","y"]}`:                              true,
		`"StringNotEquals":{"t:name":["x","Blue"]}`:                           false,
		`"StringNotEquals":{"t:none":"x"}`:                                    true,
		`"StringEqualsIgnoreCase":{"t:name":"bLUE"}`:                          true,
		`"StringNotEqualsIgnoreCase":{"t:name":"bLUE"}`:                       false,
		`"StringLike":{"t:name":"B?u*"}`:                                      true,
		`"StringNotLike":{"t:name":"B*"}`:                                     false,
		`"StringEquals":{"t:many":"b"}`:                                       true,  // of several values without a quantifier, any
		`"StringNotEquals":{"t:many":"a"}`:                                    false, // and none of them
		`"ForAnyValue:StringEquals":{"t:many":["b","c"]}`:                     true,
		`"ForAnyValue:StringEquals":{"t:many":"c"}`:                           false,
		`"ForAnyValue:StringEquals":{"t:none":"c"}`:                           false,
		`"ForAllValues:StringEquals":{"t:many":["a","b","c"]}`:                true,
		`"ForAllValues:StringEquals":{"t:many":["a","c"]}`:                    false,
		`"ForAllValues:StringEquals":{"t:none":["a"]}`:                        true,
		`"ForAllValues:StringNotEquals":{"t:many":["c"]}`:                     true,
		`"ForAllValues:StringNotEquals":{"t:many":["a"]}`:                     false,
		`"ForAnyValue:StringNotEquals":{"t:many":["a"]}`:                      true,
		`"ForAnyValue:StringNotEquals":{"t:none":["a"]}`:                      false,
		`"NumericEquals":{"t:n":10}`:                                          true,
		`"NumericNotEquals":{"t:n":"10.0"}`:                                   false,
		`"NumericLessThan":{"t:n":"11"}`:                                      true,
		`"NumericLessThan":{"t:n":"9"}`:                                       false,
		`"NumericLessThanEquals":{"t:n":"10"}`:                                true,
		`"NumericGreaterThan":{"t:n":"10"}`:                                   false,
		`"NumericGreaterThanEquals":{"t:n":"10"}`:                             true,
		`"NumericEquals":{"t:name":"10"}`:                                     false,
		`"DateLessThan":{"t:date":"2026-11-23T10:00:01Z"}`:                    true,
		`"DateGreaterThan":{"t:date":"2026-11-23"}`:                           true,
		`"DateEquals":{"t:date":"2026-11-23T11:00:00+01:00"}`:                 true,
		`"DateNotEquals":{"t:date":"2026-11-23T10:00:00Z"}`:                   false,
		`"DateGreaterThanEquals":{"t:date":"1795428001"}`:                     false,
		`"DateLessThanEquals":{"t:date":"1795428000"}`:                        true,
		`"Bool":{"t:on":true}`:                                                true,
		`"Bool":{"t:on":"false"}`:                                             false,
		`"BoolIfExists":{"t:none":"false"}`:                                   true,
		`"Null":{"t:none":"true"}`:                                            true,
		`"Null":{"t:none":false}`:                                             false,
		`"Null":{"t:on":"false"}`:                                             true,
		`"IpAddress":{"t:ip":["192.168.0.0/16","10.0.0.0/8"]}`:                true,
		`"IpAddress":{"t:ip":"10.1.2.3"}`:                                     true,
		`"IpAddress":{"t:ip":"10.1.2.4/32"}`:                                  false,
		`"NotIpAddress":{"t:ip":"10.0.0.0/8"}`:                                false,
		`"ArnLike":{"t:arn":"arn:*:iam::*:role/ops/*"}`:                       true,
		`"ArnEquals":{"t:arn":"arn:aws:iam::111122223333:role/*"}`:            true,
		`"ArnLike":{"t:arn":"arn:aws:*:role/ops/deploy"}`:                     false,
		`"ArnNotLike":{"t:arn":"arn:aws:iam::111122223333:*"}`:                false,
		`"ArnNotEquals":{"t:arn":"arn:aws:iam::111122223333:role/ops/other"}`: true,
	} {
		t.Run(condition, func(t *testing.T) {
			p := policies(t, allow("a:b", "*", `,"Condition":{`+condition+`}`))
			d := Evaluate(Policies{Identity: p}, Request{Action: "a:b", Resource: "*", Keys: keys})
			if got := d.Effect == Allowed; got != want {
				t.Errorf("holds: %v, want %v", got, want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		document string
		kind     Kind
		want     string
	}{
		"what is not JSON":              {`{`, Identity, "Syntax errors in policy"},
		"text behind the document":      {allow("a:b", "*", "") + "x", Identity, "Syntax errors"},
		"an unknown member":             {`{"Statements":[]}`, Identity, "Statements"},
		"no statement":                  {`{"Version":"2012-10-17"}`, Identity, "Statement is missing or empty"},
		"an unknown version":            {`{"Version":"2020-01-01","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`, Identity, "valid version string"},
		"an effect that is none":        {statement("allow", "*", "*", ""), Identity, `Effect "allow"`},
		"no action":                     {`{"Statement":{"Effect":"Allow","Resource":"*"}}`, Identity, "must contain actions"},
		"Action beside NotAction":       {allow("a:b", "*", `,"NotAction":"c:d"`), Identity, "must contain actions"},
		"an action without its service": {allow("ModifyRule", "*", ""), Identity, "prefaced by a vendor"},
		"no resource":                   {`{"Statement":{"Effect":"Allow","Action":"*"}}`, Identity, "must contain resources"},
		"a resource that is no ARN":     {allow("a:b", "rule/1", ""), Identity, "must be in ARN format"},
		"a principal in an identity's":  {allow("a:b", "*", `,"Principal":"*"`), Identity, "should not specify a principal"},
		"an unknown operator":           {allow("a:b", "*", `,"Condition":{"StringMatches":{"aws:username":"x"}}`), Identity, "Invalid Condition type: StringMatches"},
		"an unknown quantifier":         {allow("a:b", "*", `,"Condition":{"ForSome:StringLike":{"aws:username":"x"}}`), Identity, "Invalid Condition type"},
		"Null with IfExists":            {allow("a:b", "*", `,"Condition":{"NullIfExists":{"aws:username":"true"}}`), Identity, "Invalid Condition type"},
		"a key without a service":       {allow("a:b", "*", `,"Condition":{"StringLike":{"username":"x"}}`), Identity, "prefaced by a vendor"},
		"an object as a value":          {allow("a:b", "*", `,"Condition":{"StringLike":{"aws:username":{}}}`), Identity, "is not a string"},
		"a trust policy with resources": {`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*","Resource":"*"}}`, Trust, "prohibited field Resource"},
		"a trust policy for nobody":     {`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole"}}`, Trust, "Missing required field Principal"},
		"a trust policy for an s3 call": {`{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Principal":"*"}}`, Trust, "STS AssumeRole actions"},
		"a principal that is no ARN":    {`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"ann"}}}`, Trust, `Invalid principal in policy: "AWS":"ann"`},
		"a provider that is no ARN":     {`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Federated":"example.com"}}}`, Trust, "Invalid principal"},
		"NotPrincipal":                  {`{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","NotPrincipal":"*"}}`, Trust, "NotPrincipal"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("p", tc.document, tc.kind)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestMayAssume(t *testing.T) {
	const (
		home    = "111122223333"
		other   = "444455556666"
		roleARN = "arn:aws:iam::" + home + ":role/shift"
		issuer  = "arn:aws:iam::" + home + ":oidc-provider/oidc.example.com/id/1"
	)
	user := func(account string, documents ...string) Principal {
		return Principal{Account: account, ARN: "arn:aws:iam::" + account + ":user/ann", UserName: "ann", Policies: Policies{Identity: policies(t, documents...)}}
	}
	mayAssume := allow("sts:AssumeRole", roleARN, "")
	trust := func(principal, more string) string {
		return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:AssumeRoleWithWebIdentity"],"Principal":` + principal + more + `}}`
	}
	account := `{"AWS":"arn:aws:iam::` + home + `:root"}`
	const external = `,"Condition":{"StringEquals":{"sts:ExternalId":"x-1"}}`
	for name, tc := range map[string]struct {
		trust  string
		caller Principal
		action string
		want   Effect
	}{
		"an account trusted, the user allowed":         {trust(account, ""), user(home, mayAssume), "sts:AssumeRole", Allowed},
		"an account trusted, the user not allowed":     {trust(account, ""), user(home), "sts:AssumeRole", ImplicitDeny},
		"an account trusted by its number":             {trust(`{"AWS":"`+home+`"}`, ""), user(home, mayAssume), "sts:AssumeRole", Allowed},
		"the user itself trusted":                      {trust(`{"AWS":"arn:aws:iam::`+home+`:user/ann"}`, ""), user(home), "sts:AssumeRole", Allowed},
		"the user itself trusted, and denied":          {trust(`{"AWS":"arn:aws:iam::`+home+`:user/ann"}`, ""), user(home, deny("sts:*", "*", "")), "sts:AssumeRole", ExplicitDeny},
		"a foreign user trusted, not allowed":          {trust(`{"AWS":"arn:aws:iam::`+other+`:user/ann"}`, ""), user(other), "sts:AssumeRole", ImplicitDeny},
		"a foreign user trusted and allowed":           {trust(`{"AWS":"arn:aws:iam::`+other+`:user/ann"}`, ""), user(other, mayAssume), "sts:AssumeRole", Allowed},
		"a foreign user not trusted":                   {trust(account, ""), user(other, mayAssume), "sts:AssumeRole", ImplicitDeny},
		"everybody trusted, a foreign user allowed":    {trust(`"*"`, ""), user(other, mayAssume), "sts:AssumeRole", Allowed},
		"an administrator of a foreign account":        {trust(account, ""), Principal{Account: other, ARN: "arn:aws:iam::" + other + ":user/lab", Admin: true}, "sts:AssumeRole", ImplicitDeny},
		"an administrator of the account":              {trust(account, ""), Principal{Account: home, ARN: "arn:aws:iam::" + home + ":user/lab", Admin: true}, "sts:AssumeRole", Allowed},
		"an external id that is missing":               {trust(account, external), user(home, mayAssume), "sts:AssumeRole", ImplicitDeny},
		"an action that is not trusted":                {trust(account, ""), user(home, allow("sts:*", "*", "")), "sts:TagSession", ImplicitDeny},
		"a role's session trusted as the role":         {trust(`{"AWS":"arn:aws:iam::`+home+`:role/a/b"}`, ""), Principal{Account: home, ARN: "arn:aws:sts::" + home + ":assumed-role/b/s", RoleARN: "arn:aws:iam::" + home + ":role/a/b"}, "sts:AssumeRole", Allowed},
		"a token of a trusted provider":                {trust(`{"Federated":"`+issuer+`"}`, ""), Principal{Federated: issuer}, "sts:AssumeRoleWithWebIdentity", Allowed},
		"a token of another provider":                  {trust(`{"Federated":"`+issuer+`"}`, ""), Principal{Federated: issuer + "2"}, "sts:AssumeRoleWithWebIdentity", ImplicitDeny},
		"a user where only a provider is trusted":      {trust(`{"Federated":"`+issuer+`"}`, ""), user(home, mayAssume), "sts:AssumeRole", ImplicitDeny},
		"a service trusted":                            {trust(`{"Service":"eks.amazonaws.com"}`, ""), user(home, mayAssume), "sts:AssumeRole", ImplicitDeny},
		"a deny in the trust policy":                   {strings.Replace(trust(`"*"`, ""), "Allow", "Deny", 1), user(home, mayAssume), "sts:AssumeRole", ExplicitDeny},
		"everybody trusted does not mean any provider": {trust(`"*"`, ""), Principal{Federated: issuer}, "sts:AssumeRoleWithWebIdentity", ImplicitDeny},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Parse("trust", tc.trust, Trust)
			if err != nil {
				t.Fatal(err)
			}
			d := MayAssume(Role{ARN: roleARN, Account: home, Trust: p}, tc.caller, tc.action, Keys{})
			if d.Effect != tc.want {
				t.Errorf("%s by %s, want %s", d.Effect, d.Source, tc.want)
			}
		})
	}
}
