package registry

import (
	"slices"
	"strings"
)

// selection is whether a set selects a cluster.
type selection int

const (
	unselected selection = iota
	selected
	undecided // one of the set's accounts is not known
)

// selects tells whether the set selects a cluster, and if not, why, in a stable word.
func (p *pass) selects(c Cluster) (selection, string) {
	reason, maybe := "NoSource", false
	for _, s := range p.Set.Sources {
		covers, unsure := p.covers(s, c.Scope())
		sel := s.Selector
		switch {
		case !covers && !unsure:
		case !sel.Match(c):
			if !covers {
				break
			}
			switch {
			case sel.Exclude.match(c):
				reason = "Excluded"
			case !sel.matchName(c.Name):
				reason = "NameDiffers"
			default:
				reason = "TagsDiffer"
			}
		case covers:
			return selected, ""
		default:
			maybe = true
		}
	}
	if maybe {
		return undecided, "AccountUnknown"
	}
	return unselected, reason
}

// maySelect tells whether the set could select a cluster of which only the ID is known.
func (p *pass) maySelect(id ID) bool {
	return slices.ContainsFunc(p.Set.Sources, func(s Source) bool {
		covers, unsure := p.covers(s, id.Scope())
		sel := s.Selector
		return (covers || unsure) && sel.matchName(id.Name) && !sel.Exclude.match(Cluster{ID: id})
	})
}

// covers tells whether the source looks into the scope; unsure: it does if the account of
// the own credentials, which could not be learnt, is that one.
func (p *pass) covers(s Source, scope Scope) (covers, unsure bool) {
	if !slices.Contains(s.Regions, scope.Region) {
		return false, false
	}
	accounts := s.Accounts
	if len(accounts) == 0 {
		accounts = []Account{{}}
	}
	for _, a := range accounts {
		switch {
		case a.RoleARN != "":
			covers = covers || accountOf(a.RoleARN) == scope.Account
		case p.account == "":
			unsure = true
		default:
			covers = covers || p.account == scope.Account
		}
	}
	return covers, unsure && !covers
}

// accountOf a role: arn:PARTITION:iam::ACCOUNT:role/NAME.
func accountOf(role string) string {
	parts := strings.SplitN(role, ":", 6)
	if len(parts) < 6 {
		return ""
	}
	return parts[4]
}
