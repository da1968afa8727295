package route53

import "strings"

// Share of the answers to questions for its weighted alias records that lead to a load
// balancer, as the name servers give them now, health left aside. ok is false when no
// weighted A or AAAA record leads there: who asks for it by itself gets it always.
func (s *Service) Share(dnsName string) (share float64, ok bool) {
	want := strings.ToLower(strings.TrimSuffix(dnsName, ".")) + "."
	for _, v := range s.current().zones {
		for _, types := range v.sets {
			for typ, sets := range types {
				if typ != "A" && typ != "AAAA" || len(sets) == 0 || sets[0].Policy != Weighted {
					continue
				}
				if n, leads := shareOf(sets, want); leads {
					share, ok = max(share, n), true
				}
			}
		}
	}
	return share, ok
}

func shareOf(sets []*RecordSet, want string) (share float64, leads bool) {
	sum, mine := 0, 0
	for _, r := range sets {
		sum += r.Weight
		if r.Alias != nil && strings.TrimPrefix(r.Alias.DNSName, "dualstack.") == want {
			mine += r.Weight
			leads = true
		}
	}
	if sum == 0 { // then all are answered alike
		return 1 / float64(len(sets)), leads
	}
	return float64(mine) / float64(sum), leads
}
