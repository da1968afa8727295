// Package labcli is the command `norikae lab`: it runs the simulated AWS, and talks to a
// running one through its control endpoint.
package labcli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
)

// New makes the command. getenv finds the lab of the shell (AWS_ENDPOINT_URL).
func New(getenv func(string) string) *cobra.Command { return newLab(getenv, syscall.Exec) }

func newLab(getenv func(string) string, become func(string, []string, []string) error) *cobra.Command {
	c := &labCommand{getenv: getenv, become: become}
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Run a simulated AWS with load balancers that carry real traffic",
		Long: `A lab is a simulated AWS on one loopback address: STS, IAM, Elastic Load Balancing,
CloudWatch, Route 53 with a name server, EKS, EC2 and Resource Groups Tagging, with load
balancers that forward real requests and connections to running targets. It takes any
credentials, unless it is told otherwise, and nothing in it leaves this machine.`,
		Example: `  norikae lab up                        # in one shell
  eval "$(norikae lab env)"             # in another
  norikae lab manifest > shift.yaml
  norikae lab load --duration 2m &
  norikae shift -f shift.yaml`,
		Args: cobra.NoArgs,
		RunE: help,
	}
	cmd.PersistentFlags().StringVar(&c.endpoint, "endpoint", "", "`URL` of the lab (default: AWS_ENDPOINT_URL, which norikae lab up prints)")
	cmd.AddCommand(c.up(), c.execute(), c.env(), c.get("world", "world", "Show the lab's ARNs and URLs as JSON"),
		c.get("counters", "counters", "Show what the load balancers, the name server and the targets have counted, as JSON"),
		c.calls(), c.faults(), c.manifest(), c.load())
	return cmd
}

// help is what a command with subcommands does by itself. That it does something lets
// cobra refuse words that are none of its subcommands.
func help(cmd *cobra.Command, _ []string) error { return cmd.Help() }

type labCommand struct {
	// become another program; it returns only if that fails.
	become func(path string, args, env []string) error

	getenv   func(string) string
	endpoint string // --endpoint
}

func kinds() string {
	var out []string
	for _, k := range fault.Kinds() {
		out = append(out, string(k))
	}
	return strings.Join(out, ", ")
}

func asJSON(cmd *cobra.Command) bool {
	f := cmd.Flag("output")
	return f != nil && f.Value.String() == "json"
}

// base is the URL of the lab that the commands talk to: on this machine, or it is none.
func (c *labCommand) base() (string, error) {
	from, e := "--endpoint", c.endpoint
	if e == "" {
		from, e = "AWS_ENDPOINT_URL", c.getenv("AWS_ENDPOINT_URL")
	}
	if e == "" {
		return "", errors.New("no lab is known: export what `norikae lab up` printed, or name the lab with --endpoint http://127.0.0.1:PORT")
	}
	u, err := url.Parse(e)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return "", fmt.Errorf("%s %q is not a lab's URL: want http://127.0.0.1:PORT", from, e)
	}
	if u.Hostname() != "localhost" && !here(net.ParseIP(u.Hostname())) {
		return "", fmt.Errorf("%s %q is not on this machine: a lab is on 127.0.0.1, or in a network of its own; there, run this by norikae lab exec", from, e)
	}
	return strings.TrimSuffix(e, "/") + awssim.ControlPrefix, nil
}

// here tells whether an address is this machine's, in the network where this runs.
func here(ip net.IP) bool {
	if ip == nil || ip.IsLoopback() {
		return ip != nil
	}
	own, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(own, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}

// ask calls the control endpoint and hands the answer's body to read. The URL's query
// asks for streams; they end with ctx.
func (c *labCommand) ask(ctx context.Context, method, path string, body io.Reader, read func(io.Reader) error) error {
	base, err := c.base()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, body)
	if err != nil {
		return fmt.Errorf("asking the lab: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{Transport: &http.Transport{ResponseHeaderTimeout: 10 * time.Second}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("asking the lab at %s: %w; is `norikae lab up` running?", base, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or the error is told
	if resp.StatusCode >= http.StatusMultipleChoices {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // what there is of the reason
		return fmt.Errorf("the lab refused: %s", reason(text, resp.Status))
	}
	return read(resp.Body)
}

// reason is the text in the lab's error answer.
func reason(body []byte, status string) string {
	var e struct{ Error string }
	if json.Unmarshal(body, &e) == nil && e.Error != "" {
		return e.Error
	}
	return status + " " + strings.TrimSpace(string(body))
}

// get makes the command called words, below lab, that prints what the control endpoint
// answers.
func (c *labCommand) get(words, path, short string) *cobra.Command {
	return &cobra.Command{
		Use: words[strings.LastIndex(words, " ")+1:], Short: short, Args: cobra.NoArgs, Example: "  norikae lab " + words,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.ask(cmd.Context(), http.MethodGet, path, nil, copyTo(cmd.OutOrStdout()))
		},
	}
}

func copyTo(w io.Writer) func(io.Reader) error {
	return func(r io.Reader) error {
		_, err := io.Copy(w, r)
		return err
	}
}

func (c *labCommand) calls() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "calls",
		Short: "Show the log of API calls as JSON lines",
		Example: `  norikae lab calls
  norikae lab calls --follow | jq -c 'select(.weights)'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			path := "calls"
			if follow {
				path += "?follow=1"
			}
			err := c.ask(ctx, http.MethodGet, path, nil, copyTo(cmd.OutOrStdout()))
			if follow && ctx.Err() != nil {
				return nil // being interrupted is how it ends
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&follow, "follow", false, "go on printing calls as they come")
	return cmd
}

// oneFault wants the fault as one argument, which a shell makes of JSON only in quotes.
func oneFault(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf(`lab fault add takes one fault as JSON, in single quotes, not %d arguments: for example '{"kind":"throttle","operation":"ModifyRule","times":3}'`, len(args))
	}
	return nil
}

func (c *labCommand) faults() *cobra.Command {
	cmd := &cobra.Command{
		Use: "fault", Short: "Inject faults into a running lab", Args: cobra.NoArgs, RunE: help,
		Long: "Injects faults into a running lab. Kinds: " + kinds() + ".",
		Example: `  norikae lab fault add '{"kind":"target","targetGroup":"green","failRate":0.05}'
  norikae lab fault add '{"kind":"propagation-delay","duration":"30s"}'
  norikae lab fault list
  norikae lab fault clear`,
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "add JSON", Short: "Add a fault", Args: oneFault,
			Example: `  norikae lab fault add '{"kind":"error-after","operation":"ModifyRule","times":1}'`,
			RunE: func(cmd *cobra.Command, args []string) error {
				return c.ask(cmd.Context(), http.MethodPost, "faults", strings.NewReader(args[0]), copyTo(cmd.OutOrStdout()))
			},
		},
		c.get("fault list", "faults", "List the faults and how often each has hit"),
		&cobra.Command{
			Use: "clear", Short: "Remove all faults", Args: cobra.NoArgs, Example: "  norikae lab fault clear",
			RunE: func(cmd *cobra.Command, _ []string) error {
				return c.ask(cmd.Context(), http.MethodDelete, "faults", nil, copyTo(cmd.OutOrStdout()))
			},
		},
	)
	return cmd
}
