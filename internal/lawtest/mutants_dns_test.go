package lawtest

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/awssim"
	"github.com/norikae/norikae/internal/awssim/fault"
	"github.com/norikae/norikae/internal/shift"
)

// eachChange gives every change of a batch to f, which says what becomes of it.
func eachChange(f func(change string) string) func(string) string {
	return func(batch string) string {
		before, rest, _ := strings.Cut(batch, "<Change>")
		var out strings.Builder
		out.WriteString(before)
		for i, c := range strings.Split("<Change>"+rest, "<Change>") {
			if i == 0 {
				continue
			}
			c, tail, _ := strings.Cut(c, "</Change>")
			out.WriteString(f("<Change>"+c+"</Change>") + tail)
		}
		return out.String()
	}
}

// created changes the record sets that a batch makes, of those that have weights.
func created(f func(change string) string) func(string) string {
	return eachChange(func(c string) string {
		if strings.Contains(c, "<Action>CREATE") && strings.Contains(c, "<Weight>") {
			return f(c)
		}
		return c
	})
}

// without cuts an element out.
func without(s, element string) string {
	before, rest, ok := strings.Cut(s, "<"+element+">")
	_, after, _ := strings.Cut(rest, "</"+element+">")
	if !ok {
		return s
	}
	return before + after
}

// upsert writes over whatever is there, for changes that f chooses.
func upsert(f func(change string) bool) func(string) string {
	return eachChange(func(c string) string {
		switch {
		case !f(c):
			return c
		case strings.Contains(c, "<Action>DELETE"):
			return ""
		}
		return strings.Replace(c, "<Action>CREATE", "<Action>UPSERT", 1)
	})
}

// keepFor gives the name's records a TTL in seconds; aliases have their own.
func (l *lab) keepFor(ttl int64) {
	l.t.Helper()
	all, err := l.sets(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	var changes []types.Change
	for _, set := range all {
		if set.AliasTarget == nil {
			set.TTL = aws.Int64(ttl)
			changes = append(changes, types.Change{Action: types.ChangeActionUpsert, ResourceRecordSet: &set})
		}
	}
	if len(changes) == 0 {
		return
	}
	if err := l.change(l.t.Context(), changes); err != nil {
		l.t.Fatal(err)
	}
}

func weighs(change string) bool { return strings.Contains(change, "<Weight>") }

// dnsMutants are bugs that only a name can have.
func dnsMutants() map[string]mutant {
	names := []Ground{OnDNS, OnAliases}
	return map[string]mutant{
		"another name that contains it is written, too (R1)": {
			law: LawKept, on: []Ground{OnDNS}, setup: Setup{Client: onBatch(created(func(c string) string {
				other := strings.Replace(c, "<Action>CREATE", "<Action>UPSERT", 1)
				return c + strings.Replace(other, "<Name>app.", "<Name>my-app.", 1)
			}))},
		},
		"only one type is written (R4)": {
			law: LawSteps, on: names, setup: Setup{Client: onBatch(eachChange(func(c string) string {
				if strings.Contains(c, "<Type>AAAA<") {
					return ""
				}
				return c
			}))},
		},
		"a record is deleted": {
			law: LawKept, on: []Ground{OnDNS}, setup: Setup{Client: onBatch(created(func(c string) string {
				if strings.Contains(c, "<SetIdentifier>blue<") && strings.Contains(c, "<Type>AAAA<") {
					return ""
				}
				return c
			}))},
		},
		"the TTL is changed": {
			law: LawKept, on: []Ground{OnDNS}, setup: Setup{Client: onBatch(created(func(c string) string {
				return strings.Replace(c, "<TTL>2<", "<TTL>300<", 1)
			}))},
		},
		"the health check is dropped": {
			law: LawKept, on: []Ground{OnDNS}, setup: Setup{Client: onBatch(created(func(c string) string { return without(c, "HealthCheckId") }))},
		},
		"the alias does not evaluate its target's health any more": {
			law: LawKept, on: []Ground{OnAliases}, setup: Setup{Client: onBatch(created(func(c string) string {
				return strings.Replace(c, "<EvaluateTargetHealth>true<", "<EvaluateTargetHealth>false<", 1)
			}))},
		},
		"a weight is left out (S20)": {
			law: LawWeights, on: names, setup: Setup{Client: onBatch(created(func(c string) string { return without(c, "Weight") }))},
		},
		"all weights of a name are 0 (S23)": {
			law: LawWeights, on: names, setup: Setup{Client: onBatch(created(func(c string) string {
				before, rest, _ := strings.Cut(c, "<Weight>")
				_, after, _ := strings.Cut(rest, "<")
				return before + "<Weight>0<" + after
			}))},
		},
		"records are written over whatever is there": {
			law: LawDrift, on: names, setup: Setup{Client: onBatch(upsert(weighs))},
		},
		"the mark is written over whatever is there": {
			law: LawLease, on: names, setup: Setup{Client: onBatch(upsert(func(c string) bool { return !weighs(c) }))},
		},
		"a change is not awaited": {
			law: LawForce, on: names, config: func(c *awssim.Config) { c.Propagation = 40 * time.Second },
			setup: Setup{Parts: onRouter(routerMutant{observe: func(l shift.Live) shift.Live {
				l.Pending = false
				return l
			}})},
		},
		"the TTL is not honoured": {law: LawForce, on: names, world: func(l *lab) { l.keepFor(30) }, setup: Setup{Parts: onRouter(routerMutant{hasty: true})}},
		"it goes on with a record that is not healthy": {
			law: LawRollback, on: []Ground{OnDNS}, world: sick, setup: Setup{Parts: onRouter(routerMutant{hale: true})},
		},
		"the next page of a name is not read (S11)": {
			law: LawPaging, on: []Ground{OnDNS}, config: func(c *awssim.Config) { c.MaxPageSize = 2 },
			setup: Setup{Client: func(c aws.HTTPClient) aws.HTTPClient {
				return httpMutant{HTTPClient: c, answer: func(body string) string {
					return strings.Replace(body, "<IsTruncated>true<", "<IsTruncated>false<", 1)
				}}
			}},
		},
		"From in the mark of a name is not the live split": {
			law: LawSettled, on: []Ground{OnDNS}, setup: Setup{Client: onBatch(func(b string) string { return strings.ReplaceAll(b, "=100 blue", "=50 blue") })},
		},
		"From in the mark of a name is forgotten on the way (S14)": {
			law: LawResume, on: []Ground{OnDNS}, world: func(l *lab) { l.markBefore(l.split(blueGreen(100, 0)...)) },
			setup: Setup{Client: onBatch(eachChange(func(c string) string {
				if strings.Contains(c, "<Action>CREATE") {
					return strings.ReplaceAll(c, "=100 blue", "=90 blue")
				}
				return c
			}))},
		},
		"it advances on empty data of an NLB (M8)": {
			law: LawVerdict, on: []Ground{OnNLB}, world: func(l *lab) {
				time.AfterFunc(8*time.Second, func() { l.fault(fault.Rule{Kind: fault.MetricMissing, Name: "NewFlowCount"}) })
			}, setup: Setup{Parts: believing("Inconclusive")},
		},
	}
}
