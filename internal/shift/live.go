package shift

import (
	"slices"

	"github.com/norikae/norikae/internal/traffic"
)

// shares tells whether the whole route, each of its parts, has the shares of s.
func (l Live) shares(s traffic.Split) bool {
	return l.Split.SameShares(s) && !slices.ContainsFunc(l.Others, func(o traffic.Split) bool { return !o.SameShares(s) })
}

// exactly tells whether the whole route has the very integers of s. Where destinations
// are not ours to attach and detach (DNS records), those without traffic do not count.
func (p Plan) exactly(l Live, s traffic.Split) bool {
	switch {
	case len(l.Others) > 0:
		return false
	case p.KeepUndeclared:
		return withTraffic(l.Split).Equal(withTraffic(s))
	}
	return l.Split.Equal(s)
}

func withTraffic(s traffic.Split) traffic.Split {
	return slices.DeleteFunc(slices.Clone(s), func(w traffic.Weighted) bool { return w.Weight == 0 })
}

// Settled tells whether a route already is as declared, all of it and in force.
func (s Spec) Settled(l Live) bool {
	return l.Exists && l.Conforms && !l.Pending && Plan{Spec: s}.exactly(l, s.To())
}

// ours tells whether each part of the route has a split that this shift writes.
func (p Plan) ours(l Live) bool {
	written := func(s traffic.Split) bool {
		return s.SameShares(p.From) || s.SameShares(p.Final) || slices.ContainsFunc(p.Splits, s.SameShares)
	}
	return p.ForeignSteps || written(l.Split) && !slices.ContainsFunc(l.Others, func(s traffic.Split) bool { return !written(s) })
}
