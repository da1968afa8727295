package courier

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/norikae/norikae/internal/engine"
)

// recorder tells what happens in a run to Terraform's log and to the status file. It
// takes events without blocking the run, and writes them in a goroutine of its own.
type recorder struct {
	names namer
	path  string // of the status file; "": none

	mu    sync.Mutex
	queue []engine.Event
	held  []string // what went on besides the shift itself, each once

	wake, stop, ended chan struct{}
	err               error // of the status file; read after close
}

func newRecorder(ctx context.Context, path string, names namer) (*recorder, error) {
	r := &recorder{names: names, path: path, wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{})}
	var file *os.File
	if path != "" {
		var err error
		if file, err = os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err != nil {
			return nil, fmt.Errorf("status_file = %q cannot be written: %w", path, err)
		}
	}
	go r.loop(ctx, file)
	return r, nil
}

// Record takes an event.
func (r *recorder) Record(e engine.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, e)
	switch e.Kind {
	case engine.EventWaiting, engine.EventDrift, engine.EventFault:
		if !slices.Contains(r.held, e.Message) {
			r.held = append(r.held, e.Message)
		}
	case engine.EventStarted, engine.EventWritten, engine.EventJudged, engine.EventHolding, engine.EventFinished: // as they should be
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// close writes what is left.
func (r *recorder) close() error {
	close(r.stop)
	<-r.ended
	return r.err
}

func (r *recorder) loop(ctx context.Context, file *os.File) {
	defer close(r.ended)
	for stopped := false; !stopped; {
		select {
		case <-r.wake:
		case <-r.stop:
			stopped = true
		}
		r.mu.Lock()
		events := r.queue
		r.queue = nil
		r.mu.Unlock()
		for _, e := range events {
			r.write(ctx, file, e)
		}
	}
	if file != nil {
		r.note(file.Close())
	}
}

func (r *recorder) write(ctx context.Context, file *os.File, e engine.Event) {
	fields := map[string]any{"kind": string(e.Kind), "phase": string(e.Phase), "reason": e.Reason}
	if e.Step >= 0 && e.Steps > 0 {
		fields["step"] = fmt.Sprintf("%d/%d", e.Step+1, e.Steps)
	}
	if len(e.Split) > 0 {
		fields["weights"] = r.names.split(e.Split)
	}
	tflog.Info(ctx, "shift: "+e.Message, fields)
	if file == nil {
		return
	}
	line, err := json.Marshal(e)
	if err == nil {
		_, err = file.Write(append(line, '\n'))
	}
	r.note(err)
}

// note keeps the first error.
func (r *recorder) note(err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("writing status_file %q: %w", r.path, err)
	}
}
