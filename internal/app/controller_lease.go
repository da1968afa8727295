package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
)

// leaseCall bounds one call about the lease, so that one that hangs is not the end of a
// leader: it has 10 s to renew.
const leaseCall = 5 * time.Second

var errTaken = errors.New("another replica leads")

// lease is that of client-go, but for what a leader would do wrong there that hung (its
// machine slept, or it got no CPU) for longer than the lease lasts. It would give up the
// lease of the one that has taken over, as it does not look whose that is when it ends. And
// it would go on for 10 s, in which it tries to renew, though it reads that another leads.
type lease struct {
	resourcelock.Interface

	lost context.CancelCauseFunc // called once the lease that was ours is another's

	mu     sync.Mutex
	leads  bool   // we wrote it last, as far as is known
	holder string // as read or written last
}

// newLease for a controller whose context ends with lost. stop it when the controller has
// ended.
func newLease(kube connection, name string, lost context.CancelCauseFunc) (l *lease, stop func(), err error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, nil, fmt.Errorf("setting the leader election up: %w", err)
	}
	identity := host + "_" + string(uuid.NewUUID())
	cfg := rest.AddUserAgent(kube.config, "leader-election")
	cfg.Timeout = leaseCall
	leases, err := coordinationclient.NewForConfig(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("setting the leader election up: %w", err)
	}
	core, err := coreclient.NewForConfig(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("setting the leader election up: %w", err)
	}
	events := record.NewBroadcaster()
	events.StartRecordingToSink(&coreclient.EventSinkImpl{Interface: core.Events(kube.leaseNamespace)})
	return &lease{lost: lost, Interface: &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: kube.leaseNamespace, Name: name},
		Client:     leases,
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity, EventRecorder: events.NewRecorder(kube.scheme, corev1.EventSource{Component: identity})},
	}}, events.Shutdown, nil
}

// Get the record.
func (l *lease) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	r, raw, err := l.Interface.Get(ctx)
	if err != nil {
		return nil, nil, err // as it is: who calls asks whether there is none
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holder = r.HolderIdentity
	if l.leads && l.holder != l.Identity() && l.holder != "" {
		l.leads = false
		l.lost(fmt.Errorf("the lease %s is held by %s: %w", l.Describe(), l.holder, errTaken))
	}
	return r, raw, nil
}

// Create the record.
func (l *lease) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.wrote(r, l.Interface.Create(ctx, r))
}

// Update the record that was read or written last. One of another is not given up.
func (l *lease) Update(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	l.mu.Lock()
	holder := l.holder
	l.mu.Unlock()
	if r.HolderIdentity == "" && holder != l.Identity() {
		return fmt.Errorf("the lease %s is held by %q: %w", l.Describe(), holder, errTaken)
	}
	return l.wrote(r, l.Interface.Update(ctx, r))
}

func (l *lease) wrote(r resourcelock.LeaderElectionRecord, err error) error {
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holder = r.HolderIdentity
	l.leads = l.holder == l.Identity()
	return nil
}
