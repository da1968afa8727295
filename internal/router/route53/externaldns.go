package route53

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/awsconf"
)

// external-dns keeps who owns a record in a TXT record set beside it, its registry: with
// the same routing policy, set identifier and weight as the record. The newer form names
// the type before the name (a-, aaaa-, cname- for aliases, too), the older does not, and
// installations put a prefix before both.

// heritage is what a registry's record set says.
type heritage struct{ owner, resource string }

func (h heritage) String() string {
	if h.resource == "" {
		return fmt.Sprintf("external-dns with owner %q", h.owner)
	}
	return fmt.Sprintf("external-dns with owner %q (%s)", h.owner, h.resource)
}

// parseHeritage reads a TXT value; ok is false when it is not one of external-dns.
func parseHeritage(value string) (h heritage, ok bool) {
	texts, err := parseText(value)
	if err != nil {
		return heritage{}, false
	}
	for field := range strings.SplitSeq(strings.Join(texts, ""), ",") {
		key, v, _ := strings.Cut(strings.Trim(field, `" `), "=")
		switch key {
		case "heritage":
			ok = v == "external-dns"
		case "external-dns/owner":
			h.owner = v
		case "external-dns/resource":
			h.resource = v
		}
	}
	return h, ok
}

// isRegistry tells whether a record set is one of external-dns's registry.
func isRegistry(s types.ResourceRecordSet) bool {
	return s.Type == types.RRTypeTxt && slices.ContainsFunc(valuesOf(s), func(v string) bool { _, ok := parseHeritage(v); return ok })
}

// registryNames are where the registry of a name may be, with the usual prefixes.
func registryNames(name fqdn, parts []part) []fqdn {
	kinds := map[string]bool{"": true}
	for _, p := range parts {
		kinds[strings.ToLower(string(p.typ))+"-"] = true
		for _, s := range p.sets {
			if s.AliasTarget != nil {
				kinds["cname-"] = true
			}
		}
	}
	var out []fqdn
	for kind := range kinds {
		for _, prefix := range []string{"", "externaldns-"} {
			full, err := parseName(prefix + kind + string(name))
			if err == nil && full != name && !slices.Contains(out, full) {
				out = append(out, full)
			}
		}
	}
	slices.Sort(out)
	return out
}

// registry reads who owns which set identifier; "" stands for the name as a whole. One
// page of a listing answers for all names up to its end, so that it takes one call in a
// small zone, and one per name at most.
func (n *Name) registry(ctx context.Context, rd *reading) (map[string][]heritage, error) {
	owners := map[string][]heritage{}
	note := func(s types.ResourceRecordSet) {
		for _, v := range valuesOf(s) {
			h, ok := parseHeritage(v)
			id := aws.ToString(s.SetIdentifier)
			if ok && s.Type == types.RRTypeTxt && !slices.Contains(owners[id], h) {
				owners[id] = append(owners[id], h)
			}
		}
	}
	for _, s := range rd.all {
		note(s)
	}
	for names := registryNames(n.name, rd.parts); len(names) > 0; {
		first := names[0]
		page, err := n.api.ListResourceRecordSets(ctx, &r53.ListResourceRecordSetsInput{
			HostedZoneId: aws.String(n.zone), StartRecordName: aws.String(string(first)), StartRecordType: types.RRTypeTxt,
		})
		if err != nil {
			return nil, n.gone(awsconf.Classify("reading the registry of external-dns", err))
		}
		for _, s := range page.ResourceRecordSets {
			if name, err := parseName(aws.ToString(s.Name)); err == nil && slices.Contains(names, name) {
				note(s)
			}
		}
		end, err := parseName(aws.ToString(page.NextRecordName))
		names = slices.DeleteFunc(names, func(name fqdn) bool { // what the page has answered for
			return name == first || before(first, name) && (!page.IsTruncated || err == nil && before(name, end))
		})
	}
	return owners, nil
}

// registryWarnings say who else writes the declared records.
func (n *Name) registryWarnings(owners map[string][]heritage) []string {
	var out []string
	all := map[string]bool{}
	for i, id := range n.cfg.Destinations {
		of := slices.Concat(owners[id], owners[""])
		for _, h := range of {
			all[h.owner] = true
		}
		if len(of) > 0 {
			out = append(out, fmt.Sprintf(
				"%s: %q belongs to %s, which writes the weight of its annotation external-dns.alpha.kubernetes.io/aws-weight back and so fights the shift: let it only create records (--policy=create-only), or take the name from its sources, until the shift is done and the annotation says the new weight", destinationAt(i), id, of[0]))
		}
	}
	if len(all) > 1 {
		out = append(out, fmt.Sprintf(
			"the records of %s belong to %d owners of external-dns (%s): each may change or delete the other's records; see that every one has an owner ID (--txt-owner-id) and set identifiers of its own, and that none of them has --policy=sync for this name while it is shifted",
			n.name, len(all), strings.Join(slices.Sorted(maps.Keys(all)), ", ")))
	}
	return out
}
