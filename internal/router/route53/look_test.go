package route53

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// glance at the name without a declaration.
func (w *world) glance(change ...func(*Config)) *Name {
	w.t.Helper()
	cfg := Config{API: w.sdk, HostedZoneID: w.zone, Name: name}
	for _, f := range change {
		f(&cfg)
	}
	n, err := Look(cfg)
	w.ok(err)
	return n
}

func TestANameIsReadInTwoCalls(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 90, "green", 10)
	w.ok(w.open().SetMark(t.Context(), markOf()))
	w.forget()
	got, err := w.glance().Read(t.Context())
	w.ok(err)
	if w.made() != "List List" || !got.Live.Split.Equal(split("blue", 90, "green", 10)) || got.Mark == nil || got.Mark.ID != "s1" || got.Owner != "web" {
		t.Errorf("with %s it read %+v", w.made(), got)
	}
}

func TestANameThatIsNotThereIsNotFound(t *testing.T) {
	w := newWorld(t)
	w.put(record(types.RRTypeA, "", 0, plain)) // not weighted
	if got, err := w.glance().Read(t.Context()); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("records: read %+v, %v", got, err)
	}
	if got, err := w.glance(func(c *Config) { c.HostedZoneID = "Z0NOSUCHZONE" }).Read(t.Context()); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("zone: read %+v, %v", got, err)
	}
}

func TestASignalReachesAShiftWhoseTypesNobodyTold(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 90, "green", 10)
	typed := func() *Name { return w.open(func(c *Config) { c.Types = []string{"AAAA", "A"} }) }
	driver := typed()
	w.ok(driver.SetMark(t.Context(), markOf()))
	w.ok(w.glance().SetSignal(t.Context(), shift.Signal{Kind: shift.SignalAbort}))
	m, ok, err := typed().Mark(t.Context())
	if err != nil || !ok || m.Signal.Kind != shift.SignalAbort {
		t.Errorf("the run hears %+v, %v, %v", m, ok, err)
	}
}

func TestT4_OfANameOnlyADeadMarkGoes(t *testing.T) {
	w := newWorld(t)
	w.twins("blue", 90, "green", 10)
	records := w.records()
	m := markOf()
	w.ok(w.open().SetMark(t.Context(), m))
	if err := w.glance().Forget(t.Context()); !fault.IsTerminal(err) || w.marked() == nil {
		t.Errorf("the mark of a live run was taken off: %v", err)
	}
	n := w.open()
	if _, _, err := n.Mark(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.Lease.Expires = time.Now().Add(-time.Second).UTC().Truncate(time.Second)
	w.ok(n.SetMark(t.Context(), m))
	w.ok(w.glance().Forget(t.Context()))
	if left := w.records(); !reflect.DeepEqual(records, left) {
		t.Errorf("left is %+v, want %+v", left, records)
	}
	w.forget()
	w.ok(w.glance().Forget(t.Context()))
	w.ok(w.glance(func(c *Config) { c.HostedZoneID = "Z0NOSUCHZONE" }).Forget(t.Context()))
	if w.changed() {
		t.Errorf("a second time it made %s", w.made())
	}
}
