package fleettest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/registrar"
	"github.com/norikae/norikae/internal/registry"
)

// History is what happens to a fleet, by chance: clusters come, go and come again, tags
// and weights change, people edit Secrets, AWS fails, the process is killed. Between
// events there are passes.
type History struct {
	World   *World
	Secrets *Recorder
	People  People
	Set     *registry.Set
	// Process starts the product anew, with nothing in its memory.
	Process func() (*registrar.Registrar, error)
	Rand    *rand.Rand
	// Calm leaves out AWS's failures and kills.
	Calm bool

	registrar *registrar.Registrar
	n         int // of names
	log       []string
}

// People make and edit Secrets of Argo CD beside the product.
type People interface {
	Put(ctx context.Context, e registry.Entry) error
	Edit(ctx context.Context, name string, edit func(*registry.Entry)) error
}

// Log is what happened, for a failed test.
func (h *History) Log() []string { return h.log }

func (h *History) say(format string, args ...any) {
	h.log = append(h.log, time.Now().Format("15:04:05 ")+fmt.Sprintf(format, args...))
}

// Begin with some clusters, all registered.
func (h *History) Begin(ctx context.Context, clusters int) (err error) {
	if h.registrar, err = h.Process(); err != nil {
		return err
	}
	for range clusters {
		if err := h.add(ctx); err != nil {
			return err
		}
	}
	return h.Settle(ctx)
}

// Run so many rounds of an event and a pass.
func (h *History) Run(ctx context.Context, rounds int) error {
	for range rounds {
		for range h.Rand.IntN(3) {
			if err := h.event(ctx); err != nil {
				return err
			}
		}
		if err := h.Pass(ctx); err != nil {
			return err
		}
		time.Sleep(h.Set.Interval)
		if h.Rand.IntN(6) == 0 {
			time.Sleep(h.Set.Deletion.Grace / 2)
		}
	}
	return nil
}

// Settle lets all faults end, the index catch up, and everything be described anew. What a
// last pass takes away to make it anew has one more pass.
func (h *History) Settle(ctx context.Context) error {
	h.World.Faults().Clear()
	end := time.Now().Add(h.Set.RefreshInterval + 3*h.Set.Interval)
	for {
		for _, a := range h.World.Accounts {
			for _, r := range h.World.Regions {
				h.World.CatchUp(a, r)
			}
		}
		anew, err := h.pass(ctx)
		if err != nil {
			return err
		}
		if time.Now().After(end) && !anew {
			return nil
		}
		time.Sleep(h.Set.Interval)
	}
}

// Pass once, in a new process where the old one was killed.
func (h *History) Pass(ctx context.Context) error {
	_, err := h.pass(ctx)
	return err
}

// pass tells whether it deleted the Secret of a cluster that was made anew: the next pass
// creates the new one's.
func (h *History) pass(ctx context.Context) (anew bool, err error) {
	res, err := h.registrar.Pass(ctx, h.Set, registrar.Options{})
	killed := h.Secrets.Revive()
	if err != nil && !killed {
		return false, fmt.Errorf("a pass: %w", err)
	}
	if killed {
		h.say("killed")
		h.registrar, err = h.Process()
		return false, err
	}
	for _, o := range res.Outcomes {
		t := h.World.Truths()[o.Cluster.ARN()]
		anew = anew || o.Written && o.Do == registry.Delete && t.Exists && t.Selected()
		if o.Do != "" {
			h.say("%s %s: %s %s %v", o.Do, o.Cluster.ARN(), o.State, o.Reason, o.Err)
		}
	}
	if res.Stopped != "" {
		h.say("stopped: %s", res.StoppedReason)
	}
	for _, s := range res.Failed() {
		h.say("%s/%s: %v", s.Scope.Account, s.Scope.Region, s.Err)
	}
	return anew, nil
}

