package lawtest

import (
	"strings"
	"time"
)

// Route says what a trace is about: a rule by its ARN, or Priority on Listener, or the
// Default action of Listener; or the weighted records of Name in the hosted zone Zone.
type Route struct {
	Rule, Listener string
	Priority       int
	Default        bool

	Zone, Name string
	Types      []string // of the records; nil: all that have weights
}

// network tells whether it is a Network Load Balancer's listener.
func (r Route) network() bool { return strings.Contains(r.Listener, ":listener/net/") }

// reader tells what the exchanges with a route's service are about. It is asked for each
// of them, in their order.
type reader interface {
	// read an exchange. ok is false when it is of another service.
	read(x *Exchange) (a act, ok bool)
}

// newReader for a declaration's route.
func newReader(d Declared) reader {
	if d.Route.Name != "" {
		return newDNSReader(d)
	}
	return &elbReader{route: d.Route, found: map[string]bool{}}
}

// act is what one exchange does, in words that all kinds of routes share. What a refused
// write would have done is told as well.
type act struct {
	page      *page    // of a listing
	readsIt   bool     // it asks for the route
	route     *reading // the route, as far as it is known now; nil: not yet
	asksMark  bool     // it asks for the mark
	marks     []mark   // that it was told
	marking   *marking // what it does to the mark
	write     *write   // what it does to the weights
	health    []health // of targets, that it was told
	asksForce bool     // it asks whether a change is in force
	change    string   // the ID of the change that it made or asked for
	inForce   bool     // which is in force
	strays    []string // what it changes that a shift has no business with
}

// page of a listing.
type page struct {
	asked string // where it begins; "": at the beginning
	next  string // where it goes on, and must be followed to; "": there is no need
}

// reading is what a route is, as an answer told or as a write made it.
type reading struct {
	at         time.Time
	exists     bool
	split      Split
	others     []Split // of parts of the route whose weights differ: record types of a name
	nilWeights bool    // a destination came without its weight
	rest       string  // everything else about the route that a shift has to keep
	conditions string
	ttl        time.Duration // how long clients keep what they were told
}

// mark is what a route's mark says about the shift under way.
type mark struct {
	shift   string
	from    Split
	hasFrom bool
	owner   string // of the lease; "": no lease among what was read
	expires time.Time
	signal  string
}

// marking is a change of the mark.
type marking struct {
	mark
	adds          bool // it writes mark or lease, else it removes what follows
	shift, lease  bool // which of both are removed
	unconditional bool // it takes no notice of what is there, on a route where it could
}

// health of one destination.
type health struct {
	id             string
	healthy, total int
}

// write is one attempt to write weights.
type write struct {
	x *Exchange
	reading

	off            bool // it is not the route that is written
	creates        bool // the route is made
	unconditional  bool // it takes no notice of what it replaces, on a route where it could
	withConditions bool
	again          bool   // the same as the attempt before, which failed
	text           string // of the whole request, to tell a repeated attempt
}

// acts of a whole trace: nil for what is of another service.
func acts(trace []Exchange, d Declared) []*act {
	r, out := newReader(d), make([]*act, len(trace))
	for i := range trace {
		if a, ok := r.read(&trace[i]); ok {
			out[i] = &a
		}
	}
	return out
}
