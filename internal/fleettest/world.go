package fleettest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/eks"
	"github.com/norikae/norikae/internal/awssim/memnet"
	"github.com/norikae/norikae/internal/awssim/wire"
	"github.com/norikae/norikae/internal/registry"
)

// Tag that the fleet's clusters have, and its value; a cluster that loses it is not
// selected any more.
const (
	TagKey   = "norikae.dev/fleet"
	TagValue = "lab"
	// CellTag is copied to a label.
	CellTag = "cell"
)

// World is a lab with clusters, in memory or not. It keeps a list of its own of what is
// there, which is the truth that the judge compares with.
type World struct {
	*awssim.Lab

	Accounts, Regions []string
	Endpoint          string
	Delay             time.Duration // that EKS takes to make or delete a cluster

	network *memnet.Network // nil: real sockets
	server  *http.Server
	served  chan error

	mu      sync.Mutex
	truth   map[string]*Truth // by ARN
	events  []Event
	asked   map[uint64]registry.ID // DescribeCluster calls under way, by Seq
	clients []*http.Transport
}

// Truth is what is so of a cluster.
type Truth struct {
	registry.ID
	Tags    map[string]string
	Exists  bool
	Weight  int       // of its target group; -1: it has none
	Since   time.Time // that it exists or does not
	NewMade int       // how often it was made anew

	listener string
	action   wire.Params // of the listener
}

// Selected tells whether the fleet's selector fits.
func (t *Truth) Selected() bool { return t.Tags[TagKey] == TagValue }

// Event is a change of the truth.
type Event struct {
	At     time.Time
	ARN    string
	Exists bool
	Weight int
}

// Events are all changes so far.
func (w *World) Events() []Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

// changed notes the truth. The caller holds w.mu.
func (w *World) changed(t *Truth) {
	w.events = append(w.events, Event{At: time.Now(), ARN: t.ARN(), Exists: t.Exists, Weight: t.Weight})
}

// Answer is what DescribeCluster said of a cluster.
type Answer struct {
	At      time.Time
	ARN     string
	Gone    bool // ResourceNotFoundException
	Present bool // it was described; neither: an error that says nothing
}

// Config of a World.
type Config struct {
	Accounts, Regions int
	Seed              uint64
	IndexLag, Delay   time.Duration
	Sockets           bool // else in memory, for a testing/synctest bubble
}

// NewWorld makes a lab without clusters.
func NewWorld(c Config) (*World, error) {
	w := &World{Delay: c.Delay, truth: map[string]*Truth{}, asked: map[uint64]registry.ID{}, served: make(chan error, 1)}
	for i := range c.Accounts {
		w.Accounts = append(w.Accounts, fmt.Sprintf("%012d", 111_111_111_111*i))
	}
	w.Regions = []string{awssim.Region, "eu-west-1", "ap-northeast-1", "eu-central-1"}[:c.Regions]
	var err error
	if w.Lab, err = awssim.New(awssim.Config{DataPlane: awssim.PlaneSynth, Seed: c.Seed, IndexLag: c.IndexLag, ClusterDelay: c.Delay}); err != nil {
		return nil, err
	}
	w.Faults().Intercept(w.watch)
	if c.Sockets {
		if err := w.Start("127.0.0.1:0"); err != nil {
			return nil, errors.Join(err, w.Lab.Close())
		}
		w.Endpoint = w.World().Endpoint
		return w, nil
	}
	w.network = &memnet.Network{}
	ln, err := w.network.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, w.Lab.Close())
	}
	w.Endpoint = "http://" + ln.Addr().String()
	w.server = &http.Server{Handler: w.Handler(), ReadHeaderTimeout: time.Minute}
	go func() { w.served <- w.server.Serve(ln) }()
	return w, nil
}

// Close ends the world.
func (w *World) Close() error {
	for _, t := range w.clients {
		t.CloseIdleConnections()
	}
	if w.server == nil {
		return w.Lab.Close()
	}
	err := w.server.Close()
	if served := <-w.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return errors.Join(err, w.Lab.Close())
}

// HTTP is a client on the world's network; each attempt is bounded.
func (w *World) HTTP() *http.Client {
	if w.network == nil {
		return &http.Client{Timeout: 8 * time.Second}
	}
	t := w.network.Transport()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clients = append(w.clients, t)
	return &http.Client{Transport: t, Timeout: 8 * time.Second}
}

// watch notes the names that are asked for.
func (w *World) watch(_ context.Context, r *wire.Request, _ wire.Phase) error {
	if r.Operation == "DescribeCluster" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asked[r.Seq] = registry.ID{Partition: "aws", Account: r.AccountID, Region: r.Region, Name: r.Params.Str("name")}
	}
	return nil
}

// Answers are all that DescribeCluster said so far.
func (w *World) Answers() []Answer {
	calls, _ := w.Calls().Since(0)
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]Answer, 0, len(w.asked))
	for _, c := range calls {
		if id, ok := w.asked[c.Seq]; ok {
			out = append(out, Answer{
				At: c.Time, ARN: id.ARN(), Gone: c.Error == "ResourceNotFoundException" && !c.Effect, Present: c.Status == http.StatusOK,
			})
		}
	}
	return out
}

// Truths are what is so now, by ARN. The judge must not be fooled by an alias of it.
func (w *World) Truths() map[string]Truth {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[string]Truth, len(w.truth))
	for arn, t := range w.truth {
		c := *t
		c.Tags = maps.Clone(t.Tags)
		out[arn] = c
	}
	return out
}

// ID of a cluster of this world.
func (w *World) ID(account, region, name string) registry.ID {
	return registry.ID{Partition: "aws", Account: account, Region: region, Name: name}
}

// ARNs of all clusters that there ever were, sorted.
func (w *World) ARNs() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.truth))
}

// Add makes a cluster that is ACTIVE at once, with the fleet's tag and those given. One
// that was deleted is made anew, and has another endpoint.
func (w *World) Add(ctx context.Context, id registry.ID, tags map[string]string) error {
	all := map[string]string{TagKey: TagValue}
	maps.Copy(all, tags)
	_, err := w.AddCluster(ctx, eks.NewCluster{Account: id.Account, Region: id.Region, Name: id.Name, Tags: all})
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.truth[id.ARN()]
	if t == nil {
		t = &Truth{ID: id, Weight: -1}
		w.truth[id.ARN()] = t
	} else {
		t.NewMade++
	}
	t.Tags, t.Exists, t.Since = all, true, time.Now()
	w.changed(t)
	return nil
}

// Delete begins a cluster's deletion; it is gone when the lab's cluster delay is over.
func (w *World) Delete(ctx context.Context, arn string) error {
	id := w.truth[arn].ID
	if _, err := w.Do(ctx, "eks", id.Account, id.Region, "DeleteCluster", wire.Params{"name": id.Name}); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.truth[arn].Exists, w.truth[arn].Since = false, time.Now()
	w.changed(w.truth[arn])
	return nil
}

// Tag sets a tag; "" takes it away.
func (w *World) Tag(ctx context.Context, arn, key, value string) error {
	w.mu.Lock()
	t := w.truth[arn]
	w.mu.Unlock()
	op, p := "TagResource", wire.Params{"resourceArn": arn, "tags": wire.Params{key: value}}
	if value == "" {
		op, p = "UntagResource", wire.Params{"resourceArn": arn, "tagKeys": []any{key}}
	}
	if _, err := w.Do(ctx, "eks", t.Account, t.Region, op, p); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if value == "" {
		delete(t.Tags, key)
	} else {
		t.Tags[key] = value
	}
	return nil
}
