package controller

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// writeTimeout bounds one write. A write that has begun is not cancelled, so that a
// controller that stops leaves no write of which nobody knows whether it happened.
const writeTimeout = 30 * time.Second

// forgetAfter is how long a write is remembered whose event never comes: watches may
// leave versions out.
const forgetAfter = 10 * time.Minute

// version of an object that was written; "" is its deletion.
type version struct {
	uid     types.UID
	version string
}

// Writes remembers which versions of objects this process has made, so that it does not
// take its own writes for somebody else's.
type Writes struct {
	mu     sync.Mutex
	made   map[version]time.Time
	pruned time.Time
}

// Client is c, with its writes remembered. A write is refused when ctx has ended, but
// ends when it has begun.
func (w *Writes) Client(c client.Client) client.Client { return &recorded{c, w} }

func (w *Writes) add(v version) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if w.made == nil {
		w.made = map[version]time.Time{}
	}
	if now.Sub(w.pruned) > forgetAfter {
		w.pruned = now
		for v, at := range w.made {
			if now.Sub(at) > forgetAfter {
				delete(w.made, v)
			}
		}
	}
	w.made[v] = now
}

func (w *Writes) ours(v version) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.made[v]
	return ok
}

// recorded is a client whose writes are remembered.
type recorded struct {
	client.Client

	writes *Writes
}

func (r *recorded) write(ctx context.Context, obj client.Object, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if err := f(ctx); err != nil {
		return err
	}
	r.writes.add(version{obj.GetUID(), obj.GetResourceVersion()})
	return nil
}

// Create an object.
func (r *recorded) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	return r.write(ctx, obj, func(ctx context.Context) error { return r.Client.Create(ctx, obj, opts...) })
}

// Update an object.
func (r *recorded) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	return r.write(ctx, obj, func(ctx context.Context) error { return r.Client.Update(ctx, obj, opts...) })
}

// Patch an object.
func (r *recorded) Patch(ctx context.Context, obj client.Object, p client.Patch, opts ...client.PatchOption) error {
	return r.write(ctx, obj, func(ctx context.Context) error { return r.Client.Patch(ctx, obj, p, opts...) })
}

// Delete an object, whose UID is obj's or that of the preconditions.
func (r *recorded) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	uid := obj.GetUID()
	var o client.DeleteOptions
	o.ApplyOptions(opts)
	if p := o.Preconditions; p != nil && p.UID != nil {
		uid = *p.UID
	}
	return r.write(ctx, obj, func(ctx context.Context) error {
		if err := r.Client.Delete(ctx, obj, opts...); err != nil {
			return err
		}
		r.writes.add(version{uid: uid})
		return nil
	})
}
