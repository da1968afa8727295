package app

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
)

// eksCall runs norikae eks get-token in an environment without anything of the machine's own.
func eksCall(t *testing.T, set map[string]string, args ...string) (code int, out, errOut string) {
	t.Helper()
	for _, name := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_SESSION_TOKEN", "KUBERNETES_EXEC_INFO"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "fake")
	for k, v := range set {
		t.Setenv(k, v)
	}
	var o, e bytes.Buffer
	code = Main(t.Context(), append([]string{"eks", "get-token"}, args...), strings.NewReader(""), &o, &e, OSEnvironment("test"))
	return code, o.String(), e.String()
}

func TestATokenIsACallThatIsSignedAndNotMade(t *testing.T) {
	for name, tc := range map[string]struct {
		env     map[string]string
		region  string
		host    string
		version string
	}{
		"of a region":                     {nil, "eu-west-1", "https://sts.eu-west-1.amazonaws.com", "v1"},
		"of the global endpoint's region": {nil, "us-east-1", "https://sts.us-east-1.amazonaws.com", "v1"},
		"of another partition":            {nil, "cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn", "v1"},
		"of a lab":                        {map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:4599"}, "eu-west-1", "http://127.0.0.1:4599", "v1"},
		"for an old client": {
			map[string]string{"KUBERNETES_EXEC_INFO": `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{"interactive":false}}`},
			"eu-west-1", "https://sts.eu-west-1.amazonaws.com", "v1beta1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			code, out, errOut := eksCall(t, tc.env, "--cluster-name", "green", "--region", tc.region)
			if code != 0 || errOut != "" {
				t.Fatalf("exit code %d: %s", code, errOut)
			}
			var c struct {
				Kind, APIVersion string
				Status           struct {
					ExpirationTimestamp time.Time
					Token               string
				}
			}
			if err := json.Unmarshal([]byte(out), &c); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if c.Kind != "ExecCredential" || c.APIVersion != "client.authentication.k8s.io/"+tc.version {
				t.Errorf("it is a %s of %s", c.Kind, c.APIVersion)
			}
			if left := c.Status.ExpirationTimestamp.Sub(began); left < 13*time.Minute || left > 15*time.Minute {
				t.Errorf("it expires after %s", left)
			}
			text, ok := strings.CutPrefix(c.Status.Token, "k8s-aws-v1.")
			raw, err := base64.RawURLEncoding.DecodeString(text)
			u, parseErr := url.Parse(string(raw))
			if !ok || err != nil || parseErr != nil {
				t.Fatalf("%v, %v, %v", ok, err, parseErr)
			}
			q := u.Query()
			if got := u.Scheme + "://" + u.Host; got != tc.host || u.Path != "/" {
				t.Errorf("the URL is %s%s, want %s/", got, u.Path, tc.host)
			}
			if q.Get("Action") != "GetCallerIdentity" || q.Get("X-Amz-Expires") != "60" || q.Get("X-Amz-SignedHeaders") != "host;x-k8s-aws-id" {
				t.Errorf("the query is %v", q)
			}
		})
	}
}

func TestATokenIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		args []string
		want string
	}{
		"without a cluster":  {nil, []string{"--region", "eu-west-1"}, "--cluster-name is missing"},
		"without a region":   {nil, []string{"--cluster-name", "green"}, "no AWS region: set --region, AWS_REGION"},
		"for no such name":   {nil, []string{"--cluster-name", "a/b", "--region", "eu-west-1"}, `the cluster name "a/b" is not 1–100`},
		"as no such profile": {nil, []string{"--cluster-name", "green", "--profile", "blue"}, `--profile "blue" does not exist`},
		"as no role":         {nil, []string{"--cluster-name", "green", "--role-arn", "admin"}, `--role-arn "admin" is not a role's ARN`},
		"with half a role":   {nil, []string{"--cluster-name", "green", "--external-id", "of us"}, "--external-id is of a role: add --role-arn"},
		"with a short ID":    {nil, []string{"--cluster-name", "green", "--role-arn", "arn:aws:iam::111122223333:role/ci", "--external-id", "x"}, "--external-id has 1 characters; want 2–1224"},
		"with a word":        {nil, []string{"--cluster-name", "green", "--region", "eu-west-1", "blue"}, `takes no argument "blue"`},
		"to who is not a client": {
			map[string]string{"KUBERNETES_EXEC_INFO": "{"},
			[]string{"--cluster-name", "green", "--region", "eu-west-1"},
			"KUBERNETES_EXEC_INFO is not JSON",
		},
		"to a client of long ago": {
			map[string]string{"KUBERNETES_EXEC_INFO": `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1alpha1"}`},
			[]string{"--cluster-name", "green", "--region", "eu-west-1"},
			"change apiVersion in the kubeconfig's exec",
		},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := eksCall(t, tc.env, tc.args...)
			if code != 1 || out != "" || !strings.Contains(errOut, tc.want) {
				t.Errorf("exit code %d, %q on stdout, on stderr:\n%s", code, out, errOut)
			}
		})
	}
}
