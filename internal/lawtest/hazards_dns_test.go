package lawtest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/api/v1alpha1"
	awsfault "github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// withName runs f in a world with the name's records.
func withName(t *testing.T, f func(l *lab)) {
	t.Helper()
	t.Parallel()
	inWorldOf(t, OnDNS, LabPace(), nil, f)
}

// refused wants a run to be refused with nothing changed.
func (l *lab) refused(m *v1alpha1.TrafficShift, parts ...string) {
	l.t.Helper()
	l.Forget()
	out := l.run(Setup{Manifest: m})
	if !fault.IsTerminal(out.Err) {
		l.t.Fatalf("%+v, %v; want a terminal error", out.Result, out.Err)
	}
	for _, p := range parts {
		if !strings.Contains(out.Err.Error(), p) {
			l.t.Errorf("%q does not say %q", out.Err, p)
		}
	}
	if n := l.changes(l.declared(m)); n > 0 {
		l.t.Errorf("%d changes", n)
	}
}

// told tells whether some event of a run says all parts.
func told(out Outcome, parts ...string) bool {
	for _, e := range out.Events {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(e.Message, p) }) {
			return true
		}
	}
	return false
}

// remove a record set of the world's name as the Operator.
func (l *lab) remove(typ types.RRType, id string) {
	ctx := context.Background()
	all, err := l.sets(ctx)
	if err != nil {
		l.t.Error(err)
		return
	}
	for _, set := range all {
		if set.Type == typ && aws.ToString(set.SetIdentifier) == id {
			err = l.change(ctx, []types.Change{{Action: types.ChangeActionDelete, ResourceRecordSet: &set}})
		}
	}
	if err != nil {
		l.t.Error(err)
	}
}

// moveAlone writes the weights of one record type as the Operator.
func (l *lab) moveAlone(typ types.RRType, weights ...Weight) {
	if err := l.reweigh(context.Background(), []types.RRType{typ}, weights...); err != nil {
		l.t.Error(err)
	}
}

func TestR1NamesThatContainTheRoutesAreLeftAlone(t *testing.T) {
	withName(t, func(l *lab) {
		m := l.quick()
		l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Succeeded")
		l.lawful(l.declared(m)) // which other names' changes break
		l.endsAt(blueGreen(0, 100)...)
		name := l.Name
		for _, other := range []string{"my-" + name, "a." + name} {
			l.Name = other
			l.endsAt(blueGreen(100, 0)...)
		}
	})
}

func TestR1AZoneWithoutTheNameIsRefused(t *testing.T) {
	withName(t, func(l *lab) {
		m := l.quick()
		m.Spec.Route.Route53.Name = "pp.example.com"
		l.refused(m, "pp.example.com", "no record")
	})
}

// R2: that Route 53 refuses every change is a failure, which is told.
func TestR2AnErrorOfTheAPIIsNoSuccess(t *testing.T) {
	for name, kind := range map[string]awsfault.Rule{
		"denied":    {Kind: awsfault.AccessDenied},
		"throttled": {Kind: awsfault.Throttle},
		"busy":      {Kind: awsfault.Refusal, Code: "PriorRequestNotComplete"},
		"dropped":   {Kind: awsfault.DropBefore},
	} {
		t.Run(name, func(t *testing.T) {
			withName(t, func(l *lab) {
				kind.Operation, kind.Skip = "ChangeResourceRecordSets", 2 // the mark, the first step
				l.fault(kind)
				m := l.quick()
				m.Spec.Analysis.MaxHold = v1alpha1.Duration{Duration: 30 * time.Second}
				m.Spec.Strategy.RollbackTimeout = v1alpha1.Duration{Duration: time.Minute}
				out := l.run(Setup{Manifest: m})
				if out.Err != nil || out.Phase != shift.Unconfirmed {
					l.t.Errorf("%s %s (%s), %v", out.Phase, out.Reason, out.Message, out.Err)
				}
				l.Faults().Clear()
				l.lawful(l.declared(m))
				l.endsAt(blueGreen(90, 10)...)
			})
		})
	}
}

func TestR3AMissingRecordIsRefused(t *testing.T) {
	withName(t, func(l *lab) {
		m := l.quick()
		m.Spec.Destinations = l.Manifest(Weight{"blue", 0}, Weight{"greem", 100}).Spec.Destinations
		l.refused(m, "greem", "blue (A, AAAA), green (A, AAAA)")
	})
}

// Somebody removes green's records while the shift is under way.
func TestR3ARecordThatGoesAwayIsNoticed(t *testing.T) {
	withName(t, func(l *lab) {
		l.onGreen(30, after(time.Second, func() {
			l.remove(types.RRTypeA, "green")
			l.remove(types.RRTypeAaaa, "green")
		}))
		m := l.quick()
		m.Spec.Strategy.MaxDuration = v1alpha1.Duration{Duration: 2 * time.Minute}
		out := l.run(Setup{Manifest: m})
		if out.Err != nil || out.Phase != shift.Held && out.Phase != shift.RolledBack {
			l.t.Errorf("%s %s (%s), %v", out.Phase, out.Reason, out.Message, out.Err)
		}
		l.lawful(l.declared(m))
	})
}

func TestR4ARecordWithoutItsTwinIsRefused(t *testing.T) {
	withName(t, func(l *lab) {
		l.remove(types.RRTypeAaaa, "green")
		l.refused(l.quick(), "green", "AAAA")
	})
}

func TestR4TypesThatDisagreeAreRefused(t *testing.T) {
	withName(t, func(l *lab) {
		l.moveAlone(types.RRTypeAaaa, blueGreen(50, 50)...)
		l.refused(l.quick(), "type A", "AAAA", "blue=50")
	})
}

