package labcli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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

// world asks the lab what it was built with.
func (c *labCommand) world(ctx context.Context) (w awssim.World, err error) {
	err = c.ask(ctx, http.MethodGet, "world", nil, func(r io.Reader) error { return json.NewDecoder(r).Decode(&w) })
	if err == nil && w.URL == "" {
		err = errors.New("this lab has no load balancer with traffic: start one with `norikae lab up --seed blue-green`")
	}
	return w, err
}

// Manifest is a shift of everything to one target group of a lab's world.
const Manifest = `apiVersion: norikae.dev/v1alpha1
kind: TrafficShift
metadata: {name: {{.Name}}}
spec:
  route:
    alb:
      listenerARN: {{.World.ListenerARN}}
      rule: {priority: {{.World.RulePriority}}, hosts: [{{.World.Host}}]}
  destinations:
{{- range .World.TargetGroups}}
  - {name: {{.Name}}, targetGroupARN: {{.ARN}}, weight: {{if eq .Name $.To}}100{{else}}0{{end}}}
{{- end}}
  strategy: {stepWeight: {{.StepWeight}}, stepInterval: {{.StepInterval}}, bake: {{.Bake}}}
`

// Shift fills in Manifest.
type Shift struct {
	Name, To           string
	World              awssim.World
	StepWeight         int
	StepInterval, Bake time.Duration
}

// Render gives the manifest's text.
func (s Shift) Render() (string, error) {
	t, err := template.New("manifest").Parse(Manifest)
	if err != nil {
		return "", fmt.Errorf("the lab's manifest: %w", err)
	}
	var b strings.Builder
	err = t.Execute(&b, s)
	return b.String(), err
}

func (c *labCommand) manifest() *cobra.Command {
	s := Shift{StepWeight: 10, StepInterval: 4 * time.Second, Bake: 5 * time.Second}
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "Print a TrafficShift that moves the lab's traffic",
		Example: `  norikae lab manifest > shift.yaml
  norikae lab manifest --to blue --step-weight 25 | norikae plan -f -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := c.world(cmd.Context())
			if err != nil {
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
				return fmt.Errorf("--to %q is not one of the lab's target groups: %s", s.To, strings.Join(names, ", "))
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
	f.StringVar(&s.To, "to", "green", "the target group that shall have all traffic")
	f.IntVar(&s.StepWeight, "step-weight", s.StepWeight, "percent of the move per step, 1–100")
	f.DurationVar(&s.StepInterval, "step-interval", s.StepInterval, "least time of a step")
	f.DurationVar(&s.Bake, "bake", s.Bake, "time at the last weights with rollback armed")
	return cmd
}

func (c *labCommand) load() *cobra.Command {
	var rate int
	var duration time.Duration
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Send requests through the lab's load balancer and count the answers",
		Long: `Sends requests at a steady rate, each once, and counts the answers. At the end its
count can be held against those of the load balancer and the targets (norikae lab counters).`,
		Example: `  norikae lab load --rate 200 --duration 1m`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if rate < 1 || rate > maxRate {
				return fmt.Errorf("--rate %d is not in 1–%d", rate, maxRate)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			w, err := c.world(ctx)
			if err != nil {
				return err
			}
			l := load.Start(load.Config{URL: w.URL, Host: w.Host, Rate: rate})
			counts := report(ctx, cmd, l, duration)
			if asJSON(cmd) {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(counts)
			}
			cmd.Printf("sent %d, answered well %d, with 5xx %d, lost %d\n", counts.Sent, counts.OK, counts.ServerErrors, counts.Lost)
			return nil
		},
	}
	cmd.Flags().IntVar(&rate, "rate", 200, "requests per second")
	cmd.Flags().DurationVar(&duration, "duration", 0, "how long; 0: until interrupted")
	return cmd
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
			cmd.PrintErrf("sent %d, 5xx %d, lost %d\n", c.Sent, c.ServerErrors, c.Lost)
		}
	}
}
