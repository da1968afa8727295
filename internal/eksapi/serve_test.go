package eksapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/norikae/norikae/internal/eksapi"
	"github.com/norikae/norikae/internal/eksctl"
	"github.com/norikae/norikae/internal/provider/connection"
)

// The test program is the child that gets credentials, too.
const play = "EKSCTL_PLAY"

func TestMain(m *testing.M) {
	if os.Getenv(play) == "" {
		os.Exit(m.Run())
	}
	if err := child(); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
}

// child is what every program with the SDK does: it loads the default configuration and
// signs with it. It says each key that it gets, until there were three.
func child() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	last := ""
	for n := 0; n < 3; {
		c, err := cfg.Credentials.Retrieve(ctx)
		if err != nil {
			return err
		}
		if c.AccessKeyID != last {
			n, last = n+1, c.AccessKeyID
			fmt.Println(c.AccessKeyID, c.SecretAccessKey == "secret of "+c.AccessKeyID, c.SessionToken == "token of "+c.AccessKeyID, cfg.Region)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}

// sessions of a role are short, and each has another key.
type sessions struct {
	life time.Duration
	made atomic.Int32
	fail atomic.Bool
}

func (s *sessions) Retrieve(context.Context) (aws.Credentials, error) {
	if s.fail.Load() {
		return aws.Credentials{}, errors.New("the session of the caller has ended")
	}
	key := fmt.Sprintf("KEY%d", s.made.Add(1))
	return aws.Credentials{AccessKeyID: key, SecretAccessKey: "secret of " + key, SessionToken: "token of " + key, CanExpire: true, Expires: time.Now().Add(s.life)}, nil
}

func assuming(s *sessions) (*eksapi.API, connection.Connection) {
	api := eksapi.New(func(context.Context, connection.Connection) (aws.Config, error) {
		return aws.Config{Credentials: aws.NewCredentialsCache(s)}, nil
	})
	return api, connection.Connection{Region: "us-east-1", Profile: "mine", AssumeRole: &connection.AssumeRole{RoleARN: "arn:aws:iam::111122223333:role/ci"}}
}

func TestS13_AChildGetsFreshCredentialsWhenItsOwnExpire(t *testing.T) {
	api, conn := assuming(&sessions{life: 500 * time.Millisecond})
	vars, stop, err := api.Serve(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	home := t.TempDir() // a profile with keys must not go before the role
	if err := os.MkdirAll(filepath.Join(home, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".aws", "credentials"), []byte("[default]\naws_access_key_id = OTHER\naws_secret_access_key = x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := eksctl.Environment([]string{play + "=child", "HOME=" + home, "AWS_ACCESS_KEY_ID=ENVIRONMENT", "AWS_SECRET_ACCESS_KEY=x", "AWS_PROFILE=other", "HTTP_PROXY=http://192.0.2.1:1"}, vars)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = env
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, line := range lines {
		if !strings.HasPrefix(line, "KEY") || !strings.HasSuffix(line, " true true us-east-1") {
			t.Errorf("the child saw %s", line)
		}
	}
	if len(lines) != 3 {
		t.Errorf("the child saw %d keys: %q", len(lines), lines)
	}
	if text := strings.Join(env, " "); strings.Contains(text, "secret of") || strings.Contains(text, "token of") {
		t.Errorf("the credentials are in the environment: %s", text)
	}
}

func TestCredentialsAreServedToTheChildOnly(t *testing.T) {
	api, conn := assuming(&sessions{life: time.Hour})
	vars, stop, err := api.Serve(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	uri, token := vars["AWS_CONTAINER_CREDENTIALS_FULL_URI"], vars["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
	if !strings.HasPrefix(uri, "http://127.0.0.1:") || len(token) < 20 {
		t.Fatalf("%s with a token of %d characters", uri, len(token))
	}
	ask := func(token string) (string, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, uri, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		defer func() { _ = resp.Body.Close() }()
		line, err := bufio.NewReader(resp.Body).ReadString('\n')
		return resp.Status + " " + line, err
	}
	for name, tc := range map[string]struct{ token, want string }{
		"the child":     {token, `200 OK {"AccessKeyId":"KEY1"`},
		"another token": {token + "x", `403 Forbidden {"code":"AccessDenied"`},
		"no token":      {"", "403 Forbidden"},
	} {
		if got, err := ask(tc.token); err != nil || !strings.HasPrefix(got, tc.want) || (tc.token != token && strings.Contains(got, "KEY")) {
			t.Errorf("%s got %s %v", name, got, err)
		}
	}
	other, stopOther, err := api.Serve(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	defer stopOther()
	if other["AWS_CONTAINER_AUTHORIZATION_TOKEN"] == token {
		t.Error("two runs have one token")
	}
	stop()
	if got, err := ask(token); err == nil {
		t.Errorf("after the run it still answers %s", got)
	}
}

func TestWhatCannotBeAssumedIsSaidBeforeTheProgramRuns(t *testing.T) {
	s := &sessions{life: time.Millisecond}
	s.fail.Store(true)
	api, conn := assuming(s)
	_, stop, err := api.Serve(t.Context(), conn)
	stop()
	if err == nil || !strings.Contains(err.Error(), "assuming arn:aws:iam::111122223333:role/ci") {
		t.Error(err)
	}
}

func TestWithoutARoleTheEnvironmentIsTheUsers(t *testing.T) {
	api := eksapi.New(func(context.Context, connection.Connection) (aws.Config, error) {
		return aws.Config{}, errors.New("somebody was asked")
	})
	vars, stop, err := api.Serve(t.Context(), connection.Connection{Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	env := eksctl.Environment([]string{"AWS_PROFILE=mine", "AWS_ACCESS_KEY_ID=a", "AWS_CONFIG_FILE=/x", "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://x"}, vars)
	want := []string{"AWS_ACCESS_KEY_ID=a", "AWS_CONFIG_FILE=/x", "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://x", "AWS_DEFAULT_REGION=us-east-1", "AWS_PROFILE=mine", "AWS_REGION=us-east-1"}
	if !slices.Equal(env, want) {
		t.Errorf("the environment is %q", env)
	}
}
