package awsconf

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/norikae/norikae/internal/fault"
)

func TestASessionThatAWSWouldRefuseSaysWhichFieldIsWrong(t *testing.T) {
	environment(t, keys())
	many := func(n int, each func(int) string) (out []string) {
		for i := range n {
			out = append(out, each(i))
		}
		return out
	}
	tags := map[string]string{}
	for i := range 51 {
		tags[fmt.Sprint("k", i)] = "v"
	}
	policy := func(i int) string { return fmt.Sprintf("arn:aws:iam::aws:policy/P%d", i) }
	for name, tc := range map[string]struct {
		session Session
		want    string // "": it is taken
	}{
		"a quarter of an hour":        {Session{Duration: 15 * time.Minute}, ""},
		"twelve hours":                {Session{Duration: 12 * time.Hour}, ""},
		"too short":                   {Session{Duration: 899 * time.Second}, "assume_role.duration_seconds: 14m59s: want 15m–12h"},
		"too long":                    {Session{Duration: 12*time.Hour + time.Second}, "assume_role.duration_seconds: 12h0m1s"},
		"half a second":               {Session{Duration: time.Hour + time.Second/2}, "whole seconds"},
		"a policy that is no JSON":    {Session{Policy: "{"}, "assume_role.policy is no JSON"},
		"a policy that is too long":   {Session{Policy: `"` + strings.Repeat("x", 2047) + `"`}, "assume_role.policy has 2049 characters; want at most 2048"},
		"ten policies":                {Session{PolicyARNs: many(10, policy)}, ""},
		"eleven policies":             {Session{PolicyARNs: many(11, policy)}, "assume_role.policy_arns: 11 of them; want at most 10"},
		"a role for a policy":         {Session{PolicyARNs: []string{role}}, `assume_role.policy_arns[0]: "` + role + `"`},
		"51 tags":                     {Session{Tags: tags}, "assume_role.tags: 51 of them; want at most 50"},
		"an empty key":                {Session{Tags: map[string]string{"": "x"}}, `assume_role.tags: key ""`},
		"a key of AWS's":              {Session{Tags: map[string]string{"AWS:x": "x"}}, `key "AWS:x": aws: is`},
		"a value with a brace":        {Session{Tags: map[string]string{"team": "{x}"}}, `team = "{x}"`},
		"a transitive key of nothing": {Session{Tags: map[string]string{"a": "b"}, TransitiveTagKeys: []string{"a", "c"}}, `assume_role.transitive_tag_keys[1]: "c" is no key of tags`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(t.Context(), Options{In: InTerraform, HTTPClient: through(simulator()), AssumeRole: AssumeRole{RoleARN: role, ExternalID: "lab", Session: &tc.session}})
			invalid := fault.IsTerminal(err)
			if invalid != (tc.want != "") || invalid && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("want %q, got %v", tc.want, err)
			}
		})
	}
}

func TestASessionIsAskedForAsDeclared(t *testing.T) {
	environment(t, keys())
	var asked url.Values
	sim := through(simulator())
	_, err := Load(t.Context(), Options{
		AssumeRole: AssumeRole{RoleARN: role, Session: &Session{
			Duration: 30 * time.Minute, Policy: `{"Version":"2012-10-17","Statement":[]}`, PolicyARNs: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
			Tags: map[string]string{"team": "web", "app": "shop"}, TransitiveTagKeys: []string{"team"},
		}},
		HTTPClient: transport(func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return nil, err
			}
			if asked, err = url.ParseQuery(string(body)); err != nil {
				return nil, err
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			return sim(r)
		}),
	})
	if asked == nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"DurationSeconds": "1800", "Policy": `{"Version":"2012-10-17","Statement":[]}`, "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/ReadOnlyAccess",
		"Tags.member.1.Key": "app", "Tags.member.2.Value": "web", "TransitiveTagKeys.member.1": "team", "RoleSessionName": "norikae",
	} {
		if got := asked.Get(key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
}

func TestTerraformsUsersAreToldTerraformsFields(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		opts Options
		want []string
	}{
		"no region":            {map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, Options{}, []string{"set region of the provider or the resource"}},
		"no such profile":      {keys(), Options{Profile: "blue"}, []string{`"blue"`, "change profile of the provider or the resource"}},
		"no credentials":       {map[string]string{"AWS_REGION": "us-east-1"}, Options{}, []string{"AWS_PROFILE", "or profile of the provider"}},
		"no role":              {keys(), Options{AssumeRole: AssumeRole{RoleARN: "x"}}, []string{"assume_role.role_arn: "}},
		"a short session name": {keys(), Options{AssumeRole: AssumeRole{RoleARN: role, SessionName: "x"}}, []string{"assume_role.session_name: "}},
		"a short external ID":  {keys(), Options{AssumeRole: AssumeRole{RoleARN: role, ExternalID: "x"}}, []string{"assume_role.external_id has 1 "}},
	} {
		t.Run(name, func(t *testing.T) {
			environment(t, tc.env)
			tc.opts.In = InTerraform
			_, err := Load(t.Context(), tc.opts)
			for _, want := range tc.want {
				if !strings.Contains(fmt.Sprint(err), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
			if strings.Contains(fmt.Sprint(err), "manifest") {
				t.Errorf("Terraform has no manifest: %v", err)
			}
		})
	}
}
