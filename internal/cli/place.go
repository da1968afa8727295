package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/norikae/norikae/internal/shift"
)

// Where names a route without a manifest, for shifts that Terraform or another machine
// runs. Either RuleARN, ListenerARN or HostedZoneID is set.
type Where struct {
	RuleARN     string
	ListenerARN string
	Priority    int // of a rule of the listener, 1–50000; 0: its default action

	HostedZoneID, Name string
}

// Place is a route as those see it who have no manifest.
type Place interface {
	// Status reads the route and its mark; it has no To.
	Status(ctx context.Context) (Status, error)
	// Signal leaves a person's word for whoever drives the shift.
	Signal(ctx context.Context, s shift.Signal) error
}

const maxPriority = 50000 // of an ALB's rule

// The flags that name a route.
const (
	flagRule     = "rule"
	flagListener = "listener"
	flagPriority = "priority"
	flagZone     = "hosted-zone"
	flagName     = "name"
)

const placeHelp = `

The route is that of the manifest (-f), or is named by itself: --rule, --listener with or
without --priority, or --hosted-zone with --name. So a shift that Terraform runs is reached
from anywhere. The region is that of the ARN; the credentials are the environment's
(AWS_PROFILE).`

// placeFlags are for commands that need no more than the route, besides -f.
func (s *session) placeFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.where.RuleARN, flagRule, "", "ARN of an ALB's rule, in place of a manifest")
	f.StringVar(&s.where.ListenerARN, flagListener, "", "ARN of a listener, whose default action is meant, in place of a manifest")
	f.IntVar(&s.where.Priority, flagPriority, 0, "with --listener: the rule at this priority, 1–50000")
	f.StringVar(&s.where.HostedZoneID, flagZone, "", "ID of a hosted zone, in place of a manifest; with --name")
	f.StringVar(&s.where.Name, flagName, "", "with --hosted-zone: the name of the records")
	for _, name := range []string{flagRule, flagListener, flagPriority, flagZone, flagName} {
		// That there is such a flag is all that could fail.
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
	cmd.Long += placeHelp
}

// placed tells whether the flags name a route, and that they name exactly one.
func (s *session) placed(cmd *cobra.Command) (bool, error) {
	set := cmd.Flags().Changed
	var ways []string
	for _, way := range []string{"file", flagRule, flagListener, flagZone} {
		if set(way) {
			ways = append(ways, dashed(way))
		}
	}
	w := s.where
	switch {
	case len(ways) > 1:
		return false, usage("%s together: name one route", strings.Join(ways, " and "))
	case set(flagPriority) && !set(flagListener):
		return false, usage("--priority %d without --listener: which listener's rule is it?", w.Priority)
	case set(flagPriority) && (w.Priority < 1 || w.Priority > maxPriority):
		return false, usage("--priority %d: want 1–%d", w.Priority, maxPriority)
	case set(flagName) && !set(flagZone):
		return false, usage("--name %q without --hosted-zone: want the ID of the zone that has its records", w.Name)
	case set(flagZone) && w.Name == "":
		return false, usage("--hosted-zone %q without --name: want the name of the records", w.HostedZoneID)
	}
	for _, way := range []struct{ flag, value string }{{flagRule, w.RuleARN}, {flagListener, w.ListenerARN}, {flagZone, w.HostedZoneID}} {
		if set(way.flag) {
			if way.value == "" {
				return false, usage("--%s is empty", way.flag)
			}
			return true, nil
		}
	}
	return false, nil
}

// placeStatus is what status prints with -o json when there is no manifest.
type placeStatus struct {
	Route string      `json:"route"`
	Live  shift.Live  `json:"live"`
	Mark  *shift.Mark `json:"mark,omitempty"`
}

// statusAt shows a route that no manifest declares.
func (s *session) statusAt(ctx context.Context) error {
	_, st, err := s.lookAt(ctx)
	if err != nil {
		return err
	}
	if s.json() {
		return s.printJSON(placeStatus{Route: st.Route, Live: st.Live, Mark: st.Mark})
	}
	return s.print([]byte(placeText(st, time.Now())))
}

func (s *session) lookAt(ctx context.Context) (Place, Status, error) {
	p, err := s.deps.Look(ctx, s.where)
	if err != nil {
		return nil, Status{}, fmt.Errorf("looking for the route: %w", err)
	}
	st, err := asking(ctx, s, "still reading the route", p.Status)
	if err != nil {
		return nil, st, fmt.Errorf("reading the route: %w", err)
	}
	return p, st, nil
}

func placeText(st Status, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", clean(st.Route))
	var names namer
	rows := [][]string{{"live", liveText(shift.Spec{}, names, st.Live)}}
	if st.Mark == nil {
		rows = append(rows, []string{"state", "no shift is unfinished"})
	} else {
		rows = append(rows, markRows(names, *st.Mark, now)...)
	}
	b.WriteString(table(rows))
	list(&b, "notes", st.Live.Notes)
	return b.String()
}

// signalAt leaves a word on a route that no manifest declares. Which of its steps waits for
// an approval is not known here: it is the one whose weights are live when the run hears of it.
func (s *session) signalAt(ctx context.Context, kind shift.SignalKind) error {
	p, st, err := s.lookAt(ctx)
	if err != nil {
		return err
	}
	if st.Mark == nil {
		return nothingTo(kind, st, namer{})
	}
	return s.signal(ctx, p, st, shift.Signal{Kind: kind, Step: -1})
}