// Somebody moves one type only, while the shift is under way.
func TestR4ATypeThatIsMovedAloneIsHeldAndNamed(t *testing.T) {
	withName(t, func(l *lab) {
		l.onGreen(40, after(time.Second, func() { l.moveAlone(types.RRTypeAaaa, blueGreen(3, 97)...) }))
		m := l.quick()
		m.Spec.Strategy.MaxDuration = v1alpha1.Duration{Duration: 2 * time.Minute}
		out := l.run(Setup{Manifest: m})
		l.ended(out, shift.Held, "MaxDuration")
		if !strings.Contains(out.Message, "blue=60 green=40 and blue=3 green=97") {
			l.t.Errorf("the message does not name the weights of both types: %s", out.Message)
		}
		l.lawful(l.declared(m))
	})
}

func TestR5OwnersOfExternalDNSAreNamed(t *testing.T) {
	withName(t, func(l *lab) {
		for i, owner := range []string{"cluster-a", "cluster-b"} {
			id := []string{"blue", "green"}[i]
			set := &types.ResourceRecordSet{
				Name: aws.String("a-" + l.Name), Type: types.RRTypeTxt, SetIdentifier: &id, Weight: aws.Int64(100), TTL: aws.Int64(300),
				ResourceRecords: []types.ResourceRecord{{Value: aws.String(`"heritage=external-dns,external-dns/owner=` + owner + `"`)}},
			}
			if err := l.change(l.t.Context(), []types.Change{{Action: types.ChangeActionCreate, ResourceRecordSet: set}}); err != nil {
				l.t.Fatal(err)
			}
		}
		l.Forget()
		m := l.quick()
		out := l.run(Setup{Manifest: m})
		l.ended(out, shift.Succeeded, "Succeeded")
		l.lawful(l.declared(m))
		for _, parts := range [][]string{{`"blue"`, `owner "cluster-a"`}, {`"green"`, `owner "cluster-b"`}, {"2 owners", "cluster-a, cluster-b"}} {
			if !told(out, parts...) {
				l.t.Errorf("nobody was told %q", parts)
			}
		}
	})
}

// external-dns writes its annotation's weight back: it is another writer (S19).
func TestR5ExternalDNSThatWritesBackIsNotFought(t *testing.T) {
	withName(t, func(l *lab) {
		l.onGreen(40, after(time.Second, func() { meddleAt(0, 100, 7)(l) }))
		m := l.quick()
		m.Spec.Strategy.MaxDuration = v1alpha1.Duration{Duration: 2 * time.Minute}
		l.ended(l.run(Setup{Manifest: m}), shift.Held, "MaxDuration")
		l.lawful(l.declared(m))
		l.endsAt(blueGreen(100, 7)...)
	})
}

// S23: all weights of 0 mean equal shares to Route 53, and no split to start from here.
func TestS23AllWeightsOfANameAreZero(t *testing.T) {
	withName(t, func(l *lab) {
		if err := l.Meddle(l.t.Context(), blueGreen(0, 0)...); err != nil {
			l.t.Fatal(err)
		}
		l.refused(l.quick(), "all its weights are 0")
	})
}

// S23 on every ground: it cannot be declared.
func TestS23ASplitOfZeroesIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, g Ground) {
		inWorldOf(t, g, LabPace(), nil, func(l *lab) {
			m := l.quick()
			*m.Spec.Destinations[1].Weight = 0
			l.Forget()
			out := l.run(Setup{Manifest: m})
			if out.Err == nil || !strings.Contains(out.Err.Error(), "weight") {
				l.t.Errorf("%+v, %v", out.Result, out.Err)
			}
			if n := l.changes(l.declared(m)); n > 0 {
				l.t.Errorf("%d changes", n)
			}
		})
	})
}

// S22: open connections do not move by weight. A person is told, and the shift is not over
// before the drain is, with the rollback still armed.
func TestS22AnNLBsConnectionsAreDrained(t *testing.T) {
	for name, abort := range map[string]bool{"drained": false, "aborted while draining": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorldOf(t, OnNLB, LabPace(), nil, func(l *lab) {
				m := l.quick()
				drain := 5 * time.Minute
				m.Spec.Strategy.Drain = &v1alpha1.Drain{Duration: v1alpha1.Duration{Duration: drain}}
				phase, reason, goal := shift.Succeeded, "Succeeded", blueGreen(0, 100)
				if abort {
					phase, reason, goal = shift.RolledBack, "Aborted", blueGreen(100, 0)
					l.onGreen(100, after(2*time.Minute, func() { l.signal("abort") }))
				}
				out := l.run(Setup{Manifest: m})
				l.ended(out, phase, reason)
				l.endsAt(goal...)
				if !told(out, "connections that are open stay on their target") {
					l.t.Error("nobody was told that open connections stay")
				}
				if !abort && l.heldAfterTheLastStep(l.declared(m)) < drain {
					l.t.Error("the mark was removed before the drain was over")
				}
			})
		})
	}
}

// heldAfterTheLastStep is how long the mark of a lawful trace stood after the last write.
func (l *lab) heldAfterTheLastStep(d Declared) time.Duration {
	l.t.Helper()
	var wrote, removed time.Time
	trace := l.lawful(d)
	for i, a := range acts(trace, d) {
		switch {
		case a == nil || !trace[i].OK():
		case a.write != nil:
			wrote = trace[i].Done
		case a.marking != nil && !a.marking.adds:
			removed = trace[i].Done
		}
	}
	return removed.Sub(wrote)
}
