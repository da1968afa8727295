package route53

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/norikae/norikae/internal/awsconf"
	"github.com/norikae/norikae/internal/shift"
)

// healthyAbove is the share of the checkers, in percent, that must call an endpoint
// healthy: "more than 18%", in the developer guide.
const healthyAbove = 18

// keepConfig is how long a health check's configuration is remembered: it says how its
// state is to be read, and hardly ever changes.
const keepConfig = time.Minute

// checkConfig is what decides how a health check's state is read.
type checkConfig struct {
	at                 time.Time
	kind               types.HealthCheckType
	inverted, disabled bool
}

// unreadable tells whether Route 53 has no API for its state.
func (c checkConfig) unreadable() bool {
	return slices.Contains([]types.HealthCheckType{types.HealthCheckTypeCalculated, types.HealthCheckTypeCloudwatchMetric, types.HealthCheckTypeRecoveryControl}, c.kind)
}

// Health of destinations, as Route 53 decides whether to answer with them: each is one
// target, healthy when the health checks of all its records say so. A record without
// one counts as healthy for Route 53, and so does one whose check's state cannot be read.
func (n *Name) Health(ctx context.Context, ids []string) (map[string]shift.Health, error) {
	rd, err := n.recent(ctx)
	if err != nil {
		return nil, err
	}
	asked := map[string]string{} // why a check is not healthy, by its ID; "": it is
	out := make(map[string]shift.Health, len(ids))
	for _, id := range ids {
		checks, found := checksOf(rd, id)
		h := shift.Health{Healthy: 1, Total: 1, Reason: "no health check"}
		switch {
		case !found:
			h = shift.Health{Reason: "there is no such record"}
		case len(checks) > 0:
			h.Reason = ""
		}
		for _, check := range checks {
			why, known := asked[check]
			if !known {
				if why, err = n.checkState(ctx, check); err != nil {
					return nil, err
				}
				asked[check] = why
			}
			if why != "" {
				h.Healthy, h.Reason = 0, why
			}
		}
		out[id] = h
	}
	return out, nil
}

// checksOf a destination's records, each once.
func checksOf(rd *reading, id string) (checks []string, found bool) {
	for _, p := range rd.parts {
		for _, s := range p.sets {
			if aws.ToString(s.SetIdentifier) != id {
				continue
			}
			found = true
			if check := aws.ToString(s.HealthCheckId); check != "" && !slices.Contains(checks, check) {
				checks = append(checks, check)
			}
		}
	}
	return checks, found
}

// checkState says why a health check is not healthy, "" when it is.
func (n *Name) checkState(ctx context.Context, id string) (why string, err error) {
	config, err := n.checkConfig(ctx, id)
	switch {
	case err != nil:
		return "", err
	case config.disabled && config.inverted:
		return fmt.Sprintf("health check %s is disabled and inverted, which makes it unhealthy", id), nil
	case config.disabled || config.unreadable():
		return "", nil
	}
	out, err := n.api.GetHealthCheckStatus(ctx, &r53.GetHealthCheckStatusInput{HealthCheckId: aws.String(id)})
	if err != nil {
		return "", awsconf.Classify("reading the state of health check "+id, err)
	}
	total, passing, failure := len(out.HealthCheckObservations), 0, ""
	for _, o := range out.HealthCheckObservations {
		status := ""
		if o.StatusReport != nil {
			status = aws.ToString(o.StatusReport.Status)
		}
		if strings.HasPrefix(status, "Success") {
			passing++
		} else if failure == "" {
			failure = status
		}
	}
	healthy := 100*passing > healthyAbove*total
	switch {
	case total == 0:
		return fmt.Sprintf("health check %s: no checker has reported yet", id), nil
	case config.inverted && healthy:
		return fmt.Sprintf("health check %s is inverted, and %d of %d checkers succeed", id, passing, total), nil
	case config.inverted, healthy:
		return "", nil
	}
	return strings.TrimSuffix(fmt.Sprintf("health check %s: %d of %d checkers succeed: %s", id, passing, total, failure), ": "), nil
}

// checkConfig of a health check, asked once in a while.
func (n *Name) checkConfig(ctx context.Context, id string) (checkConfig, error) {
	n.mu.Lock()
	known, ok := n.checks[id]
	n.mu.Unlock()
	if ok && time.Since(known.at) < keepConfig {
		return known, nil
	}
	at := time.Now()
	out, err := n.api.GetHealthCheck(ctx, &r53.GetHealthCheckInput{HealthCheckId: aws.String(id)})
	if err != nil {
		return checkConfig{}, awsconf.Classify("reading health check "+id, err)
	}
	config := checkConfig{at: at}
	if out.HealthCheck != nil && out.HealthCheck.HealthCheckConfig != nil {
		c := out.HealthCheck.HealthCheckConfig
		config.kind, config.inverted, config.disabled = c.Type, aws.ToBool(c.Inverted), aws.ToBool(c.Disabled)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.checks[id] = config
	return config, nil
}

// Advise says what people should know before a shift.
func (n *Name) Advise(ctx context.Context) ([]string, error) {
	zone, err := n.hostedZone(ctx)
	if err != nil {
		return nil, err
	}
	rd, err := n.recent(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	if c := zone.HostedZone.Config; c != nil && c.PrivateZone {
		out = append(out, fmt.Sprintf("the hosted zone %s is private: only resolvers of its VPCs see the shift", n.zone))
	}
	checked, evaluated := false, false
	for _, p := range rd.parts {
		for _, s := range p.sets {
			checked = checked || s.HealthCheckId != nil
			evaluated = evaluated || s.AliasTarget != nil && s.AliasTarget.EvaluateTargetHealth
		}
	}
	if checked || evaluated {
		out = append(out, "Route 53 leaves out records that it finds unhealthy, so the shares are then others than the weights say; when all records that have a weight are unhealthy, those of weight 0 are answered")
	}
	if evaluated {
		out = append(out, "an alias with EvaluateTargetHealth is unhealthy as soon as one target group of its load balancer has no healthy target: an old group that is drained takes the whole destination out of DNS")
	}
	for _, id := range n.cfg.Destinations {
		more, err := n.adviseChecks(ctx, rd, id)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// adviseChecks tells of health checks whose state norikae cannot see.
func (n *Name) adviseChecks(ctx context.Context, rd *reading, id string) ([]string, error) {
	var out []string
	checks, _ := checksOf(rd, id)
	for _, check := range checks {
		config, err := n.checkConfig(ctx, check)
		switch {
		case err != nil:
			return nil, err
		case config.unreadable():
			out = append(out, fmt.Sprintf("the state of %q's health check %s (%s) cannot be read through Route 53's API: it counts as healthy here", id, check, config.kind))
		case config.disabled && !config.inverted:
			out = append(out, fmt.Sprintf("%q's health check %s is disabled: Route 53 takes it for healthy", id, check))
		}
	}
	return out, nil
}
