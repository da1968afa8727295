package lawtest

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// markIn finds the mark among record sets; none of it is there when there is none.
func (r *dnsReader) markIn(sets []wire.Params) mark {
	for _, set := range sets {
		if canonicalName(set.Str("Name")) == r.mark && set.Str("Type") == "TXT" {
			return r.markOf(set)
		}
	}
	return mark{}
}

// markOf a TXT record set: quoted strings KEY=VALUE, or KEY+2=… where a value goes on.
func (r *dnsReader) markOf(set wire.Params) mark {
	parts := map[string]string{}
	for _, v := range set.List("ResourceRecords") {
		for i, text := range strings.Split(v.Str("Value"), `"`) {
			if key, value, _ := strings.Cut(text, "="); i%2 == 1 { // between quotes
				parts[key] = value
			}
		}
	}
	item := func(key string) string {
		whole := []string{parts[key]}
		for n := 2; parts[key+"+"+strconv.Itoa(n)] != ""; n++ {
			whole = append(whole, parts[key+"+"+strconv.Itoa(n)])
		}
		plain, err := url.PathUnescape(strings.Join(whole, ""))
		if err != nil {
			return strings.Join(whole, "")
		}
		return plain
	}
	m := mark{shift: item("shift"), signal: item("signal"), from: Split{}}
	owner, expires, _ := strings.Cut(item("lease"), " ")
	expires, _, _ = strings.Cut(expires, " ")
	if at, err := time.Parse(time.RFC3339Nano, expires); err == nil {
		m.owner, m.expires = owner, at
	}
	count, err := strconv.Atoi(item("from"))
	m.hasFrom = err == nil
	for i := range count {
		weight, id, found := strings.Cut(item("from-"+strconv.Itoa(i+1)), " ")
		n, err := strconv.Atoi(weight)
		if !found || err != nil {
			m.hasFrom = false
		}
		if _, declared := r.declared[id]; declared || n > 0 {
			m.from[id] = n
		}
	}
	return m
}
