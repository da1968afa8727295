package labcli

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/awssim"
)

// environment that a lab's clients need.
type environment struct {
	Env      map[string]string `json:"env"`
	Unset    []string          `json:"unset"`
	names    []string          // of Env, in order
	endpoint string
}

func environmentOf(w awssim.World) environment {
	e := environment{Env: map[string]string{}, Unset: w.EnvUnset, endpoint: w.Endpoint}
	for _, kv := range w.Env {
		name, value, _ := strings.Cut(kv, "=")
		e.set(name, value)
	}
	return e
}

func (e *environment) set(name, value string) {
	if _, ok := e.Env[name]; !ok {
		e.names = append(e.names, name)
	}
	e.Env[name] = value
	e.Unset = slices.DeleteFunc(slices.Clone(e.Unset), func(unset string) bool { return unset == name })
}

// shell is how a kind of shells is told the environment.
type shell struct {
	unset  string // the command, before names
	export func(name, value string) string
	quote  func(string) string
	aws    string // a function; %s: the endpoint
}

// shells by the names of --shell. The function aws is for AWS CLIs before 2.13, which
// know no AWS_ENDPOINT_URL.
func shells() map[string]shell {
	return map[string]shell{
		"sh": {
			unset:  "unset",
			export: func(name, value string) string { return "export " + name + "=" + value },
			quote:  func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" },
			aws:    `aws() { command aws --endpoint-url %s "$@"; }`,
		},
		"fish": {
			unset:  "set -e",
			export: func(name, value string) string { return "set -gx " + name + " " + value },
			quote:  func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'" },
			aws:    "function aws; command aws --endpoint-url %s $argv; end",
		},
	}
}

// plain needs no quotes in any shell.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// script sets the environment when a shell evaluates it.
func (s shell) script(e environment) string {
	var b strings.Builder
	if len(e.Unset) > 0 {
		b.WriteString(s.unset + " " + strings.Join(e.Unset, " ") + "\n")
	}
	for _, name := range e.names {
		value := e.Env[name]
		if !plain.MatchString(value) {
			value = s.quote(value)
		}
		b.WriteString(s.export(name, value) + "\n")
	}
	fmt.Fprintf(&b, s.aws+"\n", e.endpoint)
	return b.String()
}

func (c *labCommand) env() *cobra.Command {
	var name, role string
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print what a shell must export to use a running lab",
		Long: `Prints the variables to export and to unset, so that AWS clients in this shell talk to
the lab and never to AWS, as commands of the shell. Without --endpoint and
AWS_ENDPOINT_URL it asks the lab at the address where lab up listens by default. With --role-arn the credentials are
those of a role, so that one can work in another account; the lab lets everybody assume
every role, unless it was started with --authz.`,
		Example: `  eval "$(norikae lab env)"
  eval "$(norikae lab env --endpoint http://127.0.0.1:4600)"
  eval "$(norikae lab env --role-arn arn:aws:iam::111111111111:role/discovery)"
  norikae lab env --shell fish | source
  norikae lab env -o json | jq -r .env.AWS_ENDPOINT_URL`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			defer func() {
				if err != nil && !asJSON(cmd) { // what eval gets must fail too
					_, told := fmt.Fprintln(cmd.OutOrStdout(), "false")
					err = errors.Join(err, told)
				}
			}()
			if name == "bash" || name == "zsh" {
				name = "sh"
			}
			sh, ok := shells()[name]
			if !ok {
				return fmt.Errorf("--shell %q is not one of %s", name, strings.Join(slices.Sorted(maps.Keys(shells())), ", "))
			}
			if c.endpoint == "" && c.getenv("AWS_ENDPOINT_URL") == "" {
				c.endpoint = "http://" + listenDefault // this is for shells that know of no lab yet
			}
			w, err := c.anyWorld(cmd.Context())
			if err != nil {
				return err
			}
			e := environmentOf(w)
			if role != "" {
				if err := assume(cmd.Context(), w.Endpoint, role, &e); err != nil {
					return fmt.Errorf("--role-arn %s: %w", role, err)
				}
			}
			if asJSON(cmd) {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(e)
			}
			_, err = io.WriteString(cmd.OutOrStdout(), sh.script(e))
			return err
		},
	}
	cmd.Flags().StringVar(&name, "shell", "sh", "the shell's kind: sh (also bash, zsh), fish")
	cmd.Flags().StringVar(&role, "role-arn", "", "the role, of any account, whose credentials to print")
	return cmd
}

// assume a role, by a call without a signature, which a lab takes.
func assume(ctx context.Context, endpoint, role string, e *environment) error {
	form := url.Values{"Action": {"AssumeRole"}, "Version": {"2011-06-15"}, "RoleArn": {role}, "RoleSessionName": {"norikae-lab-env"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("asking the lab: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return fmt.Errorf("asking the lab: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or the error is told
	var answer struct {
		Credentials struct {
			ID     string `xml:"AccessKeyId"`
			Secret string `xml:"SecretAccessKey"`
			Token  string `xml:"SessionToken"`
		} `xml:"AssumeRoleResult>Credentials"`
		Error struct{ Code, Message string }
	}
	if err := xml.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return fmt.Errorf("the lab's answer, %s: %w", resp.Status, err)
	}
	switch got := answer.Credentials; {
	case answer.Error.Code == "MissingAuthenticationToken":
		return fmt.Errorf("this lab wants signatures (--authz); with the lab's credentials use aws sts assume-role --role-session-name me --role-arn %s", role)
	case got.ID == "":
		return fmt.Errorf("the lab refused: %s: %s", answer.Error.Code, answer.Error.Message)
	default:
		e.set("AWS_ACCESS_KEY_ID", got.ID)
		e.set("AWS_SECRET_ACCESS_KEY", got.Secret)
		e.set("AWS_SESSION_TOKEN", got.Token)
		return nil
	}
}
