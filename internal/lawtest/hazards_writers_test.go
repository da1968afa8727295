package lawtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/norikae/norikae/api/v1alpha1"
	"github.com/norikae/norikae/internal/fault"
	"github.com/norikae/norikae/internal/shift"
)

// liar answers one write of weights with success and keeps it from the world.
type liar struct {
	aws.HTTPClient

	lies int
	told int
}

func (c *liar) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		return c.HTTPClient.Do(r)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(b))
	for part, body := range map[string]string{
		"Action=ModifyRule":     `<ModifyRuleResponse><ModifyRuleResult><Rules/></ModifyRuleResult></ModifyRuleResponse>`,
		"Action=ModifyListener": `<ModifyListenerResponse><ModifyListenerResult><Listeners/></ModifyListenerResult></ModifyListenerResponse>`,
		"<Weight>":              `<ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/CLIE</Id><Status>INSYNC</Status><SubmittedAt>2026-01-02T03:04:05Z</SubmittedAt></ChangeInfo></ChangeResourceRecordSetsResponse>`,
	} {
		if strings.Contains(string(b), part) && c.told < c.lies {
			c.told++
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/xml"}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		}
	}
	return c.HTTPClient.Do(r)
}

func TestS18AWriteThatDidNotTakeEffectIsNotBelieved(t *testing.T) {
	for name, tc := range map[string]struct {
		lies  int
		phase shift.Phase
		goal  []Weight
	}{
		"once":   {1, shift.Succeeded, blueGreen(0, 100)},
		"always": {1 << 30, shift.RolledBack, blueGreen(100, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, g Ground) {
				inWorldOf(t, g, LabPace(), nil, func(l *lab) {
					m := l.quick()
					m.Spec.Analysis.MaxHold = v1alpha1.Duration{Duration: time.Minute}
					var c *liar
					out := l.run(Setup{Manifest: m, Client: func(h aws.HTTPClient) aws.HTTPClient {
						c = &liar{HTTPClient: h, lies: tc.lies}
						return c
					}})
					if out.Err != nil || out.Phase != tc.phase || c.told == 0 {
						l.t.Errorf("%s %s (%s), %v after %d lies", out.Phase, out.Reason, out.Message, out.Err, c.told)
					}
					l.lawful(l.declared(m))
					l.endsAt(tc.goal...)
				})
			})
		})
	}
}

func TestS19SomebodyElsesWeightsAreNamedAndHeld(t *testing.T) {
	for second := 2; second < 30; second += 9 {
		t.Run(fmt.Sprintf("second %d", second), func(t *testing.T) {
			onEach(t, func(t *testing.T, g Ground) {
				inWorldOf(t, g, LabPace(), nil, func(l *lab) {
					meddleAt(time.Duration(second)*time.Second+500*time.Millisecond, 3, 97)(l)
					m := l.quick()
					m.Spec.Strategy.MaxDuration = v1alpha1.Duration{Duration: 2 * time.Minute}
					out := l.run(Setup{Manifest: m})
					l.ended(out, shift.Held, "MaxDuration")
					if !strings.Contains(out.Message, "blue=3 green=97") {
						l.t.Errorf("the message does not name the weights: %s", out.Message)
					}
					l.lawful(l.declared(m))
					l.endsAt(blueGreen(3, 97)...)
				})
			})
		})
	}
}

// An active run keeps another process out, which says who it is.
func TestS19AnotherActiveRunIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, g Ground) {
		inWorldOf(t, g, LabPace(), nil, func(l *lab) {
			m := l.quick()
			m.Spec.Strategy.Bake = &v1alpha1.Duration{Duration: 2 * time.Minute}
			var second Outcome
			done := make(chan struct{})
			go func() {
				defer close(done)
				time.Sleep(10 * time.Second)
				second = l.Run(l.t.Context(), Setup{Manifest: m, Machine: "m2"})
			}()
			l.ended(l.run(Setup{Manifest: m}), shift.Succeeded, "Succeeded")
			<-done
			if !errors.Is(second.Err, fault.ErrConflict) || !strings.Contains(second.Err.Error(), "m1/") {
				l.t.Errorf("%+v, %v", second.Result, second.Err)
			}
			l.lawful(l.declared(m))
		})
	})
}
