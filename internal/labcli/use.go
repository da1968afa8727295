package labcli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/template"
	"time"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/load"
)

// maxRate of a load, in requests per second: what one machine can carry beside a lab.
const maxRate = 50_000

// anyWorld asks the lab what it was built with.
func (c *labCommand) anyWorld(ctx context.Context) (w awssim.World, err error) {
	err = c.ask(ctx, http.MethodGet, "world", nil, func(r io.Reader) error { return json.NewDecoder(r).Decode(&w) })
	return w, err
}

// world is one with traffic.
func (c *labCommand) world(ctx context.Context) (awssim.World, error) {
	w, err := c.anyWorld(ctx)
	switch {
	case err != nil:
		return w, err
	case w.World == awssim.WorldFleet:
		return w, fmt.Errorf("the world %s has %d clusters and no traffic to shift: start a lab with `norikae lab up --seed blue-green`, nlb or route53", w.World, w.Clusters)
	case w.URL == "":
		return w, errors.New("this lab has no load balancer with traffic: start one with `norikae lab up --seed blue-green`, nlb or route53")
	}
	return w, nil
}

// Manifest is a shift of everything to one side of a lab's world.
const Manifest = `apiVersion: norikae.dev/v1alpha1
kind: TrafficShift
metadata: {name: {{.Name}}}
spec:
  route:
{{- if eq .World.World "route53"}}
    route53: {hostedZoneID: {{.World.HostedZoneID}}, name: {{.World.Name}}}
{{- else if eq .World.World "nlb"}}
    nlb: {listenerARN: "{{.World.ListenerARN}}"}
{{- else}}
    alb:
      listenerARN: {{.World.ListenerARN}}
      rule: {priority: {{.World.RulePriority}}, hosts: [{{.World.Host}}]}
{{- end}}
  destinations:
{{- if eq .World.World "route53"}}
{{- range .World.Destinations}}
  - {name: {{.SetIdentifier}}, setIdentifier: {{.SetIdentifier}}, loadBalancerARN: "{{.LoadBalancerARN}}", weight: {{if eq .SetIdentifier $.To}}100{{else}}0{{end}}}
{{- end}}
{{- else}}
{{- range .World.TargetGroups}}
  - {name: {{.Name}}, targetGroupARN: {{.ARN}}, weight: {{if eq .Name $.To}}100{{else}}0{{end}}}
{{- end}}
{{- end}}
  strategy: {stepWeight: {{.StepWeight}}, stepInterval: {{.StepInterval}}, bake: {{.Bake}}{{if eq .World.World "nlb"}}, drain: {duration: 10s}{{end}}}
`

// Shift fills in Manifest.
type Shift struct {
	Name, To           string
	World              awssim.World
	StepWeight         int
	StepInterval, Bake time.Duration
}

// Render gives the manifest's text.
func (s Shift) Render() (string, error) { return render(Manifest, s) }

func render(manifest string, values any) (string, error) {
	t, err := template.New("manifest").Parse(manifest)
	if err != nil {
		return "", fmt.Errorf("the lab's manifest: %w", err)
	}
	var b strings.Builder
	err = t.Execute(&b, values)
	return b.String(), err
}

// FleetManifest registers the clusters of the world fleet. Without --kubernetes their
// endpoints are made up, so that nothing there can be reached.
const FleetManifest = `apiVersion: norikae.dev/v1alpha1
kind: ClusterSet
metadata: {name: fleet, namespace: argocd}
spec:
  sources:
  - eks:
      regions:{{range .Regions}}
      - {{.}}{{end}}
      accounts:{{range .Accounts}}
      - roleARN: arn:aws:iam::{{.}}:role/discovery{{end}}
      selector:
        matchTags: {norikae.dev/fleet: lab}
  template:
    labels: {environment: "{{"{{ .Tags.environment }}"}}", cell: "{{"{{ .Tags.cell }}"}}", region: "{{"{{ .Region }}"}}"}
    targetGroups: {none: true} # the lab's fleet has no load balancers
  interval: 10s
  refreshInterval: 1m
  deletion: {policy: Delete, grace: 1m}
  probe: {enabled: {{gt (len .APIServers) 0}}}
`

