package route53

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/norikae/norikae/internal/awssim/wire"
)

const (
	maxCheckPage   = 100
	minInterval    = 10 // seconds
	maxInterval    = 30 // seconds; also the default
	defaultFailing = 3  // probes in a row
	maxChildren    = 256
)

// healthCheck is what the API knows of a health check; the checker knows how it is.
type healthCheck struct {
	id, reference string
	version       int
	created       int
	config        checkConfig
	tags          tags
}

// checkConfig is a HealthCheckConfig.
type checkConfig struct {
	typ           string
	ip            string
	port          int
	path, host    string
	search        string
	interval      int // seconds
	failing       int // FailureThreshold, probes in a row
	latency       bool
	inverted      bool
	disabled      bool
	threshold     int // HealthThreshold, of the children
	children      []string
	sni           bool
	regions       []string
	alarm, alarms string // name and region
	insufficient  string
	routing       string
}

func noSuchHealthCheck(id string) error {
	return &wire.Error{
		Code: "NoSuchHealthCheck", Message: "No health check exists with the specified ID: " + id, Status: http.StatusNotFound,
	}
}

func (c *call) check() (*healthCheck, error) {
	id := c.p.Str("HealthCheckId")
	if h := c.checks[id]; h != nil {
		return h, nil
	}
	return nil, noSuchHealthCheck(id)
}

func (h *healthCheck) describe() wire.Struct {
	return wire.Struct{
		kv("Id", h.id), kv("CallerReference", h.reference), kv("HealthCheckVersion", h.version),
		kv("HealthCheckConfig", h.config.describe()),
	}
}

func (k checkConfig) probes() bool { return strings.HasPrefix(k.typ, "HTTP") || k.typ == "TCP" }

func (k checkConfig) describe() wire.Struct {
	out := wire.Struct{kv("Type", k.typ), kv("Inverted", k.inverted), kv("Disabled", k.disabled)}
	if k.probes() {
		out = append(out, kv("IPAddress", wire.Opt(k.ip)), kv("Port", k.port), kv("ResourcePath", wire.Opt(k.path)),
			kv("FullyQualifiedDomainName", wire.Opt(k.host)), kv("SearchString", wire.Opt(k.search)), kv("RequestInterval", k.interval),
			kv("FailureThreshold", k.failing), kv("MeasureLatency", k.latency), kv("EnableSNI", k.sni))
	}
	if k.typ == "CALCULATED" {
		out = append(out, kv("HealthThreshold", k.threshold), kv("ChildHealthChecks", wire.Texts(k.children)))
	}
	if k.regions != nil {
		out = append(out, kv("Regions", wire.Texts(k.regions)))
	}
	if k.alarm != "" {
		out = append(out, kv("AlarmIdentifier", wire.Struct{kv("Region", k.alarms), kv("Name", k.alarm)}))
	}
	return append(out, kv("InsufficientDataHealthStatus", wire.Opt(k.insufficient)), kv("RoutingControlArn", wire.Opt(k.routing)))
}

// read takes over the members that p has. Those that name and shape the check itself
// cannot be changed later.
func (k *checkConfig) read(p wire.Params, creating bool) (err error) {
	const path = "healthCheckConfig."
	text := map[string]*string{
		"IPAddress": &k.ip, "ResourcePath": &k.path, "FullyQualifiedDomainName": &k.host, "SearchString": &k.search,
		"InsufficientDataHealthStatus": &k.insufficient,
	}
	numbers := map[string]struct {
		at     *int
		lo, hi int
	}{
		"Port": {&k.port, 1, 1<<16 - 1}, "FailureThreshold": {&k.failing, 1, 10}, "HealthThreshold": {&k.threshold, 0, maxChildren},
	}
	switches := map[string]*bool{"Inverted": &k.inverted, "Disabled": &k.disabled, "EnableSNI": &k.sni}
	if creating {
		text["Type"], text["RoutingControlArn"] = &k.typ, &k.routing
		numbers["RequestInterval"] = struct {
			at     *int
			lo, hi int
		}{&k.interval, minInterval, maxInterval}
		switches["MeasureLatency"] = &k.latency
	}
	for _, name := range slices.Sorted(maps.Keys(text)) {
		if !p.Has(name) {
			continue
		}
		*text[name] = p.Str(name)
		if err := constraint.Length(*text[name], path+wire.Camel(name), 0, 255); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(numbers)) {
		n, ok, err := constraint.Int(p, name, path+wire.Camel(name), numbers[name].lo, numbers[name].hi)
		if err != nil {
			return err
		}
		if ok {
			*numbers[name].at = n
		}
	}
	for _, name := range slices.Sorted(maps.Keys(switches)) {
		v, ok, err := constraint.Bool(p, name, path+wire.Camel(name))
		if err != nil {
			return err
		}
		if ok {
			*switches[name] = v
		}
	}
	if p.Has("ChildHealthChecks") {
		k.children = p.Strings("ChildHealthChecks")
	}
	if p.Has("Regions") {
		k.regions = p.Strings("Regions")
	}
	if a := p.Struct("AlarmIdentifier"); a != nil {
		k.alarm, k.alarms = a.Str("Name"), a.Str("Region")
	}
	return nil
}

