package awssim

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/norikae/norikae/internal/awssim/wire"
)

func TestCallLogForgetsTheOldest(t *testing.T) {
	l := newCallLog()
	const total = maxCalls + maxCalls/2 + 7
	for i := range uint64(total) {
		l.observe(wire.Call{Request: &wire.Request{Seq: i + 1}})
	}
	entries, next := l.Since(0)
	if len(entries) != maxCalls || entries[0].Seq != total-maxCalls+1 || entries[maxCalls-1].Seq != total || next != total {
		t.Errorf("%d entries, from %d to %d, next %d", len(entries), entries[0].Seq, entries[len(entries)-1].Seq, next)
	}
	if kept := len(l.entries); kept > maxCalls+maxCalls/4 {
		t.Errorf("%d entries are kept", kept)
	}
	if entries, _ := l.Since(total - 2); len(entries) != 2 || entries[0].Seq != total-1 {
		t.Errorf("the last two: %+v", entries)
	}
	if entries, _ := l.Since(total + 5); len(entries) != 0 {
		t.Errorf("beyond the end: %+v", entries)
	}
}

func TestWaitReturnsTheNextCallOrTheEndOfTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newCallLog()
		time.AfterFunc(time.Minute, func() { l.observe(wire.Call{Request: &wire.Request{Seq: 1}}) })
		begin := time.Now()
		entries, next, err := l.Wait(t.Context(), 0)
		if err != nil || len(entries) != 1 || next != 1 || time.Since(begin) != time.Minute {
			t.Errorf("%v %d %v after %v", entries, next, err, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, _, err := l.Wait(ctx, next); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestWeightsOfEveryWayToForward(t *testing.T) {
	forward := func(groups ...any) []any {
		return []any{
			wire.Params{"Type": "authenticate-oidc"},
			wire.Params{"Type": "forward", "TargetGroupArn": "a", "ForwardConfig": wire.Params{"TargetGroups": groups}},
		}
	}
	group := func(arn string, weight any) wire.Params {
		return wire.Params{"TargetGroupArn": arn, "Weight": weight}
	}
	change := func(action, name, typ, id string, weight any) wire.Params {
		return wire.Params{"Action": action, "ResourceRecordSet": wire.Params{"Name": name, "Type": typ, "SetIdentifier": id, "Weight": weight}}
	}
	batch := func(changes ...any) wire.Params { return wire.Params{"ChangeBatch": wire.Params{"Changes": changes}} }
	for name, tc := range map[string]struct {
		operation string
		params    wire.Params
		want      map[string]int
	}{
		"several groups":           {"ModifyRule", wire.Params{"Actions": forward(group("a", "0"), group("b", int64(7)))}, map[string]int{"a": 0, "b": 7}},
		"a group without a weight": {"CreateRule", wire.Params{"Actions": forward(group("a", nil))}, map[string]int{"a": 1}},
		"the short form":           {"CreateListener", wire.Params{"DefaultActions": forward()}, map[string]int{"a": 1}},
		"a default action":         {"ModifyListener", wire.Params{"DefaultActions": forward(group("b", "999"))}, map[string]int{"b": 999}},
		"no actions":               {"ModifyRule", wire.Params{"Conditions": []any{}}, nil},
		"an answer of its own":     {"CreateRule", wire.Params{"Actions": []any{wire.Params{"Type": "fixed-response"}}}, nil},
		"weighted records": {"ChangeResourceRecordSets", batch(
			change("UPSERT", "API.example.com.", "A", "blue", "90"), change("UPSERT", "api.example.com", "AAAA", "green", int64(0)),
		), map[string]int{"api.example.com A blue": 90, "api.example.com AAAA green": 0}},
		"records that go":          {"ChangeResourceRecordSets", batch(change("DELETE", "api.example.com.", "A", "blue", "90")), nil},
		"records without a weight": {"ChangeResourceRecordSets", batch(change("UPSERT", "api.example.com.", "TXT", "", nil)), nil},
		"another operation":        {"DescribeRules", wire.Params{"Actions": forward(group("a", "1"))}, nil},
	} {
		if diff := cmp.Diff(tc.want, weightsOf(&wire.Request{Operation: tc.operation, Params: tc.params})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
