package cli

import (
	"strings"
	"sync"
	"time"

	"github.com/norikae/norikae/internal/engine"
)

// progress shows a run as it goes. It takes events without blocking the run, and draws
// them in a goroutine of its own.
type progress struct {
	mu     sync.Mutex
	queue  []item
	closed bool

	wake  chan struct{} // holds one: something is in the queue
	stop  chan struct{}
	ended chan struct{}

	view   *view // of the goroutine alone until ended
	render renderer
}

// item is an event, or a note when text is set.
type item struct {
	event engine.Event
	text  string
}

// renderer draws. Its methods are called from one goroutine.
type renderer interface {
	event(v *view, e engine.Event)
	note(v *view, text string)
	// tick is called when some time has passed without an event.
	tick(v *view, now time.Time)
	end(v *view)
}

// redraw is how often time left and the like are drawn anew.
const redraw = time.Second

func newProgress(r renderer, v *view) *progress {
	p := &progress{
		wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
		view: v, render: r,
	}
	go p.loop()
	return p
}

// Record takes an event.
func (p *progress) Record(e engine.Event) { p.put(item{event: e}) }

// say shows a sentence.
func (p *progress) say(text string) { p.put(item{text: strings.TrimRight(text, "\n")}) }

func (p *progress) put(i item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return // what comes after the end has nobody to see it
	}
	p.queue = append(p.queue, i)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// close draws what is left, and returns where the traffic was last seen.
func (p *progress) close() string {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	if first {
		close(p.stop)
	}
	<-p.ended
	return p.view.where()
}

func (p *progress) loop() {
	defer close(p.ended)
	ticks := time.NewTicker(redraw)
	defer ticks.Stop()
	for {
		select {
		case <-p.wake:
			p.drain()
		case now := <-ticks.C:
			p.render.tick(p.view, now)
		case <-p.stop:
			p.drain()
			p.render.end(p.view)
			return
		}
	}
}

func (p *progress) drain() {
	p.mu.Lock()
	items := p.queue
	p.queue = nil
	p.mu.Unlock()
	for _, i := range items {
		if i.text != "" {
			p.render.note(p.view, i.text)
			continue
		}
		p.view.take(i.event)
		p.render.event(p.view, i.event)
	}
}