func (h *History) event(ctx context.Context) error {
	events := []func(context.Context) error{
		h.add, h.add, h.remove, h.remove, h.recreate, h.retag, h.unselect, h.reselect, h.weigh, h.edit, h.edit, h.foreign,
	}
	if !h.Calm {
		events = append(events, h.fail, h.fail, h.heal, h.kill)
	}
	return events[h.Rand.IntN(len(events))](ctx)
}

func (h *History) add(ctx context.Context) error {
	h.n++
	// Names repeat across accounts and regions.
	id := h.World.ID(pick(h, h.World.Accounts), pick(h, h.World.Regions), fmt.Sprintf("c%d", h.n/2))
	if _, there := h.World.Truths()[id.ARN()]; there {
		return nil
	}
	h.say("create %s", id.ARN())
	if err := h.World.Add(ctx, id, map[string]string{CellTag: fmt.Sprint(h.Rand.IntN(4))}); err != nil {
		return err
	}
	return h.World.Serve(ctx, id, 100*h.Rand.IntN(2)*h.Rand.IntN(2))
}

// some cluster of which ok is true; "": there is none.
func (h *History) some(ok func(Truth) bool) string {
	truths := h.World.Truths()
	var arns []string
	for _, arn := range h.World.ARNs() {
		if ok(truths[arn]) {
			arns = append(arns, arn)
		}
	}
	if len(arns) == 0 {
		return ""
	}
	return pick(h, arns)
}

func (h *History) remove(ctx context.Context) error {
	arn := h.some(func(t Truth) bool { return t.Exists })
	if arn == "" {
		return nil
	}
	h.say("delete %s", arn)
	return h.World.Delete(ctx, arn)
}

func (h *History) recreate(ctx context.Context) error {
	arn := h.some(func(t Truth) bool { return !t.Exists && time.Since(t.Since) > 2*h.World.Delay })
	if arn == "" {
		return nil
	}
	h.say("create anew %s", arn)
	return h.World.Add(ctx, h.World.Truths()[arn].ID, map[string]string{CellTag: "9"})
}

func (h *History) retag(ctx context.Context) error {
	arn := h.some(func(t Truth) bool { return t.Exists })
	if arn == "" {
		return nil
	}
	h.say("retag %s", arn)
	return h.World.Tag(ctx, arn, CellTag, fmt.Sprint(h.Rand.IntN(4)))
}

func (h *History) unselect(ctx context.Context) error {
	arn := h.some(func(t Truth) bool { return t.Exists && t.Selected() })
	if arn == "" {
		return nil
	}
	h.say("untag %s", arn)
	return h.World.Tag(ctx, arn, TagKey, "")
}

func (h *History) reselect(ctx context.Context) error {
	arn := h.some(func(t Truth) bool { return t.Exists && !t.Selected() })
	if arn == "" {
		return nil
	}
	h.say("tag %s again", arn)
	return h.World.Tag(ctx, arn, TagKey, TagValue)
}

func (h *History) weigh(ctx context.Context) error {
	arn := h.some(func(t Truth) bool { return t.Weight >= 0 })
	if arn == "" {
		return nil
	}
	weight := 50 * h.Rand.IntN(3)
	h.say("%s gets %d", arn, weight)
	return h.World.SetWeight(ctx, arn, weight)
}

