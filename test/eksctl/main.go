// Command eksctl is a stand-in for the program of that name, for tests only: see README.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

const usage = "eksctl: a stand-in for tests, not the real program; see test/eksctl/README.md"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code, err := run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string) (int, error) {
	c, err := read(args)
	if err != nil {
		return 2, err
	}
	if err := c.record(); err != nil {
		return 2, err
	}
	if len(args) == 0 || args[0] == "help" {
		fmt.Println(usage)
		return 0, nil
	}
	if args[0] == "version" {
		fmt.Println("0.0.0-standin")
		return 0, nil
	}
	if d, err := time.ParseDuration(os.Getenv("EKSCTL_SLEEP")); err == nil {
		fmt.Fprintln(os.Stderr, "waiting", d)
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return 130, errors.New("interrupted")
		}
	}
	line := strings.Join(args, " ")
	if s := os.Getenv("EKSCTL_FAIL_BEFORE"); s != "" && strings.Contains(line, s) {
		return 1, errors.New("told to fail before acting (EKSCTL_FAIL_BEFORE)")
	}
	if err := c.act(ctx); err != nil {
		return 1, err
	}
	if s := os.Getenv("EKSCTL_FAIL"); s != "" && strings.Contains(line, s) {
		return 1, errors.New("told to fail (EKSCTL_FAIL)")
	}
	return 0, nil
}

// command is a run of the program.
type command struct {
	args  []string
	verb  string // such as "create cluster"
	flags map[string][]string
	stdin []byte
	aws   *cloud
}

// verbs and the flags that each takes; a trailing = is a flag with a value.
func verbs() map[string]string {
	const at, doc = " cluster= name= region=", " f="
	return map[string]string{
		"create cluster":                    doc + " write-kubeconfig",
		"upgrade cluster":                   doc + " approve",
		"delete cluster":                    " name= region= wait",
		"create nodegroup":                  doc + at + " managed spot " + nodeFlags,
		"delete nodegroup":                  doc + at + " include= drain approve wait",
		"drain nodegroup":                   at + " undo",
		"create iamserviceaccount":          doc + at + " namespace= attach-policy-arn= override-existing-serviceaccounts approve",
		"delete iamserviceaccount":          at + " namespace= wait",
		"create fargateprofile":             doc,
		"delete fargateprofile":             at + " wait",
		"create iamidentitymapping":         " cluster= region= arn= username= group=",
		"delete iamidentitymapping":         " cluster= region= arn= all",
		"get iamidentitymapping":            " cluster= region= output=",
		"get nodegroup":                     at + " output=",
		"get iamserviceaccount":             at + " namespace= output=",
		"utils associate-iam-oidc-provider": doc + " approve",
	}
}

const nodeFlags = "tags= version= node-type= nodes= nodes-min= nodes-max= node-volume-size= node-volume-type= ssh-access ssh-public-key= " +
	"enable-ssm node-ami= node-ami-family= node-private-networking node-security-groups= node-labels= node-zones= instance-prefix= instance-name= " +
	"disable-pod-imds instance-types= asg-access external-dns-access full-ecr-access appmesh-access appmesh-preview-access alb-ingress-access " +
	"install-neuron-plugin install-nvidia-plugin cfn-role-arn= cfn-disable-rollback"

// read the arguments strictly.
func read(args []string) (*command, error) {
	c := &command{args: args, flags: map[string][]string{}}
	if len(args) < 2 {
		return c, nil
	}
	c.verb = args[0] + " " + args[1]
	allowed, ok := verbs()[c.verb]
	if !ok {
		return nil, fmt.Errorf("the stand-in has no command %q", c.verb)
	}
	known := strings.Fields(allowed + " timeout= color=")
	for i := 2; i < len(args); i++ {
		name, value, has := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		switch {
		case !strings.HasPrefix(args[i], "-"):
			return nil, fmt.Errorf("unexpected argument %q", args[i])
		case slices.Contains(known, name):
		case !slices.Contains(known, name+"="):
			return nil, fmt.Errorf("unknown flag of %s: %s", c.verb, args[i])
		case !has && i+1 == len(args):
			return nil, fmt.Errorf("the flag %s needs a value", args[i])
		case !has:
			i++
			value = args[i]
		}
		c.flags[name] = append(c.flags[name], value)
	}
	if c.flag("f") == "-" {
		var err error
		if c.stdin, err = io.ReadAll(os.Stdin); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *command) flag(name string) string {
	if v := c.flags[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// record the run, as a line of JSON.
func (c *command) record() error {
	path := os.Getenv("EKSCTL_RECORD")
	if path == "" {
		return nil
	}
	line, err := json.Marshal(map[string]any{"args": c.args, "stdin": string(c.stdin), "pid": os.Getpid()})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // G703: the test names it
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// shared is where labs with a network of their own are: nothing of AWS is there (RFC 6598).
var shared = &net.IPNet{IP: net.IPv4(100, 64, 0, 0), Mask: net.CIDRMask(10, 32)}

// loopback refuses to act anywhere but on this machine.
func loopback(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" {
		return fmt.Errorf("AWS_ENDPOINT_URL is %q: the stand-in acts on a simulated AWS only", endpoint)
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback() && !shared.Contains(ip)) {
		return fmt.Errorf("AWS_ENDPOINT_URL is %q, no address of this machine or of its labs: the stand-in acts on a simulated AWS only", endpoint)
	}
	return nil
}
