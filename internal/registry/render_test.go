package registry

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestRender(t *testing.T) {
	shard := 2
	s := one()
	s.Template.Project, s.Template.Shard, s.Template.Namespaces = text("team-{{ .Tags.env }}"), &shard, []string{"a", "b"}
	c := eks("blue")
	c.Endpoint += "/"
	got, err := s.Render(c)
	if err != nil {
		t.Fatal(err)
	}
	want := Registration{
		ClusterName: "blue-us-east-1-111122223333", Server: "https://blue.eks.example",
		Config:  `{"awsAuthConfig":{"clusterName":"blue"},"tlsClientConfig":{"insecure":false,"caData":"Y2E="}}`,
		Project: "team-prod", Shard: "2", Namespaces: "a,b",
		Labels: map[string]string{"env": "prod"}, Annotations: map[string]string{"example.com/version": "1.36"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRenderAuth(t *testing.T) {
	const tls = `"tlsClientConfig":{"insecure":false,"caData":"Y2E="}`
	for name, tc := range map[string]struct {
		auth           Auth
		server, config string
	}{
		"no role: the key is absent": {Auth{AWS: &AWSAuth{}}, "https://blue.eks.example", `{"awsAuthConfig":{"clusterName":"blue"},` + tls + `}`},
		"no way is awsAuthConfig":    {Auth{}, "https://blue.eks.example", `{"awsAuthConfig":{"clusterName":"blue"},` + tls + `}`},
		"a role and a profile": {
			Auth{AWS: &AWSAuth{RoleARN: text("arn:{{ .Partition }}:iam::{{ .Account }}:role/argocd"), Profile: "p"}},
			"https://blue.eks.example",
			`{"awsAuthConfig":{"clusterName":"blue","roleARN":"arn:aws:iam::111122223333:role/argocd","profile":"p"},` + tls + `}`,
		},
		"a role that not every cluster has": {Auth{AWS: &AWSAuth{RoleARN: text(`{{ get .Tags "argocd-role" }}`)}}, "https://blue.eks.example", `{"awsAuthConfig":{"clusterName":"blue"},` + tls + `}`},
		"exec": {
			Auth{Exec: &ExecAuth{RoleARN: text("arn:aws:iam::{{ .Account }}:role/argocd"), Env: map[string]*Text{"AWS_REGION": text("{{ .Region }}")}}},
			"https://blue.eks.example",
			`{"execProviderConfig":{"command":"argocd-k8s-auth","args":["aws","--cluster-name","blue","--role-arn","arn:aws:iam::111122223333:role/argocd"],"env":{"AWS_REGION":"us-east-1"},"apiVersion":"client.authentication.k8s.io/v1beta1"},` + tls + `}`,
		},
		"exec without a role": {
			Auth{Exec: &ExecAuth{}},
			"https://blue.eks.example",
			`{"execProviderConfig":{"command":"argocd-k8s-auth","args":["aws","--cluster-name","blue"],"apiVersion":"client.authentication.k8s.io/v1beta1"},` + tls + `}`,
		},
		"the managed Argo CD": {Auth{EKSARN: true}, "arn:aws:eks:us-east-1:111122223333:cluster/blue", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := one()
			s.Auth = tc.auth
			got, err := s.Render(eks("blue"))
			if err != nil || got.Server != tc.server || got.Config != tc.config {
				t.Errorf("%v\nserver %s, want %s\nconfig %s\nwant   %s", err, got.Server, tc.server, got.Config, tc.config)
			}
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	tag := func(v string) func(*Set, *Cluster) {
		return func(_ *Set, c *Cluster) { c.Tags["env"] = v }
	}
	for name, tc := range map[string]struct {
		change func(*Set, *Cluster)
		want   []string
	}{
		"a label with a character that labels have not": {tag("a b"), []string{"template.labels[env]", `"a b"`, "at most 63 of A-Z"}},
		"a label that is too long":                      {tag(strings.Repeat("x", 64)), []string{"template.labels[env]", "at most 63"}},
		"a label that ends in a dash":                   {tag("prod-"), []string{`"prod-"`, "at both ends"}},
		"a tag that is missing":                         {func(_ *Set, c *Cluster) { delete(c.Tags, "env") }, []string{"template.labels[env]", `no tag "env"`}},
		"an annotation of a tag that is missing": {func(s *Set, _ *Cluster) { s.Template.Annotations["a"] = text("{{ .Tags.no }}") }, []string{
			"template.annotations[a]", `no tag "no"`,
		}},
		"annotations that are too long": {func(s *Set, _ *Cluster) {
			for i := range 70 {
				s.Template.Annotations[fmt.Sprint("a", i)] = text(strings.Repeat("x", 4000))
			}
		}, []string{"template.annotations", "245760"}},
		"Argo CD's own label": {func(s *Set, _ *Cluster) { s.Template.Labels["argocd.argoproj.io/secret-type"] = text("x") }, []string{"reserved"}},
		"our mark":            {func(s *Set, _ *Cluster) { s.Template.Annotations["norikae.dev/owner"] = text("x") }, []string{"template.annotations", "reserved"}},
		"managed-by":          {func(s *Set, _ *Cluster) { s.Template.Labels["app.kubernetes.io/managed-by"] = text("x") }, []string{"reserved"}},
		"a key that is none":  {func(s *Set, _ *Cluster) { s.Template.Labels["a b"] = text("x") }, []string{"template.labels", `"a b"`, "PREFIX"}},
		"an empty name":       {func(s *Set, _ *Cluster) { s.Template.Name = text("") }, []string{"template.name", "1–253"}},
		"a name that is too long": {func(s *Set, _ *Cluster) { s.Template.Name = text(strings.Repeat("x", 254)) }, []string{
			"template.name", "1–253",
		}},
		"a name with a line's end": {func(s *Set, _ *Cluster) { s.Template.Name = text("a\nb") }, []string{"template.name", "control"}},
		"a name that ends in space": {func(s *Set, _ *Cluster) { s.Template.Name = text("a ") }, []string{
			"template.name", "space",
		}},
		"a project that is none":   {func(s *Set, _ *Cluster) { s.Template.Project = text("A b") }, []string{"template.project", `"A b"`}},
		"a role that is none":      {func(s *Set, _ *Cluster) { s.Auth.AWS.RoleARN = text("argocd") }, []string{"auth.awsAuthConfig.roleARN", `"argocd"`, "arn:PARTITION"}},
		"an endpoint that is none": {func(_ *Set, c *Cluster) { c.Endpoint = "http://a" }, []string{"http://a", "https"}},
		"an authority that is not base64": {func(_ *Set, c *Cluster) { c.CA = "-----BEGIN CERTIFICATE-----" }, []string{
			"not base64",
		}},
		"no endpoint yet":  {func(_ *Set, c *Cluster) { c.Endpoint = "" }, []string{"no endpoint"}},
		"no authority yet": {func(_ *Set, c *Cluster) { c.CA = "" }, []string{"no endpoint or certificate authority"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := one(), eks("blue")
			tc.change(s, &c)
			_, err := s.Render(c)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestSecretName(t *testing.T) {
	dns := regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	rapid.Check(t, func(t *rapid.T) {
		a := id(rapid.StringMatching(`[0-9A-Za-z][0-9A-Za-z_-]{0,99}`).Draw(t, "name"))
		name := SecretName(a)
		if !dns.MatchString(name) || len(name) > 63 {
			t.Fatalf("%q", name)
		}
		for _, b := range []ID{
			{"aws-cn", a.Account, a.Region, a.Name},
			{a.Partition, "999999999999", a.Region, a.Name},
			{a.Partition, a.Account, "eu-west-1", a.Name},
			{a.Partition, a.Account, a.Region, a.Name + "x"},
		} {
			if SecretName(b) == name {
				t.Fatalf("%s and %s have one name", a.ARN(), b.ARN())
			}
		}
	})
	if got, want := SecretName(id("Prod_Blue")), "eks-prod-blue-de7c1b1631"; got != want {
		t.Errorf("SecretName = %s, want %s: Secrets that there are would be lost", got, want)
	}
}

func TestSameConfig(t *testing.T) {
	for name, tc := range map[string]struct {
		a, b string
		want bool
	}{
		"spaces and order do not matter": {`{"a":1,"b":[1,2]}`, "{ \"b\": [1, 2],\n\"a\": 1 }", true},
		"order in a list does":           {`{"b":[1,2]}`, `{"b":[2,1]}`, false},
		"one key more":                   {`{"a":1}`, `{"a":1,"b":2}`, false},
		"null is not absent":             {`{"a":null}`, `{}`, false},
		"the same that is no JSON":       {"x", "x", true},
		"another that is no JSON":        {"x", "y", false},
		"nothing is not an object":       {"", "{}", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := SameConfig(tc.a, tc.b); got != tc.want || SameConfig(tc.b, tc.a) != got {
				t.Errorf("SameConfig = %v, want %v, and the same the other way round", got, tc.want)
			}
		})
	}
}
