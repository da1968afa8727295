package elbv2

import (
	"fmt"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

// Resource kinds as ARNs spell them.
const (
	kindLoadBalancer = "loadbalancer"
	kindListener     = "listener"
	kindRule         = "listener-rule"
	kindTargetGroup  = "targetgroup"
)

// kindWords are the kinds in the wording of AWS's messages.
func kindWord(kind string) string {
	switch kind {
	case kindLoadBalancer:
		return "load balancer"
	case kindRule:
		return "rule"
	case kindTargetGroup:
		return "target group"
	default:
		return kind
	}
}

// newID is the random last part of an ARN: 16 hex digits.
func (s *Service) newID() string { return fmt.Sprintf("%016x", s.rand.Uint64()) }

func (w *world) newARN(resource string) string {
	return fmt.Sprintf("arn:%s:elasticloadbalancing:%s:%s:%s", wire.Partition(w.region), w.region, w.account, resource)
}

// resource is the part of an ARN after the account, "" when it is no ELBv2 ARN.
func resource(arn string) string {
	p := strings.SplitN(arn, ":", 6)
	if len(p) < 6 || p[0] != "arn" || p[2] != "elasticloadbalancing" {
		return ""
	}
	return p[5]
}

// arnKind is one of the kinds, or "" when the ARN names nothing that ELBv2 has.
func arnKind(arn string) string {
	kind, rest, _ := strings.Cut(resource(arn), "/")
	parts := 0
	for part := range strings.SplitSeq(rest, "/") {
		if part == "" {
			return ""
		}
		parts++
	}
	want := map[string]int{kindLoadBalancer: 3, kindListener: 4, kindRule: 5, kindTargetGroup: 2}[kind]
	if want == 0 || parts != want {
		return ""
	}
	return kind
}

func checkARN(arn, kind string) error {
	if arnKind(arn) != kind {
		return invalid("'%s' is not a valid %s ARN", arn, kindWord(kind))
	}
	return nil
}

// arnOf is a required member that holds the ARN of a resource of one kind.
func (c *call) arnOf(name, kind string) (string, error) {
	arn, err := required(c.p, name)
	if err != nil {
		return "", err
	}
	return arn, checkARN(arn, kind)
}

func find[T any](list []T, arn string, arnOf func(T) string) (T, bool) {
	for _, x := range list {
		if arnOf(x) == arn {
			return x, true
		}
	}
	var none T
	return none, false
}