// edit a Secret as a person would, or ought not to.
func (h *History) edit(ctx context.Context) error {
	all, err := h.Secrets.List(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	e := pick(h, all)
	edits := []func(*registry.Entry){
		func(e *registry.Entry) { e.Labels["team"] = "x" },
		func(e *registry.Entry) { delete(e.Labels, "cell") },
		func(e *registry.Entry) { e.Config = `{"bearerToken":"stolen"}` },
		func(e *registry.Entry) { e.Annotations = map[string]string{"note": "by hand"} },
		func(e *registry.Entry) { e.Project = "other" },
	}
	h.say("edit %s", e.Name)
	return h.People.Edit(ctx, e.Name, pick(h, edits))
}

// foreign makes a Secret of somebody else's.
func (h *History) foreign(ctx context.Context) error {
	h.n++
	name := fmt.Sprintf("by-hand-%d", h.n)
	h.say("somebody makes the Secret %s", name)
	return h.People.Put(ctx, registry.Entry{Name: name, Registration: registry.Registration{
		ClusterName: name, Server: "https://" + name + ".example.com", Labels: map[string]string{},
	}})
}

// fail makes AWS fail in some way.
func (h *History) fail(context.Context) error {
	some := func(p float64) *float64 { return &p }
	rules := []fault.Rule{
		{Kind: fault.ErrorBefore, Probability: some(0.02)},
		{Kind: fault.ErrorBefore, Probability: some(0.3)},
		{Kind: fault.DropAfter, Probability: some(0.02)},
		{Kind: fault.Throttle, Service: "eks", Probability: some(0.7)},
		{Kind: fault.Throttle, Service: "tagging"},
		{Kind: fault.AccessDenied, Service: "tagging"},
		{Kind: fault.AccessDenied, Service: "eks", Operation: "DescribeCluster"},
		{Kind: fault.AccessDenied, Service: "sts"},
		{Kind: fault.Refusal, Service: "eks", Operation: "DescribeCluster", Code: "ServerException", Status: 500, Probability: some(0.5)},
		{Kind: fault.IndexLag, Duration: 10 * h.Set.Interval},
		{Kind: fault.ShortPages, Count: 1},
	}
	r := pick(h, rules)
	h.say("fault %s %s %s", r.Kind, r.Service, r.Code)
	_, err := h.World.Faults().Add(r)
	return err
}

func (h *History) heal(context.Context) error {
	h.say("faults end")
	h.World.Faults().Clear()
	return nil
}

func (h *History) kill(context.Context) error {
	left := 1 + h.Rand.IntN(3)
	h.Secrets.KillAt(h.Rand.IntN(2) == 0, func(int) bool { left--; return left == 0 })
	return nil
}

func pick[T any](h *History, from []T) T { return from[h.Rand.IntN(len(from))] }

// Final lists what is not as it must be when everything has settled: each selected
// cluster has one Secret that says what EKS says, and nobody else's Secret was touched.
func (h *History) Final(ctx context.Context) ([]string, error) {
	entries, err := h.Secrets.List(ctx)
	if err != nil {
		return nil, err
	}
	res, err := h.registrar.Pass(ctx, h.Set, registrar.Options{})
	if err != nil {
		return nil, err
	}
	var wrong []string
	held := map[string]bool{} // by a rule that says so
	for _, o := range res.Outcomes {
		if res.Stopped != "" || slices.Contains([]registry.State{registry.Held, registry.Conflict, registry.Missing}, o.State) {
			held[o.Cluster.ARN()] = true
		}
		if o.Written && o.Do != registry.Delete { // one may be due just now; the judge looks at it
			wrong = append(wrong, fmt.Sprintf("a settled pass writes: %s %s %s %s", o.Do, o.Cluster.ARN(), o.State, o.Reason))
		}
	}
	for arn, t := range h.World.Truths() {
		var mine []registry.Entry
		for _, e := range entries {
			if e.Owner == h.Set.Owner && e.Cluster.ARN() == arn {
				mine = append(mine, e)
			}
		}
		switch {
		case len(mine) > 1:
			wrong = append(wrong, fmt.Sprintf("%s has %d Secrets", arn, len(mine)))
		case held[arn]:
		case t.Exists && t.Selected() && len(mine) == 0:
			wrong = append(wrong, arn+" has no Secret")
		case t.Exists && t.Selected() && mine[0].Labels["cell"] != t.Tags[CellTag]:
			wrong = append(wrong, fmt.Sprintf("%s has the label cell=%s, its tag is %s", arn, mine[0].Labels["cell"], t.Tags[CellTag]))
		}
	}
	return wrong, errors.Join(err, ctx.Err())
}