// complete fills in the defaults and checks what belongs together.
func (k *checkConfig) complete(known map[string]*healthCheck) error {
	types := []string{"HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP", "CALCULATED", "CLOUDWATCH_METRIC", "RECOVERY_CONTROL"}
	if err := constraint.OneOf(k.typ, "healthCheckConfig.type", types...); err != nil {
		return err
	}
	if k.interval == 0 {
		k.interval = maxInterval
	}
	if k.failing == 0 {
		k.failing = defaultFailing
	}
	if k.port == 0 && strings.HasPrefix(k.typ, "HTTPS") {
		k.port = 443
	} else if k.port == 0 && strings.HasPrefix(k.typ, "HTTP") {
		k.port = 80
	}
	_, ipErr := netip.ParseAddr(k.ip)
	switch {
	case k.interval != minInterval && k.interval != maxInterval:
		return invalid("Invalid parameter : RequestInterval must be %d or %d", minInterval, maxInterval)
	case k.probes() && k.ip == "" && k.host == "":
		return invalid("Invalid parameter : Either IPAddress or FullyQualifiedDomainName must be specified")
	case k.ip != "" && ipErr != nil:
		return invalid("Invalid parameter : IPAddress '%s' is not an IP address", k.ip)
	case k.typ == "TCP" && k.port == 0:
		return invalid("Invalid parameter : Port must be specified for a health check of type TCP")
	case strings.HasSuffix(k.typ, "_STR_MATCH") == (k.search == ""):
		return invalid("Invalid parameter : SearchString must be specified for the types HTTP_STR_MATCH and HTTPS_STR_MATCH, and for no other")
	case k.typ == "CALCULATED" && (len(k.children) == 0 || len(k.children) > maxChildren):
		return invalid("Invalid parameter : A calculated health check must have 1 to %d ChildHealthChecks", maxChildren)
	case k.typ == "CLOUDWATCH_METRIC" && (k.alarm == "" || k.alarms == ""):
		return invalid("Invalid parameter : AlarmIdentifier must be specified for a health check of type CLOUDWATCH_METRIC")
	}
	for _, id := range k.children {
		if known[id] == nil {
			return invalid("Invalid parameter : Health check %s does not exist", id)
		}
	}
	return nil
}

func (c *call) createHealthCheck() (wire.Struct, error) {
	h := &healthCheck{reference: c.p.Str("CallerReference"), version: 1}
	if err := constraint.Length(h.reference, "callerReference", 1, 64); err != nil {
		return nil, err
	}
	config := c.p.Struct("HealthCheckConfig")
	if config == nil {
		return nil, constraint.Violation(nil, "healthCheckConfig", "not be null")
	}
	if err := h.config.read(config, true); err != nil {
		return nil, err
	}
	if err := h.config.complete(c.checks); err != nil {
		return nil, err
	}
	for _, o := range c.checks {
		if o.reference != h.reference {
			continue
		}
		if !reflect.DeepEqual(o.config, h.config) {
			return nil, &wire.Error{
				Code: "HealthCheckAlreadyExists", Status: http.StatusConflict,
				Message: "A health check with the same caller reference exists but its settings are different: " + h.reference,
			}
		}
		return o.answer(), nil // asked for again
	}
	id := strings.ToLower(c.s.id(32))
	h.id = strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-")
	c.s.founded++
	h.created = c.s.founded
	c.account.checks[h.id] = h
	c.s.checks.watch(h.id, h.config)
	return h.answer(), nil
}

func (h *healthCheck) answer() wire.Struct {
	return wire.Struct{
		kv("HealthCheck", h.describe()), kv("Location", "https://route53.amazonaws.com/2013-04-01/healthcheck/"+h.id),
	}
}

