package alb

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/norikae/norikae/internal/awssim/chance"
	"github.com/norikae/norikae/internal/awssim/model"
)

// table is what a listener does with requests, compiled from one model.Config.
// It is immutable; a listener swaps it whole.
type table struct {
	balancer *balancer
	exchange *proxy
	scheme   string // http | https, as the client is meant to see it
	port     string
	rules    []rule
}

type rule struct {
	conditions []condition
	// Exactly one of the three is set.
	forward  *forward
	redirect *model.Redirect
	fixed    *fixedResponse
}

func (r *rule) match(s *subject) bool {
	for i := range r.conditions {
		if !r.conditions[i].match(s) {
			return false
		}
	}
	return true
}

// forward spreads requests over members by weight.
type forward struct {
	members []member
	weights chance.Weights
	sticky  time.Duration // 0: no group stickiness
}

type member struct {
	group *group
	stats *groupStats
}

// pick maps a uniform 64-bit number to a member; nil when the weights sum to 0.
func (f *forward) pick(random uint64) *member {
	if i := f.weights.Pick(random); i >= 0 {
		return &f.members[i]
	}
	return nil
}

// member of the action by its group's ARN, nil when it has none.
func (f *forward) member(groupARN string) *member {
	for i := range f.members {
		if f.members[i].group.ARN() == groupARN {
			return &f.members[i]
		}
	}
	return nil
}

type fixedResponse struct {
	status      int
	contentType string
	body        string
}

// compileRule leaves out authentication actions: every request passes them.
func (p *DataPlane) compileRule(b *balancer, r model.Rule) (rule, error) {
	var out rule
	for _, c := range r.Conditions {
		cc, err := compileCondition(c)
		if err != nil {
			return out, err
		}
		out.conditions = append(out.conditions, cc)
	}
	actions := slices.SortedStableFunc(slices.Values(r.Actions), func(a, b model.Action) int { return cmp.Compare(a.Order, b.Order) })
	for _, a := range slices.Backward(actions) {
		switch {
		case a.Type == "forward" && a.Forward != nil:
			out.forward = p.compileForward(b, a.Forward)
		case a.Type == "redirect" && a.Redirect != nil:
			out.redirect = a.Redirect
		case a.Type == "fixed-response" && a.FixedResponse != nil:
			status, err := strconv.Atoi(a.FixedResponse.StatusCode)
			if err != nil || http.StatusText(status) == "" && (status < 200 || status > 599) {
				return out, fmt.Errorf("fixed-response status code %q is not 2XX, 4XX or 5XX", a.FixedResponse.StatusCode)
			}
			out.fixed = &fixedResponse{status: status, contentType: a.FixedResponse.ContentType, body: a.FixedResponse.MessageBody}
		default:
			continue
		}
		return out, nil
	}
	return out, fmt.Errorf("rule %s has no forward, redirect or fixed-response action", r.ARN)
}

// compileForward is called with p.mu held. A group that is not in the
// configuration keeps its share and answers 503, as one without targets does.
func (p *DataPlane) compileForward(b *balancer, f *model.Forward) *forward {
	out := &forward{}
	for _, t := range f.TargetGroups {
		out.weights.Add(t.Weight)
		out.members = append(out.members, member{group: p.group(t.ARN), stats: p.groupStats(b, t.ARN)})
	}
	if s := f.Stickiness; s != nil && s.Enabled {
		out.sticky = time.Duration(s.DurationSeconds) * time.Second
	}
	return out
}