func (c *labCommand) manifest() *cobra.Command {
	s := Shift{StepWeight: 10, StepInterval: 4 * time.Second, Bake: 5 * time.Second}
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "Print a TrafficShift that moves the lab's traffic, or a ClusterSet of its fleet",
		Long: `Prints a TrafficShift that moves all traffic of the lab's world to one side: the rule of
blue-green, the listener of nlb, or the records of route53. For the world fleet, prints a
ClusterSet of all its clusters; the other flags have no meaning there.`,
		Example: `  norikae lab manifest > shift.yaml
  norikae lab manifest --to blue --step-weight 25 | norikae plan -f -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.StepWeight < 1 || s.StepWeight > 100 {
				return fmt.Errorf("--step-weight %d is not in 1–100", s.StepWeight)
			}
			w, err := c.anyWorld(cmd.Context())
			if err == nil && w.World == awssim.WorldFleet {
				return fleetManifest(cmd, w)
			}
			if w, err = c.world(cmd.Context()); err != nil {
				return err
			}
			var names []string
			for _, g := range w.TargetGroups {
				names = append(names, g.Name)
				if g.Name == s.To {
					s.Name, s.World = "to-"+s.To, w
				}
			}
			if s.Name == "" {
				return fmt.Errorf("--to %q is not one of the lab's sides: %s", s.To, strings.Join(names, ", "))
			}
			text, err := s.Render()
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), text)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&s.To, "to", "green", "the side that shall have all traffic")
	f.IntVar(&s.StepWeight, "step-weight", s.StepWeight, "percent of the move per step, 1–100")
	f.DurationVar(&s.StepInterval, "step-interval", s.StepInterval, "least time of a step")
	f.DurationVar(&s.Bake, "bake", s.Bake, "time at the last weights with rollback armed")
	return cmd
}

func fleetManifest(cmd *cobra.Command, w awssim.World) error {
	text, err := render(FleetManifest, w)
	if err == nil {
		_, err = io.WriteString(cmd.OutOrStdout(), text)
	}
	return err
}

func (c *labCommand) load() *cobra.Command {
	cfg := load.Config{Rate: 200}
	var duration time.Duration
	var target string
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Send requests through the lab's load balancer and count the answers",
		Long: `Sends requests at a steady rate, POST, each once, and counts the answers. At the end its
count can be held against those of the load balancer and the targets (norikae lab counters).

Connections are kept and used again. A Network Load Balancer leaves them where they are
when its weights change: --new-connections makes one for each request, which follow the
weights. In the world route53 every request looks the name up at the lab's name server
and makes a connection of its own.

With --url they go elsewhere in the lab, or on this machine.`,
		Example: `  norikae lab load --rate 200 --duration 1m
  norikae lab exec -- norikae lab load --url http://podinfo-1.us-east-1.elb.amazonaws.com/echo --duration 1m
  norikae lab load --new-connections --duration 1m -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cfg.Rate < 1 || cfg.Rate > maxRate {
				return fmt.Errorf("--rate %d is not in 1–%d", cfg.Rate, maxRate)
			}
			if duration < 0 {
				return fmt.Errorf("--duration %v is negative; 0 goes on until it is interrupted", duration)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			if err := c.aim(ctx, &cfg, target); err != nil {
				return err
			}
			counts := report(ctx, cmd, load.Start(cfg), duration)
			if asJSON(cmd) {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(counts)
			}
			cmd.Printf("sent %d, answered well %d, with 4xx %d, with 5xx %d, lost %d\n", counts.Sent, counts.OK, counts.ClientErrors, counts.ServerErrors, counts.Lost)
			return nil
		},
	}
	cmd.Flags().IntVar(&cfg.Rate, "rate", cfg.Rate, "requests per second")
	cmd.Flags().DurationVar(&duration, "duration", 0, "how long; 0: until interrupted")
	cmd.Flags().StringVar(&target, "url", "", "where requests go; its host's addresses must be private (default: the lab's world)")
	cmd.Flags().StringVar(&cfg.Host, "host", "", "the requests' host (default: the world's, or that of --url)")
	cmd.Flags().BoolVar(&cfg.NewConnections, "new-connections", false, "make a connection for each request")
	return cmd
}

// aim a load at a URL, or at the lab's world.
func (c *labCommand) aim(ctx context.Context, cfg *load.Config, target string) error {
	if target != "" {
		cfg.URL = target
		return private(ctx, target)
	}
	w, err := c.world(ctx)
	if err != nil {
		return err
	}
	cfg.URL, cfg.Host = w.URL, cmp.Or(cfg.Host, w.Host)
	if w.World == awssim.WorldRoute53 {
		cfg.NameServer, cfg.NewConnections = w.DNS, true
	}
	return nil
}

// private wants a URL to lead nowhere in the Internet: a load is for what is one's own.
func private(ctx context.Context, target string) error {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" {
		return fmt.Errorf("--url %q is not such as http://127.0.0.1:8080/", target)
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return fmt.Errorf("--url %s: %w", target, err)
	}
	for _, a := range addrs {
		if a = a.Unmap(); !a.IsLoopback() && !a.IsPrivate() && !netip.MustParsePrefix("100.64.0.0/10").Contains(a) {
			return fmt.Errorf("--url %s leads to %s, which is not private: a load is for the lab, and this machine", target, a)
		}
	}
	return nil
}

// report prints a line every 5 s until the load is over.
func report(ctx context.Context, cmd *cobra.Command, l *load.Load, d time.Duration) load.Counts {
	if d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return l.Stop()
		case <-tick.C:
			c := l.Counts()
			cmd.PrintErrf("sent %d, 4xx %d, 5xx %d, lost %d\n", c.Sent, c.ClientErrors, c.ServerErrors, c.Lost)
		}
	}
}