func (c *call) getHealthCheck() (wire.Struct, error) {
	h, err := c.check()
	if err != nil {
		return nil, err
	}
	return wire.Struct{kv("HealthCheck", h.describe())}, nil
}

func (c *call) sortedChecks() []*healthCheck {
	return slices.SortedFunc(maps.Values(c.checks), func(a, b *healthCheck) int { return a.created - b.created })
}

func (c *call) listHealthChecks() (wire.Struct, error) {
	size, said, err := c.pageSize(maxCheckPage)
	if err != nil {
		return nil, err
	}
	checks, marker, next := c.sortedChecks(), c.p.Str("Marker"), ""
	if marker != "" {
		i := slices.IndexFunc(checks, func(h *healthCheck) bool { return h.id == marker })
		if i < 0 {
			return nil, invalid("The marker '%s' is not valid", marker)
		}
		checks = checks[i:]
	}
	if len(checks) > size {
		next, checks = checks[size].id, checks[:size]
	}
	return wire.Struct{
		kv("HealthChecks", wire.ListOf(checks, (*healthCheck).describe)), kv("Marker", marker), kv("IsTruncated", next != ""), kv("NextMarker", wire.Opt(next)), kv("MaxItems", said),
	}, nil
}

func (c *call) getHealthCheckCount() (wire.Struct, error) {
	return wire.Struct{kv("HealthCheckCount", len(c.checks))}, nil
}

func (c *call) updateHealthCheck() (wire.Struct, error) {
	h, err := c.check()
	if err != nil {
		return nil, err
	}
	if v, ok, err := c.p.Int("HealthCheckVersion"); err != nil || ok && v != h.version {
		return nil, &wire.Error{
			Code: "HealthCheckVersionMismatch", Status: http.StatusConflict,
			Message: fmt.Sprintf("The value of HealthCheckVersion in the request doesn't match the value in the health check, %d", h.version),
		}
	}
	config := h.config
	for _, name := range c.p.Strings("ResetElements") {
		switch name {
		case "ChildHealthChecks":
			config.children = nil
		case "FullyQualifiedDomainName":
			config.host = ""
		case "Regions":
			config.regions = nil
		case "ResourcePath":
			config.path = ""
		default:
			return nil, constraint.Violation(name, "resetElements", "be ChildHealthChecks, FullyQualifiedDomainName, Regions or ResourcePath")
		}
	}
	if err := config.read(c.p, false); err != nil {
		return nil, err
	}
	if err := config.complete(c.checks); err != nil {
		return nil, err
	}
	h.config = config
	h.version++
	c.s.checks.watch(h.id, config)
	return wire.Struct{kv("HealthCheck", h.describe())}, nil
}

func (c *call) deleteHealthCheck() (wire.Struct, error) {
	h, err := c.check()
	if err != nil {
		return nil, err
	}
	delete(c.account.checks, h.id)
	c.s.checks.forget(h.id)
	return wire.Struct{}, nil
}

// checkerRegions are where AWS's health checkers are when a check does not say.
func checkerRegions() []string {
	return []string{
		"us-east-1", "us-west-1", "us-west-2", "eu-west-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "sa-east-1",
	}
}

func (c *call) getHealthCheckStatus() (wire.Struct, error) { return c.observations(false) }

func (c *call) getHealthCheckLastFailureReason() (wire.Struct, error) { return c.observations(true) }

// observations are the same in all regions: there is one prober.
func (c *call) observations(failure bool) (wire.Struct, error) {
	h, err := c.check()
	if err != nil {
		return nil, err
	}
	if !h.config.probes() {
		return nil, invalid("Health checks of type %s have no status of their own", h.config.typ)
	}
	status, at := c.s.checks.report(h.id, failure)
	out := wire.List{}
	regions := h.config.regions
	if regions == nil {
		regions = checkerRegions()
	}
	for i, region := range regions {
		if status == "" {
			break // nothing has been seen yet
		}
		out = append(out, wire.Struct{
			kv("Region", region), kv("IPAddress", fmt.Sprintf("192.0.2.%d", i+1)), // documentation addresses
			kv("StatusReport", wire.Struct{kv("Status", status), kv("CheckedTime", at.UTC().Truncate(1e6))}),
		})
	}
	return wire.Struct{kv("HealthCheckObservations", out)}, nil
}
